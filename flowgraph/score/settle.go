package score

// Settle does at once for a pod what scheduling cycles do bit by bit: it has the rates of all
// workloads taken into account, all promises made, and the loads of all networks added up that
// matter to the pod. What Evaluate says of the pod from then on is what it would say after
// enough cycles, and stays the same until something changes.
func (e *Engine) Settle(r *Request) {
	for range mostSettled {
		if e.isSettled(e.Evaluate(r)) {
			return
		}
	}
}

// mostSettled bounds how often Settle evaluates a pod: a graph of 5,000,000 workloads would
// need as many cycles.
const mostSettled = 10_000

// isSettled reports whether the last Evaluate has left nothing to a later one.
func (e *Engine) isSettled(last *Result) bool {
	if e.significantRate() < 0 && !e.reference.settled {
		return false
	}
	if e.options.ReserveRoom && !last.request.Group && e.Waiting() > 0 {
		return false
	}
	w := &e.networks
	if !last.inGraph() || !w.on || w.adds.out <= 0 && w.adds.in <= 0 {
		return true // and nothing is known to be stale
	}
	for _, stale := range w.stale {
		for _, d := range stale {
			if adds := w.addsOn(d.node); (adds.out > 0 || adds.in > 0) && !e.isCurrent(d.node) {
				return false
			}
		}
	}
	return true
}
