package trafficlocality

import (
	"maps"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// levelCount is the number of levels that are domains; level l has position
// l-1 in arrays of this length.
const levelCount = int(locality.Region)

// noDomain marks a node whose domain at a level is unknown.
const noDomain int32 = -1

// index says how many pods of each workload run on which node, assumed pods
// included. It follows the scheduler's own view of the nodes: a NodeInfo whose
// generation has not moved is not looked at again, so that a cycle costs one
// comparison per node instead of one visit per pod.
//
// One goroutine writes it. The map slots is replaced, never written, so that a
// scoring state may go on reading the one that it was made with.
type index struct {
	slots map[string]int32 // node name -> slot
	nodes []indexedNode    // by slot
	free  []int32          // slots of nodes that are gone
	order []int32          // slot at each position of the last list
	round uint64

	domains   [levelCount]map[string]int32 // domain key -> number
	workloads map[flowgraph.WorkloadID]int32
	placed    [][]placement // by workload number
	anyPod    []*v1.Pod     // by workload number: one of its pods
}

type indexedNode struct {
	name       string
	generation int64
	round      uint64 // the last round in which the node was listed
	domains    [levelCount]int32
	pods       []placement // workloads on the node; placement.at is the workload
}

// placement is a number of pods at a slot, or of a workload.
type placement struct {
	at    int32
	count int32
}

func newIndex() *index {
	x := &index{slots: map[string]int32{}, workloads: map[flowgraph.WorkloadID]int32{}}
	for level := range x.domains {
		x.domains[level] = map[string]int32{}
	}
	return x
}

// update brings the index to the state of the listed nodes.
func (x *index) update(infos []fwk.NodeInfo) {
	x.round++
	changed := map[string]int32(nil) // the next slots, once there is a new or a gone node
	listed := 0
	for position, info := range infos {
		node := info.Node()
		if node == nil {
			continue
		}
		listed++
		slot, ok := x.slotAt(position, node.Name)
		if !ok {
			if changed == nil {
				changed = maps.Clone(x.slots)
			}
			if slot, ok = changed[node.Name]; !ok {
				slot = x.newSlot(node.Name)
				changed[node.Name] = slot
			}
		}
		x.remember(position, slot)
		n := &x.nodes[slot]
		n.round = x.round
		if generation := info.GetGeneration(); n.generation != generation {
			n.generation = generation
			x.reindex(slot, info)
		}
	}
	if changed == nil && listed == len(x.slots) {
		return
	}
	if changed == nil {
		changed = maps.Clone(x.slots)
	}
	x.dropUnlisted(changed)
	x.slots = changed
}

// slotAt finds a node's slot, first where it stood in the last list: the
// scheduler keeps the order while no node comes or goes.
func (x *index) slotAt(position int, name string) (int32, bool) {
	if position < len(x.order) {
		if slot := x.order[position]; x.nodes[slot].name == name {
			return slot, true
		}
	}
	slot, ok := x.slots[name]
	return slot, ok
}

func (x *index) remember(position int, slot int32) {
	for len(x.order) <= position {
		x.order = append(x.order, slot)
	}
	x.order[position] = slot
}

func (x *index) newSlot(name string) int32 {
	fresh := indexedNode{name: name, generation: -1}
	if last := len(x.free) - 1; last >= 0 {
		slot := x.free[last]
		x.free = x.free[:last]
		x.nodes[slot] = fresh
		return slot
	}
	x.nodes = append(x.nodes, fresh)
	return int32(len(x.nodes) - 1)
}

func (x *index) dropUnlisted(slots map[string]int32) {
	for name, slot := range slots {
		if x.nodes[slot].round == x.round {
			continue
		}
		x.clear(slot)
		x.nodes[slot] = indexedNode{}
		x.free = append(x.free, slot)
		delete(slots, name)
	}
}

// clear takes a node's pods out of the workloads' placements.
func (x *index) clear(slot int32) {
	n := &x.nodes[slot]
	for _, p := range n.pods {
		places := x.placed[p.at]
		for i := range places {
			if places[i].at == slot {
				places[i] = places[len(places)-1]
				x.placed[p.at] = places[:len(places)-1]
				break
			}
		}
		if len(x.placed[p.at]) == 0 {
			x.anyPod[p.at] = nil
		}
	}
	n.pods = n.pods[:0]
}

// reindex counts a node's pods anew.
func (x *index) reindex(slot int32, info fwk.NodeInfo) {
	x.clear(slot)
	n := &x.nodes[slot]
	at := kube.LocalityOf(info.Node())
	for _, level := range locality.Levels() {
		n.domains[level-1] = x.domain(level, at)
	}
	for _, podInfo := range info.GetPods() {
		pod := podInfo.GetPod()
		if !kube.IsPeer(pod) {
			continue
		}
		w := x.workload(kube.WorkloadOf(pod))
		x.anyPod[w] = pod
		n.pods = increment(n.pods, w)
	}
	for _, p := range n.pods {
		x.placed[p.at] = append(x.placed[p.at], placement{at: slot, count: p.count})
	}
}

func increment(places []placement, at int32) []placement {
	for i := range places {
		if places[i].at == at {
			places[i].count++
			return places
		}
	}
	return append(places, placement{at: at, count: 1})
}

func (x *index) domain(level locality.Level, at locality.Locality) int32 {
	key := at.Domain(level)
	if key == "" {
		return noDomain
	}
	known := x.domains[level-1]
	number, ok := known[key]
	if !ok {
		number = int32(len(known))
		known[key] = number
	}
	return number
}

func (x *index) workload(id flowgraph.WorkloadID) int32 {
	w, ok := x.workloads[id]
	if !ok {
		w = int32(len(x.placed))
		x.workloads[id] = w
		x.placed = append(x.placed, nil)
		x.anyPod = append(x.anyPod, nil)
	}
	return w
}

// lookup returns where a workload's pods run and one of them; nil and nil when
// none does.
func (x *index) lookup(id flowgraph.WorkloadID) ([]placement, *v1.Pod) {
	w, ok := x.workloads[id]
	if !ok {
		return nil, nil
	}
	return x.placed[w], x.anyPod[w]
}
