package telemetry

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Preferences are namespaces by the name of the source that is preferred there;
// flowgraph.AnyNamespace is all of them. Of the sources that see an edge, those count alone
// that are preferred in the namespace of one of its ends, where there are any.
type Preferences map[string][]string

// sourceFlows is what one source sees.
type sourceFlows struct {
	source string
	flows  []flowgraph.Flow
}

// prefers reports whether a source is preferred for an edge.
func (p Preferences) prefers(source string, f *flowgraph.Flow) bool {
	return slices.ContainsFunc(p[source], func(namespace string) bool {
		return namespace == flowgraph.AnyNamespace || namespace == f.From.Namespace || namespace == f.To.Namespace
	})
}

// merge takes the maximum over the sources for each edge, or over those that are
// preferred. The time of a merged flow is that of the newest.
func (p Preferences) merge(seen []sourceFlows) []flowgraph.Flow {
	if len(seen) == 1 {
		return seen[0].flows
	}
	type edge struct{ from, to flowgraph.WorkloadID }
	index := map[edge]int{}
	var merged []flowgraph.Flow
	var preferred []bool // of merged: what was seen by a source that is
	for _, s := range seen {
		for _, f := range s.flows {
			rates, ok := f.Clamp()
			if !ok {
				merged, preferred = append(merged, f), append(preferred, false) // for Graph.Observe to count
				continue
			}
			f.Rates = rates
			is := p.prefers(s.source, &f)
			i, known := index[edge{f.From, f.To}]
			switch {
			case !known:
				index[edge{f.From, f.To}] = len(merged)
				merged, preferred = append(merged, f), append(preferred, is)
			case is == preferred[i]:
				merged[i] = larger(merged[i], f)
			case is:
				merged[i], preferred[i] = f, true
			}
		}
	}
	return merged
}

// larger is one flow of two of the same edge: the larger of each rate, from the source
// that sees more, at the later time.
func larger(a, b flowgraph.Flow) flowgraph.Flow {
	if b.BytesPerSecond() > a.BytesPerSecond() {
		a.Source = b.Source
	}
	a.Rates = a.Max(b.Rates)
	if b.ObservedAt.After(a.ObservedAt) {
		a.ObservedAt = b.ObservedAt
	}
	return a
}
