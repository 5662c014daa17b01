package main

import (
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// heldBytes is what a pod takes as an informer holds it.
func heldBytes(t *testing.T, transform func(any) (any, error)) int {
	t.Helper()
	const pods = 500
	s := size{pods: pods, nodes: 10, edges: 1}
	held := make([]any, pods)
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	for i := range held {
		pod, err := decoded(s.pod(i), &corev1.Pod{})
		if err != nil {
			t.Fatal(err)
		}
		if held[i], err = transform(pod); err != nil {
			t.Fatal(err)
		}
	}
	taken := (heap() - before) / pods
	runtime.KeepAlive(held)
	return taken
}

// TestPodsAreTrimmed: what nobody reads is more than a third of a pod with a sidecar.
func TestPodsAreTrimmed(t *testing.T) {
	whole, trimmed := heldBytes(t, withoutManagedFieldsOfPods), heldBytes(t, kube.Trim)
	t.Logf("a pod takes %d bytes, trimmed %d", whole, trimmed)
	if trimmed > whole*2/3 {
		t.Errorf("a pod takes %d bytes, trimmed %d; want two thirds of it or less", whole, trimmed)
	}
}
