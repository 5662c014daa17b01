package promql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// at is when the queries are evaluated: samples are 30 s apart, so that "0+300x20" is 10
// per second in the five minutes before.
func at() time.Time { return time.Unix(600, 0) }

// known are the endpoints of the tests: "service shop/db" stands for two workloads.
type known map[string][]telemetry.Share

func (k known) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		shares, ok := k[e.Kind.String()+" "+e.Namespace+"/"+e.Name]
		if !ok {
			all = append(all, telemetry.Resolution{Reason: telemetry.UnknownObject})
			continue
		}
		all = append(all, telemetry.Resolution{Shares: shares})
	}
	return all
}

func workload(name string) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: "shop", Name: name}
}

func cluster() known {
	one := func(name string) []telemetry.Share { return []telemetry.Share{{Workload: workload(name), Part: 1}} }
	return known{
		"service shop/db":     {{Workload: workload("db"), Part: 0.75}, {Workload: workload("db-canary"), Part: 0.25}},
		"service shop/api":    one("api"),
		"pod shop/web-1":      one("web"),
		"pod shop/web-2":      one("web"),
		"replicaset shop/w-5": one("web"),
		"job shop/j-1":        one("j"),
		"app shop/app=api":    one("api"),
		"address /10.0.0.1":   one("web"),
		"service /db":         one("db"),
	}
}

func lines(flows []flowgraph.Flow) []string {
	out := []string{}
	for _, f := range flows {
		out = append(out, fmt.Sprintf("%s -> %s %.4g %.4g %.4g", f.From.Name, f.To.Name, f.SentBytesPerSecond, f.ReceivedBytesPerSecond, f.RequestsPerSecond))
	}
	return out
}

func query(metric string, m Measure) Query {
	return Query{Name: metric, Measures: m, Query: "sum by ($labels) (rate(" + metric + "{$selector}[$window]))"}
}

func TestCollect(t *testing.T) {
	workloads := func(d *Definition) {
		d.Client, d.Server = []End{{NamespaceLabel: "a_ns", NameLabel: "a"}}, []End{{NamespaceLabel: "b_ns", NameLabel: "b"}}
	}
	const ab = `a_ns="shop",a="web",b_ns="shop",b="api"`
	cases := map[string]struct {
		define  func(*Definition)
		options Options
		series  []string // each without the range of its samples
		want    []string
		leftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"both directions and requests": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent), query("received", Received), query("requests", Requests)}
			},
			series: []string{`sent{` + ab + `} 300`, `received{` + ab + `} 600`, `requests{` + ab + `} 30`},
			want:   []string{"web -> api 10 20 1"},
		},
		"units": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent), query("received", Received)}
				d.Queries[0].Unit, d.Queries[1].Unit = Bits, Kibibytes
			},
			series: []string{`sent{` + ab + `} 2400`, `received{` + ab + `} 30`},
			want:   []string{"web -> api 10 1024 0"},
		},
		"the answer is a series with its ends the other way round": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("there", Sent), query("back", Received)}
				d.Queries[1].Reversed = true
			},
			series: []string{`there{` + ab + `} 300`, `back{a_ns="shop",a="api",b_ns="shop",b="web"} 600`},
			want:   []string{"web -> api 10 20 0"},
		},
		"kinds in labels": {
			define: func(d *Definition) {
				d.Queries = []Query{query("sent", Sent)}
				d.Client = []End{{KindLabel: "a_kind", NamespaceLabel: "a_ns", NameLabel: "a"}, {Kind: External}}
				d.Server = []End{{KindLabel: "b_kind", NamespaceLabel: "b_ns", NameLabel: "b"}, {Kind: External}}
			},
			series: []string{
				`sent{a_kind="Deployment",a_ns="shop",a="web",b_kind="Service",b_ns="shop",b="db"} 1200`,
				`sent{a_kind="Pod",a_ns="shop",a="web-1",b_kind="StatefulSet",b_ns="shop",b="db"} 300`,
				`sent{a_kind="replicaset",a_ns="shop",a="w-5",b_kind="Job",b_ns="shop",b="j-1"} 300`,
				`sent{a_kind="Node",a_ns="node",a="n1",b_kind="StatefulSet",b_ns="shop",b="db"} 60`,
				`sent{a_kind="Deployment",a_ns="shop",a="web"} 90`,
				`sent{a_kind="Pod",a_ns="shop",a="gone",b_kind="StatefulSet",b_ns="shop",b="db"} 150`,
			},
			want: []string{"web -> db 40 0 0", "web -> db-canary 10 0 0", "web -> j 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.External: {Series: 2, BytesPerSecond: 5}, telemetry.UnknownObject: {Series: 1, BytesPerSecond: 5},
			},
		},
		"the first label that is there": {
			define: func(d *Definition) {
				d.Queries = []Query{query("sent", Sent)}
				d.Client = []End{
					{NamespaceLabel: "a_ns", NameLabel: "deployment"}, {Kind: "job", NamespaceLabel: "a_ns", NameLabel: "job"},
					{Kind: "pod", NamespaceLabel: "a_ns", NameLabel: "pod"},
				}
				d.Server = []End{{Kind: "app", NamespaceLabel: "b_ns", NameLabel: "b"}}
			},
			series: []string{
				`sent{a_ns="shop",deployment="web",pod="x",b_ns="shop",b="api"} 300`,
				`sent{a_ns="shop",job="j-1",pod="y",b_ns="shop",b="api"} 600`,
				`sent{a_ns="shop",pod="web-2",b_ns="shop",b="api"} 30`,
				`sent{a_ns="shop",b_ns="shop",b="api"} 30`,
				`sent{a_ns="shop",deployment="unknown",b_ns="shop",b="api"} 60`,
			},
			want: []string{"j -> api 20 0 0", "web -> api 11 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.MissingLabel: {Series: 1, BytesPerSecond: 1}, telemetry.UnknownWorkload: {Series: 1, BytesPerSecond: 2},
			},
		},
		"several parts in one label": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent)}
				d.Server = []End{
					{Kind: "service", Label: "to", Pattern: `(?P<namespace>[^/|]+)/(?P<name>[^|]+)\|\d+`},
					{Kind: "service", Label: "to", Pattern: `(?P<name>.+)_(?P<namespace>[^_]+)_svc_\d+`},
					{Kind: "service", Label: "to", Pattern: `kri_msvc_[^_]*_(?P<cluster>[^_]*)_(?P<namespace>[^_]+)_(?P<name>[^_]+)_.*`},
					{Kind: External, Label: "to", Pattern: "passthrough"},
					{Kind: Elsewhere, Label: "to", Pattern: ".+[.]global"},
				}
			},
			options: Options{Cluster: "east"},
			series: []string{
				`sent{a_ns="shop",a="web",to="shop/api|80"} 300`,
				`sent{a_ns="shop",a="web",to="api_shop_svc_80"} 600`,
				`sent{a_ns="shop",a="web",to="kri_msvc_mesh_east_shop_api_http"} 30`,
				`sent{a_ns="shop",a="web",to="kri_msvc_mesh_west_shop_api_http"} 60`,
				`sent{a_ns="shop",a="web",to="passthrough"} 90`,
				`sent{a_ns="shop",a="web",to="api.global"} 150`,
				`sent{a_ns="shop",a="web",to="what?"} 120`,
			},
			want: []string{"web -> api 31 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.OtherCluster: {Series: 2, BytesPerSecond: 7}, telemetry.External: {Series: 1, BytesPerSecond: 3},
				telemetry.MissingLabel: {Series: 1, BytesPerSecond: 4},
			},
		},
		"addresses, and Services of any namespace": {
			define: func(d *Definition) {
				d.Queries = []Query{query("sent", Sent)}
				d.Client, d.Server = []End{{Kind: "address", NameLabel: "ip"}}, []End{{Kind: "service", NameLabel: "b"}}
			},
			series: []string{`sent{ip="10.0.0.1",b="db"} 300`, `sent{ip="no address",b="db"} 300`},
			want:   []string{"web -> db 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.Invalid: {Series: 1},
			},
		},
		"the larger of both ends, once all endpoints are resolved": {
			define: func(d *Definition) {
				d.Queries = []Query{query("sent", Sent)}
				d.Client = []End{{KindLabel: "a_kind", NamespaceLabel: "a_ns", NameLabel: "a"}}
				d.Server = []End{{KindLabel: "b_kind", NamespaceLabel: "b_ns", NameLabel: "b"}}
				d.Reporters = Reporters{By: ByBoth, Label: "side", ClientValue: "out", ServerValue: "in"}
			},
			series: []string{
				`sent{side="out",a_kind="Deployment",a_ns="shop",a="web",b_kind="Service",b_ns="shop",b="api"} 300`,
				`sent{side="in",a_kind="Pod",a_ns="shop",a="web-1",b_kind="Deployment",b_ns="shop",b="api"} 150`,
				`sent{side="in",a_kind="Pod",a_ns="shop",a="web-2",b_kind="Deployment",b_ns="shop",b="api"} 180`,
				`sent{side="elsewhere",a_kind="Pod",a_ns="shop",a="web-2",b_kind="Deployment",b_ns="shop",b="api"} 180`,
			},
			want:    []string{"web -> api 11 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: {Series: 1}},
		},
		"the instance that sees most": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent), query("received", Received)}
				d.Reporters = Reporters{By: ByAgents, Instances: Maximum, InstanceLabel: "instance"}
			},
			series: []string{
				`sent{instance="1",` + ab + `} 300`, `sent{instance="2",` + ab + `} 330`,
				`received{instance="1",` + ab + `} 60`, `received{instance="2",` + ab + `} 30`,
			},
			want: []string{"web -> api 11 2 0"},
		},
		"instances that see a part each": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent)}
			},
			series: []string{`sent{instance="1",` + ab + `} 300`, `sent{instance="2",` + ab + `} 330`},
			want:   []string{"web -> api 21 0 0"},
		},
		"an end whose cluster is not known is in this one": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent)}
				d.Client[0].ClusterLabel, d.Server[0].ClusterLabel = "a_cluster", "b_cluster"
			},
			options: Options{Cluster: "east"},
			series: []string{
				`sent{a_cluster="unknown",b_cluster="east",` + ab + `} 300`, `sent{b_cluster="unknown",` + ab + `} 30`,
				`sent{a_cluster="west",b_cluster="unknown",` + ab + `} 60`,
			},
			want:    []string{"web -> api 11 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OtherCluster: {Series: 1, BytesPerSecond: 2}},
		},
		"names of OpenTelemetry": {
			define: func(d *Definition) {
				d.Queries = []Query{{Measures: Sent, Query: `sum by ($labels) (rate({"flow.bytes",direction="request",$selector}[$window]))`}}
				d.Client = []End{{NamespaceLabel: "k8s.src.namespace", NameLabel: "k8s.src.owner.name"}}
				d.Server = []End{{NamespaceLabel: "k8s.dst.namespace", NameLabel: "k8s.dst.owner.name"}}
			},
			series: []string{`{"flow.bytes",direction="request","k8s.src.namespace"="shop","k8s.src.owner.name"="web","k8s.dst.namespace"="shop","k8s.dst.owner.name"="api"} 300`},
			want:   []string{"web -> api 10 0 0"},
		},
		"a selector": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent)}
			},
			options: Options{Selector: `job="a"`},
			series:  []string{`sent{job="a",` + ab + `} 300`, `sent{job="b",` + ab + `} 330`},
			want:    []string{"web -> api 10 0 0"},
		},
		"who may report": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent)}
			},
			options: Options{Trust: telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"agents"}}},
			series: []string{
				`sent{namespace="shop",` + ab + `} 300`, `sent{namespace="agents",` + ab + `} 30`,
				`sent{namespace="evil",` + ab + `} 3000`, `sent{` + ab + `} 3000`,
				`sent{namespace="evil",a_ns="shop",a="web",b_ns="evil",b="x"} 3000`,
			},
			want: []string{"web -> api 11 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.ForeignReporter: {Series: 2}, telemetry.UnknownReporter: {Series: 1},
			},
		},
		"no end's own targets report where agents do": {
			define: func(d *Definition) {
				workloads(d)
				d.Queries = []Query{query("sent", Sent)}
				d.Reporters.By = ByAgents
			},
			options: Options{Trust: telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"agents"}, Agreed: true}},
			series: []string{
				`sent{namespace="agents",a_ns="shop",a="web",b_ns="data",b="db"} 300`,
				`sent{namespace="shop",a_ns="shop",a="web",b_ns="data",b="db"} 3000`,
			},
			want:    []string{"web -> db 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
		"an address is believed of trusted targets only": {
			define: func(d *Definition) {
				d.Queries = []Query{query("sent", Sent)}
				d.Client, d.Server = []End{{Kind: "address", NameLabel: "ip"}}, []End{{NamespaceLabel: "b_ns", NameLabel: "b"}}
			},
			options: Options{Trust: telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"agents"}}},
			series: []string{
				`sent{namespace="agents",ip="10.0.0.1",b_ns="shop",b="api"} 300`,
				`sent{namespace="shop",ip="10.0.0.1",b_ns="shop",b="api"} 3000`,
			},
			want:    []string{"web -> api 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.define(&tc.options.Definition)
			tc.options.Name, tc.options.Window, tc.options.Resolver = "mine", 5*time.Minute, cluster()
			source, err := New(tc.options)
			if err != nil {
				t.Fatal(err)
			}
			o, err := source.Collect(t.Context(), promtest.New(t, load(tc.series)), at())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lines(o.Flows)); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.leftOut, o.LeftOut, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

// load has each series rise by its last word every 30 s.
func load(series []string) string {
	out := &strings.Builder{}
	fmt.Fprintln(out, "load 30s")
	for _, s := range series {
		i := strings.LastIndex(s, " ")
		fmt.Fprintf(out, "  %s 0+%sx30\n", s[:i], s[i+1:])
	}
	return out.String()
}

// TestTry asks for a metric, not for all that the source makes of it: people type it.
func TestTry(t *testing.T) {
	source, err := New(Options{Name: "mine", Definition: simple(), Selector: `job="x"`, Window: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	about := source.About()
	if want := `count(a_total{job="x"})`; about.Try != want || !strings.HasSuffix(about.WhyNone[0], "Try in its UI: "+want) {
		t.Errorf("%s: %v, want %s", about.Try, about.WhyNone, want)
	}
}

// TestWithoutResolver: what is not named as a workload is left out, and counted.
func TestWithoutResolver(t *testing.T) {
	d := simple()
	d.Server = []End{{Kind: "service", NamespaceLabel: "to_ns", NameLabel: "to"}}
	source, err := New(Options{Name: "mine", Definition: d, Window: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	o, err := source.Collect(t.Context(), promtest.New(t, load([]string{`a_total{from_ns="shop",from="web",to_ns="shop",to="db"} 300`})), at())
	want := map[telemetry.Reason]telemetry.LeftOut{telemetry.NoObjects: {Series: 1, BytesPerSecond: 10}}
	if diff := cmp.Diff(want, o.LeftOut); err != nil || len(o.Flows) > 0 || diff != "" || !source.About().Resolves {
		t.Errorf("error %v, flows %v, left out (-want +got):\n%s", err, o.Flows, diff)
	}
}

func TestConditions(t *testing.T) {
	const pod = `pod="p",namespace="shop",`
	const ab = `from_ns="shop",from="web",to_ns="shop",to="api"`
	cases := map[string]struct {
		series []string
		at     time.Time
		want   []string
	}{
		"none":             {[]string{`a_total{` + ab + `} 300`, `requests{` + ab + `} 30`}, at(), nil},
		"young":            {[]string{`a_total{` + ab + `} 300`, `requests{` + ab + `} 30`}, time.Unix(120, 0), []string{"young-data"}},
		"without bytes":    {[]string{`a_total{` + ab + `} 300`, `requests{from_ns="shop",from="x",to_ns="shop",to="api"} 30`}, at(), []string{"missing-bytes"}},
		"two jobs":         {[]string{`a_total{job="a",` + pod + ab + `} 300`, `a_total{job="b",` + pod + ab + `} 300`}, at(), []string{"scraped-twice"}},
		"a label is gone":  {[]string{`a_total{` + ab + `} 300`, `a_total{from_ns="shop",from="web",to_ns="shop"} 300`}, at(), []string{"missing-labels"}},
		"several clusters": {[]string{`a_total{cluster="x",` + ab + `} 300`, `a_total{cluster="y",` + ab + `} 300`}, at(), []string{"several-clusters"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := simple()
			d.Queries = append(d.Queries, query("requests", Requests))
			source, err := New(Options{Name: "mine", Type: Type, Definition: d, Window: 5 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			q := promtest.New(t, load(tc.series))
			o, err := source.Collect(t.Context(), q, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			checked, err := source.Check(t.Context(), q, tc.at, o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range slices.Concat(o.Findings, checked) {
				got = append(got, f.Condition.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	broken := simple()
	broken.Queries[0].Query = "rate(a[5m])"
	cases := map[string]Options{
		"window 0s":                 {Definition: simple()},
		"selector: at \"a\"":        {Definition: simple(), Window: time.Minute, Selector: "a"},
		"queries[0].query: the ran": {Definition: broken, Window: time.Minute},
	}
	for want, o := range cases {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}
