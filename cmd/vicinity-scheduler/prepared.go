package main

import (
	"context"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// mostWait is how long the first pod waits for what the plugins prepare. That takes less
// than a second with thousands of nodes, but pods must not wait for ever on a fault of ours.
const mostWait = 10 * time.Second

// nextEntity takes the next pod, or group of pods, out of the scheduling queue.
type nextEntity = func(klog.Logger) (framework.QueuedEntityInfo, error)

// whenPrepared returns next with a first call that waits until all is prepared, but no longer
// than mostWait. Pods that are waiting when a scheduler starts would otherwise be placed
// without a look at the traffic.
func whenPrepared(ctx context.Context, begin func() <-chan struct{}, after func(time.Duration) <-chan time.Time, next nextEntity) nextEntity {
	waits := true // written by the scheduling loop only
	return func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		if waits {
			waits = false
			select {
			case <-begin():
			case <-ctx.Done():
			case <-after(mostWait):
				logger.Error(nil, "The plugins have not read the nodes and pods yet; until they have, pods are placed without a look at the traffic", "waited", mostWait)
			}
		}
		return next(logger)
	}
}
