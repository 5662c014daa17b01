package condition

import (
	"fmt"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// Label is how often a label is missing.
type Label struct {
	Name   string
	Series int // that lack it
}

// Labels finds labels that name workloads and that series lack. of is how many series
// there are, bytesPerSecond their traffic that is left out for it, and share its part
// of all traffic, 0 to 1. do says where to look.
func Labels(labels []Label, of int, bytesPerSecond, share float64, do string) []telemetry.Finding {
	what := missing(labels, of)
	if what == "" {
		return nil
	}
	return one(telemetry.Finding{
		Condition: telemetry.MissingLabels,
		What:      what,
		Why: fmt.Sprintf("their traffic belongs to no pair of workloads and is left out: %s, %s of all that is reported",
			show.ByteRate(bytesPerSecond), percent(share)),
		Do: do,
	})
}

// ClusterNames finds labels with the mesh's name of a cluster that series lack, where
// the source is to read one cluster.
func ClusterNames(labels []Label, of int, do string) []telemetry.Finding {
	what := missing(labels, of)
	if what == "" {
		return nil
	}
	return one(telemetry.Finding{
		Condition: telemetry.MissingLabels, About: "cluster", What: what,
		Why: "cluster is set, but cannot tell the traffic of these series from that of other clusters; it is taken for that of this one",
		Do:  do,
	})
}

// Wanted finds that half of the series of a metric, or more, have none of some labels. lack
// is how many do, of is how many series there are.
func Wanted(metric string, labels []string, lack, of int, why, do string) []telemetry.Finding {
	if lack == 0 || 2*lack < of {
		return nil
	}
	return one(telemetry.Finding{
		Condition: telemetry.MissingLabels, About: strings.Join(labels, ","),
		What: fmt.Sprintf("%d of %d series of %s have none of the labels %s", lack, of, metric, enumerate(labels)),
		Why:  why, Do: do,
	})
}

// missing says how many series lack each label, "" when none does.
func missing(labels []Label, of int) string {
	var all []string
	for _, l := range labels {
		if l.Series > 0 {
			all = append(all, fmt.Sprintf("label %s is missing from %d of %d series", l.Name, l.Series, of))
		}
	}
	return enumerate(all)
}

// percent is a share; one that is not zero does not look like it.
func percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "less than 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}
