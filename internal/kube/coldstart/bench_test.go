package coldstart

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// BenchmarkNew finds what is declared of 1,000 new workloads among 10,000, each with three
// peers.
func BenchmarkNew(b *testing.B) {
	w, _ := world(b)
	for i := range 10_000 {
		at, more := "01:00", ""
		if i%10 == 0 {
			at, more = "10:00", annotated(fmt.Sprintf("w%d=1Mi/s, w%d, w%d", i+1, i+2, i+3))
		}
		w.Changed(nil, read(b, replicaSet(fmt.Sprint("w", i), "a", at, "", more)))
	}
	w.New(now)
	b.ReportAllocs()
	for b.Loop() {
		if all, _ := w.New(now); len(all) != 1000 {
			b.Fatalf("%d workloads", len(all))
		}
	}
}

// BenchmarkMeet asks in a cycle whether a pod's workload has declared anything.
func BenchmarkMeet(b *testing.B) {
	w, _ := world(b, replicaSet("ads", "a", "10:00", "", ""))
	pod := read(b, `{kind: Pod, metadata: {namespace: shop, name: ads-a-x, labels: {pod-template-hash: a}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: ads-a, controller: true}]}}`).(*corev1.Pod)
	b.ReportAllocs()
	for b.Loop() {
		w.Meet(pod)
	}
}
