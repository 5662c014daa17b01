package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
	"github.com/vicinity-sched/vicinity/internal/telemetrymetrics"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

func TestFilesAreUpToDate(t *testing.T) {
	wanted, err := files(schedulermetrics.Definitions())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range wanted {
		got, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(got)); diff != "" {
			t.Errorf("%s is out of date; renew it with: go run ./hack/docmetrics\n(-definitions +file):\n%s", name, diff)
		}
	}
}

var sources = []string{"mesh-a", "mesh-b"}

// table is every metric with the values that its labels may have.
var table = map[string]map[string][]string{
	"vicinity_graph_age_seconds":                   {},
	"vicinity_graph_generation":                    {},
	"vicinity_graph_edges":                         {},
	"vicinity_graph_workloads":                     {},
	"vicinity_graph_refused_flows_total":           {},
	"vicinity_graph_surplus_edges_total":           {},
	"vicinity_telemetry_refreshes_total":           {"source": sources, "result": {"success", "other", "timeout", "unreachable", "denied", "rejected", "partial", "too-large", "empty", "bad-answer", "several-clusters", "panic"}},
	"vicinity_telemetry_refresh_duration_seconds":  {"source": sources},
	"vicinity_telemetry_series":                    {"source": sources},
	"vicinity_telemetry_sites_bytes_per_second":    {"source": sources},
	"vicinity_sites_apart":                         {},
	"vicinity_telemetry_left_out_series":           {"source": sources, "reason": {"missing-label", "unknown-workload", "external", "passthrough", "black-hole", "other-cluster", "unknown-reporter", "foreign-reporter", "one-sided", "no-objects", "unknown-object", "unknown-address", "not-serving", "ambiguous", "surplus", "invalid"}},
	"vicinity_telemetry_left_out_bytes_per_second": {"source": sources, "reason": {"missing-label", "unknown-workload", "external", "passthrough", "black-hole", "other-cluster", "unknown-reporter", "foreign-reporter", "one-sided", "no-objects", "unknown-object", "unknown-address", "not-serving", "ambiguous", "surplus", "invalid"}},
	"vicinity_telemetry_condition":                 {"source": sources, "condition": {"missing-bytes", "several-clusters", "scraped-twice", "missing-labels", "young-data", "only-waypoints", "unmatched-services", "unchecked"}},
	"vicinity_cycles_skipped_total":                {"reason": {"no-data", "expired", "no-traffic", "no-nodes", "no-peers", "panic", "preparing", "off"}},
	"vicinity_score_spread_points":                 {},
	"vicinity_peer_nodes_not_scored_total":         {},
	"vicinity_cycles_behind_total":                 {},
	"vicinity_cycles_informed_total":               {"kind": {"annotation", "appgroup", "sidecar", "inherited"}},
	"vicinity_panics_recovered_total":              {},
	"vicinity_permission_missing":                  {"permission": {"get:pods"}},
	"vicinity_task_restarts_total":                 {"task": {"telemetry", "preparation", "destination-rules", "cold-starts", "permissions", "locality", "events"}},
	"vicinity_traffic_bytes_per_second": {
		"level": {"node", "zone", "region", "beyond", "unknown", "unserved", "outside"}, "pods": {"all", "vicinity"},
	},
	"vicinity_serving_pods": {"pods": {"all", "vicinity"}, "traffic": {"seen", "none"}},
}

// TestTable registers the metrics as the scheduler does, has rounds of every
// kind noted and compares what the endpoint would show with the table: every
// metric, every permitted series and no other.
func TestTable(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	observer := telemetrymetrics.New(klog.Logger{}, flowgraph.NewStore(), time.Now, sources)
	observer.Register(registry.MustRegister)
	plugin := trafficlocality.NewMetrics(registry.MustRegister)
	needed := permissions.New(klog.Logger{}, []permissions.Permission{{Verb: "get", Resource: "pods", Namespace: "shop", Name: "web"}})
	needed.Register(registry.MustRegister)
	tasks := restart.New(time.Now, time.After)
	tasks.Register(registry.MustRegister)
	live := livelocality.NewMetrics()
	live.Register(registry.MustRegister)
	live.Show(&livelocality.Measurement{})

	errs := []error{nil, errors.New("no workload shop/web"), &telemetry.QueryError{Failure: math.MaxInt, Err: errors.ErrUnsupported}}
	for _, failure := range telemetry.Failures() {
		errs = append(errs, &telemetry.QueryError{Failure: failure, Err: errors.ErrUnsupported})
	}
	leftOut := map[telemetry.Reason]telemetry.LeftOut{math.MaxInt: {Series: 1}}
	for _, reason := range telemetry.Reasons() {
		leftOut[reason] = telemetry.LeftOut{Series: 1, BytesPerSecond: 1}
	}
	var findings []telemetry.Finding
	for _, c := range append(telemetry.Conditions(), math.MaxInt) {
		findings = append(findings, telemetry.Finding{Condition: c})
	}
	for _, name := range append(slices.Clone(sources), "shop/web") {
		for _, err := range errs {
			observer.Refreshed(telemetry.Status{Sources: []telemetry.SourceStatus{{Name: name, Err: err, LeftOut: leftOut, Findings: findings}}})
		}
	}

	want, got := map[string][]string{}, map[string][]string{}
	for name, values := range table {
		want[name] = combinations(values)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "vicinity_") {
			continue // the registry's own
		}
		types[name] = strings.ToLower(family.GetType().String())
		for _, series := range family.GetMetric() {
			got[name] = append(got[name], text(series))
		}
		slices.Sort(got[name])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-table +served):\n%s", diff)
	}
	for _, m := range slices.Concat(observer.Definitions(), live.Definitions(), plugin.Definitions(), needed.Definitions(), tasks.Definitions()) {
		if types[m.Name] != string(m.Type) {
			t.Errorf("%s is defined as %s and served as %s", m.Name, m.Type, types[m.Name])
		}
		delete(types, m.Name)
	}
	if len(types) > 0 {
		t.Errorf("served but not defined: %v", types)
	}
}

// text returns the labels of a series.
func text(series *dto.Metric) string {
	var pairs []string
	for _, label := range series.GetLabel() {
		pairs = append(pairs, label.GetName()+"="+label.GetValue())
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}

// combinations returns the texts of one value for each label, sorted.
func combinations(values map[string][]string) []string {
	all := []string{""}
	for _, label := range []string{"condition", "kind", "level", "permission", "pods", "reason", "result", "source", "task", "traffic"} {
		if values[label] == nil {
			continue
		}
		var longer []string
		for _, prefix := range all {
			for _, value := range values[label] {
				longer = append(longer, strings.TrimSpace(prefix+" "+label+"="+value))
			}
		}
		all = longer
	}
	slices.Sort(all)
	return all
}

// TestDefinitionsAreComplete: whoever reads the page finds a meaning for all
// that is in it, and names follow the rules.
func TestDefinitionsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range schedulermetrics.Definitions() {
		if seen[m.Name] {
			t.Errorf("%s is defined twice", m.Name)
		}
		seen[m.Name] = true
		if !strings.HasPrefix(m.Name, "vicinity_") || strings.HasSuffix(m.Name, "_total") != (m.Type == metricdef.Counter) {
			t.Errorf("%s is no name for a %s of ours", m.Name, m.Type)
		}
		isSentence(t, m.Name, m.Help)
		for _, label := range m.Labels {
			if (label.From == "") != (len(label.Values) > 0) {
				t.Errorf("label %s of %s has values %v from %q", label.Name, m.Name, label.Values, label.From)
			}
			for _, v := range label.Values {
				isSentence(t, fmt.Sprintf("%s{%s=%q}", m.Name, label.Name, v.Name), v.Meaning)
			}
		}
		for _, a := range m.Alerts {
			isSentence(t, a.Name, a.Meaning)
			if !strings.Contains(a.PromQL, m.Name) {
				t.Errorf("alert %s is not about %s", a.Name, m.Name)
			}
		}
	}
}

func isSentence(t *testing.T, of, text string) {
	t.Helper()
	if text == "" || !strings.HasSuffix(text, ".") {
		t.Errorf("the meaning of %s is %q", of, text)
	}
}

// TestAlertsNameWhatThereIs parses the expressions.
func TestAlertsNameWhatThereIs(t *testing.T) {
	promql := parser.NewParser(parser.Options{})
	for _, m := range schedulermetrics.Definitions() {
		for _, a := range m.Alerts {
			expr, err := promql.ParseExpr(a.PromQL)
			if err != nil {
				t.Errorf("%s: %v", a.Name, err)
				continue
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if selector, ok := node.(*parser.VectorSelector); ok {
					checkSelector(t, a.Name, selector)
				}
				return nil
			})
		}
	}
}

func checkSelector(t *testing.T, alert string, selector *parser.VectorSelector) {
	t.Helper()
	m := define(t, selector.Name)
	for _, matcher := range selector.LabelMatchers {
		switch {
		case matcher.Name == model.MetricNameLabel:
		case matcher.Name == model.BucketLabel && m.Type == metricdef.Histogram:
			for _, format := range []func(float64) string{labels.FormatOpenMetricsFloat, func(f float64) string { return fmt.Sprint(f) }} {
				if !slices.ContainsFunc(m.Buckets, func(bound float64) bool { return matcher.Matches(format(bound)) }) {
					t.Errorf("%s asks for %s{%s}, and none of the buckets is like %s", alert, selector.Name, matcher, format(m.Buckets[0]))
				}
			}
		default:
			for _, value := range strings.Split(matcher.Value, "|") {
				if !slices.Contains(table[m.Name][matcher.Name], value) {
					t.Errorf("%s asks for %s{%s=%q}, which does not exist", alert, selector.Name, matcher.Name, value)
				}
			}
		}
	}
}

// TestAlerts has a scheduler in good order, for which no alert fires, and one
// that gives cause to all.
func TestAlerts(t *testing.T) {
	good := `load 30s
	vicinity_graph_age_seconds 15+0x240
	vicinity_graph_surplus_edges_total 5+0x240
	vicinity_telemetry_refreshes_total{source="a",result="success"} 0+1x240
	vicinity_telemetry_refreshes_total{source="a",result="timeout"} 0+1x240
	vicinity_telemetry_refreshes_total{source="a",result="empty"} 3+0x240
	vicinity_telemetry_refresh_duration_seconds_bucket{source="a",le="1"} 0+1x240
	vicinity_telemetry_refresh_duration_seconds_bucket{source="a",le="+Inf"} 0+1x240
	vicinity_telemetry_series{source="a"} 100+0x240
	vicinity_telemetry_series{source="idle"} 0+0x240
	vicinity_telemetry_left_out_series{source="a",reason="unknown-workload"} 1+0x240
	vicinity_telemetry_left_out_series{source="a",reason="external"} 90+0x240
	vicinity_telemetry_left_out_series{source="a",reason="invalid"} 0+0x240
	vicinity_telemetry_left_out_series{source="a",reason="foreign-reporter"} 0+0x240
	vicinity_telemetry_left_out_series{source="idle",reason="invalid"} 0+0x240
	vicinity_telemetry_condition{source="a",condition="missing-bytes"} 0+0x240
	vicinity_telemetry_condition{source="a",condition="young-data"} 1+0x200 0+0x40
	vicinity_telemetry_condition{source="a",condition="unchecked"} 1+0x200 0+0x40
	vicinity_cycles_skipped_total{reason="no-data"} 5+0x240
	vicinity_cycles_skipped_total{reason="expired"} 0+0x240
	vicinity_cycles_skipped_total{reason="no-traffic"} 0+100x240
	vicinity_cycles_skipped_total{reason="no-peers"} 0+1x240
	vicinity_score_spread_points_bucket{le="1"} 0+1x240
	vicinity_score_spread_points_count 0+10x240
	vicinity_peer_nodes_not_scored_total 0+1x240
	vicinity_sites_apart 0+0x240
	vicinity_panics_recovered_total 0+0x240
	vicinity_permission_missing{permission="get:pods"} 0+0x240
	vicinity_task_restarts_total{task="telemetry"} 0+0x240
`
	bad := `load 30s
	vicinity_graph_age_seconds{pod="new"} Inf+0x240
	vicinity_graph_age_seconds{pod="old"} 15+0x240
	vicinity_graph_surplus_edges_total 0+1x240
	vicinity_telemetry_refreshes_total{source="a",result="success"} 7+0x240
	vicinity_telemetry_refreshes_total{source="a",result="empty"} 0+1x240
	vicinity_telemetry_refresh_duration_seconds_bucket{source="a",le="1"} 0+0x240
	vicinity_telemetry_refresh_duration_seconds_bucket{source="a",le="60"} 0+1x240
	vicinity_telemetry_refresh_duration_seconds_bucket{source="a",le="+Inf"} 0+1x240
	vicinity_telemetry_series{source="a"} 100+0x240
	vicinity_telemetry_left_out_series{source="a",reason="unknown-workload"} 15+0x240
	vicinity_telemetry_left_out_series{source="a",reason="invalid"} 15+0x240
	vicinity_telemetry_left_out_series{source="a",reason="external"} 0+0x240
	vicinity_telemetry_left_out_series{source="a",reason="foreign-reporter"} 1+0x240
	vicinity_telemetry_condition{source="a",condition="scraped-twice"} 1+0x240
	vicinity_telemetry_condition{source="a",condition="young-data"} 1+0x240
	vicinity_telemetry_condition{source="a",condition="unchecked"} 1+0x240
	vicinity_cycles_skipped_total{reason="expired"} 0+30x240
	vicinity_cycles_skipped_total{reason="no-peers"} 0+5x240
	vicinity_score_spread_points_bucket{le="1"} 0+10x240
	vicinity_score_spread_points_count 0+10x240
	vicinity_peer_nodes_not_scored_total 0+10x240
	vicinity_sites_apart 1+0x240
	vicinity_panics_recovered_total 0+0x230 1+0x9
	vicinity_permission_missing{permission="get:pods"} 0+0x230 1+0x9
	vicinity_task_restarts_total{task="telemetry"} 0+0x230 1+0x9
`
	for name, test := range map[string]struct {
		load string
		want bool
	}{
		"good": {stored(t, good), false},
		"bad":  {stored(t, bad), true},
		// Prometheus 2 keeps labels as they are served.
		"good, Prometheus 2": {good, false},
		"bad, Prometheus 2":  {bad, true},
	} {
		t.Run(name, func(t *testing.T) {
			prometheus := promtest.New(t, test.load)
			for _, m := range schedulermetrics.Definitions() {
				for _, a := range m.Alerts {
					fires := false
					err := prometheus.Query(t.Context(), a.PromQL, time.Unix(2*3600, 0), func(telemetry.Series) error {
						fires = true
						return nil
					})
					if err != nil || fires != test.want {
						t.Errorf("%s fires: %v, want %v (%v)", a.Name, fires, test.want, err)
					}
				}
			}
		})
	}
}

// stored returns a load command with the labels that Prometheus keeps after it
// has scraped the series, by the parser of its scrapes: since Prometheus 3 the
// bounds of buckets are not those that are served.
func stored(t *testing.T, load string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(load), "\n")
	for i, line := range lines[1:] {
		series, values, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			t.Fatalf("no values in %q", line)
		}
		name, _, _ := strings.Cut(series, "{")
		if !strings.HasPrefix(name, "vicinity_") {
			continue // of others, which have no histograms here
		}
		served := fmt.Sprintf("# TYPE %s %s\n%s 0\n", define(t, name).Name, define(t, name).Type, series)
		lines[i+1] = "\t" + scrape(t, served).String() + " " + values
	}
	return strings.Join(lines, "\n") + "\n"
}

// scrape returns the labels of the one series in what an endpoint serves.
func scrape(t *testing.T, served string) labels.Labels {
	t.Helper()
	parser, err := textparse.New([]byte(served), "text/plain; version=0.0.4", nil, textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		entry, err := parser.Next()
		if err != nil {
			t.Fatalf("no series in %q: %v", served, err)
		}
		if entry == textparse.EntrySeries {
			var all labels.Labels
			parser.Labels(&all)
			return all
		}
	}
}

// define returns the definition of the metric that has a series of this name.
func define(t *testing.T, series string) metricdef.Metric {
	t.Helper()
	name := strings.TrimSuffix(strings.TrimSuffix(series, "_bucket"), "_count")
	for _, m := range schedulermetrics.Definitions() {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("there is no metric with the series %s", series)
	return metricdef.Metric{}
}
