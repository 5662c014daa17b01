package score

// The queue of workloads that are looked at again is a heap.

// enqueue has a workload looked at again.
func (p *promises) enqueue(w int32) {
	if p.of[w].waits {
		return
	}
	p.of[w].waits = true
	p.queue = append(p.queue, w)
	for i := len(p.queue) - 1; i > 0; {
		parent := (i - 1) / 2
		if !p.precedes(p.queue[i], p.queue[parent]) {
			break
		}
		p.queue[i], p.queue[parent] = p.queue[parent], p.queue[i]
		i = parent
	}
}

// dequeue takes the next workload.
func (p *promises) dequeue() int32 {
	next, last := p.queue[0], len(p.queue)-1
	p.queue[0] = p.queue[last]
	p.queue = p.queue[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && p.precedes(p.queue[child+1], p.queue[child]) {
			child++
		}
		if !p.precedes(p.queue[child], p.queue[i]) {
			break
		}
		p.queue[i], p.queue[child] = p.queue[child], p.queue[i]
		i = child
	}
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
