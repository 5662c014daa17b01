package telemetry

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

func TestPreferences(t *testing.T) {
	other := flowgraph.WorkloadID{Namespace: "data", Name: "db"}
	mesh := []flowgraph.Flow{flow(web, api, 10, 1), flow(web, other, 3, 3)}
	agents := []flowgraph.Flow{flow(web, api, 12, 4), flow(web, db, 7, 0), flow(web, other, 5, 1)}
	cases := map[string]struct {
		preferences Preferences
		want        []string
	}{
		"none: the larger of each rate":          {nil, []string{"data/db 5 3", "shop/api 12 4", "shop/db 7 0"}},
		"everywhere, what the others do not see": {Preferences{"mesh": {"*"}}, []string{"data/db 3 3", "shop/api 10 1", "shop/db 7 0"}},
		"in the namespace of one end":            {Preferences{"mesh": {"data"}}, []string{"data/db 3 3", "shop/api 12 4", "shop/db 7 0"}},
		"two that are preferred":                 {Preferences{"mesh": {"data"}, "agents": {"shop"}}, []string{"data/db 5 3", "shop/api 12 4", "shop/db 7 0"}},
		"in another namespace":                   {Preferences{"mesh": {"nowhere"}}, []string{"data/db 5 3", "shop/api 12 4", "shop/db 7 0"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, sources := range [][]sourceFlows{{{"mesh", mesh}, {"agents", agents}}, {{"agents", agents}, {"mesh", mesh}}} {
				merged := tc.preferences.merge(sources)
				slices.SortFunc(merged, func(a, b flowgraph.Flow) int { return a.To.Compare(b.To) })
				if diff := cmp.Diff(tc.want, flowLines(merged)); diff != "" {
					t.Errorf("%s first (-want +got):\n%s", sources[0].source, diff)
				}
			}
		})
	}
}

// flowLines are the flows from web, by where they go.
func flowLines(flows []flowgraph.Flow) []string {
	var lines []string
	for _, f := range flows {
		lines = append(lines, fmt.Sprintf("%v %v %v", f.To, f.SentBytesPerSecond, f.ReceivedBytesPerSecond))
	}
	return lines
}

// TestPreferenceEnds: when the preferred source has failed for long, the others count.
func TestPreferenceEnds(t *testing.T) {
	mesh := &fakeSource{name: "mesh", flows: []flowgraph.Flow{flow(web, api, 10, 0)}}
	agents := &fakeSource{name: "agents", flows: []flowgraph.Flow{flow(web, api, 12, 0)}}
	now := &clock{time.Unix(1000, 0)}
	m, store := newManager(t, now.now, mesh, agents)
	m.options.Preferences = Preferences{"mesh": {"shop"}}
	sent := func() float64 {
		_ = m.Refresh(t.Context()) // fails with mesh
		for e := range store.Load().Edges() {
			return e.SentBytesPerSecond
		}
		return 0
	}
	if got := sent(); got < 9.99 || got > 10.01 {
		t.Errorf("%v bytes/s with the preferred source, want 10", got)
	}
	mesh.err = errDown
	now.t = now.t.Add(time.Minute)
	if got := sent(); got < 9.99 || got > 10.01 {
		t.Errorf("%v bytes/s after a short failure, want 10", got)
	}
	now.t = now.t.Add(time.Hour)
	if got := sent(); got < 11.99 || got > 12.01 {
		t.Errorf("%v bytes/s after a long one, want 12", got)
	}
}
