package mesh

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// Agents count packets under the workload at both ends and under the Service at the
// client's, once on each node.
func TestOBI(t *testing.T) {
	cases := map[string]struct {
		assign, calls string
		want          []string // agent, direction, ends with their nodes, bytes
	}{
		"two nodes": {
			assign: "n1@a: web; n2@b: db", calls: "web -> db",
			want: []string{
				"obi-n1 request Deployment/web@n1 -> Deployment/db@n2 1000",
				"obi-n1 request Deployment/web@n1 -> Service/db@ 1000",
				"obi-n1 response Deployment/db@n2 -> Deployment/web@n1 20000",
				"obi-n1 response Service/db@ -> Deployment/web@n1 20000",
				"obi-n2 request Deployment/web@n1 -> Deployment/db@n2 1000",
				"obi-n2 response Deployment/db@n2 -> Deployment/web@n1 20000",
			},
		},
		"one node, whose agent counts once": {
			assign: "n1@a: web*2 db", calls: "web -> db",
			want: []string{
				"obi-n1 request Deployment/web@n1 -> Deployment/db@n1 1000",
				"obi-n1 request Deployment/web@n1 -> Service/db@ 1000",
				"obi-n1 response Deployment/db@n1 -> Deployment/web@n1 20000",
				"obi-n1 response Service/db@ -> Deployment/web@n1 20000",
			},
		},
		"protocols are one": {
			assign: "n1@a: web db", calls: "web -> db grpc; web -> db tcp",
			want: []string{
				"obi-n1 request Deployment/web@n1 -> Deployment/db@n1 2000",
				"obi-n1 request Deployment/web@n1 -> Service/db@ 2000",
				"obi-n1 response Deployment/db@n1 -> Deployment/web@n1 40000",
				"obi-n1 response Service/db@ -> Deployment/web@n1 40000",
			},
		},
		"the outside has no labels": {
			assign: "n1@a: web; n2@b: db", calls: "external -> db; web -> external:example.com; web -> external:example.org",
			want: []string{
				"obi-n1 request Deployment/web@n1 -> /@ 2000",
				"obi-n1 response /@ -> Deployment/web@n1 40000",
				"obi-n2 request /@ -> Deployment/db@n2 1000",
				"obi-n2 response Deployment/db@n2 -> /@ 20000",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newClusterWith(t, OBI(), tc.assign, "db", tc.calls)
			c.flow(time.Second)
			var got []string
			for _, s := range scrape(t, c.Mesh) {
				m := s.Metric
				if m[model.MetricNameLabel] != "obi_network_flow_bytes_total" {
					continue
				}
				end := func(side model.LabelName) model.LabelValue {
					return m["k8s_"+side+"_owner_type"] + "/" + m["k8s_"+side+"_owner_name"] + "@" + m["k8s_"+side+"_node_name"]
				}
				got = append(got, string(m["pod"]+" "+m["direction"]+" "+end("src")+" -> "+end("dst")+" ")+s.Value.String())
				if m["namespace"] != "obi" || m["instance"] == "" {
					t.Errorf("the target of %v has no name", m)
				}
			}
			slices.Sort(got)
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The Type's source reads the call graph, whatever nodes the pods are on.
func TestSourceReadsTheCallGraphOfOBI(t *testing.T) {
	c := newClusterWith(t, OBI(), "n1@a: web*2 db; n2@a: db api-v1 api-v2; n3@b: web", "web api db=PreferSameNode", "")
	c.SetCalls([]Call{
		{"shop/web", "shop/api", 8, 500, 20000, "http"},
		{"shop/web", "shop/db", 2, 1000, 4000, "http"}, // with the next on one edge
		{"shop/web", "shop/db", 5, 200, 64000, "tcp"},
		{"shop/api-v2", "shop/db", 4, 100, 3000, "grpc"},
		{"shop/db", "shop/db", 1, 10000, 10, "tcp"},
		{"external", "shop/web", 8, 300, 9000, "http"},
		{"shop/web", "external:api.example.com", 1, 700, 100, "tcp"},
	})
	c.flow(30 * time.Second)
	first := scrape(t, c.Mesh)
	c.flow(30 * time.Second)
	series := load(first, scrape(t, c.Mesh))
	source, err := sources.New(configv1.TelemetrySource{
		Type: configv1.SourceType(OBI().Source), Name: "it", Window: &metav1.Duration{Duration: time.Minute},
	}, telemetry.Trust{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(60, 0)
	got, err := source.Collect(t.Context(), promtest.New(t, series), at)
	if err != nil {
		t.Fatal(err)
	}
	var flows []string
	for _, f := range got.Flows {
		flows = append(flows, fmt.Sprintf("%v -> %v %.0f %.0f", f.From, f.To, f.SentBytesPerSecond, f.ReceivedBytesPerSecond))
	}
	slices.Sort(flows)
	want := []string{
		"shop/api-v2 -> shop/db 400 12000",
		"shop/db -> shop/db 10000 10",
		"shop/web -> shop/api-v1 2000 80000",
		"shop/web -> shop/api-v2 2000 80000",
		"shop/web -> shop/db 3000 328000",
	}
	if diff := gocmp.Diff(want, flows); diff != "" {
		t.Errorf("bytes in both directions (-want +got):\n%s", diff)
	}
	outside := telemetry.LeftOut{Series: 4, BytesPerSecond: 8*(300+9000) + 700 + 100} // per direction and end
	if diff := gocmp.Diff(map[telemetry.Reason]telemetry.LeftOut{telemetry.External: outside}, got.LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	// It is the only type whose metrics there are.
	found, err := sources.Detect(t.Context(), promtest.New(t, series), at, "")
	if err != nil || len(found.Found) != 1 || found.Found[0].Type.Name != "obi" {
		t.Errorf("found are %+v, %v", found, err)
	}
}

// Flows that are idle are counted no more.
func TestOBIDropsIdleFlows(t *testing.T) {
	c := newClusterWith(t, OBI(), "n1: web db", "db", "web -> db")
	c.flow(time.Second)
	c.SetCalls(nil)
	c.flow(4 * time.Minute)
	if got := len(scrape(t, c.Mesh)); got != 5 {
		t.Errorf("after 4 minutes there are %d series, want 4 and one of the truth", got)
	}
	c.flow(2 * time.Minute)
	if got := len(scrape(t, c.Mesh)); got != 1 {
		t.Errorf("after 6 minutes there are %d series, want the truth alone", got)
	}
}

// Every mesh can be had by its name, and has a source.
func TestNames(t *testing.T) {
	names := Names()
	for _, name := range names {
		got, err := Named(name)
		if err != nil || got.Name != name {
			t.Errorf("Named(%q) is %q, %v", name, got.Name, err)
		}
		if _, ok, err := sources.Named(configv1.SourceType(got.Source)); !ok || err != nil {
			t.Errorf("mesh %s has the source %s: %v, %v", name, got.Source, ok, err)
		}
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) || names[0] != "istio" {
		t.Errorf("the names are %v", names)
	}
	if _, err := Named("none"); err == nil || err.Error() != "must be one of "+strings.Join(names, ", ") {
		t.Errorf("the error is %v", err)
	}
}
