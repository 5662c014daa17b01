package replayinput

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// UnknownNames returns a warning that names some of the ends of edges that are no
// workload of the cluster and no site, none when there are none. Their traffic counts as external.
func UnknownNames(edges []flowgraph.Edge, c *cluster.Cluster) []string {
	known := map[flowgraph.WorkloadID]bool{}
	for _, w := range c.Workloads {
		known[w.ID] = true
	}
	ends, unknown := map[string]bool{}, map[string]bool{}
	for _, e := range edges {
		for _, id := range []flowgraph.WorkloadID{e.From, e.To} {
			ends[id.String()] = true
			if _, isSite := id.Site(); !known[id] && !isSite {
				unknown[id.String()] = true
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	const few = 3
	names := slices.Sorted(maps.Keys(unknown))
	list := strings.Join(names[:min(few, len(names))], ", ")
	if len(names) > few {
		list += fmt.Sprintf(" and %d more", len(names)-few)
	}
	verb := "are no workloads"
	if len(names) == 1 {
		verb = "is no workload"
	}
	return []string{fmt.Sprintf("%d of %s in the edges %s of the cluster (%s): their traffic counts as external; "+
		"if they should be there, compare the names with the workloads of the cluster, and get all namespaces (kubectl get -A)",
		len(names), show.Plural(len(ends), "name"), verb, list)}
}
