// Command docmetrics writes docs/metrics.md and the alerting rules in manifests from the
// definitions of the scheduler's metrics. It is run in the module's directory, whenever a
// definition has changed, and hack/docchart after it:
//
//	go run ./hack/docmetrics
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/metricdef"
	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
)

const page = "docs/metrics.md"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docmetrics:", err)
		os.Exit(1)
	}
}

// run writes the files below the module's directory.
func run(root string) error {
	written, err := files(schedulermetrics.Definitions())
	if err != nil {
		return err
	}
	for name, text := range written {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err // names the path
		}
	}
	return nil
}

const intro = `# Metrics

<!-- Written by "go run ./hack/docmetrics" from the definitions in the code; do not edit. -->

vicinity-scheduler serves these metrics in addition to kube-scheduler's own, on its
` + "`/metrics`" + ` endpoint (port 10259, HTTPS), on the leader and on standbys: a standby
polls the telemetry but runs no scheduling cycles. No label names a workload, a namespace
or a node, so the number of series does not grow with the cluster; for single edges there
is ` + "`vicinity graph`" + `. The exception is shadow mode (` + "`shadow: true`" + `,
[locality.md](locality.md#before-adoption-shadow-mode)): the metrics ` + "`vicinity_shadow_...`" + ` exist
only there, and two of them name up to 500 workloads. All metrics are ALPHA in the sense of
Kubernetes: a release may change them, and CHANGELOG.md says so.

A scheduling cycle is either skipped or its scores are observed, never both.
kube-scheduler calls no score plugin if only one node is feasible. The cost of the
plugin is in kube-scheduler's own
` + "`scheduler_plugin_execution_duration_seconds{plugin=\"TrafficLocality\"}`" + `.

`

// render returns the page.
func render(all []metricdef.Metric) string {
	var b strings.Builder
	b.WriteString(intro)
	b.WriteString("| name | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for _, m := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labelsOf(m), cell(m.Help+bucketsOf(m)))
	}
	b.WriteString("\n## Label values\n")
	for _, group := range meanings(all) {
		fmt.Fprintf(&b, "\n`%s` of %s:\n\n| value | meaning |\n| --- | --- |\n", group.label.Name, joined(group.metrics))
		for _, v := range group.label.Values {
			fmt.Fprintf(&b, "| `%s` | %s |\n", v.Name, cell(v.Meaning))
		}
	}
	b.WriteString("\n## What to alert on\n\nThe alerts follow the order of the table. Each has a `for` of five minutes, so that none fires\n" +
		"at a start. [set-alerts.md](how-to/set-alerts.md) says which matter most, and\n" +
		"[install.md](install.md#metrics-and-alerts) how to load them: `manifests/alerts/vicinity.yaml` is a\n" +
		"rule file with all of them, and the Helm chart has them in `prometheusRule`.\n")
	for _, m := range all {
		for _, a := range m.Alerts {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n```promql\n%s\n```\n", a.Name, a.Meaning, a.PromQL)
		}
	}
	return b.String()
}

// bucketsOf returns the sentence about a histogram's buckets.
func bucketsOf(m metricdef.Metric) string {
	if m.Type != metricdef.Histogram {
		return ""
	}
	return " Buckets: " + strings.Trim(strings.ReplaceAll(fmt.Sprint(m.Buckets), " ", ", "), "[]") + "."
}

// labelsOf returns the labels of a metric with their values.
func labelsOf(m metricdef.Metric) string {
	var all []string
	for _, label := range m.Labels {
		values := label.From
		if values == "" {
			var names []string
			for _, v := range label.Values {
				names = append(names, v.Name)
			}
			values = strings.Join(names, ", ")
		}
		all = append(all, fmt.Sprintf("`%s`: %s", label.Name, values))
	}
	return cell(strings.Join(all, "; "))
}

// group is a label that several metrics have with the same values.
type group struct {
	label   metricdef.Label
	metrics []string
}

// meanings returns the labels whose values are always the same.
func meanings(all []metricdef.Metric) []group {
	var groups []group
	for _, m := range all {
		for _, label := range m.Labels {
			if label.From != "" {
				continue
			}
			same := func(g group) bool { return g.label.Name == label.Name && slices.Equal(g.label.Values, label.Values) }
			if i := slices.IndexFunc(groups, same); i >= 0 {
				groups[i].metrics = append(groups[i].metrics, m.Name)
				continue
			}
			groups = append(groups, group{label, []string{m.Name}})
		}
	}
	return groups
}

func joined(names []string) string { return "`" + strings.Join(names, "` and `") + "`" }

// cell makes text fit into a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
