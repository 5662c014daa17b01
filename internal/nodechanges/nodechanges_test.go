package nodechanges

import (
	"testing"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	schedmetrics "k8s.io/kubernetes/pkg/scheduler/metrics"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

// TestCounter: the count moves with each change of the scheduler's cache, and with
// nothing else. It fails when Kubernetes numbers generations in another way.
func TestCounter(t *testing.T) {
	schedmetrics.Register()
	log := klog.Background()
	c, snapshot := cache.New(t.Context(), nil, false, false), cache.NewEmptySnapshot()
	node := st.MakeNode().Name("n1").Obj()
	pod := st.MakePod().Name("web").UID("web").Node("n1").Obj()
	changes := &Counter{}
	changes.Count()
	steps := []struct {
		name string
		do   func() error
		same bool
	}{
		{name: "a node comes", do: func() error { c.AddNode(log, node); return nil }},
		{name: "nothing", do: func() error { return nil }, same: true},
		{name: "a snapshot", do: func() error { return c.UpdateSnapshot(log, snapshot) }, same: true},
		{name: "a pod is assumed", do: func() error { return c.AssumePod(log, pod) }},
		{name: "and forgotten", do: func() error { return c.ForgetPod(log, pod) }},
		{name: "a pod comes", do: func() error { return c.AddPod(log, pod) }},
		{name: "a pod changes", do: func() error { return c.UpdatePod(log, pod, pod.DeepCopy()) }},
		{name: "a pod goes", do: func() error { return c.RemovePod(log, pod) }},
		{name: "a node changes", do: func() error { c.UpdateNode(log, node, node.DeepCopy()); return nil }},
		{name: "a node goes", do: func() error { return c.RemoveNode(log, node) }},
		{name: "another snapshot", do: func() error { return c.UpdateSnapshot(log, snapshot) }, same: true},
	}
	for _, step := range steps {
		before := changes.Count()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if same := changes.Count() == before; same != step.same {
			t.Errorf("%s: the count is the same: %v, want %v", step.name, same, step.same)
		}
	}
	if n := testing.AllocsPerRun(100, func() { changes.Count() }); n != 0 {
		t.Errorf("counting makes %v allocations", n)
	}
}
