package score

import "github.com/vicinity-sched/vicinity/flowgraph"

// Promise is room of a node that is promised to pods of a workload.
type Promise struct {
	Workload flowgraph.WorkloadID
	// Room is what these pods take.
	Room Room
	// Density is what one of them gains there, in bytes per second, for each share of
	// the node that it takes.
	Density float64
	// PodRate is what one of them exchanges, in bytes per second.
	PodRate float64
	// Scheduler is the name of the scheduler that places them.
	Scheduler string
}

// PromisesOn returns what is promised on a node, in no order.
func (e *Engine) PromisesOn(node int32) []Promise {
	if int(node) >= len(e.promises.byNode) {
		return nil
	}
	var all []Promise
	for _, p := range e.promises.byNode[node] {
		all = append(all, Promise{e.board.ID(p.workload), p.room, p.density, p.podRate, p.scheduler})
	}
	return all
}

// Waiting is how many workloads are to be looked at again for what they are promised, and
// how many changes are to be followed that may add to them.
func (e *Engine) Waiting() int { return len(e.promises.queue) + e.board.changes.len() }

// LoadOf returns what the pods of a node exchange with other nodes, in bytes per second
// in each direction, as far as that was added up. current reports whether it still is
// what the Board and a snapshot say.
func (e *Engine) LoadOf(snap *flowgraph.Snapshot, node int32) (out, in float64, current bool) {
	if int(node) >= len(e.networks.byNode) {
		return 0, 0, false
	}
	load := e.networks.byNode[node].load
	return load.out, load.in, e.board.view.isOf(snap) && e.isCurrent(node)
}
