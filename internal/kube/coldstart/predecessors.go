package coldstart

import (
	"cmp"
	"slices"
	"sort"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
)

// kinship is what workloads have in common of which one may take the place of another.
type kinship struct{ namespace, by string }

// mostPredecessors is how many workloads are tried.
const mostPredecessors = 8

// kinshipsOf are those of a workload: its owner, and its service.
func kinshipsOf(is *workload) (all []kinship) {
	if is.owner != "" {
		all = append(all, kinship{is.id.Namespace, "owner\x00" + string(is.owner)})
	}
	if service := serviceOf(is.podLabels()); service != "" {
		all = append(all, kinship{is.id.Namespace, service})
	}
	return all
}

// relate finds a workload by its kinships from now on.
func (w *Workloads) relate(is *workload) {
	w.unrelate(is)
	is.kinships = kinshipsOf(is)
	for _, k := range is.kinships {
		if w.kin[k] == nil {
			w.kin[k] = map[*workload]bool{}
		}
		w.kin[k][is] = true
	}
}

func (w *Workloads) unrelate(is *workload) {
	for _, k := range is.kinships {
		if delete(w.kin[k], is); len(w.kin[k]) == 0 {
			delete(w.kin, k)
		}
	}
	is.kinships = nil
}

// hasKin reports whether a workload may have a predecessor.
func (w *Workloads) hasKin(is *workload) bool {
	return w.options.counts(flowgraph.Inherited) &&
		slices.ContainsFunc(is.kinships, func(k kinship) bool { return len(w.kin[k]) > 1 })
}

// line is the workloads of a kinship, the newest first: those that are older than is known,
// and all others.
type line struct{ old, others []*workload }

// lineOf returns the line of a kinship, which is put in order once while New goes on.
func (w *Workloads) lineOf(k kinship) line {
	if l, known := w.found.lines[k]; known {
		return l
	}
	var l line
	for is := range w.kin[k] {
		if is.old {
			l.old = append(l.old, is)
		} else {
			l.others = append(l.others, is)
		}
	}
	slices.SortFunc(l.old, newestFirst)
	slices.SortFunc(l.others, newestFirst)
	w.found.lines[k] = l
	return l
}

func newestFirst(a, b *workload) int { return cmp.Or(b.since.Compare(a.since), a.id.Compare(b.id)) }

// predecessorsOf returns the workloads that another may have taken the place of: those
// before it with the same owner or of the same service, the newest first.
func (w *Workloads) predecessorsOf(is *workload) (all []declared.Predecessor) {
	if !w.options.counts(flowgraph.Inherited) {
		return nil
	}
	var before []*workload
	for _, k := range is.kinships {
		l := w.lineOf(k)
		first := sort.Search(len(l.others), func(i int) bool { return l.others[i].since.Before(is.since) })
		earlier := l.others[first:]
		before = append(before, l.old[:min(len(l.old), mostPredecessors)]...)
		before = append(before, earlier[:min(len(earlier), mostPredecessors)]...)
	}
	slices.SortFunc(before, newestFirst)
	before = slices.Compact(before)
	for _, other := range before[:min(len(before), mostPredecessors)] {
		all = append(all, declared.Predecessor{ID: other.id, Pods: other.all})
	}
	return all
}
