package main

import (
	"sync"

	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// nodeChanges counts the changes of the scheduler's NodeInfos. All NodeInfos of a process
// take the numbers of their generations from one counter: one that takes the number after
// the last one that was asked for shows that no other has changed since.
type nodeChanges struct {
	mu    sync.Mutex
	last  int64
	count uint64
}

// Count returns another number than before when a NodeInfo may have changed since.
func (c *nodeChanges) Count() uint64 {
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
