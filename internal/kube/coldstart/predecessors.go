package coldstart

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
)

// families are the workloads of a namespace by what makes them versions of one another.
type families map[string]map[string][]*workload

// mostPredecessors is how many workloads are tried.
const mostPredecessors = 8

// predecessorsOf returns the workloads that another may have taken the place of: those
// before it with the same owner or of the same service, the newest first.
func (f families) predecessorsOf(is *workload, within map[flowgraph.WorkloadID]*workload) (all []declared.Predecessor) {
	if is.owner == "" && serviceOf(is.podLabels()) == "" {
		return nil
	}
	byKey := f[is.id.Namespace]
	if byKey == nil {
		byKey = map[string][]*workload{}
		for _, other := range within {
			for _, key := range keysOf(other) {
				byKey[key] = append(byKey[key], other)
			}
		}
		f[is.id.Namespace] = byKey
	}
	var before []*workload
	for _, key := range keysOf(is) {
		for _, other := range byKey[key] {
			if other != is && (other.old || other.since.Before(is.since)) {
				before = append(before, other)
			}
		}
	}
	slices.SortFunc(before, func(a, b *workload) int { return cmp.Or(b.since.Compare(a.since), a.id.Compare(b.id)) })
	before = slices.Compact(before)
	for _, other := range before[:min(len(before), mostPredecessors)] {
		all = append(all, declared.Predecessor{ID: other.id, Pods: other.all})
	}
	return all
}

// keysOf are those by which a workload is found in its family.
func keysOf(w *workload) (keys []string) {
	if w.owner != "" {
		keys = append(keys, "owner\x00"+string(w.owner))
	}
	if service := serviceOf(w.podLabels()); service != "" {
		keys = append(keys, service)
	}
	return keys
}
