package mesh

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// What the source of a Type reads from its mesh is the bytes of the call graph, whatever
// the protocol. What is exchanged with the outside is no edge.
func TestSourcesReadTheCallGraph(t *testing.T) {
	for _, kind := range Types() {
		t.Run(kind.Name, func(t *testing.T) {
			c := newClusterWith(t, kind, "n1@a: web*2 db; n2@a: db api-v1 api-v2; n3@b: web cart(unready)", "web api cart db=PreferSameNode", "")
			c.SetCalls([]Call{
				{"shop/web", "shop/api", 8, 500, 20000, "http"},
				{"shop/web", "shop/db", 2, 1000, 4000, "http"}, // with the next on one edge
				{"shop/web", "shop/db", 5, 200, 64000, "tcp"},
				{"shop/api-v2", "shop/db", 4, 100, 3000, "grpc"},
				{"shop/db", "shop/db", 1, 10000, 10, "tcp"},
				{"shop/web", "shop/cart", 9, 100, 100, "http"}, // which has no ready pod
				{"external", "shop/web", 8, 300, 9000, "http"},
				{"shop/web", "external:api.example.com", 1, 700, 100, "tcp"},
			})
			c.flow(30 * time.Second)
			first := scrape(t, c.Mesh)
			c.flow(30 * time.Second)
			got := c.collect(t, load(first, scrape(t, c.Mesh)))
			want := []string{
				"shop/api-v2 -> shop/db 400 12000",
				"shop/db -> shop/db 10000 10",
				"shop/web -> shop/api-v1 2000 80000",
				"shop/web -> shop/api-v2 2000 80000",
				"shop/web -> shop/db 3000 328000",
			}
			var flows []string
			for _, f := range got.Flows {
				flows = append(flows, fmt.Sprintf("%v -> %v %.0f %.0f", f.From, f.To, f.SentBytesPerSecond, f.ReceivedBytesPerSecond))
			}
			slices.Sort(flows)
			if diff := gocmp.Diff(want, flows); diff != "" {
				t.Errorf("bytes in both directions (-want +got):\n%s", diff)
			}
		})
	}
}

// collect is what the Type's source observes of series, with the objects of the cluster to
// look into.
func (c *cluster) collect(t *testing.T, series string) telemetry.Observation {
	t.Helper()
	objects := &endpoints.Resolver{}
	objects.ReadFrom(c.factory)
	source, err := sources.New(configv1.TelemetrySource{
		Type: configv1.SourceType(c.counters.kind.Source), Name: "it", Window: &metav1.Duration{Duration: time.Minute},
	}, telemetry.Trust{}, objects)
	if err != nil {
		t.Fatal(err)
	}
	o, err := source.Collect(t.Context(), promtest.New(t, series), time.Unix(60, 0))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Every mesh can be had by its name, no two have the same, and there is a source for each.
func TestNamed(t *testing.T) {
	names := Names()
	if names[0] != "istio" {
		t.Errorf("the default is %s", names[0])
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) {
		t.Errorf("of the names %v some are the same", names)
	}
	for _, name := range names {
		got, err := Named(name)
		if err != nil || got.Name != name {
			t.Errorf("Named(%q) is %q, %v", name, got.Name, err)
		}
		if _, ok, err := sources.Named(configv1.SourceType(got.Source)); err != nil || !ok {
			t.Errorf("%s is read by a source %s, which there is not (%v)", name, got.Source, err)
		}
	}
	if _, err := Named("none"); err == nil || err.Error() != "must be one of "+strings.Join(names, ", ") {
		t.Errorf("the error is %v", err)
	}
}
