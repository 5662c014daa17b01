package trafficlocality

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// faultyLister fails, or hands out nodes that do.
type faultyLister struct {
	fwk.SharedLister
	fwk.NodeInfoLister
	list func() ([]fwk.NodeInfo, error)
}

func (l faultyLister) NodeInfos() fwk.NodeInfoLister { return l }
func (l faultyLister) List() ([]fwk.NodeInfo, error) { return l.list() }

// faultyInfo panics when its pods are looked at.
type faultyInfo struct{ fwk.NodeInfo }

func (faultyInfo) GetPods() []fwk.PodInfo { panic("no pods") }

// nodelessInfo has lost its node.
type nodelessInfo struct{ fwk.NodeInfo }

func TestPanicsBecomeSkip(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 10MiB/s")
	c.assign("n1: db; n2: db*2; n3: cart; n4:")
	nodes := c.nodes()
	want := c.scoreText(c.pod("web"))

	cases := map[string]struct {
		list       func() ([]fwk.NodeInfo, error)
		wantPanics int
		wantReason skipReason
	}{
		"the lister panics": {
			list: func() ([]fwk.NodeInfo, error) { panic("no list") }, wantPanics: 1, wantReason: skipPanic,
		},
		"a node panics after others were indexed": {
			list: func() ([]fwk.NodeInfo, error) {
				faulty := slices.Clone(nodes)
				faulty[2] = faultyInfo{faulty[2]}
				return faulty, nil
			}, wantPanics: 1, wantReason: skipPanic,
		},
		"a node is none": {
			list: func() ([]fwk.NodeInfo, error) {
				return append(slices.Clone(nodes), nodelessInfo{&framework.NodeInfo{}}), nil
			}, wantPanics: 1, wantReason: skipPanic,
		},
		"the lister fails": {
			list: func() ([]fwk.NodeInfo, error) { return nil, errors.New("no list") }, wantReason: skipNoNodes,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c.TB = t
			c.plugin = c.newPlugin(allOfIt)
			panics, skips := count(t, c.metrics.panicsTotal), count(t, c.metrics.skips.With(test.wantReason.String()))
			c.plugin.lister = faultyLister{list: test.list}
			if got := c.scoreText(c.pod("web")); got != "skip" {
				t.Errorf("the scores are %s", got)
			}
			if got := count(t, c.metrics.panicsTotal) - panics; got != test.wantPanics {
				t.Errorf("%d panics were counted, want %d", got, test.wantPanics)
			}
			if count(t, c.metrics.skips.With(test.wantReason.String())) != skips+1 {
				t.Errorf("the cycle was not counted as skipped for %v", test.wantReason)
			}
			// The next cycle finds everything in order.
			c.plugin.lister = c.snapshot
			if got := c.scoreText(c.pod("web")); got != want {
				t.Errorf("the scores are %s afterwards, want %s", got, want)
			}
			fresh := c.newKeeper()
			fresh.update(nodes, false)
			if diff := cmp.Diff(viewOf(fresh), viewOf(c.plugin.keeper)); diff != "" {
				t.Errorf("a fresh Board and the plugin's differ (-fresh, +plugin's):\n%s", diff)
			}
		})
	}
}

func TestPanicInScoreIsNoScore(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 10MiB/s")
	c.assign("n1: db")
	state := framework.NewCycleState()
	if status := c.plugin.PreScore(t.Context(), state, c.pod("web"), c.nodes()); !status.IsSuccess() {
		t.Fatal(status)
	}
	score, status := c.plugin.Score(t.Context(), state, c.pod("web"), nodelessInfo{&framework.NodeInfo{}})
	if score != 0 || !status.IsSuccess() {
		t.Errorf("a node that is none scores %d, %v", score, status)
	}
	if got := count(t, c.metrics.panicsTotal); got != 1 {
		t.Errorf("%d panics were counted, want 1", got)
	}
}

// TestPodsOfAGroupCount: within a group cycle the scheduler assumes pods in its
// snapshot and leaves the generations of their nodes as they were.
func TestPodsOfAGroupCount(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 10MiB/s")
	c.assign("n1: cart; n2: cart")
	if got := c.scoreText(c.pod("web")); got != "skip" {
		t.Fatalf("the scores are %s before a peer runs", got)
	}
	assumed := c.pod("db")
	assumed.Spec.NodeName = "n2"
	info, err := framework.NewPodInfo(assumed)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.snapshot.AssumePod(info); err != nil {
		t.Fatal(err)
	}
	state := framework.NewCycleState()
	state.SetPodGroupSchedulingCycle(framework.NewCycleState())
	if status := c.plugin.PreScore(t.Context(), state, c.pod("web"), c.nodes()); !status.IsSuccess() {
		t.Fatalf("PreScore beside a pod of the group: %v", status)
	}
	if score, _ := c.plugin.Score(t.Context(), state, c.pod("web"), c.nodes("n2")[0]); score != 100 {
		t.Errorf("the node of a pod of the group scores %d, want 100", score)
	}
}

// TestConcurrentCycles runs cycles while graphs are published. Every cycle sees
// one graph, whole.
func TestConcurrentCycles(t *testing.T) {
	const rounds, cyclesPerRound, goroutines = 10, 50, 8
	c := newCluster(t, allOfIt)
	c.assign("n1@r/a: db; n2@r/b: cart; n3@r/c:")
	graphs := map[string]string{
		"web -> db 10MiB/s; idle -> web 1B/s":    "n1=100 n2=10 n3=10",
		"idle -> web 1B/s; cart -> web 10MiB/s ": "n1=10 n2=100 n3=10",
	}
	var wants []string
	for text, want := range graphs {
		c.traffic(text)
		wants = append(wants, want)
	}
	for range rounds {
		stop := make(chan struct{})
		var publishing, cycles sync.WaitGroup
		publishing.Go(func() {
			for {
				for text := range graphs {
					c.traffic(text)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		pod := c.pod("web")
		for range goroutines {
			cycles.Go(func() {
				for range cyclesPerRound {
					if got := c.scoreText(pod); !slices.Contains(wants, got) {
						t.Errorf("the scores are %s, want one of %q", got, wants)
					}
					c.plugin.SignPod(t.Context(), pod)
				}
			})
		}
		cycles.Wait()
		close(stop)
		publishing.Wait()
		// The scheduler itself changes its nodes between cycles only.
		c.place(c.pod("other"), "n3")
		c.update()
	}
	if got := count(t, c.metrics.panicsTotal); got != 0 {
		t.Errorf("%d panics were recovered", got)
	}
}
