package trafficlocality

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/nodechanges"
)

// comparedInfo counts how often generations are compared.
type comparedInfo struct {
	fwk.NodeInfo
	compared *int
}

func (i comparedInfo) GetGeneration() int64 {
	*i.compared++
	return i.NodeInfo.GetGeneration()
}

// TestNothingIsComparedWhileNothingChanges: over random sequences of events, also between
// the scheduler's snapshot and the cycle, a Board that compares generations only when the
// count of changes has moved is the same as one that always does.
func TestNothingIsComparedWhileNothingChanges(t *testing.T) {
	skipped := 0
	for seed := range uint64(20) {
		c := &churn{cluster: newCluster(t, ""), random: rand.New(rand.NewPCG(seed, 8)), nodes: map[string]*v1.Node{}}
		always, x := c.newKeeper(), c.newKeeper()
		x.changes.count = (&nodechanges.Counter{}).Count
		compared := 0
		wrapped := map[fwk.NodeInfo]fwk.NodeInfo{}
		var list, infos []fwk.NodeInfo
		for round := range 300 {
			for range max(0, c.random.IntN(6)-3) {
				c.step()
			}
			c.update()
			if now := c.cluster.nodes(); len(now) != len(list) || len(now) > 0 && &now[0] != &list[0] {
				list, infos = now, nil
				for _, info := range now {
					if wrapped[info] == nil {
						wrapped[info] = comparedInfo{info, &compared}
					}
					infos = append(infos, wrapped[info])
				}
			}
			for range max(0, c.random.IntN(6)-4) {
				c.step() // an event that the snapshot does not have
			}
			compared = 0
			x.update(infos, false)
			if compared == 0 && len(infos) > 0 {
				skipped++
			}
			always.update(list, false)
			if diff := cmp.Diff(viewOf(always), viewOf(x)); diff != "" {
				t.Fatalf("seed %d, round %d: the Boards differ (-always, +counted):\n%s", seed, round, diff)
			}
		}
	}
	if skipped < 1000 {
		t.Errorf("generations were compared in all but %d cycles", skipped)
	}
}

// preparedCluster is a cluster whose plugin is prepared from informers that are not started.
type preparedCluster struct {
	*cluster
	preparation *Preparation
	synced      bool
}

func newPreparedCluster(t testing.TB, nodes, podsOnEach int) *preparedCluster {
	c := &preparedCluster{cluster: newCluster(t, ""), preparation: NewPreparation()}
	for i := range nodes {
		c.cache.AddNode(klog.Background(), node(fmt.Sprintf("n%d", i), "r", []string{"a", "b"}[i%2]))
		for k := range podsOnEach {
			c.place(c.pod(fmt.Sprintf("w%d", (i+k)%7)), fmt.Sprintf("n%d", i))
		}
	}
	c.update()
	for _, info := range c.nodes() {
		c.inform(info)
	}
	d := c.dependencies()
	d.Preparation = c.preparation
	p, err := Factory(d)(c.Context(), rawArgs(allOfIt), handle{informers: c.informers, lister: c.snapshot})
	if err != nil {
		t.Fatal(err)
	}
	c.plugin = p.(*Plugin)
	c.plugin.source.synced = []func() bool{func() bool { return c.synced }}
	c.traffic("w0 -> w1 1MiB/s; w2 -> w1 2MiB/s")
	return c
}

// inform has the informers say what is on a node, in another order.
func (c *preparedCluster) inform(info fwk.NodeInfo) {
	c.Helper()
	core := c.informers.Core().V1()
	if err := core.Nodes().Informer().GetIndexer().Add(info.Node()); err != nil {
		c.Fatal(err)
	}
	for _, p := range slices.Backward(info.GetPods()) {
		if err := core.Pods().Informer().GetIndexer().Add(p.GetPod()); err != nil {
			c.Fatal(err)
		}
	}
}

// checkBoard compares the plugin's Board with one that is read anew.
func (c *preparedCluster) checkBoard(when string) {
	c.Helper()
	fresh := c.newKeeper()
	fresh.update(c.nodes(), false)
	if diff := cmp.Diff(viewOf(fresh), viewOf(c.plugin.keeper)); diff != "" {
		c.Errorf("%s a fresh Board and the plugin's differ (-fresh, +plugin's):\n%s", when, diff)
	}
}

func TestNoSayUntilPrepared(t *testing.T) {
	c := newPreparedCluster(t, 4, 3)
	check := func(when string, wantSkip bool) {
		t.Helper()
		skips := count(t, c.metrics.skips.With(skipPreparing.String()))
		if text := c.scoreText(c.pod("w0")); (text == "skip") != wantSkip {
			t.Errorf("%s the scores are %s", when, text)
		}
		if got := count(t, c.metrics.skips.With(skipPreparing.String())) - skips; (got == 1) != wantSkip {
			t.Errorf("%s %d cycles were skipped", when, got)
		}
	}
	check("before all", true)
	c.preparation.prepare(t.Context(), false)
	check("before the informers are synced", true)
	c.synced = true
	c.preparation.prepare(t.Context(), false)
	c.checkBoard("once prepared")
	check("once prepared", false)
	c.checkBoard("in use")
	c.preparation.prepare(t.Context(), true)
	check("as it is in use", false)

	c.plugin.lister = faultyLister{list: func() ([]fwk.NodeInfo, error) { panic("no list") }}
	c.scores(c.pod("w0"), c.nodes())
	c.plugin.lister = c.snapshot
	check("after a panic", true)
	c.preparation.prepare(t.Context(), false)
	check("prepared again", false)
	c.checkBoard("prepared again")
}

// TestPreparationBacksOff: a Board that cannot be prepared is tried ever more seldom, once
// a minute in the end, and at once again after it could.
func TestPreparationBacksOff(t *testing.T) {
	c := newPreparedCluster(t, 2, 1)
	c.synced = true
	lister := c.plugin.source.nodes
	c.plugin.source.nodes = nil // to be looked at panics
	c.plugin.startAnew()
	const ticks = 100 + 3*int(longestPause/prepareEvery)
	var attempts []int
	for tick := range ticks {
		before := count(t, c.metrics.panicsTotal)
		if c.preparation.prepare(t.Context(), false) {
			t.Fatal("it is prepared without nodes")
		}
		if count(t, c.metrics.panicsTotal) > before {
			attempts = append(attempts, tick)
		}
	}
	if want := []int{0, 2, 6, 14, 30, 62, 126, 254, 510, 1022, 1622}; !slices.Equal(attempts, want) {
		t.Errorf("attempts in the rounds %v, want %v", attempts, want)
	}
	c.plugin.source.nodes = lister
	for range int(longestPause / prepareEvery) {
		c.preparation.prepare(t.Context(), false)
	}
	c.checkBoard("once there are nodes")
	if c.plugin.failures != 0 || c.plugin.pause != 0 || c.scoreText(c.pod("w0")) == "skip" {
		t.Errorf("it waits for %d rounds after %d failures", c.plugin.pause, c.plugin.failures)
	}
}

// TestPanicOnWhatIsWanted: an informer that says what a controller wants has no recover.
// The Board is made anew, by the Preparation or without one.
func TestPanicOnWhatIsWanted(t *testing.T) {
	c := newPreparedCluster(t, 4, 3)
	c.synced = true
	c.preparation.prepare(t.Context(), false)
	alone := newCluster(t, "")
	alone.assign("n1@r/a: db")
	alone.traffic("web -> db 10MiB/s")
	for name, plugin := range map[string]*Plugin{"prepared": c.plugin, "alone": alone.plugin} {
		board := plugin.keeper.board
		plugin.keeper.board = nil
		plugin.DesiredChanged(flowgraph.WorkloadID{Namespace: namespace, Name: "w0"}, kube.DesiredState{Pods: 3})
		if plugin.keeper.board = board; !plugin.stale.Load() {
			t.Errorf("%s: the Board is not made anew", name)
		}
	}
	if text := c.scoreText(c.pod("w0")); text != "skip" {
		t.Errorf("prepared: before the Board is made anew the scores are %s", text)
	}
	c.preparation.prepare(t.Context(), false)
	c.checkBoard("made anew")
	if alone.scoreText(alone.pod("web")) == "skip" || alone.plugin.stale.Load() {
		t.Error("alone: the Board is not made anew in the next cycle")
	}
}

// TestPreparationRunsAgain: the task begins again after a panic, also once it has told
// that all is prepared.
func TestPreparationRunsAgain(t *testing.T) {
	c := newPreparedCluster(t, 2, 1)
	c.synced = true
	prepared := c.preparation.Begin()
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.preparation.Run(ctx) })
		<-prepared
		cancel()
		running.Wait()
		c.preparation.tell() // as a second Run does, however soon it is cancelled
	}
}

// TestBegin: who asks is told once all Boards are ready, and none of them is prepared anew
// after that, when a cycle might find it half made.
func TestBegin(t *testing.T) {
	c := newPreparedCluster(t, 4, 3)
	prepared := c.preparation.Begin()
	synced := make(chan struct{})
	c.plugin.source.synced = []func() bool{func() bool {
		select {
		case <-synced:
			return true
		default:
			return false
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { c.preparation.Run(ctx) })
	select {
	case <-prepared:
		t.Error("it is said to be prepared before the informers are synced")
	default:
	}
	close(synced)
	<-prepared
	if c.scoreText(c.pod("w0")) == "skip" {
		t.Error("the first cycle is skipped")
	}
	c.checkBoard("after the first cycle")
}

// TestPreparedAnewUntilTheFirstCycle: a standby knows what has happened since.
func TestPreparedAnewUntilTheFirstCycle(t *testing.T) {
	c := newPreparedCluster(t, 4, 3)
	c.synced = true
	c.preparation.prepare(t.Context(), false)
	c.assign("new@r/b: w1*3")
	c.inform(c.nodes("new")[0])
	old := c.nodes("n0")[0]
	gone := old.GetPods()[1].GetPod()
	if err := c.informers.Core().V1().Pods().Informer().GetIndexer().Delete(gone); err != nil {
		t.Fatal(err)
	}
	if err := c.cache.RemovePod(klog.Background(), gone); err != nil {
		t.Fatal(err)
	}
	c.update()
	c.preparation.prepare(t.Context(), false)
	if _, ok := c.plugin.keeper.names["new"]; ok {
		t.Error("it is prepared anew all the time")
	}
	c.preparation.prepare(t.Context(), true)
	c.checkBoard("prepared anew")
}

// TestCatchUp: of more changes than a cycle takes over, the newest come first, the others
// follow, and the cycles say so.
func TestCatchUp(t *testing.T) {
	const nodes = 4*mostTakes + 100
	c := newPreparedCluster(t, nodes, 1)
	c.synced = true
	c.preparation.prepare(t.Context(), false)
	all := c.nodes()
	some := all[nodes-10:]
	c.scores(c.pod("w0"), some)
	if n := len(c.plugin.keeper.infos); n > mostTakes+len(some) || n < mostTakes {
		t.Errorf("the first cycle has taken %d nodes over", n)
	}
	c.checkBoard("in the first cycle")
	// The pod of the first cycle is placed on one of its candidates.
	c.place(c.pod("w1"), some[3].Node().Name)
	c.update()
	c.scores(c.pod("w0"), some)
	c.checkBoard("in the next cycle")
	cycles := 2
	for c.plugin.keeper.catchUp.behind {
		c.scores(c.pod("w0"), some)
		if cycles++; cycles > 100 {
			t.Fatal("the Board does not catch up")
		}
	}
	if got := count(t, c.metrics.behind); got != cycles-1 {
		t.Errorf("%d cycles said that they were behind, want %d", got, cycles-1)
	}
	// A pod comes to every node.
	for i := range nodes {
		c.place(c.pod("w1"), fmt.Sprintf("n%d", i))
	}
	c.update()
	for cycles = 1; ; cycles++ {
		c.scores(c.pod("w0"), some)
		if left := c.plugin.keeper.catchUp.left; left < -(lookCost + 10*podCost) {
			t.Fatalf("a cycle has spent %d too much", -left)
		}
		if !c.plugin.keeper.catchUp.behind {
			break
		}
	}
	if cycles < nodes*podCost/mostCosts {
		t.Errorf("it took only %d cycles", cycles)
	}
	c.checkBoard("in the end")
}
