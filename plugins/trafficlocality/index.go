package trafficlocality

import (
	"iter"
	"maps"
	"math"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// noDomain marks a node whose domain at a level is unknown.
const noDomain int32 = -1

// noWorkload marks a pod that takes no part in any workload's traffic.
const noWorkload int32 = -1

// index says how many pods of each workload run on which node, assumed pods
// included. It follows the scheduler's own view of the nodes: a NodeInfo whose
// generation has not moved is not looked at again, so that a cycle costs one
// comparison per node instead of one visit per pod. It remembers nothing of
// nodes, workloads and domains that are gone.
//
// One goroutine writes it. The map slots is replaced, never written, so that a
// scoring state may go on reading the one that it was made with.
type index struct {
	scale  locality.Scale
	slots  map[string]int32 // node name -> slot
	nodes  []indexedNode    // by slot
	where  [][]int32        // domain numbers, by position of the level and slot
	free   []int32          // slots of nodes that are gone
	listed []fwk.NodeInfo   // the last list
	order  []int32          // slots of the last list

	domains   []numbering[string]             // domain keys, by position of the level; a user is a node
	workloads numbering[flowgraph.WorkloadID] // a user is a pod
	placed    [][]placement                   // by workload number
	watched   bool                            // somebody takes what follows
	touched   []flowgraph.WorkloadID          // whose placements have changed
	altered   bool                            // a node has
}

type indexedNode struct {
	generation int64
	info       fwk.NodeInfo
	node       *v1.Node
	pods       []indexedPod // in the order of the NodeInfo
}

type indexedPod struct {
	pod      *v1.Pod
	workload int32 // noWorkload when the pod is no peer of any
}

// placement is the pods of one workload and revision on one node.
type placement struct {
	at       int32 // the node's slot
	count    int32
	revision string  // kube.RevisionOf
	pod      *v1.Pod // one of them
}

func newIndex(scale locality.Scale) *index {
	x := &index{scale: scale, slots: map[string]int32{}, workloads: newNumbering[flowgraph.WorkloadID]()}
	for range scale.Levels() {
		x.domains = append(x.domains, newNumbering[string]())
		x.where = append(x.where, nil)
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
			x.setNode(slot, info.Node())
			x.setPods(slot, info.GetPods())
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
			slot = x.newSlot()
		}
		slots[name] = slot
		x.nodes[slot].info = info
		x.order = append(x.order, slot)
	}
	for name, slot := range x.slots {
		if _, ok := slots[name]; !ok {
			x.setPods(slot, nil)
			x.setNode(slot, nil)
			x.nodes[slot].generation, x.nodes[slot].info = -1, nil
			x.free = append(x.free, slot)
		}
	}
	x.slots = slots
}

func (x *index) newSlot() int32 {
	if last := len(x.free) - 1; last >= 0 {
		slot := x.free[last]
		x.free = x.free[:last]
		return slot
	}
	x.nodes = append(x.nodes, indexedNode{generation: -1})
	for i := range x.where {
		x.where[i] = append(x.where[i], noDomain)
	}
	return int32(len(x.nodes) - 1)
}

// setNode notes where a node is; nil forgets it.
func (x *index) setNode(slot int32, node *v1.Node) {
	n := &x.nodes[slot]
	if n.node == node {
		return
	}
	x.altered = x.altered || alters(n.node, node)
	n.node = node
	keys := make([]string, len(x.domains))
	if node != nil {
		keys = x.scale.Domains(kube.LocalityOf(node), kube.ValuesOf(node, x.scale))
	}
	for i, domains := range x.where {
		was := domains[slot]
		domains[slot] = noDomain
		if keys[i] != "" {
			domains[slot] = x.domains[i].use(keys[i])
		}
		if was != noDomain { // last, so that a domain that stays keeps its number
			x.domains[i].release(was)
		}
	}
}

// setPods notes what runs on a node. Pods are never written, only replaced, and
// most stay where they stood in the list: those are not looked at again.
func (x *index) setPods(slot int32, infos []fwk.PodInfo) {
	n := &x.nodes[slot]
	for i, info := range infos {
		pod := info.GetPod()
		if i == len(n.pods) {
			n.pods = append(n.pods, indexedPod{workload: noWorkload})
		}
		if was := n.pods[i]; was.pod != pod {
			n.pods[i] = x.add(slot, pod)
			x.remove(slot, was)
		}
	}
	for len(n.pods) > len(infos) {
		last := len(n.pods) - 1
		was := n.pods[last]
		n.pods[last] = indexedPod{}
		n.pods = n.pods[:last]
		x.remove(slot, was)
	}
}

// add counts a pod for its workload.
func (x *index) add(slot int32, pod *v1.Pod) indexedPod {
	if !kube.IsPeer(pod) {
		return indexedPod{pod: pod, workload: noWorkload}
	}
	id := kube.WorkloadOf(pod)
	w := x.workloads.use(id)
	x.touch(id)
	for int(w) >= len(x.placed) {
		x.placed = append(x.placed, nil)
	}
	revision := kube.RevisionOf(pod)
	var place *placement
	if slices.ContainsFunc(x.nodes[slot].pods, func(p indexedPod) bool { return p.workload == w }) {
		// Otherwise it is the first one there: a DaemonSet has a place on every node,
		// among which it is not to be looked for.
		place = placeAt(x.placed[w], slot, revision)
	}
	if place != nil {
		place.count++
	} else {
		x.placed[w] = append(x.placed[w], placement{at: slot, count: 1, revision: revision, pod: pod})
	}
	return indexedPod{pod: pod, workload: w}
}

// remove takes a pod that is no longer among those of its node from its
// workload's placements.
func (x *index) remove(slot int32, was indexedPod) {
	w := was.workload
	if w == noWorkload {
		return
	}
	x.touch(x.workloads.keys[w])
	revision := kube.RevisionOf(was.pod)
	place := placeAt(x.placed[w], slot, revision)
	place.count--
	switch {
	case place.count == 0:
		last := len(x.placed[w]) - 1
		*place = x.placed[w][last]
		x.placed[w][last] = placement{}
		x.placed[w] = x.placed[w][:last]
	case place.pod == was.pod: // another has to stand for the workload
		pods := x.nodes[slot].pods
		alike := func(p indexedPod) bool { return p.workload == w && kube.RevisionOf(p.pod) == revision }
		place.pod = pods[slices.IndexFunc(pods, alike)].pod
	}
	x.workloads.release(w)
}

// touch notes that a workload's placements change, where somebody takes it.
func (x *index) touch(id flowgraph.WorkloadID) {
	if !x.watched {
		return
	}
	if last := len(x.touched) - 1; last < 0 || x.touched[last] != id {
		x.touched = append(x.touched, id)
	}
}

// takeTouched returns the workloads whose placements have changed since the last
// call, and whether a node has come, gone or got another size, labels or taints. The
// result is valid until the next update.
func (x *index) takeTouched() (touched []flowgraph.WorkloadID, nodes bool) {
	touched, nodes = x.touched, x.altered
	x.touched, x.altered = x.touched[:0], false
	return touched, nodes
}

// alters reports whether two states of a node let other pods on it, or more of them.
func alters(was, is *v1.Node) bool {
	return was == nil || is == nil || was.Spec.Unschedulable != is.Spec.Unschedulable ||
		!maps.Equal(was.Labels, is.Labels) ||
		!equality.Semantic.DeepEqual(was.Spec.Taints, is.Spec.Taints) ||
		!equality.Semantic.DeepEqual(was.Status.Allocatable, is.Status.Allocatable)
}

func placeAt(places []placement, slot int32, revision string) *placement {
	for i := range places {
		if places[i].at == slot && places[i].revision == revision {
			return &places[i]
		}
	}
	return nil
}

// lookup returns where a workload's pods run, nil when none does.
func (x *index) lookup(id flowgraph.WorkloadID) []placement {
	w, ok := x.workloads.numbers[id]
	if !ok {
		return nil
	}
	return x.placed[w]
}

// ofRevision returns the places of one revision.
func ofRevision(places []placement, revision string) []placement {
	others := func(p placement) bool { return p.revision != revision }
	if !slices.ContainsFunc(places, others) {
		return places
	}
	return slices.DeleteFunc(slices.Clone(places), others)
}

// slotsOf yields the slots of the candidates that are in the index.
func (x *index) slotsOf(candidates []fwk.NodeInfo) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		if len(candidates) == len(x.listed) { // all nodes: no need to look them up
			for _, slot := range x.order {
				if !yield(slot) {
					return
				}
			}
			return
		}
		for _, info := range candidates {
			if slot, ok := x.slots[info.Node().Name]; ok && !yield(slot) {
				return
			}
		}
	}
}

// extremes returns the highest and the lowest of the gains, by slot, among the
// candidates; a candidate that is not in the index gains nothing.
func (x *index) extremes(gains []float64, candidates []fwk.NodeInfo) (highest, lowest float64) {
	if len(gains) == 0 {
		return 0, 0
	}
	lowest = math.Inf(1)
	known := 0
	for slot := range x.slotsOf(candidates) {
		highest, lowest = max(highest, gains[slot]), min(lowest, gains[slot])
		known++
	}
	if known < len(candidates) {
		lowest = min(lowest, 0)
	}
	return highest, lowest
}
