package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
)

// The scheduler that the pages are opened for.
const shown = `cluster="one",namespace="vicinity-system",job="vicinity-scheduler"`

// figures returns what a query shows after a day, by the labels of the series.
func figures(t *testing.T, prometheus *promtest.Querier, q query) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	err := prometheus.Query(t.Context(), plain(q.expr), time.Unix(24*3600, 0), func(s telemetry.Series) error {
		found[fmt.Sprint(s.Labels)] = s.Value
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, plain(q.expr))
	}
	return found
}

// day returns load commands of a day with a sample a minute. The first one begins the day: the
// series of the second are loaded in any order, and the storage refuses samples from half a day
// before its first one.
func day(series ...string) string {
	return "load 1m\n  begin 0\n\nload 1m\n" + strings.Join(series, "\n") + "\n"
}

// find returns the first query of a panel as it is written.
func find(t *testing.T, page, panel string) query {
	t.Helper()
	for _, d := range dashboards() {
		for _, p := range d.panels() {
			if d.name == page && p.title == panel {
				return query{scope(p.queries[0].expr), p.queries[0].legend}
			}
		}
	}
	t.Fatalf("there is no panel %s, %s", page, panel)
	return query{}
}

// instance is a process that serves all metrics.
type instance struct {
	target string // labels
	leads  bool
	other  bool // of another scheduler: its figures differ
}

// serves returns a day of all its series.
func (i instance) serves() (all []string) {
	add := func(name, labels string, counts bool, value int) {
		if i.other {
			value = 1000 - value
		}
		form := "%s{%s%s} %d+0x1440"
		if counts {
			form = "%s{%s%s} 0+%dx1440"
		}
		all = append(all, fmt.Sprintf(form, name, i.target, labels, value))
	}
	for _, m := range schedulermetrics.Definitions() {
		counts := m.Type != metricdef.Gauge || m.Name == "vicinity_graph_generation"
		for n, labels := range combinations(m.Labels) {
			value := n + 3
			if counts && !i.leads && ofCycles(m.Name) {
				value = 0
			}
			if m.Type != metricdef.Histogram {
				add(m.Name, labels, counts, value)
				continue
			}
			add(m.Name+"_bucket", labels+fmt.Sprintf(",le=%q", fmt.Sprint(m.Buckets[3])), true, value)
			add(m.Name+"_bucket", labels+`,le="+Inf"`, true, value)
			add(m.Name+"_count", labels, true, value)
		}
	}
	scheduled, status := 0, 0
	if i.leads {
		scheduled, status = 7, 1
	}
	add("scheduler_schedule_attempts_total", `,profile="vicinity",result="scheduled"`, true, scheduled)
	add("scheduler_plugin_execution_duration_seconds_bucket", `,plugin="TrafficLocality",extension_point="Score",le="0.001"`, true, scheduled)
	add("scheduler_plugin_execution_duration_seconds_bucket", `,plugin="TrafficLocality",extension_point="Score",le="+Inf"`, true, scheduled)
	add("scheduler_pending_pods", `,queue="active"`, false, 9-scheduled) // a standby takes none from its queue
	add("scheduler_pending_pods", `,queue="unschedulable"`, false, scheduled)
	add("process_resident_memory_bytes", "", false, 512)
	return append(all, fmt.Sprintf(`leader_election_master_status{%s,name="vicinity-scheduler"} %d+0x1440`, i.target, status))
}

// ofCycles reports whether a metric counts what only a leader does.
func ofCycles(name string) bool {
	return !strings.HasPrefix(name, "vicinity_telemetry_") && !strings.HasPrefix(name, "vicinity_graph_")
}

// combinations returns the label sets of a metric.
func combinations(labels []metricdef.Label) []string {
	all := []string{""}
	for _, label := range labels {
		values := []string{"shop/web"} // any
		if label.From == "" {
			values = nil
			for _, v := range label.Values {
				values = append(values, v.Name)
			}
		}
		var longer []string
		for _, prefix := range all {
			for _, v := range values {
				longer = append(longer, fmt.Sprintf("%s,%s=%q", prefix, label.Name, v))
			}
		}
		all = longer
	}
	return all
}

// TestPagesAreOfOneScheduler: what else is in the same Prometheus changes no figure: a standby,
// another scheduler in the cluster, the same in another cluster, kube-scheduler.
func TestPagesAreOfOneScheduler(t *testing.T) {
	leader := instance{target: shown + `,instance="a"`, leads: true}
	alone := promtest.New(t, day(leader.serves()...))
	for name, more := range map[string][]string{
		"standby":         instance{target: shown + `,instance="b"`}.serves(),
		"second release":  instance{target: `cluster="one",namespace="vicinity-system",job="near-scheduler",instance="c"`, leads: true, other: true}.serves(),
		"the same name":   instance{target: `cluster="one",namespace="elsewhere",job="vicinity-scheduler",instance="d"`, leads: true, other: true}.serves(),
		"another cluster": instance{target: `cluster="two",namespace="vicinity-system",job="vicinity-scheduler",instance="a"`, leads: true, other: true}.serves(),
		"kube-scheduler": {
			`scheduler_schedule_attempts_total{` + shown + `,instance="k",profile="default-scheduler",result="scheduled"} 0+50x1440`,
			`scheduler_pending_pods{` + shown + `,instance="k",queue="active"} 70+0x1440`,
			`scheduler_pending_pods{` + shown + `,instance="k",queue="gated"} 70+0x1440`,
			`process_resident_memory_bytes{` + shown + `,instance="k"} 7+0x1440`,
			`leader_election_master_status{` + shown + `,instance="k",name="kube-scheduler"} 1+0x1440`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			together := promtest.New(t, day(append(leader.serves(), more...)...))
			for _, d := range dashboards() {
				for _, p := range d.panels() {
					for n := range p.queries {
						q := query{scope(p.queries[n].expr), p.queries[n].legend}
						want, got := figures(t, alone, q), figures(t, together, q)
						if strings.Contains(q.legend, "{{instance}}") {
							maps.DeleteFunc(got, func(labels string, _ float64) bool { return strings.Contains(labels, `instance="b"`) })
						}
						if !same(want, got) {
							t.Errorf("%s, %s shows %v, and alone %v:\n%s", d.name, p.title, got, want, q.expr)
						}
					}
				}
			}
		})
	}
}

func same(a, b map[string]float64) bool {
	return maps.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Abs(x) })
}

// TestFiguresAreTrue compares single panels with what happened.
func TestFiguresAreTrue(t *testing.T) {
	traffic := func(instance, level, values string) string {
		return `vicinity_traffic_bytes_per_second{` + shown + `,instance="` + instance + `",pods="all",level="` + level + `"} ` + values
	}
	shadow := func(name, labels, values string) string {
		return `vicinity_shadow_` + name + `{` + shown + `,instance="a",workload="shop/web",` + labels + "} " + values
	}
	for name, test := range map[string]struct {
		load        []string
		page, panel string
		want        float64
	}{
		// A replica that was there for the busy hour only, and another one for the whole day: the
		// mean is 22.5 MB/s at 0.02 a GB. (The engine looks back over the last five minutes of a series.)
		"the money of a day, replicas replaced": {
			[]string{traffic("a", "region", "18e6+0x1259 126e6+0x59 18e6+0x119"), traffic("b", "region", "_x1260 126e6+0x54")},
			"money", "In the time shown", (18*23 + 126) * 1e6 * 3600 / 1e9 * 0.02},
		"the workload's first decisions, all in one scrape": {
			[]string{shadow("workload_decisions_total", `outcome="other"`, "_x1300 10+0x139")},
			"shadow", "Workloads whose decisions would most often have been others", 10},
		"a workload's later decisions": {
			[]string{shadow("workload_decisions_total", `outcome="other"`, "10+0x720 20+0x719")},
			"shadow", "Workloads whose decisions would most often have been others", 10},
		"bytes of the first decisions": {
			[]string{
				shadow("workload_bytes_per_second_total", `node="preferred",within="node"`, "_x1300 500+0x139"),
				shadow("workload_bytes_per_second_total", `node="chosen",within="node"`, "_x1300 100+0x139")},
			"shadow", "More would have stayed on the node", 400},
	} {
		t.Run(name, func(t *testing.T) {
			got := slices.Collect(maps.Values(figures(t, promtest.New(t, day(test.load...)), find(t, test.page, test.panel))))
			if len(got) != 1 || math.Abs(got[0]-test.want) > 0.01*test.want {
				t.Errorf("it shows %v, want %v", got, test.want)
			}
		})
	}
}
