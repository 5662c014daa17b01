package condition

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// MeshClusters finds pairs of workloads that belong to several clusters, by the names
// that the mesh has for them. named has the clusters that included pairs name.
func MeshClusters(named map[string]bool) []telemetry.Finding {
	if len(named) < 2 {
		return nil
	}
	all := names(named)
	return one(telemetry.Finding{
		Condition: telemetry.SeveralClusters, About: "mesh",
		What:    fmt.Sprintf("pairs of workloads name %d clusters, and cluster is not set", len(named)),
		Names:   all,
		Why:     "workloads of the same name in different clusters would be added up as one",
		Setting: "cluster", Value: all[0],
		Do:    "set it to another of these names",
		Stops: true,
	})
}

// ClusterLabel finds several values of a label that a metrics server or a scrape
// gives to all series of one cluster. same is how many pairs of workloads occur under
// more than one of them: those would be added up. Without any, the values may as well
// be those of a label of pods. selector is the source's own.
func ClusterLabel(label string, values map[string]bool, same int, selector string) []telemetry.Finding {
	if len(values) < 2 {
		return nil
	}
	all := names(values)
	value := all[0]
	if value == "none" {
		value = all[1]
	}
	f := telemetry.Finding{
		Condition: telemetry.SeveralClusters, About: label, Names: all,
		Setting: "selector", Value: And(selector, label, value), Stops: same > 0,
	}
	if same > 0 {
		f.What = fmt.Sprintf("%s series under %d values of the label %s", count(same, "pair of workloads has", "pairs of workloads have"), len(values), label)
		f.Why = "the store has several clusters, or one of them twice, and workloads of the same name would be added up as one"
		f.Do = "select another of these values"
		return one(f)
	}
	f.What = fmt.Sprintf("the series have %d values of the label %s, each for other pairs of workloads", len(values), label)
	f.Why = "if these are clusters, the totals have the traffic of all of them"
	f.Do = "leave it if the label is one of pods"
	return one(f)
}
