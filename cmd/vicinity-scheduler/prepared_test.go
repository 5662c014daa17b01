package main

import (
	"context"
	"testing"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

func TestTheFirstPodWaitsForPreparation(t *testing.T) {
	never := func(time.Duration) <-chan time.Time { return nil }
	ended, end := context.WithCancel(t.Context())
	end()
	closed := make(chan struct{})
	close(closed)
	fired := make(chan time.Time, 1)
	fired <- time.Time{}
	for name, c := range map[string]struct {
		ctx      context.Context
		prepared chan struct{}
		after    func(time.Duration) <-chan time.Time
	}{
		"prepared": {t.Context(), closed, never},
		"ended":    {ended, make(chan struct{}), never},
		"too long": {t.Context(), make(chan struct{}), func(time.Duration) <-chan time.Time { return fired }},
	} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			next := whenPrepared(c.ctx, func() <-chan struct{} { return c.prepared }, c.after, func(klog.Logger) (framework.QueuedEntityInfo, error) {
				taken++
				return nil, nil
			})
			for range 2 { // the second waits for nothing
				if _, err := next(klog.Background()); err != nil {
					t.Fatal(err)
				}
			}
			if taken != 2 {
				t.Errorf("%d pods were taken, want 2", taken)
			}
		})
	}
	t.Run("not yet", func(t *testing.T) {
		prepared, asked, taken := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
		isPrepared := false
		next := whenPrepared(t.Context(), func() <-chan struct{} { return prepared }, func(time.Duration) <-chan time.Time { close(asked); return nil },
			func(klog.Logger) (framework.QueuedEntityInfo, error) { taken <- isPrepared; return nil, nil })
		done := make(chan error)
		go func() { _, err := next(klog.Background()); done <- err }()
		<-asked
		isPrepared = true
		close(prepared)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if !<-taken {
			t.Error("a pod was taken before all was prepared")
		}
	})
}
