package score

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// admission is where the pods of peers may run that are still to come. A pod that goes where
// they cannot follow is left alone there.
type admission struct {
	followers []follower // of the request
	base      float64    // what the pod gains where all followers may run, in bytes per second
	asked     [mostAsked]asked

	refusals []uint8 // by node: followers, as bits, that may not run there, where nothing else tells it from others of its class
	refusing []int32 // nodes that have any
}

// follower is peers whose pods are still to come, and which labels and taints let on the same
// nodes.
type follower struct {
	rules  string
	admits func(node int32) bool
	gain   float64 // of the pod where they may run, in bytes per second
	counts bool    // they may run on some candidates, but not on all
}

// asked is what a set of rules says of nodes, so that labels and taints are not looked at for
// each pod.
type asked struct {
	rules  string
	used   uint32   // the cycle
	byNode []uint32 // twice the revision of the node that was asked, and one more where it admits
}

const (
	// mostFollowers is how many sets of rules count for one pod, those with the most traffic
	// first: each is a look at all candidates.
	mostFollowers = 2
	// mostAsked is for how many sets of rules answers are kept.
	mostAsked = 16
)

// start begins with another pod.
func (a *admission) start() {
	a.followers, a.base = a.followers[:0], 0
	for _, n := range a.refusing {
		a.refusals[n] = 0
	}
	a.refusing = a.refusing[:0]
}

// add notes what a pod gains where those of a peer can follow it, as those that are still to
// come count. Where both are known to ask the same of nodes, those can follow to all
// candidates.
func (a *admission) add(e *Engine, edge *edge, own *Template) {
	t := e.board.states[edge.peer].desired.Template
	if t == nil || t.Admits == nil || own != nil && t.Rules == own.Rules || edge.bounded {
		return
	}
	gain := edge.followed(e.board.states[edge.peer].coming(), e.node.own.total())
	if gain <= 0 {
		return
	}
	i := slices.IndexFunc(a.followers, func(f follower) bool { return f.rules == t.Rules })
	if i < 0 {
		i = len(a.followers)
		a.followers = append(a.followers, follower{rules: t.Rules, admits: t.Admits})
	}
	a.followers[i].gain += gain
}

// followed is what a pod gains by those of a peer that are still to come, wherever they can
// follow it, as anticipation has it: so many are coming, and so many of the pod's workload are
// placed.
func (e *edge) followed(coming, placed int32) float64 {
	staying, _ := e.split()
	part := min(float64(coming)/float64(max(e.peerDesired, 1)), 1)
	each := 1 / float64(max(e.desired, 1))
	if staying.routing.Prefers(locality.Node) {
		return foresight * staying.weight * min(each, part)
	}
	return foresight * staying.weight * each * part / float64(placed+1)
}

// admit takes from candidates what the pod would gain by peers that cannot follow it there,
// where they can follow it to others.
func (e *Engine) admit(candidates []int32) {
	a := &e.admission
	slices.SortFunc(a.followers, func(x, y follower) int { return cmp.Or(cmp.Compare(y.gain, x.gain), cmp.Compare(x.rules, y.rules)) })
	a.followers = a.followers[:min(len(a.followers), mostFollowers)]
	for i := range a.followers {
		f := &a.followers[i]
		admitting, refusing, asked := 0, 0, a.askedOf(f.rules, e.cycle)
		for _, n := range candidates {
			switch {
			case n == Absent:
			case asked.admits(e.board, n, f.admits):
				admitting++
			default:
				refusing++
			}
		}
		if f.counts = admitting > 0 && refusing > 0; !f.counts {
			continue
		}
		a.base += f.gain
		for _, n := range candidates {
			if n != Absent && !asked.admits(e.board, n, f.admits) {
				e.refuse(n, i)
			}
		}
	}
}

// refuse takes from a node what the pod would gain by a follower.
func (e *Engine) refuse(n int32, follower int) {
	a := &e.admission
	for len(a.refusals) < e.board.Len() {
		a.refusals = append(a.refusals, 0)
	}
	if e.isOrdinary(n) {
		a.refusing = append(a.refusing, n)
		a.refusals[n] = 1 << follower
	} else if a.refusals[n] != 0 {
		a.refusals[n] |= 1 << follower
	}
	e.node.anticipate(n, -a.followers[follower].gain)
}

// kindOf returns the same number for nodes on which the pod gains the same: those of a class
// that have neither pods of its workload nor of its peers, and admit the same followers. It
// reports whether a node is of any kind.
func (e *Engine) kindOf(n int32) (kind int32, ok bool) {
	kind = e.board.class[n] << mostFollowers
	if e.isOrdinary(n) {
		return kind, true
	}
	if int(n) < len(e.admission.refusals) && e.admission.refusals[n] != 0 {
		return kind | int32(e.admission.refusals[n]), true
	}
	return 0, false
}

// askedOf returns the answers to a set of rules: those that are kept, or none in the place of
// those that were not used for the longest.
func (a *admission) askedOf(rules string, cycle uint32) *asked {
	oldest := &a.asked[0]
	for i := range a.asked {
		k := &a.asked[i]
		if k.byNode != nil && k.rules == rules {
			k.used = cycle
			return k
		}
		if k.used < oldest.used {
			oldest = k
		}
	}
	clear(oldest.byNode)
	*oldest = asked{rules: rules, used: cycle, byNode: append(oldest.byNode[:0:cap(oldest.byNode)], 0)}
	return oldest
}

// admits reports whether a node admits pods, who is asked if that was not known of the node as
// it is.
func (k *asked) admits(b *Board, n int32, ask func(int32) bool) bool {
	if int(n) >= len(k.byNode) {
		k.byNode = append(k.byNode, make([]uint32, b.Len()-len(k.byNode))...)
	}
	if revision := b.nodes[n].revision; k.byNode[n]>>1 != revision {
		k.byNode[n] = revision << 1
		if ask(n) {
			k.byNode[n]++
		}
	}
	return k.byNode[n]&1 == 1
}

// explain returns what the pod gains on a node by an edge whose peer's pods can follow it.
func (a *admission) explain(e *Engine, edge *edge, n int32) float64 {
	t := e.board.states[edge.peer].desired.Template
	if t == nil {
		return 0
	}
	for _, f := range a.followers {
		if f.counts && f.rules == t.Rules && !edge.bounded && f.admits(n) {
			return edge.followed(e.board.states[edge.peer].coming(), e.node.own.total())
		}
	}
	return 0
}
