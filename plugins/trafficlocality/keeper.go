package trafficlocality

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// keeper keeps a Board in step with the scheduler's own view of the nodes, assumed pods
// included: a NodeInfo whose generation has not moved is not looked at again.
//
// It is written by one goroutine at a time. Score reads the numbers of nodes while nobody
// writes them: scheduling cycles are serial, and what is prepared outside of them is
// prepared before the first.
type keeper struct {
	board *score.Board
	scale locality.Scale

	listed     []fwk.NodeInfo
	first      *fwk.NodeInfo // of the list that the scheduler handed out last
	order      []int32       // numbers, by position; score.Absent for a node that was not taken over yet
	reached    int           // the position of the first node that was not taken over yet
	known      int           // one more than the position of the last one that was
	seen       []int64       // the generation that was looked at last, by position; as that of the node
	ahead      []int32       // candidates that were taken over before their turn in the list
	infos      map[fwk.NodeInfo]int32
	names      map[string]int32
	nodes      []keptNode // by number
	candidates []int32    // used anew for each pod
	pods       []*v1.Pod  // used anew for each node

	changes changes
	catchUp catchUp

	workloads []keptWorkload // by number
	templates bool           // the Board is told what the next pods of workloads will be like
	admits    func(kube.Choice) bool
}

// keptNode is a node as the Board has it.
type keptNode struct {
	name        string
	info        fwk.NodeInfo // nil while it was not listed yet
	generation  int64        // that was looked at last
	node        *v1.Node     // its last state that was looked at, or that gave it a number
	unreachable bool
	pods        []keptPod // in the order of the NodeInfo
	position    int       // in the list, unlisted until its turn there
	measured    bool      // the Board's bandwidth is that of the following
	networks    uint64    // generation of the telemetry's networks
}

type keptPod struct {
	pod      *v1.Pod
	workload int32 // score.Absent when the pod is no peer of any
	serves   bool
}

// keptWorkload is a workload on the Board.
type keptWorkload struct {
	made      *v1.Pod     // as its controller makes it, nil when nobody says
	templated bool        // it is known what that is like
	placed    *v1.Pod     // one that runs, nil when none does
	choice    kube.Choice // of the controller or the namespace
}

func newKeeper(b *score.Board, o options) *keeper {
	return &keeper{
		board: b, scale: o.Scale, infos: map[fwk.NodeInfo]int32{}, names: map[string]int32{},
		templates: o.ReserveRoom, admits: o.admits,
	}
}

// update brings the Board to the state of the listed nodes, or nearer to it where the work
// of a cycle is bounded. Within the cycle of a pod group, what has changed is looked at
// again in the next cycle: the pods that the scheduler assumes for the time being leave no
// trace in the generations.
func (k *keeper) update(infos []fwk.NodeInfo, inGroup bool) {
	same := len(infos) == len(k.listed) && (len(infos) == 0 || &infos[0] == k.first)
	if k.changes.none() && same && !k.catchUp.behind {
		return
	}
	k.catchUp.begin(infos)
	if !same {
		k.relist(infos)
	}
	if !same || k.reached < len(infos) {
		k.takeMore()
	}
	for position, info := range infos[:k.known] {
		// Most have not changed: nothing but their generations is read.
		if info.GetGeneration() == k.seen[position] {
			continue
		}
		if n := k.order[position]; n != score.Absent {
			k.follow(n, info, inGroup)
			k.seen[position] = k.nodes[n].generation
		}
	}
	for _, n := range k.ahead {
		k.follow(n, k.nodes[n].info, inGroup)
	}
	for _, n := range k.catchUp.prepared {
		if inGroup || !k.catchUp.mayLook() {
			k.catchUp.behind = true
			break
		}
		k.look(n, k.nodes[n].info, k.nodes[n].info.GetGeneration())
		k.see(n)
	}
	if inGroup {
		k.changes.unsettle()
	}
}

// follow looks at a node that has changed, now or in another cycle.
func (k *keeper) follow(n int32, info fwk.NodeInfo, inGroup bool) {
	generation, was := info.GetGeneration(), k.nodes[n].generation
	if was == generation || !k.catchUp.isNext(n, was, generation) {
		return
	}
	k.look(n, info, generation)
	if inGroup {
		k.nodes[n].generation = notSeen
	}
}

// look takes over the state of a node.
func (k *keeper) look(n int32, info fwk.NodeInfo, generation int64) {
	k.nodes[n].generation = generation
	k.setNode(n, info.Node())
	pods := info.GetPods()
	k.setPods(n, k.podsIn(pods))
	free, all := roomOf(info, len(pods))
	k.board.SetRoom(n, free, all)
	k.catchUp.spend(lookCost + len(pods)/podsPerCost)
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
	if !maps.Equal(was.Labels, node.Labels) {
		k.board.MoveNode(n, k.nodeOf(node))
	}
	if alters(was, node) {
		k.board.AlterNode(n)
	}
	k.nodes[n].measured = false
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

// fewPods is for how many pods of a node there is room at first.
const fewPods = 8

// setPods notes what runs on a node. Pods are never written, only replaced, and
// most stay where they stood in the list: those are not looked at again.
func (k *keeper) setPods(n int32, pods []*v1.Pod) {
	node := &k.nodes[n]
	if cap(node.pods) == 0 && len(pods) > 0 {
		node.pods = make([]keptPod, 0, max(len(pods), fewPods))
	}
	for i, pod := range pods {
		if i == len(node.pods) {
			node.pods = append(node.pods, keptPod{workload: score.Absent})
		}
		was := node.pods[i]
		if was.pod == pod {
			continue
		}
		if at := slices.IndexFunc(node.pods[i+1:], func(p keptPod) bool { return p.pod == pod }); at >= 0 {
			node.pods[i], node.pods[i+1+at] = node.pods[i+1+at], was // it only moved in the list
			continue
		}
		k.catchUp.spend(podCost)
		if k.isUpdate(was, pod, n) {
			k.replace(&node.pods[i], pod)
			continue
		}
		node.pods[i] = k.add(n, pod)
		k.remove(n, was)
	}
	for len(node.pods) > len(pods) {
		last := len(node.pods) - 1
		was := node.pods[last]
		node.pods[last] = keptPod{}
		node.pods = node.pods[:last]
		k.remove(n, was)
	}
}

// isUpdate reports whether a pod is a newer state of one that is there, and the same to the
// Board: most updates of a pod are of its status.
func (k *keeper) isUpdate(was keptPod, pod *v1.Pod, n int32) bool {
	return was.workload != score.Absent && was.pod.UID == pod.UID && kube.IsPeer(pod) &&
		was.serves == (kube.WillServe(pod) && !k.nodes[n].unreachable) &&
		scorePod(was.pod, was.serves) == scorePod(pod, was.serves)
}

// replace takes over a newer state of a pod.
func (k *keeper) replace(kept *keptPod, pod *v1.Pod) {
	if w := k.workload(kept.workload); w.placed == kept.pod {
		w.placed = pod
	}
	kept.pod = pod
}

// podsIn returns the pods of a NodeInfo, in a slice that is used anew for the next.
func (k *keeper) podsIn(infos []fwk.PodInfo) []*v1.Pod {
	k.pods = k.pods[:0]
	for _, info := range infos {
		k.pods = append(k.pods, info.GetPod())
	}
	return k.pods
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
