package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
)

// course is how long the scenarios are, in samples of half a minute: two hours.
const course = 240

// observed returns the buckets of a histogram with one observation a sample, all of one value.
func observed(t *testing.T, metric, labels string, value float64) string {
	t.Helper()
	var lines strings.Builder
	for _, bound := range define(t, metric).Buckets {
		step := 0
		if value <= bound {
			step = 1
		}
		fmt.Fprintf(&lines, "%s_bucket{%s,le=\"%v\"} 0+%dx%d\n", metric, labels, bound, step, course)
	}
	fmt.Fprintf(&lines, "%s_bucket{%s,le=\"+Inf\"} 0+1x%d\n%s_count{%s} 0+1x%d\n", metric, labels, course, metric, labels, course)
	return lines.String()
}

// TestAlertsOverTime: which alerts fire in two hours, each after the "for" of the rule files.
func TestAlertsOverTime(t *testing.T) {
	const (
		leader = `instance="a",pod="vicinity-a"`
		other  = `instance="b",pod="vicinity-b"`
	)
	scored := func(labels, each string) string {
		return "vicinity_score_spread_points_count{" + labels + "} 0+" + each + "x240\n" +
			`vicinity_score_spread_points_bucket{` + labels + `,le="1"} 0+0x240` + "\n" +
			"vicinity_peer_nodes_not_scored_total{" + labels + "} 0+0x240\n" +
			`vicinity_cycles_skipped_total{` + labels + `,reason="no-peers"} 0+0x240` + "\n" +
			`vicinity_cycles_skipped_total{` + labels + `,reason="expired"} 0+0x240` + "\n"
	}
	for name, test := range map[string]struct {
		load string
		want []string
	}{
		"nothing is scraped": {"up 0+0x240", nil},
		"a start, with a Prometheus that has just started too": {`
			vicinity_graph_age_seconds Inf Inf Inf Inf 15+0x236
			vicinity_telemetry_refreshes_total{source="mesh",result="empty"} 0 1 2 3 3+0x236
			vicinity_telemetry_refreshes_total{source="mesh",result="success"} 0 0 0 0 1+1x236
			vicinity_telemetry_condition{source="mesh",condition="young-data"} 0 1+0x20 0+0x219
			vicinity_telemetry_condition{source="mesh",condition="unchecked"} 0 1+0x20 0+0x219`, nil},
		"a restart in place": {`
			vicinity_telemetry_refreshes_total{source="mesh",result="success"} 0+1x100 0+1x139
			vicinity_panics_recovered_total 3+0x100 0+0x139
			vicinity_task_restarts_total{task="telemetry"} 3+0x100 0+0x139`, nil},
		"a source that is always empty": {`
			vicinity_telemetry_refreshes_total{source="mesh",result="empty"} 0+1x240
			vicinity_telemetry_refreshes_total{source="mesh",result="success"} 0+0x240`, []string{"VicinityTelemetryEmpty", "VicinityTelemetryFails"}},
		"a source that was empty once": {`
			vicinity_telemetry_refreshes_total{source="mesh",result="empty"} 0+0x100 1+0x139
			vicinity_telemetry_refreshes_total{source="mesh",result="success"} 0+1x240`, nil},
		"a source that fails on one of two replicas": {`
			vicinity_telemetry_refreshes_total{instance="a",source="mesh",result="success"} 0+1x240
			vicinity_telemetry_refreshes_total{instance="b",source="mesh",result="success"} 0+1x60 60+0x179`, []string{"VicinityTelemetryFails"}},
		"data that stay young":                              {`vicinity_telemetry_condition{source="mesh",condition="young-data"} 1+0x240`, []string{"VicinityTelemetryDataYoung"}},
		"data that are young now and then":                  {`vicinity_telemetry_condition{source="mesh",condition="young-data"} 1+0x20 0+0x20 1+0x20 0+0x20 1+0x20 0+0x134`, nil},
		"data that were young when the replica was removed": {`vicinity_telemetry_condition{source="mesh",condition="young-data"} 0+0x60 1+0x20`, nil},
		"checks that are never answered":                    {`vicinity_telemetry_condition{source="mesh",condition="unchecked"} 1+0x240`, []string{"VicinityTelemetryUnchecked"}},
		"refreshes of 11 seconds":                           {observed(t, "vicinity_telemetry_refresh_duration_seconds", `source="mesh"`, 11), nil},
		"refreshes of 16 seconds":                           {observed(t, "vicinity_telemetry_refresh_duration_seconds", `source="mesh"`, 16), []string{"VicinityTelemetrySlow"}},
		"slow refreshes in one of two clusters": {
			observed(t, "vicinity_telemetry_refresh_duration_seconds", `source="mesh",cluster="small"`, 25) +
				strings.ReplaceAll(observed(t, "vicinity_telemetry_refresh_duration_seconds", `source="mesh",cluster="large"`, 1), "+1x", "+100x"),
			[]string{"VicinityTelemetrySlow"}},
		"nothing within the cluster is resolved": {`
			vicinity_telemetry_series{source="mesh"} 100+0x240
			vicinity_telemetry_left_out_series{source="mesh",reason="external"} 80+0x240
			vicinity_telemetry_left_out_series{source="mesh",reason="unknown-address"} 10+0x240
			vicinity_telemetry_left_out_series{source="mesh",reason="unknown-object"} 10+0x240`, []string{"VicinityTrafficUnresolved"}},
		"all traffic is with the outside": {`
			vicinity_telemetry_series{source="mesh"} 100+0x240
			vicinity_telemetry_left_out_series{source="mesh",reason="external"} 100+0x240
			vicinity_telemetry_left_out_series{source="mesh",reason="unknown-object"} 0+0x240`, nil},
		"a leader and a standby": {scored(leader, "10") + scored(other, "0"), nil},
		"one of two schedulers has no data": {scored(leader, "100") + `
			vicinity_score_spread_points_count{` + other + `} 0+0x240
			vicinity_cycles_skipped_total{` + other + `,reason="expired"} 0+1x240`, []string{"VicinityWithoutData"}},
		"one of two schedulers has no say": {scored(leader, "100") + `
			vicinity_score_spread_points_count{` + other + `} 0+1x240
			vicinity_score_spread_points_bucket{` + other + `,le="1"} 0+1x240`, []string{"VicinityHasNoSay"}},
		"one of two schedulers misses nodes": {scored(leader, "100") + `
			vicinity_score_spread_points_count{` + other + `} 0+1x240
			vicinity_cycles_skipped_total{` + other + `,reason="no-peers"} 0+0x240
			vicinity_peer_nodes_not_scored_total{` + other + `} 0+1x240`, []string{"VicinityMissesPeerNodes"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := firing(t, test.load, shipped(t))
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +firing):\n%s", diff)
			}
		})
	}
}

// TestAlertsNameTheirInstance: whoever is told knows which scheduler it is about, and the
// labels by which alerts are routed are there.
func TestAlertsNameTheirInstance(t *testing.T) {
	lost := regexp.MustCompile(`\b(sum|max|min|avg|count) *(by|\()`)
	for _, a := range schedulermetrics.Alerts() {
		if lost.MatchString(a.PromQL) {
			t.Errorf("%s loses the labels of the target:\n%s", a.Name, a.PromQL)
		}
	}
}

// TestRunbooks: each alert links to what the manual says of it.
func TestRunbooks(t *testing.T) {
	for _, r := range shipped(t) {
		path, anchor, _ := strings.Cut(strings.TrimPrefix(r.Annotations["runbook_url"], "https://github.com/vicinity-sched/vicinity/blob/main/"), "#")
		text, err := os.ReadFile("../../" + path)
		if err != nil || anchor == "" || !strings.Contains(strings.ToLower(string(text)), "\n### "+anchor+"\n") {
			t.Errorf("the runbook of %s is %q: %v", r.Alert, r.Annotations["runbook_url"], err)
		}
	}
}

// shipped returns the rules of manifests/alerts.
func shipped(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("../../" + ruleFile)
	if err != nil {
		t.Fatal(err)
	}
	return rulesIn(t, text)
}

func rulesIn(t *testing.T, text []byte) []rule {
	t.Helper()
	var all groups
	if err := yaml.Unmarshal(text, &all); err != nil || len(all.Groups) != 1 || len(all.Groups[0].Rules) == 0 {
		t.Fatalf("error %v, groups %+v", err, all.Groups)
	}
	return all.Groups[0].Rules
}

// firing returns the names of the alerts that fire at any time, as Prometheus' rules have it:
// when a condition has held for one set of labels at each evaluation, for as long as asked.
func firing(t *testing.T, load string, rules []rule) []string {
	t.Helper()
	prometheus := promtest.New(t, stored(t, "load 30s\n"+regexp.MustCompile(`\n\s*\n`).ReplaceAllString(strings.TrimSpace(load), "\n")))
	var names []string
	for _, r := range rules {
		wait, err := time.ParseDuration(r.For)
		if err != nil {
			t.Fatal(err)
		}
		since := map[string]time.Time{}
		for at := time.Unix(0, 0); at.Before(time.Unix(course*30, 0)); at = at.Add(30 * time.Second) {
			holds := map[string]time.Time{}
			err := prometheus.Query(t.Context(), r.Expr, at, func(s telemetry.Series) error {
				key := fmt.Sprint(s.Labels)
				if holds[key] = since[key]; holds[key].IsZero() {
					holds[key] = at
				}
				return nil
			})
			if err != nil {
				t.Fatalf("%s: %v", r.Alert, err)
			}
			for _, began := range holds {
				if at.Sub(began) >= wait && !slices.Contains(names, r.Alert) {
					names = append(names, r.Alert)
				}
			}
			since = holds
		}
	}
	return names
}

// TestAlertsOfTheManual: those that docs/how-to/set-alerts.md adds on kube-scheduler's metrics.
func TestAlertsOfTheManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-to/set-alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```yaml\ngroups:")
	example, _, _ = strings.Cut(example, "```")
	rules := rulesIn(t, []byte("groups:"+example))
	const job = `job="vicinity-scheduler"`
	pending := func(instance, queue, values string) string {
		return "scheduler_pending_pods{" + job + `,instance="` + instance + `",queue="` + queue + `"} ` + values + "\n"
	}
	leads := func(instance, values string) string {
		return "up{" + job + `,instance="` + instance + `"} 1+0x240` + "\n" +
			"leader_election_master_status{" + job + `,instance="` + instance + `",name="vicinity-scheduler"} ` + values + "\n"
	}
	for name, test := range map[string]struct {
		load string
		want []string
	}{
		"all is well":          {leads("a", "1+0x240") + leads("b", "0+0x240") + pending("a", "active", "0+0x240") + pending("b", "active", "0+0x240"), nil},
		"nothing is scraped":   {`other{job="other"} 0+0x240`, []string{"VicinityHasNoLeader"}},
		"no target answers":    {"up{" + job + "} 0+0x240", []string{"VicinityHasNoLeader"}},
		"nobody leads":         {leads("a", "0+0x240") + leads("b", "0+0x240"), []string{"VicinityHasNoLeader"}},
		"the leader is behind": {leads("a", "1+0x240") + leads("b", "0+0x240") + pending("a", "active", "5+0x240"), []string{"VicinityPodsWait"}},
		// A standby takes no pod from its queue: what fits nowhere is active there for good.
		"a pod fits nowhere": {leads("a", "1+0x240") + leads("b", "0+0x240") + pending("a", "active", "0+0x240") +
			pending("a", "unschedulable", "1+0x240") + pending("b", "active", "1+0x240"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, firing(t, test.load, rules)); diff != "" {
				t.Errorf("alerts (-want +firing):\n%s", diff)
			}
		})
	}
}
