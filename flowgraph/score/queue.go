package score

// The queue of workloads that are looked at again is a heap.

// enqueue has a workload looked at again.
func (p *promises) enqueue(w int32) {
	if p.of[w].waits {
		return
	}
	p.of[w].waits = true
	p.queue = append(p.queue, w)
	siftUp(p.queue, len(p.queue)-1, p.precedes)
}

// dequeue takes the next workload.
func (p *promises) dequeue() int32 {
	next := pop(&p.queue, p.precedes)
	p.of[next].waits = false
	return next
}

// precedes reports whether a workload is looked at before another one: those that were
// never looked at, then those with the most traffic, for which the most is at stake.
func (p *promises) precedes(w, other int32) bool {
	a, b := &p.of[w], &p.of[other]
	if a.seen != b.seen {
		return !a.seen
	}
	return a.rate > b.rate || a.rate == b.rate && w < other
}
