package promql

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// pods are those of the tests by their addresses.
type pods map[string]string

func (p pods) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	all := make([]telemetry.Resolution, len(endpoints))
	for i, e := range endpoints {
		all[i].Reason = telemetry.UnknownAddress
		if name, ok := p[e.Name]; ok {
			all[i] = telemetry.Resolution{Shares: []telemetry.Share{{Workload: workload(name), Part: 1}}}
		}
	}
	return all
}

// TestCollectSites reads ends by their addresses, and by hosts where a label says that they
// are external.
func TestCollectSites(t *testing.T) {
	sites, err := telemetry.NewSites([]telemetry.SiteRule{
		{Site: flowgraph.SiteID("orders", "eu", "eu-a"), Hosts: []string{"*.rds.example.com"}},
		{Site: flowgraph.SiteID("store", "eu", ""), CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	byAddress := func(d *Definition) {
		d.Client, d.Server = []End{{Kind: "address", NameLabel: "a"}}, []End{{Kind: "address", NameLabel: "b"}}
	}
	byKind := func(d *Definition) {
		d.Client = []End{{KindLabel: "a_kind", NamespaceLabel: "a_ns", NameLabel: "a"}}
		d.Server = []End{{KindLabel: "b_kind", NamespaceLabel: "b_ns", NameLabel: "b"}}
	}
	cases := map[string]struct {
		define  func(*Definition)
		trust   telemetry.Trust
		series  []string
		want    []string
		leftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"addresses that are no pod's": {
			define: byAddress,
			series: []string{
				`sent{a="10.0.0.1",b="10.9.9.9"} 300`, `sent{a="10.0.0.1",b="10.0.0.2"} 600`, `sent{a="10.9.9.9",b="10.0.0.2"} 30`,
				`sent{a="10.0.0.1",b="192.0.2.1"} 60`,
			},
			want:    []string{"web -> api 20 0 0", "web -> store 10 0 0", "store -> api 1 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.UnknownAddress: {Series: 1, BytesPerSecond: 2}},
		},
		"both ends are outside": {
			define:  byAddress,
			series:  []string{`sent{a="10.0.0.1",b="10.0.0.2"} 300`, `sent{a="10.9.9.9",b="10.9.9.8"} 30`},
			want:    []string{"web -> api 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1, BytesPerSecond: 1}},
		},
		"external by its kind": {
			define: byKind,
			series: []string{
				`sent{a_kind="Deployment",a_ns="shop",a="web",b_kind="external",b_ns="external",b="db.rds.example.com"} 300`,
				`sent{a_kind="Deployment",a_ns="shop",a="web",b_kind="external",b_ns="external",b="10.1.2.3"} 600`,
				`sent{a_kind="Deployment",a_ns="shop",a="web",b_kind="external",b_ns="external",b="example.org"} 30`,
				`sent{a_kind="external",a_ns="external",a="10.1.2.3",b_kind="external",b_ns="external",b="10.1.2.4"} 60`,
			},
			want:    []string{"web -> store 20 0 0", "web -> orders 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 2, BytesPerSecond: 3}},
		},
		"no label names a site": {
			define: byKind,
			series: []string{
				`sent{a_kind="Deployment",a_ns="shop",a="web",b_kind="Deployment",b_ns="@eu:eu-a",b="orders"} 300`,
				`sent{a_kind="Deployment",a_ns="shop",a="web",b_kind="site",b_ns="@eu:eu-a",b="orders"} 300`,
			},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: {Series: 2}},
		},
		"agents must be trusted": {
			define: func(d *Definition) { byAddress(d); d.Reporters.By = ByAgents },
			trust:  telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"agents"}, Agreed: true},
			series: []string{
				`sent{namespace="agents",a="10.0.0.1",b="10.9.9.9"} 300`, `sent{namespace="shop",a="10.0.0.1",b="10.9.9.9"} 3000`,
			},
			want:    []string{"web -> store 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := Options{Name: "mine", Window: 5 * time.Minute, Trust: tc.trust}
			o.Trust.Sites, o.Resolver = sites, sites.Resolver(pods{"10.0.0.1": "web", "10.0.0.2": "api"})
			o.Definition.Queries = []Query{query("sent", Sent)}
			tc.define(&o.Definition)
			source, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := source.Collect(t.Context(), promtest.New(t, load(tc.series)), at())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lines(seen.Flows), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.leftOut, seen.LeftOut, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}
