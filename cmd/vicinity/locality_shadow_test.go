package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/shadow"
)

// recorded is what a scheduler in shadow mode has counted: within the last five minutes 12
// decisions more of each outcome below, and two of shop/cart in a series that began with the
// first of them, as a new workload's does; and what another one has, which is gone.
const recorded = `load 30s
	vicinity_shadow_decisions_total{outcome="same",pod="a"} 100x12 106 112x6
	vicinity_shadow_decisions_total{outcome="other",pod="a"} 7x12 13 19x6
	vicinity_shadow_decisions_total{outcome="no-say",pod="a"} 0x20
	vicinity_shadow_decisions_total{outcome="not-looked-at",pod="a"} 40x20
	vicinity_shadow_decisions_total{outcome="unclear",pod="a"} 1x20
	vicinity_shadow_decisions_total{outcome="same",pod="b"} 5x4 stale
	vicinity_shadow_workload_decisions_total{workload="shop/web",outcome="same",pod="a"} 100x12 106 112x6
	vicinity_shadow_workload_decisions_total{workload="shop/web",outcome="other",pod="a"} 7x12 13 17x6
	vicinity_shadow_workload_decisions_total{workload="shop/cart",outcome="other",pod="a"} _x12 1x3 2x4
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/web",node="chosen",within="node"} 500x20
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/web",node="chosen",within="zone"} 500x12 1500x7
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/web",node="chosen",within="cluster"} 500x12 10500x7
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/web",node="preferred",within="node"} 500x12 4500x7
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/web",node="preferred",within="zone"} 500x12 8500x7
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/web",node="preferred",within="cluster"} 500x12 10500x7
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/cart",node="chosen",within="cluster"} _x12 1000x3 2000x4
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/cart",node="chosen",within="node"} _x12 0x7
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/cart",node="preferred",within="node"} _x12 1000x3 2000x4
	vicinity_shadow_workload_bytes_per_second_total{workload="shop/cart",node="preferred",within="zone"} _x12 1000x3 2000x4
`

func TestLocalityShadow(t *testing.T) {
	flags := []string{"locality", "--prometheus", prometheus(t, recorded), "--shadow", "--since", "5m"}
	golden(t, "locality-shadow.txt", succeed(t, flags...))
	var got shadow.JSON
	if err := json.Unmarshal([]byte(succeed(t, append(flags, "-o", "json", "--limit", "1")...)), &got); err != nil {
		t.Fatal(err)
	}
	web := got.Workloads[0]
	for name, v := range map[string]struct{ got, want float64 }{
		"same":                 {got.Decisions["same"], 12},
		"other":                {got.Decisions["other"], 12},
		"not looked at":        {got.Decisions["not-looked-at"], 0},
		"web, other":           {web.Other, 10},
		"rate":                 {got.OtherNode.BytesPerSecond, 12000},
		"chosen, zone":         {got.OtherNode.Chosen.Zone, 1000},
		"preferred, node":      {got.OtherNode.Preferred.Node, 6000},
		"preferred, zone":      {got.OtherNode.Preferred.Zone, 10000},
		"web, preferred, zone": {web.OtherNode.Preferred.Zone, 8000},
	} {
		if math.Abs(v.got-v.want) > 0.15*v.want { // what Prometheus extrapolates
			t.Errorf("%s: %v, want %v", name, v.got, v.want)
		}
	}
	if web.Workload != "shop/web" || len(got.Workloads) != 1 || got.NotShown != 1 || got.Schema != shadow.Schema {
		t.Errorf("got %+v", got)
	}
	if other := succeed(t, append(flags, "--namespace", "data")...); strings.Contains(other, "shop/web") || !strings.Contains(other, "would be another") {
		t.Errorf("of another namespace:\n%s", other)
	}
}

// TestLocalityShadowOfNobody: the error says what to do.
func TestLocalityShadowOfNobody(t *testing.T) {
	code, _, stderr := invoke(t, "locality", "--prometheus", prometheus(t, traffic(t, placedTraffic)), "--shadow")
	if code != exitFailure || !strings.Contains(stderr, "no vicinity_shadow_decisions_total of the last 24h: set shadow: true") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	code, _, stderr = invoke(t, "locality", "--prometheus", "http://127.0.0.1:1", "--shadow")
	if code != exitFailure || !strings.Contains(stderr, "check the address") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
