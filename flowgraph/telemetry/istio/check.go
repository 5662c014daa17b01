package istio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
)

const (
	pairLabels  = "source_workload_namespace, source_workload, destination_workload_namespace, destination_workload"
	connections = "istio_tcp_connections_opened_total"
	// settled is how long a pair must have had connections for their bytes to be
	// missing: proxies report bytes some seconds after a connection is opened.
	settled = time.Minute
)

// Check implements telemetry.Checker, with instant queries of the proxies' own
// metrics, which cost less than a rate. Where only recording rules can be read they
// find nothing.
func (s *Sidecar) Check(ctx context.Context, q telemetry.Querier, at time.Time, seen telemetry.Observation) ([]telemetry.Finding, error) {
	var found []telemetry.Finding
	var errs []error
	for _, check := range []func(context.Context, telemetry.Querier, time.Time, telemetry.Observation) ([]telemetry.Finding, error){
		s.checkProxies, s.checkReach, s.checkConnections, s.checkWaypoints,
	} {
		f, err := check(ctx, q, at, seen)
		found = append(found, f...)
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// ask runs an instant query of a metric's series, added up by labels.
func (s *Sidecar) ask(ctx context.Context, q telemetry.Querier, name, labels, metric, reporter string, at time.Time, yield func(telemetry.Labels)) error {
	query := telemetry.Query{Name: name, PromQL: s.instant(labels, metric, reporter)}
	return telemetry.RunQueries(ctx, q, []telemetry.Query{query}, at, func(_ telemetry.Query, series telemetry.Series) error {
		yield(series.Labels)
		return nil
	})
}

func (s *Sidecar) instant(labels, metric, reporter string) string {
	return fmt.Sprintf("sum by (%s) (%s{%s})", labels, metric, s.matchers(reporter))
}

// counters returns the counters that have series, those of requests first.
func counters(seen telemetry.Observation) []string {
	var all []string
	for _, i := range []int{requestCount, requestBytes, tcpSent} {
		if m := metrics()[i]; seen.Answered[m.query] > 0 {
			all = append(all, m.name)
		}
	}
	return all
}

// checkProxies looks for proxies that are scraped twice.
func (s *Sidecar) checkProxies(ctx context.Context, q telemetry.Querier, at time.Time, seen telemetry.Observation) ([]telemetry.Finding, error) {
	metrics := counters(seen)
	if len(metrics) == 0 {
		return nil, nil
	}
	who := []string{"reporter"}
	for _, label := range workloadLabels() {
		who = append(who, label)
	}
	ask := func(labels []string) (condition.Proxies, error) {
		p := condition.Proxies{Who: reporting}
		err := s.ask(ctx, q, "check-proxies", strings.Join(labels, ", "), metrics[0], bothEnds, at, p.Add)
		return p, err
	}
	p, err := ask(condition.ProxyLabels(nil))
	if err == nil && p.Nameless() {
		p, err = ask(condition.ProxyLabels(who))
	}
	if err != nil {
		return nil, err
	}
	return p.Findings(s.selector), nil
}

// reporting names the workload whose proxy reports a series.
func reporting(l telemetry.Labels) string {
	end := l.Get("reporter")
	if w := workload(l.Get(end+"_workload_namespace"), l.Get(end+"_workload")); !w.IsZero() {
		return w.String()
	}
	return ""
}

// checkReach looks for data that do not fill the window.
func (s *Sidecar) checkReach(ctx context.Context, q telemetry.Querier, at time.Time, seen telemetry.Observation) ([]telemetry.Finding, error) {
	var reaches []condition.Reach
	for _, metric := range counters(seen) {
		r, err := condition.Find(ctx, q, metric, s.instant("reporter", metric, bothEnds), at, s.window)
		if err != nil {
			return nil, fmt.Errorf("query check-reach: %w", err)
		}
		reaches = append(reaches, r)
	}
	return condition.Young(at, s.window, reaches), nil
}

// checkConnections looks for TCP connections whose bytes nobody reports.
func (s *Sidecar) checkConnections(ctx context.Context, q telemetry.Querier, at time.Time, _ telemetry.Observation) ([]telemetry.Finding, error) {
	opened, err := s.pairs(ctx, q, "check-connections", connections, bothEnds, at.Add(-settled))
	if err != nil || len(opened) == 0 {
		return nil, err
	}
	lacks := make([]condition.Lack, 0, 2)
	for _, i := range []int{tcpReceived, tcpSent} {
		m := metrics()[i]
		known, err := s.pairs(ctx, q, "check-"+m.query, m.name, bothEnds, at)
		if err != nil {
			return nil, err
		}
		l := condition.Lack{Metric: m.name, Series: len(known)}
		for pair := range opened {
			if !known[pair] {
				l.Pairs++
			}
		}
		lacks = append(lacks, l)
	}
	return condition.Bytes("TCP connections", len(opened), lacks, findTCPBytes), nil
}

// checkWaypoints looks for pairs of which only waypoints report.
func (s *Sidecar) checkWaypoints(ctx context.Context, q telemetry.Querier, at time.Time, seen telemetry.Observation) ([]telemetry.Finding, error) {
	reported := map[[2]flowgraph.WorkloadID]bool{}
	for _, metric := range []string{metrics()[requestCount].name, metrics()[tcpSent].name} {
		pairs, err := s.pairs(ctx, q, "check-waypoints", metric, `reporter="waypoint"`, at)
		if err != nil {
			return nil, err
		}
		for pair := range pairs {
			reported[pair] = true
		}
	}
	all, unseen := unseenPairs(reported, seen.Flows)
	do := addZtunnel
	if seen.LeftOut[telemetry.ForeignReporter].Series > 0 {
		do = trustZtunnel
	}
	return condition.Waypoints(all, unseen, seen.Series == 0, do), nil
}

// pairs asks which pairs of known workloads have series of a metric. Of more than there
// may be edges, some are enough.
func (s *Sidecar) pairs(ctx context.Context, q telemetry.Querier, name, metric, reporter string, at time.Time) (map[[2]flowgraph.WorkloadID]bool, error) {
	found := map[[2]flowgraph.WorkloadID]bool{}
	err := s.ask(ctx, q, name, pairLabels, metric, reporter, at, func(l telemetry.Labels) {
		from := workload(l.Get("source_workload_namespace"), l.Get("source_workload"))
		to := workload(l.Get("destination_workload_namespace"), l.Get("destination_workload"))
		limit := s.trust.Limits.Edges
		if from.IsValid() && to.IsValid() && (limit == 0 || len(found) < limit) {
			found[[2]flowgraph.WorkloadID{from, to}] = true
		}
	})
	return found, err
}
