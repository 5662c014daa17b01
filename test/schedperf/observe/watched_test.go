package observe

import (
	"context"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// pod returns a pod without a controller, which is a workload of its own.
func pod(name string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
}

// replica returns one of several pods of a workload.
func replica(workload string) *v1.Pod {
	p := pod(workload)
	p.GenerateName = workload + "-"
	is := true
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: workload, Controller: &is}}
	return p
}

func node(name string, pods ...*v1.Pod) fwk.NodeInfo {
	info := framework.NewNodeInfo(pods...)
	info.SetNode(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return info
}

func graph(edges ...flowgraph.Edge) *flowgraph.Store {
	store := flowgraph.NewStore()
	store.Publish(flowgraph.NewSnapshot(1, time.Unix(0, 0), edges))
	return store
}

func edge(from, to string, rate float64) flowgraph.Edge {
	return flowgraph.Edge{
		From: flowgraph.WorkloadID{Namespace: "ns", Name: from}, To: flowgraph.WorkloadID{Namespace: "ns", Name: to},
		Rates: flowgraph.Rates{SentBytesPerSecond: rate},
	}
}

// inner scores every pod except those that it is told to skip.
type inner struct {
	scorer
	skips bool
}

func (p inner) PreScore(context.Context, fwk.CycleState, *v1.Pod, []fwk.NodeInfo) *fwk.Status {
	if p.skips {
		return fwk.NewStatus(fwk.Skip)
	}
	return nil
}

type lister struct {
	fwk.SharedLister
	fwk.NodeInfoLister
	all []fwk.NodeInfo
}

func (l lister) NodeInfos() fwk.NodeInfoLister { return l }
func (l lister) List() ([]fwk.NodeInfo, error) { return l.all, nil }

func TestWatch(t *testing.T) {
	near, far, empty := node("near", replica("db"), replica("db")), node("far", replica("db"), replica("cache")), node("empty", pod("other"))
	all := []fwk.NodeInfo{near, far, empty}
	traffic := graph(edge("web", "db", 30), edge("cache", "web", 5))
	cases := map[string]struct {
		pod                    string
		scored                 []fwk.NodeInfo
		store                  *flowgraph.Store
		skips                  bool
		wantCycles, wantMissed int
	}{
		"the best node is scored":       {pod: "web", scored: []fwk.NodeInfo{near, empty}, wantCycles: 1},
		"only the second best":          {pod: "web", scored: []fwk.NodeInfo{far, empty}, wantCycles: 1, wantMissed: 1},
		"none of the peers' nodes":      {pod: "web", scored: []fwk.NodeInfo{empty}, wantCycles: 1, wantMissed: 1},
		"as good as the best":           {pod: "web", scored: []fwk.NodeInfo{far}, store: graph(edge("web", "db", 30), edge("cache", "web", 10)), wantCycles: 1},
		"a pod without traffic":         {pod: "other", scored: []fwk.NodeInfo{empty}},
		"a peer that is not placed":     {pod: "web", scored: []fwk.NodeInfo{empty}, store: graph(edge("web", "queue", 1))},
		"a cycle that the plugin skips": {pod: "web", scored: []fwk.NodeInfo{empty}, skips: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.store == nil {
				c.store = traffic
			}
			w := &Watch{}
			p := &watched{scorer: inner{skips: c.skips}, watch: w, store: c.store, nodes: lister{all: all}}
			if got := p.PreScore(t.Context(), nil, pod(c.pod), c.scored); got.IsSkip() != c.skips {
				t.Errorf("status %v", got)
			}
			if cycles, missed := w.Seen(); cycles != c.wantCycles || missed != c.wantMissed {
				t.Errorf("%d cycles, %d missed, want %d and %d", cycles, missed, c.wantCycles, c.wantMissed)
			}
			w.Reset()
			if cycles, missed := w.Seen(); cycles+missed != 0 {
				t.Errorf("%d cycles, %d missed after Reset", cycles, missed)
			}
		})
	}
}

func TestFactoryRefusesWhatScoresNoPods(t *testing.T) {
	makes := func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) { return bound{}, nil }
	if _, err := (&Watch{}).Factory(flowgraph.NewStore(), makes)(t.Context(), nil, nil); err == nil {
		t.Error("a plugin that scores no pods is watched")
	}
}

func TestCounter(t *testing.T) {
	var c Counter
	c.bound() // nobody waits
	done := c.Expect(2)
	c.bound()
	select {
	case <-done:
		t.Fatal("one of two pods was enough")
	default:
	}
	if got := c.Missing(); got != 1 {
		t.Errorf("%d pods are missing, want 1", got)
	}
	c.bound()
	<-done
	c.bound() // one more than expected
}
