package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestSites places web, which exchanges traffic with a database outside the cluster only, by a
// scheduler whose configuration says in which zone that is. Nothing else draws it there: the
// zone's nodes are the crowded ones.
func TestSites(t *testing.T) {
	const source = "outside"
	s := newScene(t)
	a := s.newApp(t)
	o := s.options(t, "sites")
	o.byOwnRate("")
	o.telemetry = func(c *configv1.TelemetryConfiguration) {
		labels := `vector(1000000)`
		for label, value := range map[string]string{"client_namespace": a.namespace, "client": "web", "host": "orders.rds.example.com"} {
			labels = fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, labels, label, value)
		}
		c.Sources = []configv1.TelemetrySource{{
			Type: configv1.SourcePromQL, Name: source, Window: c.Sources[0].Window,
			PromQL: &promql.Definition{
				Queries: []promql.Query{{Measures: promql.Sent, Query: "sum by ($labels) (" + labels + ")"}},
				Client:  []promql.End{{NamespaceLabel: "client_namespace", NameLabel: "client"}},
				Server:  []promql.End{{Kind: promql.External, NameLabel: "host"}},
			},
		}}
		c.Sites = []configv1.Site{{Name: "orders", Zone: "zone-c", Hosts: []string{"*.rds.example.com"}}}
	}
	scheduler := s.start(t, o)
	for _, node := range []string{"zone-c-1", "zone-c-2"} {
		crowd := filler(node)
		crowd.name += "-" + node
		a.deploy(t, crowd)
	}
	eventually(t, "the traffic with the site is seen", func() error {
		n, err := scheduler.metric("vicinity_telemetry_sites_bytes_per_second", "source="+source)
		if err == nil && n != 1_000_000 {
			err = fmt.Errorf("%v bytes per second are with sites", n)
		}
		return err
	})
	a.deploy(t, workload{name: "web", scheduler: "vicinity"})
	if got := a.nodesOf(t, "web"); !strings.HasPrefix(got, "zone-c-") {
		t.Errorf("web is placed on %s, want a node in zone-c, where its database is", got)
	}
	if n, err := scheduler.metric("vicinity_sites_apart"); err != nil || n != 0 {
		t.Errorf("%v sites are where no node is: %v", n, err)
	}
}
