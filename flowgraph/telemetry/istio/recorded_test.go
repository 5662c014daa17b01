package istio

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

const (
	manifests = "../../../manifests/"
	ruleFile  = manifests + "recording-rules/istio-sidecar.yaml"
)

// shippedRules reads the rules as Prometheus does.
func shippedRules(t *testing.T) rulefmt.RuleGroup {
	t.Helper()
	groups, errs := rulefmt.ParseFile(ruleFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if len(groups.Groups) != 1 {
		t.Fatalf("%d groups, want one", len(groups.Groups))
	}
	return groups.Groups[0]
}

// record evaluates rules at one time and returns an engine that has their
// results, and nothing else, at that time. labels are added to each series.
func record(t *testing.T, raw *promtest.Querier, rules []rulefmt.Rule, at time.Time, labels string) *promtest.Querier {
	t.Helper()
	load := &strings.Builder{}
	fmt.Fprintf(load, "load %ds\n", at.Unix())
	for _, rule := range rules {
		err := raw.Query(context.Background(), rule.Expr, at, func(s telemetry.Series) error {
			fmt.Fprintf(load, "  %s{%s", rule.Record, labels)
			for label := range strings.SplitSeq(grouping, ", ") {
				if value := s.Labels.Get(label); value != "" {
					fmt.Fprintf(load, "%s=%q,", label, value)
				}
			}
			value := fmt.Sprintf("%g", s.Value)
			if math.IsNaN(s.Value) {
				value = "NaN"
			}
			fmt.Fprintf(load, "} _ %s\n", value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return promtest.New(t, load.String())
}

const someTraffic = `
	source      shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1"} 0+300x20
	source      shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-2"} 0+100x20
	source      shop/web -> shop/api via api: istio_request_bytes{pod="web-2"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:100 count:4 buckets:[1 2 1]}}x20
	source      shop/web -> shop/api via api: istio_request_bytes{pod="web-3"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:50 count:4 buckets:[1 2 1]}}x20
	destination shop/web -> shop/api via api: istio_request_bytes_sum 0+330x20
	destination shop/web -> shop/api via api: istio_response_bytes_sum 0+2700x20
	source      shop/web -> shop/api via api: istio_requests_total 0+31x20
	source      shop/api -> shop/db via db: istio_tcp_received_bytes_total 0+7x20
	destination shop/api -> shop/db via InboundPassthroughCluster: istio_tcp_received_bytes_total 0+11x20
	destination shop/api -> shop/db via db: istio_tcp_sent_bytes_total 0+9000x15 9000+77x5
	source      shop/web -> shop/web via web: istio_request_bytes_sum 0+300x20
	source      shop/web -> unknown via BlackHoleCluster: istio_tcp_received_bytes_total 0+300x20
	source      shop/web -> unknown via api.example.com: istio_request_bytes_sum 0+300x20
	source      shop/web -> shop/api@east via api: istio_request_bytes_sum 0+300x20
	waypoint    shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20
	raw istio_request_bytes_sum{reporter="source",source_workload="web",source_workload_namespace="shop",destination_service_name="api"} 0+300x20`

// TestRecordedRatesAreTheSame evaluates the shipped rules and compares what the
// source makes of their results with what it makes of the proxies' metrics.
func TestRecordedRatesAreTheSame(t *testing.T) {
	at := time.Unix(600, 0)
	raw := promtest.New(t, fixture(t, collapse(someTraffic)))
	collect := func(q telemetry.Querier, o Options) telemetry.Observation {
		t.Helper()
		o.Cluster = "Kubernetes"
		source, err := NewSidecar(o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := source.Collect(context.Background(), q, at)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := collect(raw, Options{})
	if len(want.Flows) != 3 || len(want.LeftOut) != 4 {
		t.Fatalf("the fixture gives %v and %v", flowLines(want.Flows), want.LeftOut)
	}
	rules := shippedRules(t).Rules
	cases := map[string]struct{ labels, selector string }{
		"as recorded":                       {},
		"with labels that the server added": {labels: `tenant="a",`, selector: `tenant="a"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := collect(record(t, raw, rules, at, tc.labels), Options{Recorded: true, Selector: tc.selector})
			// Sums of floats differ in their last bits.
			if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
				t.Errorf("observation (-metrics +recorded):\n%s", diff)
			}
		})
	}
}

// TestShippedRulesAreTheQueries holds where the fixture above may not reach.
func TestShippedRulesAreTheQueries(t *testing.T) {
	source, err := NewSidecar(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for i, q := range source.queries {
		if native, ok := source.native[q.Name]; ok {
			q = native.both // a rule cannot ask first whether there are any
		}
		want = append(want, RecordedName(metrics()[i].name, DefaultWindow)+" = "+q.PromQL)
	}
	for _, rule := range shippedRules(t).Rules {
		got = append(got, rule.Record+" = "+rule.Expr)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestComponentHasTheSameRules compares the operator's resource with the plain
// rule file.
func TestComponentHasTheSameRules(t *testing.T) {
	groups := map[string]string{}
	for _, path := range []string{ruleFile, manifests + "components/prometheus-rule/prometheusrule.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, rules, found := strings.Cut(string(text), "groups:\n")
		if !found {
			t.Fatalf("%s has no groups", path)
		}
		indent := before[strings.LastIndex(before, "\n")+1:]
		groups[path] = strings.ReplaceAll("\n"+rules, "\n"+indent, "\n")
	}
	if paths := slices.Sorted(maps.Keys(groups)); groups[paths[0]] != groups[paths[1]] {
		t.Errorf("the rules differ:\n%s", cmp.Diff(groups[paths[0]], groups[paths[1]]))
	}
}

// TestMissingRulesAreNoData: there is nothing for which the raw metrics would
// stand in.
func TestMissingRulesAreNoData(t *testing.T) {
	at := time.Unix(600, 0)
	raw := promtest.New(t, fixture(t, collapse(someTraffic)))
	recorded := record(t, raw, shippedRules(t).Rules, at, "")
	cases := map[string]struct {
		answers telemetry.Querier
		options Options
	}{
		"rules not loaded":            {raw, Options{}},
		"rules of another window":     {recorded, Options{Window: 10 * time.Minute}},
		"a selector that they lack":   {recorded, Options{Selector: `job="pods"`}},
		"a server with nothing in it": {promtest.New(t, "load 30s\n  up 1"), Options{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.options.Recorded = true
			source, err := NewSidecar(tc.options)
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.Collect(context.Background(), tc.answers, at)
			if err != nil || got.Series != 0 || len(got.Flows) != 0 {
				t.Errorf("got %d series, flows %v, error %v; want nothing", got.Series, got.Flows, err)
			}
		})
	}
}

func TestRecordedName(t *testing.T) {
	for window, want := range map[time.Duration]string{
		5 * time.Minute: "vicinity:x:rate5m", 90 * time.Second: "vicinity:x:rate1m30s", time.Hour: "vicinity:x:rate1h",
	} {
		if got := RecordedName("x", window); got != want {
			t.Errorf("RecordedName(%v) = %s, want %s", window, got, want)
		}
	}
}
