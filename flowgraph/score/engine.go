package score

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Router says how calls are divided over the pods of a workload.
type Router interface {
	// Routing returns how calls from workloads of a namespace to a workload on the
	// Board are divided. It is asked in every cycle, so it must be quick.
	Routing(callee int32, callerNamespace string) affinity.Routing
}

// Engine scores nodes for one pod after the other.
type Engine struct {
	options Options
	board   *Board
	router  Router

	levels []levelGains
	node   *levelGains // of levels; nil when nodes have no say
	zones  *levelGains // likewise
	own    []place     // of the revision that is placed
	class  []classGain // by class of nodes

	edges  []edge // of the workload that is looked at
	callee int32  // likewise, where called is asked
	called func(callerNamespace string) affinity.Routing

	admission admission
	networks  networks
	promises  promises
	reference reference

	vetoes    []vetoes // by node
	vetoed    []int32  // nodes that have any
	candidate []uint32
	cycle     uint32 // of Evaluate, counted; by it candidates are marked
	isolated  bool   // the snapshot's Reach isolates namespaces
}

// classGain is the gain on the nodes of a class that have no pods of the workload or of
// its peers.
type classGain struct {
	gain float64 // bytes per second
	full bool
}

// NewEngine returns an Engine over a Board, which must be of the options' scale and
// have no other Engine.
func NewEngine(o Options, b *Board, router Router) *Engine {
	of := o.Levels()
	if o.ReserveRoom = o.reserves(of); o.ReserveRoom {
		b.watched = true
	}
	e := &Engine{options: o, board: b, router: router, levels: newLevels(b, of), networks: newNetworks(b), promises: newPromises(b)}
	e.called = func(callerNamespace string) affinity.Routing { return e.router.Routing(e.callee, callerNamespace) }
	e.node, e.zones = find(e.levels, locality.Node), find(e.levels, locality.Zone)
	return e
}

// find returns a level, nil when it is none of them.
func find(levels []levelGains, level locality.Level) *levelGains {
	for i := range levels {
		if levels[i].Level.Level == level {
			return &levels[i]
		}
	}
	return nil
}

// Request is a pod that is to be placed.
type Request struct {
	// Snapshot is the traffic, and Influence what data of its age still count, in
	// [0,1].
	Snapshot  *flowgraph.Snapshot
	Influence float64
	// Workload is that of the pod, and Revision as in Board.AddPod.
	Workload flowgraph.WorkloadID
	Revision string
	// Desired is how many pods its controller wants in all; 0 when nobody says.
	Desired int32
	// Requests is what the pod takes of a node, and Scheduler who places it. They are
	// only asked for where Engine.Reserves says so.
	Requests  Room
	Scheduler string
	// Routing says how calls from workloads of a namespace to the pod's are divided.
	Routing func(callerNamespace string) affinity.Routing
	// Candidates are the nodes that the pod may get. One that is Absent scores 0.
	Candidates []int32
	// Group says that other pods of a group are on the Board for the time being: no
	// room is kept, and no network is full.
	Group bool
	// IsPlaced says that the pod is on the Board already, on node On: it is scored there as
	// if it were not, so that what it exchanges with others can be told after the fact.
	IsPlaced bool
	On       int32
}

// Reserves reports whether any room may be kept from the next pod, so that the Request
// must say what the pod takes.
func (e *Engine) Reserves(snap *flowgraph.Snapshot) bool {
	p := &e.promises
	return e.options.ReserveRoom &&
		(p.made > 0 || e.Waiting() > 0 || p.serial != e.board.view.serial || !e.board.view.isOf(snap))
}

// Evaluate scores all nodes for a pod. What it returns is valid until the next call,
// Result.Points excepted, which are the caller's.
func (e *Engine) Evaluate(r *Request) *Result {
	e.begin(r)
	result := &Result{engine: e, request: r, workload: Absent}
	if e.significantRate() < 0 {
		e.refer(r.Snapshot)
	}
	i, ok := r.Snapshot.Lookup(r.Workload)
	// 1. What the pod gains on each node, for each of its workload's edges.
	if ok {
		result.gain(i)
		result.noteOrigins(i)
		// 2. Nodes and zones that have their share of the workload's pods are out.
		e.vetoFullDomains(result)
		// 3. So are nodes whose network the pod would load beyond the bound.
		if e.networks.on {
			e.vetoSaturatedNodes(result)
		}
	}
	// 4. So are nodes whose room others make more of, who are promised it.
	if e.options.ReserveRoom && !r.Group {
		e.updatePromises(r.Snapshot)
		e.vetoReservedNodes(result)
	}
	// 5. What is left becomes points: measured against the best candidate, as far as
	// the pod's traffic is significant and the data are fresh.
	result.measure()
	result.score()
	return result
}

// Prepare does beforehand what the first Evaluate of a snapshot does for all pods alike,
// without a bound of work: it numbers workloads and makes all promises.
func (e *Engine) Prepare(snap *flowgraph.Snapshot) {
	e.begin(&Request{Snapshot: snap})
	for i := range e.levels {
		e.levels[i].start(nil)
	}
	if e.options.MaxUtilization > 0 {
		e.networks.start(nil, true)
		e.networks.begin(e.board, snap)
	}
	for e.options.ReserveRoom {
		if e.updatePromises(snap); e.Waiting() == 0 {
			break
		}
	}
}

// begin makes the engine ready for a pod.
func (e *Engine) begin(r *Request) {
	e.board.look(r.Snapshot)
	e.isolated = r.Snapshot.Reach().Isolated
	for _, n := range e.vetoed {
		e.vetoes[n] = 0
	}
	e.vetoed = e.vetoed[:0]
	for len(e.vetoes) < e.board.Len() {
		e.vetoes, e.candidate = append(e.vetoes, 0), append(e.candidate, 0)
	}
	e.cycle++
	for _, n := range r.Candidates {
		if n != Absent {
			e.candidate[n] = e.cycle
		}
	}
	e.promises.others = e.promises.others[:0]
}

// veto takes the gain on a node away.
func (e *Engine) veto(n int32, v Veto) {
	if e.vetoes[n] == 0 {
		e.vetoed = append(e.vetoed, n)
	}
	e.vetoes[n] |= 1 << v
}

// gainOn returns what the pod gains on a node, in bytes per second; 0 where a veto has
// acted.
func (e *Engine) gainOn(n int32) float64 {
	if e.vetoes[n] != 0 {
		return 0
	}
	c := &e.class[e.board.class[n]]
	if e.isOrdinary(n) {
		if c.full {
			return 0
		}
		return c.gain
	}
	gain, full := e.sumOver(n)
	if full {
		return 0
	}
	return max(gain, 0)
}

// isOrdinary reports whether a node has the gain of its class: whether neither peers of
// the pod nor pods of its workload are there, or expected.
func (e *Engine) isOrdinary(n int32) bool {
	return e.node == nil || !e.node.isHit[n] && e.node.own.pods[n] == 0
}

// sumOver returns the gain on a node over all levels, each by its step, and whether one
// of the node's domains has its share of the workload's pods.
func (e *Engine) sumOver(n int32) (gain float64, full bool) {
	gain = e.admittedBase()
	for i := range e.levels {
		l := &e.levels[i]
		if d := e.board.where[l.Position][n]; d != Absent {
			gain += l.worth(d)
			full = full || l.isFull(d)
		}
	}
	return gain, full
}

// admittedBase is what the pod gains on every node but for those from which admit takes it.
func (e *Engine) admittedBase() float64 {
	if e.node == nil {
		return 0
	}
	return e.node.Step * e.admission.base
}

// sumClasses does the same for each class.
func (e *Engine) sumClasses() {
	classes := &e.board.classes
	for len(e.class) < classes.size() {
		e.class = append(e.class, classGain{})
	}
	for c := range classes.keys {
		sum := classGain{gain: e.admittedBase()}
		for i := range e.levels {
			l := &e.levels[i]
			if l.Position == 0 {
				continue
			}
			if d := classes.keys[c][l.Position]; d != Absent && classes.users[c] > 0 {
				sum.gain += l.worth(d)
				sum.full = sum.full || l.isFull(d)
			}
		}
		sum.gain = max(sum.gain, 0)
		e.class[c] = sum
	}
}
