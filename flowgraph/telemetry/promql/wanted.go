package promql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
)

// Wanted are labels of which series should have one at least. Where most have none, the
// source says so.
type Wanted struct {
	Labels []string `json:"labels"`
	// Why says what is lost without them, and Do what to do about it, in messages.
	Why string `json:"why"`
	Do  string `json:"do"`
}

// wanted checks the labels that are wanted.
func (c *checker) wanted(i int, w *Wanted) {
	c.path = fmt.Sprintf("wanted[%d].", i)
	if len(w.Labels) == 0 {
		c.add("labels", "", "name at least one label")
	}
	for _, label := range w.Labels {
		c.label("labels", label)
	}
	if w.Why == "" || w.Do == "" {
		c.add("why", w.Why, "say in why what is lost without the labels, and in do what to do about it")
	}
	c.path = ""
}

// checkWanted finds labels that most series of the first metric lack.
func (s *Source) checkWanted(ctx context.Context, q telemetry.Querier, at time.Time) ([]telemetry.Finding, error) {
	probes := s.o.Definition.Probes(s.o.Selector)
	if len(s.o.Definition.Wanted) == 0 || len(probes) == 0 {
		return nil, nil
	}
	metric := probes[0].Metrics[0]
	all, err := count(ctx, q, at, metric.Series)
	if err != nil {
		return nil, err
	}
	var found []telemetry.Finding
	for _, w := range s.o.Definition.Wanted {
		lack, err := count(ctx, q, at, lacking(metric.Series, w.Labels))
		if err != nil {
			return found, err
		}
		found = append(found, condition.Wanted(metric.Name, w.Labels, lack, all, w.Why, w.Do)...)
	}
	return found, nil
}

// lacking returns a selector of the series that have none of the labels.
func lacking(series string, labels []string) string {
	without := make([]string, len(labels))
	for i, label := range labels {
		without[i] = joined([]string{label}) + `=""`
	}
	before, isOpen := strings.CutSuffix(series, "}")
	switch {
	case !isOpen:
		before += "{"
	case !strings.HasSuffix(strings.TrimRight(before, " "), "{"):
		before = strings.TrimRight(before, ", ") + ","
	}
	return before + strings.Join(without, ",") + "}"
}

// count returns how many series a selector finds.
func count(ctx context.Context, q telemetry.Querier, at time.Time, series string) (n int, err error) {
	query := telemetry.Query{Name: "check-labels", PromQL: "count(" + series + ")"}
	err = telemetry.RunQueries(ctx, q, []telemetry.Query{query}, at, func(_ telemetry.Query, s telemetry.Series) error {
		if s.Valid() {
			n = int(s.Value)
		}
		return nil
	})
	return n, err
}
