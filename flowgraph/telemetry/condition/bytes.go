package condition

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Lack is a metric of bytes that pairs of workloads lack.
type Lack struct {
	// Metric is the metric's name.
	Metric string
	// Series is how many series the answers have of it.
	Series int
	// Pairs lack it.
	Pairs int
}

// Bytes finds pairs of workloads whose exchange is counted, but not its bytes. counted
// is what is known of them, such as "requests", and of how many pairs it is known. do
// says where to look.
func Bytes(counted string, of int, lacks []Lack, do string) []telemetry.Finding {
	var without, partly []string
	for _, l := range lacks {
		switch {
		case l.Pairs == 0:
		case l.Series == 0:
			without = append(without, l.Metric)
		default:
			partly = append(partly, fmt.Sprintf("%d of %s lack %s", l.Pairs, pairsThat(of, counted), l.Metric))
		}
	}
	what := ""
	if len(without) > 0 {
		what = fmt.Sprintf("%s %s no series, but %s", enumerate(without), hasHave(len(without)), pairsThatExchange(of, counted))
	}
	if len(partly) > 0 {
		if what != "" {
			what += "; "
		}
		what += enumerate(partly)
	}
	if what == "" {
		return nil
	}
	return one(telemetry.Finding{
		Condition: telemetry.MissingBytes, About: counted, What: what,
		Why: "the missing bytes are unknown but show as 0, so that rates, totals, shares and costs are too low",
		Do:  do,
	})
}

func pairsThat(n int, counted string) string {
	return count(n, "pair of workloads that exchanges ", "pairs of workloads that exchange ") + counted
}

func pairsThatExchange(n int, counted string) string {
	return count(n, "pair of workloads exchanges ", "pairs of workloads exchange ") + counted
}
