package telemetry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestSourcesAreBounded: what a source does not bound itself is bounded before it is kept,
// and what it exaggerates is clamped in the merge.
func TestSourcesAreBounded(t *testing.T) {
	long := flowgraph.WorkloadID{Namespace: "shop", Name: strings.Repeat("x", 254)}
	a := &fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, api, 3, 0), flow(web, db, 2, 0), flow(api, db, 1, 0), flow(web, long, 9, 0)}}
	b := &fakeSource{name: "b", flows: []flowgraph.Flow{flow(web, api, 1e13, 0)}}
	m, store := newManager(t, (&clock{time.Unix(1000, 0)}).now, a, b)
	m.options.Limits = flowgraph.Limits{Edges: 3}
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"web->api 9.99999995904e+11 0 age 0s", "web->db 2 0 age 0s"}
	if diff := cmp.Diff(want, edgeLines(store.Load())); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	wantOut := map[Reason]LeftOut{External: {1, 5}, Invalid: {Series: 1}, Surplus: {1, 1}}
	if diff := cmp.Diff(wantOut, m.Status().Sources[0].LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}
