package istio

import (
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// unknown is what a proxy writes for a workload, namespace or cluster it does
// not know.
const unknown = "unknown"

// answers adds up series until all queries have been answered.
type answers struct {
	*tally.Tally
	reporterLabel string // "" where nobody asks whose targets report
	sites         *telemetry.Sites
	absent        [numEnds]int // series that lack a label
	nameless      [2]int       // series that lack the name of a cluster, by end
}

func newTally(source, cluster string, trust *telemetry.Trust) *answers {
	all := metrics()
	counted := make([]tally.Metric, len(all))
	for i, m := range all {
		counted[i] = tally.Metric{Query: m.query, Quantity: m.quantity}
	}
	return &answers{
		Tally:         tally.New(tally.Options{Source: source, Metrics: counted, Cluster: cluster, Trust: trust}),
		reporterLabel: trust.ReporterLabel, sites: trust.Sites,
	}
}

// add takes one series of the metric with this index.
func (a *answers) add(metric int, s telemetry.Series) {
	end, ok := reporterOf(s.Labels)
	if !ok {
		a.Invalid(metric)
		return
	}
	r := tally.Report{End: end, Metric: metric, Value: s.Value, Scraped: s.Labels.Get(clusterLabel)}
	if a.reporterLabel != "" {
		r.Namespace = s.Labels.Get(a.reporterLabel)
	}
	lacks := a.ends(&r, s.Labels)
	if a.Add(&r) && lacks != 0 {
		a.count(lacks)
	}
}

// count counts the labels that a series lacks, as bits: those of workloads, then those of
// clusters.
func (a *answers) count(lacks uint8) {
	for i := range a.absent {
		a.absent[i] += int(lacks >> i & 1)
	}
	for i := range a.nameless {
		a.nameless[i] += int(lacks >> (numEnds + i) & 1)
	}
}

// reporterOf returns which end reports a series.
func reporterOf(l telemetry.Labels) (end tally.End, ok bool) {
	switch l.Get("reporter") {
	case "source":
		return tally.Client, true
	case "destination":
		return tally.Server, true
	}
	return 0, false
}
