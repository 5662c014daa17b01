package sources_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestTextsCanBePasted: what is shown of each type is what a TelemetryConfiguration
// takes, and a source can be made of it.
func TestTextsCanBePasted(t *testing.T) {
	all, err := sources.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range all {
		t.Run(string(kind.Name), func(t *testing.T) {
			if kind.Summary == "" || strings.Contains(kind.Summary, "sources:") {
				t.Errorf("the summary is %q", kind.Summary)
			}
			path := filepath.Join(t.TempDir(), "telemetry.yaml")
			text := "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: 'http://p:9090'}\n" + kind.Text
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.LoadTelemetry(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sources.New(c.Sources[0], telemetry.Trust{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[v1.SourceType]bool{v1.SourceIstioSidecar: true, v1.SourcePromQL: true, "istio": false, "": false} {
		kind, ok, err := sources.Named(name)
		if err != nil || ok != want || ok && kind.Name != name {
			t.Errorf("%q: %v, %v, error %v", name, kind.Name, ok, err)
		}
	}
}

// TestIstioAsData: the data that are shown of the type istio-sidecar find the edges that
// its code finds.
func TestIstioAsData(t *testing.T) {
	kind, _, err := sources.Named(v1.SourceIstioSidecar)
	if err != nil {
		t.Fatal(err)
	}
	minutes := metav1.Duration{Duration: 5 * time.Minute}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		q := promtest.New(t, randomMesh(r))
		trust := telemetry.Trust{}
		if seed%2 == 1 {
			trust = telemetry.Trust{ReporterLabel: "namespace", Agreed: true}
		}
		code, err := sources.New(v1.TelemetrySource{Type: kind.Name, Name: "istio", Window: &minutes}, trust, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := promql.New(promql.Options{Name: "istio", Definition: *kind.Definition, Window: minutes.Duration, Trust: trust})
		if err != nil {
			t.Fatal(err)
		}
		want, got := flows(t, code, q), flows(t, data, q)
		if len(want) < 3 {
			t.Fatalf("seed %d has %d flows", seed, len(want))
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
			t.Errorf("seed %d (-code +data):\n%s", seed, diff)
		}
	}
}

func flows(t *testing.T, s telemetry.Source, q telemetry.Querier) []flowgraph.Flow {
	t.Helper()
	o, err := s.Collect(t.Context(), q, time.Unix(600, 0))
	if err != nil {
		t.Fatal(err)
	}
	return o.Flows
}

// randomMesh is what the proxies of some workloads report, some of them only at one end,
// some of unknown peers, and of two clusters.
func randomMesh(r *rand.Rand) string {
	out := &strings.Builder{}
	fmt.Fprintln(out, "load 30s")
	names := []string{"web", "api", "db", "unknown"}
	spaces := []string{"shop", "data"}
	for i := range 60 {
		from, to := names[r.IntN(4)], names[r.IntN(4)]
		metric := []string{
			"istio_request_bytes_sum", "istio_response_bytes_sum", "istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total", "istio_requests_total",
		}[r.IntN(5)]
		fromSpace, toSpace := spaces[r.IntN(2)], spaces[r.IntN(2)]
		clusters := []string{"unknown", "east"}
		if r.IntN(20) == 0 {
			clusters[0] = "west"
		}
		for end, reporter := range []string{"source", "destination"} {
			if r.IntN(4) == 0 {
				continue
			}
			fmt.Fprintf(out, "  %s{reporter=%q,source_workload=%q,source_workload_namespace=%q,destination_workload=%q,destination_workload_namespace=%q,"+
				"source_cluster=%q,destination_cluster=%q,destination_service_name=\"s\",pod=\"p-%d\",namespace=%q} 0+%dx30\n",
				metric, reporter, from, fromSpace, to, toSpace, clusters[0], clusters[1], i, []string{fromSpace, toSpace}[end], 1+r.IntN(1000))
		}
	}
	return out.String()
}
