package telemetrymetrics

import (
	"strings"
	"testing"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2/ktesting"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// TestSurplus: a line when the graph begins to be full and when it ceases, whether the graph
// or a source cuts, and a count of what the graph has dropped.
func TestSurplus(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	o := New(logger, flowgraph.NewStore(), time.Now, []string{"a"})
	o.Register(registry.MustRegister)
	cut := map[telemetry.Reason]telemetry.LeftOut{telemetry.Surplus: {Series: 7}}
	for _, status := range []telemetry.Status{
		{},
		{SurplusEdges: 2},
		{Sources: []telemetry.SourceStatus{{Name: "a", LeftOut: cut}}},
		{SurplusEdges: 3},
		{},
	} {
		o.Refreshed(status)
	}
	if got := values(t, registry, "vicinity_graph_surplus_edges_total")[""]; got != 5 {
		t.Errorf("%v edges were dropped, want 5", got)
	}
	var got []string
	for _, line := range lines(logger) {
		if strings.Contains(line, "trust.limits") {
			got = append(got, line)
		}
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "There is more traffic") || !strings.HasPrefix(got[1], "The traffic keeps") {
		t.Errorf("lines %q", got)
	}
}
