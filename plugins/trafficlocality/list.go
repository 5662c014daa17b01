package trafficlocality

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// numberOf returns the number of a node, score.Absent when it has none. The name tells for
// a NodeInfo that is not the one that was listed, but a copy, or was not taken over yet.
func (k *keeper) numberOf(info fwk.NodeInfo) int32 {
	if n, ok := k.infos[info]; ok {
		return n
	}
	if n, ok := k.names[info.Node().Name]; ok {
		return n
	}
	return score.Absent
}

// relist begins with a new list. Nodes that were there before keep their numbers, and are
// not looked at again; the others have none until their turn.
func (k *keeper) relist(infos []fwk.NodeInfo) {
	order, seen := make([]int32, len(infos)), make([]int64, len(infos))
	known, found := 0, 0
	next := 0 // where the next node stood in the old list, unless one has come or gone
	for i, info := range infos {
		n := score.Absent
		if found < len(k.infos) {
			if next < k.known && k.listed[next] == info {
				n = k.order[next]
				next++
			}
			if number, ok := k.infos[info]; n == score.Absent && ok {
				n, next = number, k.nodes[number].position+1
			}
		}
		if order[i] = n; n != score.Absent {
			k.nodes[n].position, known = i, i+1
			seen[i] = k.nodes[n].generation
			found++
		}
	}
	k.seen = seen
	k.listed, k.order, k.reached, k.known = slices.Clone(infos), order, 0, known
	if len(infos) > 0 {
		k.first = &infos[0]
	}
}

// takeMore takes over nodes of the list that were not yet, as many as a cycle may.
func (k *keeper) takeMore() {
	for ; k.reached < len(k.listed); k.reached++ {
		if k.order[k.reached] != score.Absent {
			continue
		}
		n := k.take(k.listed[k.reached])
		if n == score.Absent {
			break
		}
		k.order[k.reached], k.seen[k.reached], k.nodes[n].position = n, k.nodes[n].generation, k.reached
		k.known = max(k.known, k.reached+1)
	}
	k.forgetListed()
	if k.reached == len(k.listed) {
		k.forgetGone()
	}
}

// forgetListed forgets that nodes were taken over before their turn which now have had it.
func (k *keeper) forgetListed() {
	k.ahead = slices.DeleteFunc(k.ahead, func(n int32) bool { return k.nodes[n].position != unlisted })
}

// take returns the number of a node that was not listed, or by another NodeInfo;
// score.Absent where that must wait for another cycle.
func (k *keeper) take(info fwk.NodeInfo) int32 {
	if n, ok := k.infos[info]; ok { // as a candidate
		return n
	}
	node := info.Node()
	if !k.catchUp.mayTake() {
		return score.Absent
	}
	n, known := k.names[node.Name]
	if !known {
		n = k.number(node)
	}
	if was := k.nodes[n].info; was != nil {
		delete(k.infos, was)
	}
	k.infos[info], k.nodes[n].info = n, info
	return n
}

// see notes by the position of a node what was looked at.
func (k *keeper) see(n int32) {
	if at := k.nodes[n].position; at != unlisted {
		k.seen[at] = k.nodes[n].generation
	}
}

// unlisted is the position of a node that was not seen in the list yet.
const unlisted = -1

// Generations that no NodeInfo has.
const (
	notSeen  = -1
	prepared = -2 // the node was read from the informers
)

// number gives a node that is new a number. What runs there is not known before the node is
// looked at, which may be in a later cycle; where it is, and what it admits, is.
func (k *keeper) number(node *v1.Node) int32 {
	n := k.board.AddNode(k.nodeOf(node))
	for int(n) >= len(k.nodes) {
		k.nodes = append(k.nodes, keptNode{})
	}
	k.nodes[n] = keptNode{
		name: node.Name, generation: notSeen, node: node, unreachable: kube.IsUnreachable(node),
		pods: k.nodes[n].pods, position: unlisted,
	}
	k.names[node.Name] = n
	return n
}

// forgetGone removes the nodes that are not in the list.
func (k *keeper) forgetGone() {
	if len(k.names) == len(k.order) {
		return
	}
	for i := range k.nodes {
		n := int32(i)
		if at := k.nodes[n].position; k.nodes[n].name != "" && (at == unlisted || at >= len(k.order) || k.order[at] != n) {
			k.forget(n)
		}
	}
}

// forget removes a node that is gone.
func (k *keeper) forget(n int32) {
	k.setPods(n, nil)
	k.board.RemoveNode(n)
	node := &k.nodes[n]
	delete(k.names, node.name)
	if node.info != nil {
		delete(k.infos, node.info)
	}
	*node = keptNode{pods: node.pods}
}

// numbersOf returns the numbers of candidates, by their position; it is used anew for
// the next pod. Most stand in the order of the list, so that few are looked up.
func (k *keeper) numbersOf(candidates []fwk.NodeInfo) []int32 {
	k.candidates = k.candidates[:0]
	k.catchUp.takes = mostCandidates // the next cycle must see a pod that is placed on one of them
	next := 0
	for _, info := range candidates {
		n := score.Absent
		at := slices.Index(k.listed[next:min(next+lookAhead, len(k.listed))], info)
		if at >= 0 {
			next += at + 1
			n = k.order[next-1]
		}
		if n == score.Absent {
			if n = k.candidate(info); n != score.Absent && at < 0 {
				next = k.nodes[n].position + 1
			}
		}
		k.candidates = append(k.candidates, n)
	}
	return k.candidates
}

// candidate returns the number of a node that may get the pod, score.Absent when it has
// none. One that was only read from the informers so far is taken over before its turn.
func (k *keeper) candidate(info fwk.NodeInfo) int32 {
	if n, ok := k.infos[info]; ok {
		return n
	}
	n := k.numberOf(info)
	if n != score.Absent && k.nodes[n].info == nil && k.take(info) != score.Absent {
		k.ahead = append(k.ahead, n)
	}
	return n
}

// lookAhead is how many nodes may be missing between two candidates that follow one
// another in the list, without a look-up.
const lookAhead = 4
