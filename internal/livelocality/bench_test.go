package livelocality

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// BenchmarkMeasure measures 100,000 pods of 10,000 workloads on 5,000 nodes with 100,000
// edges: anew, and after 100 pods have changed.
func BenchmarkMeasure(b *testing.B) {
	const nodes, workloads, pods, edges = 5000, 10000, 100000, 100000
	rng := rand.New(rand.NewPCG(1, 1))
	core := informers.NewSharedInformerFactory(fake.NewClientset(), 0).Core().V1()
	routes, err := routing.NewRoutes(core, nil, routing.AllPolicies())
	if err != nil {
		b.Fatal(err)
	}
	f, err := NewFollower(core, routes, filling(routes), func(string) bool { return true })
	if err != nil {
		b.Fatal(err)
	}
	for i := range nodes {
		f.setNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   fmt.Sprint("n", i),
			Labels: map[string]string{corev1.LabelTopologyZone: fmt.Sprint("z", i%3), corev1.LabelTopologyRegion: "r"},
		}})
	}
	id := func(w int) flowgraph.WorkloadID {
		return flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprint("w", w)}
	}
	var all []*corev1.Pod
	for i := range pods {
		w := id(i % workloads)
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.Namespace, Name: fmt.Sprint(w.Name, "-", i), UID: types.UID(fmt.Sprint(i)),
			Labels:          map[string]string{"app": w.Name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: w.Name, Controller: new(true)}},
		}}
		p.Spec.NodeName = fmt.Sprint("n", rng.IntN(nodes))
		all = append(all, p)
		f.setPod(nil, p)
	}
	var graph []flowgraph.Edge
	for range edges {
		e := flowgraph.Edge{From: id(rng.IntN(workloads)), To: id(rng.IntN(workloads))}
		e.SentBytesPerSecond = 1000
		graph = append(graph, e)
	}
	snap := flowgraph.NewSnapshot(1, time.Unix(0, 0), graph)
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			f.moved = true
			f.Measure(snap)
		}
	})
	b.Run("after-100-pods", func(b *testing.B) {
		f.Measure(snap)
		for b.Loop() {
			for range 100 {
				i := rng.IntN(pods)
				moved := all[i].DeepCopy()
				moved.Spec.NodeName = fmt.Sprint("n", rng.IntN(nodes))
				f.setPod(all[i], moved)
				all[i] = moved
			}
			f.Measure(snap)
		}
	})
}
