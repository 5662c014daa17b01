package observe

import (
	"context"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
)

// BoundName is the name of the plugin that counts bound pods.
const BoundName = "BoundCounter"

// Counter says when as many pods are bound as are waited for. The zero Counter
// waits for none.
type Counter struct {
	mu      sync.Mutex
	missing int
	done    chan struct{}
}

// Expect returns a channel that is closed when n more pods are bound, n at least 1.
// It replaces what was expected before.
func (c *Counter) Expect(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missing, c.done = n, make(chan struct{})
	return c.done
}

// Missing is how many of the expected pods are not bound yet.
func (c *Counter) Missing() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missing
}

func (c *Counter) bound() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missing == 0 {
		return
	}
	if c.missing--; c.missing == 0 {
		close(c.done)
	}
}

// Factory returns the factory of a plugin that counts the pods that are bound.
func (c *Counter) Factory() func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) { return bound{c}, nil }
}

type bound struct{ counter *Counter }

var _ fwk.PostBindPlugin = bound{}

func (bound) Name() string { return BoundName }

func (b bound) PostBind(context.Context, fwk.CycleState, *v1.Pod, string) { b.counter.bound() }
