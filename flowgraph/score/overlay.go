package score

import "slices"

// Overlay is pods that are on a Board for the time being: those of a group that is placed
// as a whole, or not at all.
type Overlay struct{ pods []overlaidPod }

type overlaidPod struct {
	Pod
	node     int32
	isPeer   bool
	workload int32  // while it is on the Board
	changes  uint64 // of the node before
}

// Add adds a pod, as Board.AddPod does. One that is no peer takes part in no traffic.
func (o *Overlay) Add(node int32, pod Pod, isPeer bool) {
	o.pods = append(o.pods, overlaidPod{Pod: pod, node: node, isPeer: isPeer, workload: Absent})
}

// Truncate leaves the first n pods.
func (o *Overlay) Truncate(n int) { o.pods = o.pods[:n] }

// Node returns the node of a pod, by the order in which they were added.
func (o *Overlay) Node(i int) int32 { return o.pods[i].node }

// Workload returns the number of the workload of a pod while it is on a Board, Absent for
// one that is no peer.
func (o *Overlay) Workload(i int) int32 { return o.pods[i].workload }

// Clone returns an overlay of the same pods.
func (o *Overlay) Clone() Overlay { return Overlay{slices.Clone(o.pods)} }

// Lay puts the pods of an overlay on the Board. Nothing else may change until Lift, and
// nobody is told of a change.
func (b *Board) Lay(o *Overlay) {
	b.laid = true
	for i := range o.pods {
		if p := &o.pods[i]; p.isPeer {
			p.changes = b.nodes[p.node].changes
			p.workload = b.AddPod(p.node, p.Pod)
		}
	}
}

// Lift takes the pods of an overlay off the Board, which is as it was before.
func (b *Board) Lift(o *Overlay) {
	for i := range slices.Backward(o.pods) {
		if p := &o.pods[i]; p.isPeer {
			b.RemovePod(p.node, p.Pod)
			b.nodes[p.node].changes = p.changes
		}
	}
	b.laid = false
}
