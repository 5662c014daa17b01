package istio

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

// TestCollectSites has a site for a database and one for a range of addresses.
func TestCollectSites(t *testing.T) {
	sites, err := telemetry.NewSites([]telemetry.SiteRule{
		{Site: flowgraph.SiteID("orders", "eu", "eu-a"), Hosts: []string{"*.rds.example.com", "archive.example.com"}},
		{Site: flowgraph.SiteID("store", "eu", ""), CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		trust       telemetry.Trust
		series      string
		wantFlows   []string
		wantLeftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"the host of a ServiceEntry, in both directions": {
			series: `
				source shop/web -> unknown via db.rds.example.com: istio_tcp_received_bytes_total 0+300x20
				source shop/web -> unknown via db.rds.example.com: istio_tcp_sent_bytes_total 0+3000x20`,
			wantFlows: []string{"shop/web -> @eu:eu-a/orders 10 100 0"},
		},
		"hosts of one site add up, others are external": {
			series: `
				source shop/web -> unknown via a.rds.example.com: istio_tcp_received_bytes_total 0+300x20
				source shop/web -> unknown via *.rds.example.com: istio_tcp_received_bytes_total 0+300x20
				source shop/web -> unknown via api.example.org: istio_tcp_received_bytes_total 0+30x20`,
			wantFlows:   []string{"shop/web -> @eu:eu-a/orders 20 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1, BytesPerSecond: 1}},
		},
		"what was let through to a host or an address": {
			series: `
				source shop/web -> unknown via PassthroughCluster: istio_request_bytes_sum{destination_service="archive.example.com"} 0+300x20
				source shop/web -> unknown via PassthroughCluster: istio_tcp_received_bytes_total{destination_service="192.0.2.7:5432"} 0+600x20
				source shop/web -> unknown via PassthroughCluster: istio_tcp_received_bytes_total{destination_service="198.51.100.1:443"} 0+30x20`,
			wantFlows:   []string{"shop/web -> @eu/store 20 0 0", "shop/web -> @eu:eu-a/orders 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Passthrough: {Series: 1, BytesPerSecond: 1}},
		},
		"a workload that is known is none": {
			series: `
				source shop/web -> shop/db via db.rds.example.com: istio_tcp_received_bytes_total 0+300x20`,
			wantFlows: []string{"shop/web -> shop/db 10 0 0"},
		},
		"a name in a label that looks like a site's": {
			series: `
				raw istio_tcp_received_bytes_total{reporter="source",source_workload_namespace="shop",source_workload="web",source_cluster="c",destination_workload_namespace="@eu:eu-a",destination_workload="orders",destination_cluster="c",destination_service_name="db"} 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: {Series: 1}},
		},
		"refused": {
			series: `
				source shop/web -> unknown via BlackHoleCluster: istio_tcp_received_bytes_total{destination_service="archive.example.com"} 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.BlackHole: {Series: 1, BytesPerSecond: 10}},
		},
		"only the client's proxy says whom it called": {
			series: `
				destination unknown -> shop/api via db.rds.example.com: istio_tcp_received_bytes_total 0+300x20
				destination shop/api -> unknown via db.rds.example.com: istio_tcp_received_bytes_total 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 2, BytesPerSecond: 10}},
		},
		"a target speaks for itself, and nobody for the site": {
			trust: telemetry.Trust{ReporterLabel: "namespace", Agreed: true},
			series: `
				source shop/web -> unknown via db.rds.example.com: istio_tcp_received_bytes_total{namespace="shop"} 0+300x20
				source shop/web -> unknown via db.rds.example.com: istio_tcp_received_bytes_total{namespace="evil"} 0+9000x20`,
			wantFlows:   []string{"shop/web -> @eu:eu-a/orders 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.trust.Sites = sites
			source, err := NewSidecar(Options{Trust: tc.trust})
			if err != nil {
				t.Fatal(err)
			}
			o, err := source.Collect(t.Context(), promtest.New(t, fixture(t, tc.series)), time.Unix(600, 0))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.wantFlows, flowLines(o.Flows), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantLeftOut, o.LeftOut, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}
