// Package nodechanges counts the changes of kube-scheduler's NodeInfos, for plugins that may
// not import kube-scheduler (trafficlocality.Dependencies.Changes). It says neither which
// NodeInfo has changed nor how.
package nodechanges

import (
	"sync"

	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// Counter counts the changes of a process's NodeInfos. All of them take the numbers of
// their generations from one counter: one that takes the number after the last one that
// was asked for shows that no other has changed since. A process has one Counter: of two,
// each would take the other's numbers for changes. The zero Counter is ready for use, by
// several goroutines.
type Counter struct {
	mu    sync.Mutex
	last  int64
	count uint64
}

// Count returns another number than before when a NodeInfo may have changed since.
func (c *Counter) Count() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var asked framework.NodeInfo
	asked.RemoveNode() // takes the next number
	if asked.Generation != c.last+1 {
		c.count++
	}
	c.last = asked.Generation
	return c.count
}
