package promql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// findings returns the conditions that the answers themselves show.
func (s *Source) findings(a *answers, o telemetry.Observation) []telemetry.Finding {
	found := a.ClusterFindings(clusterLabel, s.o.Selector)
	found = append(found, s.missingBytes(a)...)
	var labels []condition.Label
	for _, name := range slices.Sorted(maps.Keys(a.absent)) {
		labels = append(labels, condition.Label{Name: name, Series: a.absent[name]})
	}
	missing := o.LeftOut[telemetry.MissingLabel].BytesPerSecond
	return append(found, condition.Labels(labels, a.Series(), missing, missing/max(o.BytesPerSecond(), 1),
		"compare the labels of the metrics in Prometheus with those that the source reads")...)
}

// missingBytes finds pairs whose requests are counted, but not their bytes.
func (s *Source) missingBytes(a *answers) []telemetry.Finding {
	requests := s.measuring(tally.Requests)
	if requests == 0 {
		return nil
	}
	var lacks []condition.Lack
	var of int
	for _, quantity := range []tally.Quantity{tally.Sent, tally.Received} {
		bytes := s.measuring(quantity)
		if bytes == 0 {
			continue
		}
		l := condition.Lack{}
		var names []string
		for i, m := range s.metrics {
			if bytes&(1<<i) != 0 {
				names = append(names, m.Query)
				l.Series += a.Answered(i)
			}
		}
		l.Metric, of = "query "+strings.Join(names, ", "), 0
		for pair := range a.Pairs() {
			has := pair.Has[tally.Client] | pair.Has[tally.Server]
			if has&requests == 0 {
				continue
			}
			of++
			if has&bytes == 0 {
				l.Pairs++
			}
		}
		lacks = append(lacks, l)
	}
	return condition.Bytes("requests", of, lacks, "run the query in Prometheus, and look for relabelling that drops its metric")
}

// measuring returns the queries that measure a quantity, as bits.
func (s *Source) measuring(quantity tally.Quantity) (bits uint8) {
	for i, m := range s.metrics {
		if m.Quantity == quantity {
			bits |= 1 << i
		}
	}
	return bits
}

// Check implements telemetry.Checker: it looks for data that do not fill the window, for
// labels that are wanted, and, where a query leaves the labels to the source, for targets
// that are scraped twice.
func (s *Source) Check(ctx context.Context, q telemetry.Querier, at time.Time, seen telemetry.Observation) ([]telemetry.Finding, error) {
	first := slices.IndexFunc(s.metrics, func(m tally.Metric) bool { return seen.Answered[m.Query] > 0 })
	if first < 0 {
		return nil, nil
	}
	name := s.queries[first].Name
	reach, failed := condition.Find(ctx, q, "query "+name, "count("+s.queries[first].PromQL+")", at, s.o.Window)
	if failed != nil {
		failed = fmt.Errorf("query check-reach: %w", failed)
	}
	found := condition.Young(at, s.o.Window, []condition.Reach{reach})
	if raw := s.o.Definition.Queries[first].Query; uses(raw, labelsPlaceholder) {
		p := condition.Proxies{Who: func(telemetry.Labels) string { return "" }}
		query := telemetry.Query{Name: "check-proxies", PromQL: s.expand(raw, condition.ProxyLabels(nil))}
		err := telemetry.RunQueries(ctx, q, []telemetry.Query{query}, at, func(_ telemetry.Query, series telemetry.Series) error {
			p.Add(series.Labels)
			return nil
		})
		if err == nil {
			found = append(found, p.Findings(s.o.Selector)...)
		}
		failed = errors.Join(failed, err)
	}
	wanted, err := s.checkWanted(ctx, q, at)
	return append(found, wanted...), errors.Join(failed, err)
}
