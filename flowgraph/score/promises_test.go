package score

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// description is a cluster without an order.
type description struct {
	nodes   []string
	pods    [][2]string // workload and node
	desired map[string]int32
	edges   []flowgraph.Edge
}

func randomDescription(random *rand.Rand) description {
	const nodes, workloads = 8, 200
	d := description{desired: map[string]int32{}}
	for i := range nodes {
		d.nodes = append(d.nodes, fmt.Sprintf("n%d", i))
	}
	for i := range workloads {
		name := fmt.Sprintf("w%d", i)
		for range random.IntN(4) {
			d.pods = append(d.pods, [2]string{name, d.nodes[random.IntN(nodes)]})
		}
		if random.IntN(4) > 0 {
			d.desired[name] = int32(1 + random.IntN(6))
		}
		for range 2 {
			// Few different rates, so that nodes are level with one another.
			d.edges = append(d.edges, calls(name, fmt.Sprintf("w%d", random.IntN(workloads)), float64(1000*(1+random.IntN(3)))))
		}
	}
	return d
}

// build makes a Board of a description in a random order. Some things come that leave
// again.
func (d description) build(t *testing.T, random *rand.Rand, routing affinity.Routing) *scene {
	o := byNode()
	o.ReserveRoom, o.Anticipate, o.MaxNodeShare = true, true, 0.66
	s := newScene(t, o)
	s.router.routing = routing
	s.traffic(d.edges...)
	var steps []func()
	for _, i := range random.Perm(len(d.nodes)) {
		s.node(d.nodes[i], "a")
		if random.IntN(2) == 0 {
			s.board.RemoveNode(s.node("gone", "a"))
			delete(s.nodes, "gone")
		}
	}
	for _, p := range d.pods {
		steps = append(steps, func() { s.board.AddPod(s.nodes[p[1]], served(p[0])) })
		steps = append(steps, func() {
			n := s.nodes[d.nodes[random.IntN(len(d.nodes))]]
			s.board.AddPod(n, served(p[0]))
			s.board.RemovePod(n, served(p[0]))
		})
	}
	for name, pods := range d.desired {
		steps = append(steps, func() {
			s.board.SetDesired(workload(name), Desired{Pods: pods + 1})
			s.board.SetDesired(workload(name), Desired{Pods: pods, Template: &Template{Requests: Room{1000, 0, 1}}})
		})
	}
	for _, i := range random.Perm(len(steps)) {
		steps[i]()
		if random.IntN(20) == 0 {
			s.engine.Evaluate(s.request("w0", 1))
		}
	}
	for range 100 {
		s.engine.Evaluate(s.request("w0", 1))
	}
	if n := s.engine.Waiting(); n > 0 {
		t.Fatalf("%d workloads wait after 100 cycles", n)
	}
	return s
}

// promises are all that are made, by the name of the node.
func (s *scene) promises() (all []string) {
	for name, n := range s.nodes {
		for _, p := range s.engine.PromisesOn(n) {
			all = append(all, fmt.Sprintf("%s %s %d %.3f %.3f", name, p.Workload, p.Room.Pods, p.Density, p.PodRate))
		}
	}
	slices.Sort(all)
	return all
}

// TestPromisesDependOnTheBoardAndTheSnapshotAlone: two engines that see the same things
// in another order promise the same, once they have looked at all workloads.
func TestPromisesDependOnTheBoardAndTheSnapshotAlone(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := randomDescription(random)
		for _, routing := range []affinity.Routing{affinity.Uniform, affinity.FairLoad} {
			one, two := d.build(t, random, routing), d.build(t, random, routing)
			if diff := gocmp.Diff(one.promises(), two.promises()); diff != "" {
				t.Fatalf("seed %d, %v: promises (-one +two):\n%s", seed, routing, diff)
			}
			if len(one.promises()) < 100 {
				t.Fatalf("seed %d: only %d promises", seed, len(one.promises()))
			}
		}
	}
}

// TestOverlaysLeaveNoTrace lays random pods on a Board that others are on.
func TestOverlaysLeaveNoTrace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	d := randomDescription(random)
	s := d.build(t, random, affinity.Uniform)
	before, promised := s.view(), s.promises()
	for range 100 {
		var o Overlay
		for range random.IntN(20) {
			pod := served(fmt.Sprintf("w%d", random.IntN(220))) // some that are new
			pod.Revision, pod.Serves = []string{"", "next"}[random.IntN(2)], random.IntN(2) == 0
			o.Add(int32(random.IntN(s.board.Len())), pod, random.IntN(4) > 0)
		}
		s.board.Lay(&o)
		request := s.request(fmt.Sprintf("w%d", random.IntN(200)), 3)
		request.Group = true
		s.engine.Evaluate(request)
		s.board.Lift(&o)
		if n := s.board.changes.len(); n > 0 {
			t.Fatalf("%d changes are followed", n)
		}
		if diff := gocmp.Diff(before, s.view()); diff != "" {
			t.Fatalf("the Board (-before +after):\n%s", diff)
		}
	}
	s.engine.Evaluate(s.request("w0", 1))
	if diff := gocmp.Diff(promised, s.promises()); diff != "" {
		t.Errorf("promises (-before +after):\n%s", diff)
	}
}

// view is what a Board says, and the order in which it keeps the places of a workload.
func (s *scene) view() (all []string) {
	b := s.board
	for id, w := range b.workloads.numbers {
		text := fmt.Sprintf("%s %d of %d:", id, b.Pods(w), b.Desired(w).Pods)
		for p := range b.Places(w) {
			text += fmt.Sprintf(" %d/%s=%d/%d", p.Node, p.Revision, p.Serving, p.Pods)
		}
		all = append(all, text)
	}
	for n := range b.nodes {
		stacks := slices.Clone(b.nodes[n].stacks)
		slices.SortFunc(stacks, func(a, b stack) int {
			return cmp.Or(cmp.Compare(a.workload, b.workload), cmp.Compare(a.place, b.place))
		})
		all = append(all, fmt.Sprintf("node %d %s %d: %v", n, b.nodes[n].name, b.nodes[n].changes, stacks))
	}
	slices.Sort(all)
	return all
}

// TestNumbersFollowTheSnapshot: through births, deaths and new snapshots, the numbers of
// the Board and those of the snapshot name the same workloads.
func TestNumbersFollowTheSnapshot(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	b := NewBoard(nil)
	n := b.AddNode(Node{})
	pods := map[string]int{}
	found := 0
	var snap *flowgraph.Snapshot
	for round := range 5000 {
		name := fmt.Sprintf("w%d", random.IntN(30))
		switch what := random.IntN(20); {
		case what == 0 || snap == nil:
			var edges []flowgraph.Edge
			for range 15 {
				edges = append(edges, calls(fmt.Sprintf("w%d", random.IntN(30)), fmt.Sprintf("w%d", random.IntN(30)), 1))
			}
			snap = flowgraph.NewSnapshot(uint64(round+1), dataTime, edges)
			b.look(snap)
		case what < 9:
			b.AddPod(n, served(name))
			pods[name]++
		case what < 18 && pods[name] > 0:
			b.RemovePod(n, served(name))
			pods[name]--
		default:
			b.SetDesired(workload(name), Desired{Pods: int32(random.IntN(2))})
		}
		for range 3 {
			i := random.IntN(snap.Len())
			if got, want := b.onBoard(i), b.Workload(snap.ID(i)); got != want {
				t.Fatalf("round %d: %v has number %d, want %d", round, snap.ID(i), got, want)
			}
			name := workload(fmt.Sprintf("w%d", random.IntN(30)))
			w := b.Workload(name)
			if w == Absent {
				continue
			}
			want, ok := snap.Lookup(name)
			if !ok {
				want = int(Absent)
			}
			if got := b.inSnapshot(w); int(got) != want {
				t.Fatalf("round %d: %v is %d in the snapshot, want %d", round, name, got, want)
			}
			found++
		}
	}
	if found < 1000 {
		t.Errorf("only %d numbers were compared", found)
	}
}

// TestPromisesTakeBoundedWork: however much traffic workloads have, a cycle visits no more
// places than it may, and all workloads are looked at after some cycles.
func TestPromisesTakeBoundedWork(t *testing.T) {
	const hubs, spokes = 20, 40
	o := byNode()
	o.ReserveRoom, o.Anticipate = true, true
	s := newScene(t, o)
	for i := range 10 {
		s.node(fmt.Sprintf("n%d", i), "a")
	}
	var edges []flowgraph.Edge
	for i := range spokes {
		spoke := fmt.Sprintf("spoke%d", i)
		for n := range 10 {
			s.board.AddPod(int32(n), served(spoke))
		}
		for hub := range hubs {
			edges = append(edges, calls(fmt.Sprintf("hub%d", hub), spoke, 1))
		}
	}
	for hub := range hubs {
		s.board.SetDesired(workload(fmt.Sprintf("hub%d", hub)), Desired{Pods: 2, Template: &Template{}})
	}
	s.traffic(edges...)
	const one = promiseWork + spokes*(edgeWork+10) // of one hub
	cycles := 0
	for s.engine.Evaluate(s.request("hub0", 2)); s.engine.Waiting() > 0; s.engine.Evaluate(s.request("hub0", 2)) {
		if work := s.engine.promises.work; work >= mostWork+one {
			t.Fatalf("a cycle visits %d places", work)
		}
		cycles++
	}
	if cycles < hubs*one/mostWork-1 || cycles > hubs {
		t.Errorf("it takes %d cycles", cycles)
	}
	if got := len(s.promises()); got < hubs {
		t.Errorf("only %d promises", got)
	}
}

// TestPrepare: what is prepared is what cycles would have come to, and leaves them nothing.
func TestPrepare(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	s := randomDescription(random).build(t, random, affinity.FairLoad)
	want := s.promises()
	s.engine = NewEngine(s.engine.options, s.board, s)
	s.board.view = view{}
	s.engine.Prepare(s.snap)
	if diff := gocmp.Diff(want, s.promises()); diff != "" {
		t.Errorf("promises (-by cycles +prepared):\n%s", diff)
	}
	if s.engine.Evaluate(s.request("w0", 1)); s.engine.promises.work > 0 {
		t.Errorf("the first cycle still visits %d places", s.engine.promises.work)
	}
}

// TestPromisesStayWhileOtherNodesChange has a thousand promises, and nodes that have nothing to
// do with them: they come, change, get pods and lose them, and go.
func TestPromisesStayWhileOtherNodesChange(t *testing.T) {
	const promised, others = 1000, 100
	o := everyLevel()
	o.ReserveRoom, o.Anticipate = true, true
	s := newScene(t, o)
	var edges []flowgraph.Edge
	for i := range promised {
		db, web := fmt.Sprintf("db%d", i), fmt.Sprintf("web%d", i)
		if i%20 == 0 {
			s.node(fmt.Sprintf("n%d", i), "a")
		}
		s.board.AddPod(s.nodes[fmt.Sprintf("n%d", i/20*20)], served(db))
		s.board.SetDesired(workload(web), Desired{Pods: 1, Template: &Template{Requests: Room{1000, 0, 1}}})
		edges = append(edges, calls(web, db, float64(i+1)))
	}
	s.traffic(edges...)
	s.engine.Prepare(s.snap)
	want := s.promises()
	if len(want) != promised {
		t.Fatalf("%d promises", len(want))
	}
	check := func(what string) {
		t.Helper()
		request := s.request("other", 3)
		s.engine.Evaluate(request)
		if s.engine.promises.work > edgeWork {
			t.Fatalf("%s: %d places are visited", what, s.engine.promises.work)
		}
		if diff := gocmp.Diff(want, s.promises()); diff != "" {
			t.Fatalf("%s: promises (-before +after):\n%s", what, diff)
		}
	}
	for i := range others {
		name := fmt.Sprintf("other%d", i)
		n := s.node(name, "b")
		check("a node has come")
		s.board.AddPod(n, served("other"))
		s.board.AddPod(n, served("daemon"))
		check("it has got pods")
		s.board.MoveNode(n, Node{Locality: locality.Locality{Node: name, Zone: "c", Region: "r"}})
		s.board.SetRoom(n, large, large)
		s.board.AlterNode(n)
		check("it has changed")
		s.board.RemovePod(n, served("other"))
		check("it has lost a pod")
		if i%2 == 0 {
			s.board.RemovePod(n, served("daemon"))
			s.board.RemoveNode(n)
			delete(s.nodes, name)
			check("it has gone")
		}
	}
}

// TestTheMostTrafficIsLookedAtFirst: of workloads that wait for their turn.
func TestTheMostTrafficIsLookedAtFirst(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	p := &promises{of: make([]promised, 100)}
	for w := range p.of {
		p.of[w].seen, p.of[w].rate = random.IntN(10) > 0, float64(random.IntN(50))
	}
	for _, i := range random.Perm(2 * len(p.of)) {
		p.enqueue(int32(i % len(p.of))) // each once
	}
	last, count := Absent, 0
	for ; len(p.queue) > 0; count++ {
		next := p.dequeue()
		if last != Absent {
			was, is := p.of[last], p.of[next]
			if was.seen && !is.seen || was.seen == is.seen && was.rate < is.rate {
				t.Errorf("workload %d (%+v) comes after %d (%+v)", next, is, last, was)
			}
		}
		last = next
	}
	if count != len(p.of) {
		t.Errorf("%d workloads were looked at", count)
	}
}
