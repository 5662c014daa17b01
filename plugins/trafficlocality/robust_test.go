package trafficlocality

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
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

// TestPanicInSignPodIsARefusal: the scheduling queue calls it, and has no recover of its
// own.
func TestPanicInSignPodIsARefusal(t *testing.T) {
	c := newCluster(t, "strategy: NetMARKS")
	c.traffic("web -> db 10MiB/s")
	c.plugin.store = nil
	fragments, status := c.plugin.SignPod(t.Context(), c.pod("web"))
	if len(fragments) != 0 || !status.IsRejected() {
		t.Errorf("SignPod returns %v, %v; want a refusal", fragments, status)
	}
	if got := count(t, c.metrics.panicsTotal); got != 1 {
		t.Errorf("%d panics were counted, want 1", got)
	}
}

// TestDesiredReplicasAreFollowed: without what is given, the plugins of all profiles
// follow the informers that the framework hands them.
func TestDesiredReplicasAreFollowed(t *testing.T) {
	synctest.Test(t, desiredReplicasAreFollowed)
}

func desiredReplicasAreFollowed(t *testing.T) {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "db-" + templateHash},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32(4)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: templateHash}},
		},
	}
	c := newCluster(t, "")
	c.informers = informers.NewSharedInformerFactory(fake.NewClientset(rs), 0)
	d := c.dependencies()
	d.Desired = nil
	factory := Factory(d)
	var plugins []*Plugin
	for range 2 {
		p, err := factory(t.Context(), rawArgs(allOfIt+", closeness: {zone: 0, region: 0}"), handle{informers: c.informers, lister: c.snapshot})
		if err != nil {
			t.Fatal(err)
		}
		plugins = append(plugins, p.(*Plugin))
	}
	if plugins[0].desired != plugins[1].desired {
		t.Error("each profile follows the informers for itself")
	}
	c.informers.Start(t.Context().Done())
	t.Cleanup(c.informers.Shutdown)
	c.informers.WaitForCacheSync(t.Context().Done())
	synctest.Wait() // until the events are delivered
	c.traffic("web -> db 100B/s; web -> cart 100B/s")
	c.assign("n1: db; n2: cart")
	for _, p := range plugins {
		c.plugin = p
		if got := c.scoreText(c.pod("web")); got != "n1=25 n2=100" {
			t.Errorf("the scores are %s, want n1=25 n2=100", got)
		}
	}
}

// TestGroupsLeaveNoTrace: pods that a group cycle assumed, and the scheduler took back,
// count no more, also where the node was looked at for the first time in between.
func TestGroupsLeaveNoTrace(t *testing.T) {
	for _, known := range []bool{true, false} {
		c := newCluster(t, allOfIt)
		c.traffic("web -> db 10MiB/s")
		c.assign("n1: cart; n2: cart")
		if known {
			c.scores(c.pod("web"), c.nodes())
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
		for range 2 {
			if status := c.plugin.PreScore(t.Context(), state, c.pod("web"), c.nodes()); !status.IsSuccess() {
				t.Fatalf("known %v: PreScore beside a pod of the group: %v", known, status)
			}
		}
		if err := c.snapshot.ForgetPod(klog.Background(), assumed); err != nil {
			t.Fatal(err)
		}
		if got := c.scoreText(c.pod("web")); got != "skip" {
			t.Errorf("known %v: the scores are %s after the group is given up, want skip", known, got)
		}
		if slices.ContainsFunc(c.plugin.keeper.workloads, func(w keptWorkload) bool { return w.placed == assumed }) {
			t.Errorf("known %v: a pod that was taken back stands for its workload", known)
		}
	}
}
