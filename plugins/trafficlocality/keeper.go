package trafficlocality

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// keeper keeps a Board in step with the scheduler's own view of the nodes, assumed pods
// included: a NodeInfo whose generation has not moved is not looked at again, so that a
// cycle costs one comparison per node instead of one visit per pod.
type keeper struct {
	board *score.Board
	scale locality.Scale
	*listing
	generations []int64 // of the listed nodes, as they were looked at last
	names       map[string]int32
	nodes       []keptNode // by number
	candidates  []int32    // used anew for each pod

	workloads []keptWorkload // by number
	templates bool           // the Board is told what the next pods of workloads will be like
}

// keptNode is a node as the Board has it.
type keptNode struct {
	name        string
	generation  int64 // while a new list is taken over
	node        *v1.Node
	unreachable bool
	pods        []keptPod               // in the order of the NodeInfo
	position    int                     // in the list
	measured    *flowgraph.NodeNetworks // that the Board's bandwidth is by; nil when it is to be set
}

type keptPod struct {
	pod      *v1.Pod
	workload int32 // score.Absent when the pod is no peer of any
	serves   bool
}

// keptWorkload is a workload on the Board.
type keptWorkload struct {
	made      *v1.Pod // as its controller makes it, nil when nobody says
	templated bool    // it is known what that is like
	placed    *v1.Pod // one that runs, nil when none does
}

func newKeeper(b *score.Board, o options) *keeper {
	return &keeper{listing: &listing{}, board: b, scale: o.Scale, names: map[string]int32{}, templates: o.ReserveRoom}
}

// update brings the Board to the state of the listed nodes. Within the cycle of a pod
// group, what has changed is looked at again in the next cycle: the pods that the
// scheduler assumes for the time being leave no trace in the generations.
func (k *keeper) update(infos []fwk.NodeInfo, inGroup bool) {
	// The scheduler hands out the same NodeInfos in the same order while no
	// node comes or goes.
	if !slices.Equal(k.listed, infos) {
		k.list(infos)
	}
	for position, info := range infos {
		if generation := info.GetGeneration(); k.generations[position] != generation {
			if k.generations[position] = generation; inGroup {
				k.generations[position] = notSeen
			}
			n := k.order[position]
			k.setNode(n, info.Node())
			pods := info.GetPods()
			k.setPods(n, pods)
			free, all := roomOf(info, len(pods))
			k.board.SetRoom(n, free, all)
		}
	}
}

// listing is the numbers of the listed nodes. It is replaced, never written, so that a
// scoring state may go on reading the one that it was made with.
type listing struct {
	listed []fwk.NodeInfo
	order  []int32                // numbers, by position
	infos  map[fwk.NodeInfo]int32 // numbers
}

// numberOf returns the number of a node, score.Absent when it has none. It looks for the
// name only of a NodeInfo that is not the one that was listed, but a copy.
func (l *listing) numberOf(info fwk.NodeInfo) int32 {
	if n, ok := l.infos[info]; ok {
		return n
	}
	name := info.Node().Name
	for i, listed := range l.listed {
		if node := listed.Node(); node != nil && node.Name == name {
			return l.order[i]
		}
	}
	return score.Absent
}

// list gives the nodes of a new list their numbers. Nodes that were there before keep
// theirs, and are not looked at again.
func (k *keeper) list(infos []fwk.NodeInfo) {
	for position, n := range k.order {
		k.nodes[n].generation = k.generations[position]
	}
	next := &listing{slices.Clone(infos), make([]int32, len(infos)), make(map[fwk.NodeInfo]int32, len(infos))}
	generations := make([]int64, len(infos))
	for i, info := range infos {
		n, known := k.infos[info]
		if !known {
			n = k.number(info.Node())
		}
		next.infos[info], next.order[i], generations[i] = n, n, k.nodes[n].generation
		k.nodes[n].position = i
	}
	for _, n := range k.order {
		if at := k.nodes[n].position; at >= len(infos) || next.order[at] != n {
			k.forget(n)
		}
	}
	k.listing, k.generations = next, generations
}

// notSeen is a generation that no NodeInfo has.
const notSeen = -1

// number returns the number of a node that was not listed, or by another NodeInfo.
func (k *keeper) number(node *v1.Node) int32 {
	if n, ok := k.names[node.Name]; ok {
		return n
	}
	n := k.board.AddNode(k.nodeOf(node))
	for int(n) >= len(k.nodes) {
		k.nodes = append(k.nodes, keptNode{})
	}
	k.nodes[n] = keptNode{name: node.Name, generation: notSeen, pods: k.nodes[n].pods}
	k.names[node.Name] = n
	return n
}

// forget removes a node that is gone.
func (k *keeper) forget(n int32) {
	k.setPods(n, nil)
	k.board.RemoveNode(n)
	delete(k.names, k.nodes[n].name)
	k.nodes[n].node = nil
}

func (k *keeper) nodeOf(node *v1.Node) score.Node {
	return score.Node{Locality: kube.LocalityOf(node), Labels: kube.ValuesOf(node, k.scale)}
}

// setNode notes where a node is and what it admits.
func (k *keeper) setNode(n int32, node *v1.Node) {
	was := k.nodes[n].node
	if was == node {
		return
	}
	k.nodes[n].node = node
	if was != nil && !maps.Equal(was.Labels, node.Labels) {
		k.board.MoveNode(n, k.nodeOf(node))
	}
	if was != nil && alters(was, node) {
		k.board.AlterNodes()
	}
	k.nodes[n].measured = nil
	if unreachable := kube.IsUnreachable(node); unreachable != k.nodes[n].unreachable {
		k.nodes[n].unreachable = unreachable
		for i, was := range k.nodes[n].pods {
			k.nodes[n].pods[i] = k.add(n, was.pod)
			k.remove(n, was)
		}
	}
}

// alters reports whether two states of a node let other pods on it, or more of them.
func alters(was, is *v1.Node) bool {
	return was.Spec.Unschedulable != is.Spec.Unschedulable ||
		!maps.Equal(was.Labels, is.Labels) ||
		!equality.Semantic.DeepEqual(was.Spec.Taints, is.Spec.Taints) ||
		!equality.Semantic.DeepEqual(was.Status.Allocatable, is.Status.Allocatable)
}

// setPods notes what runs on a node. Pods are never written, only replaced, and
// most stay where they stood in the list: those are not looked at again.
func (k *keeper) setPods(n int32, infos []fwk.PodInfo) {
	node := &k.nodes[n]
	for i, info := range infos {
		pod := info.GetPod()
		if i == len(node.pods) {
			node.pods = append(node.pods, keptPod{workload: score.Absent})
		}
		if was := node.pods[i]; was.pod != pod {
			node.pods[i] = k.add(n, pod)
			k.remove(n, was)
		}
	}
	for len(node.pods) > len(infos) {
		last := len(node.pods) - 1
		was := node.pods[last]
		node.pods[last] = keptPod{}
		node.pods = node.pods[:last]
		k.remove(n, was)
	}
}

// add counts a pod for its workload.
func (k *keeper) add(n int32, pod *v1.Pod) keptPod {
	if !kube.IsPeer(pod) {
		return keptPod{pod: pod, workload: score.Absent}
	}
	serves := kube.WillServe(pod) && !k.nodes[n].unreachable
	w := k.board.AddPod(n, scorePod(pod, serves))
	if kept := k.workload(w); kept.placed == nil {
		kept.placed = pod
		k.templateFrom(w, pod)
	}
	return keptPod{pod, w, serves}
}

// scorePod is a pod as the Board has it.
func scorePod(pod *v1.Pod, serves bool) score.Pod {
	return score.Pod{Workload: kube.WorkloadOf(pod), Revision: kube.RevisionOf(pod), Serves: serves}
}

// remove takes a pod away that is no longer among those of its node.
func (k *keeper) remove(n int32, was keptPod) {
	if was.workload == score.Absent {
		return
	}
	kept := k.workload(was.workload)
	last := k.board.Pods(was.workload) == 1
	if last {
		k.templateFrom(was.workload, nil)
	}
	k.board.RemovePod(n, scorePod(was.pod, was.serves))
	if kept.placed == was.pod {
		if kept.placed = nil; !last {
			kept.placed = k.anyPodOf(was.workload)
		}
	}
}

// anyPodOf returns one of the pods of a workload.
func (k *keeper) anyPodOf(workload int32) *v1.Pod {
	for place := range k.board.Places(workload) {
		for _, p := range k.nodes[place.Node].pods {
			if p.workload == workload {
				return p.pod
			}
		}
	}
	return nil
}

// numbersOf returns the numbers of candidates, by their position; it is used anew for
// the next pod. Most stand in the order of the list, so that few are looked up.
func (k *keeper) numbersOf(candidates []fwk.NodeInfo) []int32 {
	k.candidates = k.candidates[:0]
	next := 0
	for _, info := range candidates {
		at := slices.Index(k.listed[next:min(next+lookAhead, len(k.listed))], info)
		if at >= 0 {
			next += at + 1
			k.candidates = append(k.candidates, k.order[next-1])
			continue
		}
		n := k.numberOf(info)
		if n != score.Absent {
			next = k.nodes[n].position + 1
		}
		k.candidates = append(k.candidates, n)
	}
	return k.candidates
}

// lookAhead is how many nodes may be missing between two candidates that follow one
// another in the list, without a look-up.
const lookAhead = 4
