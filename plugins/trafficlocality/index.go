package trafficlocality

import (
	"slices"

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

// nowhere is the position of a node of which nothing is known.
var nowhere = [levelCount]int32{noDomain, noDomain, noDomain}

// index says how many pods of each workload run on which node, assumed pods
// included. It follows the scheduler's own view of the nodes: a NodeInfo whose
// generation has not moved is not looked at again, so that a cycle costs one
// comparison per node instead of one visit per pod. It remembers nothing of
// nodes, workloads and domains that are gone.
//
// One goroutine writes it. The map slots is replaced, never written, so that a
// scoring state may go on reading the one that it was made with.
type index struct {
	slots  map[string]int32 // node name -> slot
	nodes  []indexedNode    // by slot
	free   []int32          // slots of nodes that are gone
	listed []fwk.NodeInfo   // the last list
	order  []int32          // slots of the last list

	domains   [levelCount]numbering[string]   // domain keys; a user is a node
	workloads numbering[flowgraph.WorkloadID] // a user is a pod
	placed    [][]placement                   // by workload number
}

type indexedNode struct {
	name       string
	generation int64
	domains    [levelCount]int32
	pods       []placement // by workload: at is the workload
}

// placement is a number of pods on a node that belong to one workload.
type placement struct {
	at    int32 // a slot, or a workload number
	count int32
	pod   *v1.Pod // one of them
}

func newIndex() *index {
	x := &index{slots: map[string]int32{}, workloads: newNumbering[flowgraph.WorkloadID]()}
	for level := range x.domains {
		x.domains[level] = newNumbering[string]()
	}
	return x
}

// update brings the index to the state of the listed nodes.
func (x *index) update(infos []fwk.NodeInfo) {
	// The scheduler hands out the same NodeInfos in the same order while no
	// node comes or goes.
	if !slices.Equal(x.listed, infos) {
		x.list(infos)
	}
	for position, slot := range x.order {
		info := infos[position]
		if generation := info.GetGeneration(); x.nodes[slot].generation != generation {
			x.nodes[slot].generation = generation
			x.reindex(slot, info)
		}
	}
}

// list gives the nodes of a new list their slots. Nodes that were there before
// keep theirs.
func (x *index) list(infos []fwk.NodeInfo) {
	slots := make(map[string]int32, len(infos))
	x.listed = append(x.listed[:0:0], infos...)
	x.order = x.order[:0]
	for _, info := range infos {
		name := info.Node().Name
		slot, ok := x.slots[name]
		if !ok {
			slot = x.newSlot(name)
		}
		slots[name] = slot
		x.order = append(x.order, slot)
	}
	for name, slot := range x.slots {
		if _, ok := slots[name]; !ok {
			x.release(x.unplace(slot))
			x.nodes[slot].name = ""
			x.free = append(x.free, slot)
		}
	}
	x.slots = slots
}

func (x *index) newSlot(name string) int32 {
	fresh := indexedNode{name: name, generation: -1, domains: nowhere}
	if last := len(x.free) - 1; last >= 0 {
		slot := x.free[last]
		x.free = x.free[:last]
		x.nodes[slot] = fresh
		return slot
	}
	x.nodes = append(x.nodes, fresh)
	return int32(len(x.nodes) - 1)
}

// reindex counts a node's pods anew.
func (x *index) reindex(slot int32, info fwk.NodeInfo) {
	domains, pods := x.unplace(slot)
	x.place(slot, info)
	x.release(domains, pods) // last, so that what stays keeps its number
}

// place notes where a node is and what runs there.
func (x *index) place(slot int32, info fwk.NodeInfo) {
	n := &x.nodes[slot]
	at := kube.LocalityOf(info.Node())
	for _, level := range locality.Levels() {
		if key := at.Domain(level); key != "" {
			n.domains[level-1] = x.domains[level-1].use(key)
		}
	}
	for _, podInfo := range info.GetPods() {
		if pod := podInfo.GetPod(); kube.IsPeer(pod) {
			n.pods = increment(n.pods, x.workloads.use(kube.WorkloadOf(pod)), pod)
		}
	}
	for _, p := range n.pods {
		for int(p.at) >= len(x.placed) {
			x.placed = append(x.placed, nil)
		}
		x.placed[p.at] = append(x.placed[p.at], placement{at: slot, count: p.count, pod: p.pod})
	}
}

// unplace takes a node's pods out of the workloads' placements and forgets
// where it is. It returns what release is then to be told.
func (x *index) unplace(slot int32) (domains [levelCount]int32, pods []placement) {
	n := &x.nodes[slot]
	domains, pods = n.domains, n.pods
	n.domains, n.pods = nowhere, nil
	for _, p := range pods {
		places := x.placed[p.at]
		i := slices.IndexFunc(places, func(place placement) bool { return place.at == slot })
		x.placed[p.at] = slices.Delete(places, i, i+1)
	}
	return domains, pods
}

// release gives back the numbers that a node used.
func (x *index) release(domains [levelCount]int32, pods []placement) {
	for level, d := range domains {
		if d != noDomain {
			x.domains[level].release(d, 1)
		}
	}
	for _, p := range pods {
		x.workloads.release(p.at, p.count)
	}
}

func increment(places []placement, at int32, pod *v1.Pod) []placement {
	for i := range places {
		if places[i].at == at {
			places[i].count++
			return places
		}
	}
	return append(places, placement{at: at, count: 1, pod: pod})
}

// lookup returns where a workload's pods run and one of them; nil and nil when
// none does.
func (x *index) lookup(id flowgraph.WorkloadID) ([]placement, *v1.Pod) {
	w, ok := x.workloads.numbers[id]
	if !ok {
		return nil, nil
	}
	return x.placed[w], x.placed[w][0].pod
}

// best returns the highest of the gains, by slot, among the candidates.
func (x *index) best(gains []float64, candidates []fwk.NodeInfo) float64 {
	best := 0.0
	if len(candidates) == len(x.listed) { // all nodes: no need to look them up
		for _, gain := range gains {
			best = max(best, gain)
		}
		return best
	}
	for _, info := range candidates {
		if slot, ok := x.slots[info.Node().Name]; ok {
			best = max(best, gains[slot])
		}
	}
	return best
}
