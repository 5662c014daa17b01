package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

const groupData = "The scheduler's data"

func metricsChecks() []clusterCheck {
	checks := []clusterCheck{
		{Doc{"scheduler-scraped", groupData,
			"Whether Prometheus scrapes the scheduler's own metrics.", "warning: it does not"}, onInstallation(lookScraped)},
		{Doc{"scheduler-cycles", groupData,
			"In how many scheduling cycles of the last hour TrafficLocality had a say, and why not in the others.",
			"warning: nine of ten pods belong to workloads without traffic; note: no pod was scheduled"}, onMetrics(lookCycles)},
	}
	for _, a := range alertChecks() {
		checks = append(checks, clusterCheck{
			Doc{a.check, groupData, a.meaning + " The alert `" + a.alert + "` of docs/metrics.md says the same.", a.severity.String() + ": the alert's condition holds"},
			onMetrics(a.look),
		})
	}
	return checks
}

var errNoPrometheus = errors.New("there is no Prometheus to ask for the scheduler's metrics")

// query asks Prometheus for a vector as it is now.
func (s *clusterState) query(ctx context.Context, promql string) (model.Vector, error) {
	return s.queryAt(ctx, promql, s.Now())
}

// queryAt asks for the vector of a time.
func (s *clusterState) queryAt(ctx context.Context, promql string, at time.Time) (model.Vector, error) {
	if s.Metrics == nil {
		return nil, errNoPrometheus
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	value, _, err := s.Metrics.Query(ctx, promql, at)
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus for the scheduler's metrics: %w", err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("asking Prometheus for the scheduler's metrics: the answer is a %s", value.Type())
	}
	return vector, nil
}

// isScraped reports whether Prometheus has metrics of the scheduler.
func (s *clusterState) isScraped(ctx context.Context) (bool, error) {
	return s.scraped.get(func() (bool, error) {
		found, err := s.query(ctx, "vicinity_graph_generation")
		return len(found) > 0, err
	})
}

func lookScraped(ctx context.Context, s *clusterState, _ *installation) []Result {
	scraped, err := s.isScraped(ctx)
	switch {
	case errors.Is(err, errNoPrometheus):
		return finding(Unchecked, "Not checked: "+err.Error()+".", "The age of the scheduler's data, failures and panics cannot be looked at.", "vicinity doctor --prometheus URL")
	case err != nil:
		return notChecked(err)
	case !scraped:
		return finding(Warning, "Prometheus has no metrics of the scheduler (vicinity_graph_generation has no series).",
			"Nobody notices when the scheduler's data is stale or its permissions are missing, and doctor cannot look at them either.",
			"Let Prometheus scrape port 10259 of the scheduler's pods: with the Prometheus operator, set serviceMonitor.enabled=true of the chart, or add manifests/components/service-monitor to your kustomization; without it, see docs/install.md (Metrics and alerts). The NetworkPolicy must let Prometheus in: kubectl get networkpolicies -A")
	}
	return allRight("Prometheus scrapes the scheduler.")
}

// onMetrics is a check of the scheduler's metrics.
func onMetrics(look func(context.Context, *clusterState) []Result) func(context.Context, *clusterState) []Result {
	return onInstallation(func(ctx context.Context, s *clusterState, _ *installation) []Result {
		switch scraped, err := s.isScraped(ctx); {
		case err != nil:
			return notChecked(err)
		case !scraped:
			return dependsOn("scheduler-scraped")
		}
		return look(ctx, s)
	})
}

// fewCycles is how many say too little for a verdict.
const fewCycles = 20

func lookCycles(ctx context.Context, s *clusterState) []Result {
	skipped, err := s.query(ctx, "sum by (reason) (increase(vicinity_cycles_skipped_total[1h])) > 0")
	if err != nil {
		return notChecked(err)
	}
	scored, err := s.query(ctx, "sum(increase(vicinity_score_spread_points_count[1h]))")
	if err != nil {
		return notChecked(err)
	}
	by, all := map[model.LabelValue]float64{}, 0.0
	for _, sample := range skipped {
		by[sample.Metric["reason"]] = float64(sample.Value)
		all += float64(sample.Value)
	}
	said := 0.0
	if len(scored) > 0 {
		said = float64(scored[0].Value)
		all += said
	}
	switch {
	case all < 1:
		return finding(Note, "No pod was scored in the last hour.", "Whether TrafficLocality has a say shows when the next pods are scheduled.", "")
	case all >= fewCycles && by["no-traffic"] > 0.9*all:
		return finding(Warning, fmt.Sprintf("%.0f of %.0f pods in the last hour belong to workloads without any known traffic.", by["no-traffic"], all),
			"They are scheduled as by kube-scheduler: nothing is gained from handing them over.", "See which workloads have traffic: vicinity graph")
	}
	return allRight("TrafficLocality had something to say for %.0f of %.0f pods in the last hour.", said, all)
}
