package trafficlocality

import (
	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// groupState is what a pod group's cycle state keeps: the pods of the group that the
// scheduler assumes for the time being.
type groupState struct {
	pods    []*v1.Pod
	overlay score.Overlay
}

// Clone returns a copy that shares nothing that is written.
func (s *groupState) Clone() fwk.StateData {
	clone := *s
	clone.pods = append([]*v1.Pod(nil), s.pods...)
	clone.overlay = s.overlay.Clone()
	return &clone
}

// lay puts the assumed pods of a group on the Board and returns what takes them off
// again. Within a group cycle the scheduler adds pods to its NodeInfos and leaves their
// generations as they were; they stand behind those that were there.
func (k *keeper) lay(state fwk.CycleState) (lift func()) {
	group := k.groupOf(state)
	found := 0
	for position, info := range k.listed[:k.known] {
		if n := k.order[position]; n != score.Absent {
			found = k.assumed(group, found, n, info)
		}
	}
	for _, n := range k.ahead {
		found = k.assumed(group, found, n, k.nodes[n].info)
	}
	group.pods = group.pods[:found]
	group.overlay.Truncate(found)
	k.board.Lay(&group.overlay)
	var stands []int32 // workloads that have no other pods
	for i, pod := range group.pods {
		if w := group.overlay.Workload(i); w != score.Absent && k.workload(w).placed == nil {
			k.workload(w).placed = pod
			stands = append(stands, w)
		}
	}
	return func() {
		for _, w := range stands {
			k.workload(w).placed = nil
		}
		k.board.Lift(&group.overlay)
	}
}

// assumed notes the pods that are assumed on a node, behind those found before, and returns
// how many were found with them.
func (k *keeper) assumed(group *groupState, found int, n int32, info fwk.NodeInfo) int {
	if k.nodes[n].generation == prepared {
		return found // not looked at yet
	}
	pods := info.GetPods()
	for _, p := range pods[min(len(k.nodes[n].pods), len(pods)):] {
		group.note(found, n, p.GetPod())
		found++
	}
	return found
}

// note notes the pod at a place of the overlay, unless it is there already.
func (s *groupState) note(at int, node int32, pod *v1.Pod) {
	if at < len(s.pods) && s.pods[at] == pod && s.overlay.Node(at) == node {
		return
	}
	s.pods = append(s.pods[:at], pod)
	s.overlay.Truncate(at)
	s.overlay.Add(node, scorePod(pod, true), kube.IsPeer(pod))
}

// groupStateKey is where the overlay is in the cycle state of a pod group.
const groupStateKey fwk.StateKey = "Group" + Name

// groupOf returns the state of the group, which is new for its first pod.
func (k *keeper) groupOf(state fwk.CycleState) *groupState {
	cycle := state.GetPodGroupSchedulingCycle()
	if data, err := cycle.Read(groupStateKey); err == nil {
		if s, ok := data.(*groupState); ok {
			return s
		}
	}
	s := &groupState{}
	cycle.Write(groupStateKey, s)
	return s
}
