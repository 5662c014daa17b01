package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// alertCheck is a check whether the condition of an alert holds.
type alertCheck struct {
	check, alert string
	severity     Severity
	meaning      string
	// what words a sample of the alert's answer.
	what      func(v float64, labels model.Metric) string
	why, next string
}

// schedulerLog ends a next step. kubectl logs looks into one namespace only: this is the usual one.
const schedulerLog = "Look at the scheduler's log, in its namespace: kubectl -n vicinity-system logs -l " + nameLabel + "=" + schedulerName + " --tail=50"

// says words a sample by a constant and the value of one of its labels.
func says(format string, label model.LabelName) func(float64, model.Metric) string {
	return func(_ float64, labels model.Metric) string {
		return fmt.Sprintf(format, show.Printable(string(labels[label])))
	}
}

// shares words a sample whose value is a share.
func shares(format string) func(float64, model.Metric) string {
	return func(v float64, _ model.Metric) string { return fmt.Sprintf(format, show.Percent(v)) }
}

func alertChecks() []alertCheck {
	return append(telemetryAlerts(), []alertCheck{
		{"scheduler-without-data", "VicinityWithoutData", Warning, "Whether most pods were scheduled without any data.",
			shares("In the last 15 minutes, %s of the pods were scheduled without traffic data."),
			"These pods are placed as by kube-scheduler.", "See to scheduler-refreshes and config-telemetry first. " + schedulerLog},
		{"scheduler-has-no-say", "VicinityHasNoSay", Warning, "Whether TrafficLocality's scores tell nodes apart.",
			shares("For %s of the pods of the last hour, all nodes had the same points from TrafficLocality, within one."),
			"Pods are placed by the other plugins alone.", "Find out why for one of them: vicinity explain pod NAMESPACE/NAME"},
		{"scheduler-misses-nodes", "VicinityMissesPeerNodes", Warning, "Whether the nodes where peers run are among those that are scored.",
			shares("For %s of the pods of the last hour, the best node by traffic was not scored."),
			"Pods land away from the workloads that they exchange traffic with.", "Set percentageOfNodesToScore: 100 in the scheduler's configuration; if it is, those nodes are full or refuse the pods: kubectl describe nodes"},
		{"scheduler-sites-apart", "VicinitySiteApart", Warning, "Whether there are nodes where the configured sites are.",
			func(v float64, _ model.Metric) string {
				return fmt.Sprintf("No node is where %s of the TelemetryConfiguration is.", show.Plural(int(v), "site"))
			},
			"Such a site draws no pods.", "Compare zone and region of sites with: kubectl get nodes -L topology.kubernetes.io/region,topology.kubernetes.io/zone"},
		{"scheduler-panics", "VicinityPanics", Warning, "Whether TrafficLocality panicked in the last hour.",
			func(v float64, _ model.Metric) string {
				return fmt.Sprintf("TrafficLocality panicked %.0f times in the last hour.", math.Ceil(v))
			},
			"It is a mistake in Vicinity. Each time, a pod was scheduled without it.", "Report the line of the log that begins with \"TrafficLocality recovered\". " + schedulerLog},
		{"scheduler-permission-missing", "VicinityPermissionMissing", Error, "Whether the scheduler itself reports a missing permission.",
			says("The scheduler reports that it may not %s.", "permission"),
			"Its pods may stay Pending.", "See the checks permissions-scheduling and permissions-lease. Apply the manifests or the chart again."},
		{"scheduler-task-restarts", "VicinityTaskRestarts", Warning, "Whether a task beside the scheduling broke in the last hour.",
			says("The scheduler's task %s broke and was started again in the last hour.", "task"),
			"It is a mistake in Vicinity. Until the task runs again, its part of the data is as it was.", "Report the line of the log that begins with \"A task has ended\". " + schedulerLog},
	}...)
}

// telemetryAlerts are those of reading the traffic.
func telemetryAlerts() []alertCheck {
	return []alertCheck{
		{"scheduler-data-age", "VicinityDataStale", Error, "How old the scheduler's traffic data are.",
			func(v float64, labels model.Metric) string {
				if math.IsInf(v, 1) {
					return fmt.Sprintf("The scheduler %s has never read the traffic.", show.Printable(string(labels["instance"])))
				}
				return fmt.Sprintf("The traffic data of the scheduler %s are %s old.", show.Printable(string(labels["instance"])), show.Duration(time.Duration(v)*time.Second))
			},
			"Traffic loses its influence from staleAfter on. From expireAfter on, pods are placed as by kube-scheduler.", schedulerLog},
		{"scheduler-refreshes", "VicinityTelemetryFails", Error, "Whether each source was read in the last 15 minutes.",
			says("The source %s was not read in the last 15 minutes.", "source"),
			"The scheduler goes on with what it knew, which loses its influence.", schedulerLog},
		{"scheduler-refreshes-empty", "VicinityTelemetryEmpty", Warning, "Whether Prometheus' answers named pairs of workloads.",
			says("Answers to the source %s named no pair of workloads in the last 15 minutes.", "source"),
			"No data is not zero traffic: the scheduler goes on with what it knew.", "Look at selector, cluster and window of the source, and at what vicinity graph explains: vicinity graph"},
		{"scheduler-refreshes-slow", "VicinityTelemetrySlow", Warning, "How long reading a source takes.",
			func(v float64, labels model.Metric) string {
				return fmt.Sprintf("Reading the source %s takes %s.", show.Printable(string(labels["source"])), show.Duration(time.Duration(v)*time.Second))
			},
			"Data get old, and Prometheus is busy.", "Load the recording rules (docs/configuration.md, \"Recording rules\") and set recorded: true, or use a longer interval."},
		{"scheduler-traffic-unresolved", "VicinityTrafficUnresolved", Warning, "How much of what the mesh reports cannot be told apart by workload.",
			shares("The scheduler cannot tell apart by workload %s of the series."),
			"This traffic does not count when pods are placed.", "vicinity graph names the reasons: vicinity graph"},
		{"scheduler-foreign-reports", "VicinityForeignReports", Warning, "Whether targets report traffic for other namespaces than their own.",
			says("Targets report traffic of the source %s for namespaces that are not theirs.", "source"),
			"What they report does not count. It may be a forgery, or an agent that is not trusted.", "Add an agent's namespace to trust.trustedReporterNamespaces (docs/security.md), or find the targets in Prometheus by the label trust.reporterNamespaceLabel."},
		{"scheduler-conditions", "VicinityTelemetryCondition", Warning, "Whether the telemetry makes the scheduler's figures wrong or incomplete.",
			func(_ float64, labels model.Metric) string {
				return fmt.Sprintf("The source %s is in the condition %s.", show.Printable(string(labels["source"])), show.Printable(string(labels["condition"])))
			},
			"Pods are placed by figures that are wrong or incomplete.", "docs/configuration.md has what to do in each condition. vicinity graph"},
		{"scheduler-data-young", "VicinityTelemetryDataYoung", Note, "Whether the data reach back over the source's window.",
			says("The data of the source %s do not reach back over its window.", "source"),
			"Rates are too low until they do. If it lasts, Prometheus keeps less than the window.", "Wait, or use a shorter window for the source."},
		{"scheduler-conditions-unchecked", "VicinityTelemetryUnchecked", Note, "Whether Prometheus answers the queries that look for such conditions.",
			says("Prometheus does not answer the queries that check the source %s.", "source"),
			"Wrong or incomplete telemetry may not be noticed.", schedulerLog},
		{"scheduler-graph-full", "VicinityGraphFull", Warning, "Whether traffic is left out because of `trust.limits`.",
			func(float64, model.Metric) string {
				return "There is more traffic than trust.limits allow, and some is left out."
			},
			"The smallest edges do not count when pods are placed.", "Find the namespace with the most edges: vicinity graph -o json. If its traffic is real, raise trust.limits and the memory limit."},
	}
}

// lasting is how long a condition has to hold before it is more than a note, as a scheduler
// that has just started meets some of them.
const lasting = 5 * time.Minute

// look asks for the alert's condition. One result for each series would repeat itself for each
// replica of the scheduler.
func (a *alertCheck) look(ctx context.Context, s *clusterState) []Result {
	promql := s.alertPromQL(a.alert)
	holds, err := s.query(ctx, promql)
	if err != nil {
		return notChecked(err)
	}
	var held model.Vector
	if len(holds) > 0 {
		if held, err = s.queryAt(ctx, promql, s.Now().Add(-lasting)); err != nil {
			return notChecked(err)
		}
	}
	seen := map[string]bool{}
	var results []Result
	for _, sample := range holds {
		r := Result{Severity: a.severity, What: a.what(float64(sample.Value), sample.Metric), Why: a.why, Next: a.next}
		if !slices.ContainsFunc(held, func(before *model.Sample) bool { return before.Metric.Equal(sample.Metric) }) {
			r.Severity, r.What = min(r.Severity, Note), r.What+" It has been so for less than "+show.Duration(lasting)+"."
		}
		if !seen[r.What] {
			seen[r.What] = true
			results = append(results, r)
		}
	}
	return or(results, "The condition of %s does not hold.", a.alert)
}

// alertPromQL returns the condition of an alert.
func (s *clusterState) alertPromQL(name string) string {
	conditions, _ := s.conditions.get(func() (map[string]string, error) {
		all := map[string]string{}
		for _, alert := range schedulermetrics.Alerts() {
			all[alert.Name] = alert.PromQL
		}
		return all, nil
	})
	return conditions[name]
}
