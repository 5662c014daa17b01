package trafficlocality

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	fwk "k8s.io/kube-scheduler/framework"
)

func TestScoreSpread(t *testing.T) {
	cases := map[string]struct {
		assign     string
		candidates []string
		age        time.Duration
		room       bool      // is kept for web, of which another pod takes too much
		want       []float64 // of each cycle
	}{
		"a peer on one node":            {assign: "n1: db; n2:", want: []float64{100}},
		"a peer in the zone of some":    {assign: "n1@r/a: db; n2@r/a:; n3@r/b:", want: []float64{90}},
		"of the candidates only":        {assign: "n1@r/a: db; n2@r/a:; n3@r/b:", candidates: []string{"n2", "n3"}, want: []float64{80}},
		"data that have lost half":      {assign: "n1: db; n2:", age: 10 * time.Minute, want: []float64{50}},
		"all alike have the full score": {assign: "n1: db; n2: db", want: []float64{0}},
		"skipped":                       {assign: "n1:; n2:"},
		"room that is kept":             {assign: "n1: db; n2:", room: true, want: []float64{100}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, allOfIt+", staleAfter: 5m, expireAfter: 15m")
			seen := &observations{}
			c.metrics.spread = seen
			c.traffic("web -> db 1MiB/s")
			c.assign(test.assign)
			c.now = dataTime.Add(test.age)
			pod := c.pod("web")
			if test.room {
				c.want("web", 1, c.sized("web", "60"))
				pod = c.sized("none", "8")
			}
			c.scores(pod, c.nodes(test.candidates...))
			if diff := cmp.Diff(test.want, seen.values); diff != "" {
				t.Errorf("spreads (-want +got):\n%s", diff)
			}
		})
	}
}

// observations is a histogram that keeps what it observes.
type observations struct{ values []float64 }

func (o *observations) Observe(v float64) { o.values = append(o.values, v) }

// TestMetricsNameNothingOfTheCluster looks for names of the cluster in what the
// endpoint would show after cycles of every kind.
func TestMetricsNameNothingOfTheCluster(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.assign("secretnode@secretregion/secretzone: secretdb; secretnode2:")
	c.scoreText(c.pod("secretweb")) // no data
	c.traffic("secretweb -> secretdb 1MiB/s; secretalone -> secretgone 1MiB/s")
	if got := c.scoreText(c.pod("secretweb")); got == "skip" {
		t.Fatal("no cycle was scored")
	}
	c.scoreText(c.pod("secretweb"), "secretnode2")
	c.scoreText(c.pod("secretalone"))
	c.scoreText(c.pod("secretother"))
	c.plugin.lister = faultyLister{list: func() ([]fwk.NodeInfo, error) { panic("secret") }}
	c.scoreText(c.pod("secretweb"))
	if got := count(t, c.metrics.panicsTotal); got != 1 {
		t.Fatalf("%d panics were counted, want 1", got)
	}

	families, err := c.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	permitted := map[string][]string{
		"reason": {"no-data", "expired", "no-traffic", "no-nodes", "no-peers", "panic", "preparing", "off"},
		"kind":   {"annotation", "appgroup", "sidecar", "inherited"},
	}
	found := 0
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "vicinity_") {
			continue // the registry's own
		}
		found++
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				if !slices.Contains(permitted[label.GetName()], label.GetValue()) {
					t.Errorf("%s has the label %s=%q", family.GetName(), label.GetName(), label.GetValue())
				}
			}
		}
	}
	if want := len(c.metrics.Definitions()); found != want {
		t.Errorf("%d metrics are served, want the %d that are defined", found, want)
	}
	for _, name := range []string{"secret", namespace} {
		if strings.Contains(text.String(), name) {
			t.Errorf("%q is in the metrics:\n%s", name, &text)
		}
	}
}
