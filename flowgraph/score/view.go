package score

import (
	"weak"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// unmapped marks a number that was not looked up yet.
const unmapped int32 = -2

// view translates between the numbers of workloads in a snapshot and on a Board. Each
// is looked up by name at most once for a snapshot, when it is first asked for.
type view struct {
	snap    weak.Pointer[flowgraph.Snapshot] // others keep it as long as it is the newest
	serial  uint64                           // of the snapshot, from 1 on: what is remembered of it goes by this
	numbers []int32                          // on the Board, by number in the snapshot; Absent, or unmapped
	snaps   []int32                          // the reverse
}

// look begins with another snapshot.
func (b *Board) look(snap *flowgraph.Snapshot) {
	v := &b.view
	if v.isOf(snap) {
		return
	}
	v.snap = weak.Make(snap)
	v.serial++
	v.numbers = filled(v.numbers, snap.Len(), unmapped)
	v.snaps = filled(v.snaps, b.workloads.size(), unmapped)
}

// isOf reports whether the view is of a snapshot.
func (v *view) isOf(snap *flowgraph.Snapshot) bool { return v.snap.Value() == snap }

func filled(s []int32, n int, value int32) []int32 {
	if cap(s) < n {
		s = make([]int32, n)
	}
	s = s[:n]
	for i := range s {
		s[i] = value
	}
	return s
}

// onBoard returns the number on the Board of a workload of the snapshot.
func (b *Board) onBoard(i int) int32 {
	v := &b.view
	if v.numbers[i] == unmapped {
		v.numbers[i] = b.Workload(v.snap.Value().ID(i))
		if w := v.numbers[i]; w != Absent {
			v.snaps[w] = int32(i)
		}
	}
	return v.numbers[i]
}

// inSnapshot returns the number in the snapshot of a workload on the Board.
func (b *Board) inSnapshot(w int32) int32 {
	v := &b.view
	if v.snaps[w] == unmapped {
		v.find(v.snap.Value(), w, b.ID(w))
	}
	return v.snaps[w]
}

// find looks a workload up in the snapshot.
func (v *view) find(snap *flowgraph.Snapshot, w int32, id flowgraph.WorkloadID) {
	v.snaps[w] = Absent
	if i, ok := snap.Lookup(id); ok {
		v.snaps[w], v.numbers[i] = int32(i), w
	}
}

// born takes note of a workload that is new on the Board.
func (v *view) born(w int32, id flowgraph.WorkloadID) {
	snap := v.snap.Value()
	if snap == nil { // all are looked up anew in the next
		return
	}
	for int(w) >= len(v.snaps) {
		v.snaps = append(v.snaps, unmapped)
	}
	v.find(snap, w, id)
}

// died takes note of a workload that is no longer on the Board.
func (v *view) died(w int32) {
	if int(w) >= len(v.snaps) { // born while there was no snapshot
		return
	}
	if i := v.snaps[w]; i >= 0 {
		v.numbers[i] = Absent
	}
	v.snaps[w] = unmapped
}
