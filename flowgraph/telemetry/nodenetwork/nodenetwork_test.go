package nodenetwork

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// exporter is what node_exporter says of three nodes.
const exporter = `
load 30s
  node_network_speed_bytes{instance="10.0.0.1:9100", device="eth0"} 1250000000x10
  node_network_speed_bytes{instance="10.0.0.1:9100", device="eth1"} 125000000x10
  node_network_speed_bytes{instance="10.0.0.2:9100", device="eth0"} -0.125x10
  node_network_speed_bytes{instance="10.0.0.3:9100", device="eth0"} 3125000000x10
  node_uname_info{instance="10.0.0.1:9100", nodename="n1"} 1x10
  node_uname_info{instance="10.0.0.2:9100", nodename="n2"} 1x10
`

func TestRefresh(t *testing.T) {
	const byName = `node_network_speed_bytes * on(instance) group_left(nodename) node_uname_info`
	cases := map[string]struct {
		query, label string
		want         map[string]float64
		wantSeries   int
		wantInvalid  int
		wantErr      string
	}{
		"by the name of the node":  {byName, "nodename", map[string]float64{"n1": 1.25e9}, 3, 1, ""},
		"added up":                 {"sum by (nodename) (" + byName + " > 0)", "nodename", map[string]float64{"n1": 1.375e9}, 1, 0, ""},
		"in other units":           {"max by (nodename) (" + byName + ") / 8 > 0", "nodename", map[string]float64{"n1": 1.25e9 / 8}, 1, 0, ""},
		"another label":            {byName, "node", nil, 3, 3, "no node's network capacity in 3 series: 3 invalid"},
		"no capacity of any":       {"node_network_speed_bytes < 0", "instance", nil, 1, 1, "in 1 series: 1 invalid"},
		"no series":                {"nothing", "node", nil, 0, 0, "in 0 series"},
		"no number":                {"node_network_speed_bytes * NaN", "instance", nil, 4, 4, "in 4 series: 4 invalid"},
		"without end":              {"node_network_speed_bytes / 0", "instance", nil, 4, 4, "in 4 series: 4 invalid"},
		"a query that is no query": {"max by", "node", nil, 0, 0, "query capacity: parsing"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			store := &flowgraph.NodeNetworkStore{}
			store.Publish(map[string]float64{"n9": 1})
			seen, err := New("networks", test.query, test.label, store).Refresh(t.Context(), promtest.New(t, exporter), time.Unix(120, 0))
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("got %v, %v; want an error with %q", seen, err, test.wantErr)
				}
				test.want = map[string]float64{"n9": 1} // as before
			} else if err != nil {
				t.Fatal(err)
			}
			got := map[string]float64{}
			for _, node := range []string{"n1", "n2", "n3", "n9"} {
				if capacity := store.Load().Capacity(node); capacity > 0 {
					got[node] = capacity
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("capacities (-want +got):\n%s", diff)
			}
			if seen.Series != test.wantSeries || seen.LeftOut[telemetry.Invalid].Series != test.wantInvalid {
				t.Errorf("got %+v, want %d series, %d of them invalid", seen, test.wantSeries, test.wantInvalid)
			}
		})
	}
}
