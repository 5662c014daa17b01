package kubesim

import (
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// TestMomentDecidesAsThePlacer: in a cluster some of whose pods are placed, both say the same of
// where each pod would go, whether it is one of those or not, and looking changes nothing.
func TestMomentDecidesAsThePlacer(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c := pairs(6)
		in, config := history.Synthetic(c), configOf(t, 5, []string{"", "reserveRoom: false", "routing: FairLoad"}[rng.IntN(3)])
		placer, err := New(t.Context(), in, Options{Config: config, Now: stopped})
		if err != nil {
			t.Fatal(err)
		}
		snap := flowgraph.NewSnapshot(1, sim.Clock(), c.Edges)
		placer.Observe(snap)
		all := &objects.Objects{}
		for _, object := range in.Objects {
			all.Add(object)
		}
		for _, node := range in.Nodes {
			all.Add(node)
		}
		placed := map[sim.Pod]int32{}
		for w := range in.Templates {
			for ordinal := range int32(rng.IntN(3)) {
				pod := sim.Pod{Workload: int32(w), Ordinal: ordinal}
				placed[pod] = int32(rng.IntN(len(in.Nodes)))
				if _, err := placer.Place(t.Context(), pod, placed[pod]); err != nil {
					t.Fatal(err)
				}
				all.Add(placer.placed[pod])
			}
		}
		moment, err := NewMoment(t.Context(), all, MomentOptions{Config: config, Traffic: snap, At: sim.Clock()})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for w := range in.Templates {
				for _, ordinal := range []int32{0, 5} { // one that may be placed, and one that is not
					pod := sim.Pod{Workload: int32(w), Ordinal: ordinal}
					got, want := bothSay(t, placer, moment, pod, placed)
					if !slices.Equal(got, want) {
						t.Fatalf("seed %d: pod %v would go to %v, the placer says %v", seed, pod, got, want)
					}
				}
			}
		}
	}
}

// bothSay returns where a pod would go.
func bothSay(t *testing.T, placer *Placer, moment *Moment, pod sim.Pod, placed map[sim.Pod]int32) (got, want []string) {
	t.Helper()
	asked, err := placer.newPod(pod, false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := moment.Decide(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	node, isPlaced := placed[pod]
	if isPlaced {
		if err := placer.Remove(pod); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // until all that cycles do bit by bit is done
		best, err := placer.Best(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		want = nil
		for _, info := range best {
			want = append(want, info.Node().Name)
		}
	}
	slices.Sort(want)
	if isPlaced {
		if _, err := placer.Place(t.Context(), pod, node); err != nil {
			t.Fatal(err)
		}
	}
	return bestNodes(d), want
}

func bestNodes(d *Decision) (names []string) {
	var highest int64
	for i := range d.Nodes {
		n := &d.Nodes[i]
		if !n.Feasible() {
			continue
		}
		if names == nil || n.Total > highest {
			names, highest = nil, n.Total
		}
		if n.Total == highest {
			names = append(names, n.Node.Name)
		}
	}
	return names
}

// TestMomentSaysWhy names the filter that excludes a node, and what it says.
func TestMomentSaysWhy(t *testing.T) {
	c := pairs(3)
	in := history.Synthetic(c)
	in.Nodes[1].Spec.Unschedulable = true
	in.Nodes[1].Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	all := &objects.Objects{}
	for _, node := range in.Nodes {
		all.Add(node)
	}
	moment, err := NewMoment(t.Context(), all, MomentOptions{Config: configOf(t, 0, ""), At: sim.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := moment.Decide(t.Context(), in.Templates[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Nodes[1]; n.Filter != "NodeUnschedulable" || len(n.Reasons) != 1 || d.Nodes[0].Filter != "" || d.Ours != nil || d.Rejected != "" {
		t.Errorf("n01 is excluded by %q, %v; the decision is %+v", n.Filter, n.Reasons, d)
	}
	pinned := in.Templates[0].DeepCopy()
	pinned.Spec.NodeSelector = map[string]string{"none": "has it"}
	if d, err = moment.Decide(t.Context(), pinned); err != nil {
		t.Fatal(err)
	}
	for _, n := range d.Nodes {
		if n.Feasible() {
			t.Errorf("a pod that fits nowhere may go to %s", n.Node.Name)
		}
	}
}

// TestReplayHonoursChoices: pods of a namespace that is off are placed without the plugin, except
// those that say otherwise.
func TestReplayHonoursChoices(t *testing.T) {
	c := pairs(3)
	in := history.Synthetic(c)
	namespace := &corev1.Namespace{}
	namespace.Name, namespace.Annotations = in.Templates[0].Namespace, map[string]string{kube.LocalityAnnotation: "off"}
	all := &objects.Objects{}
	all.Add(namespace)
	for _, node := range in.Nodes {
		all.Add(node)
	}
	placed := *in.Templates[1]
	placed.Name, placed.UID, placed.Spec.NodeName = "peer", "peer", in.Nodes[0].Name
	all.Add(&placed)
	snap := flowgraph.NewSnapshot(1, sim.Clock(), c.Edges)
	moment, err := NewMoment(t.Context(), all, MomentOptions{Config: configOf(t, 5, ""), Traffic: snap, At: sim.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"": "off", "off": "off", "on": ""} {
		pod := in.Templates[0].DeepCopy()
		pod.Annotations = map[string]string{kube.LocalityAnnotation: value}
		d, err := moment.Decide(t.Context(), pod)
		if err != nil {
			t.Fatal(err)
		}
		_, scored := d.Nodes[0].Scores["TrafficLocality"]
		if d.Ours.Skipped != want || scored != (want == "") {
			t.Errorf("a pod that says %q is skipped for %q, want %q; scored: %v", value, d.Ours.Skipped, want, scored)
		}
	}
}
