package affinity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// wholeInEnvoy is how Envoy writes 100 %: it counts in whole hundredths of a percent.
const wholeInEnvoy = 10000

// envoy is Envoy's zone-aware routing in the originating cluster, for one region whose
// hosts are all healthy, as zone_aware.rst describes it: how many hosts call, and how many are
// called, by zone.
type envoy struct {
	originating, upstream []int
	minClusterSize        int
}

// percentages are the parts of the hosts by zone, rounded down as Envoy does.
func percentages(hosts []int) []int {
	sum := total(hosts)
	parts := make([]int, len(hosts))
	for zone, n := range hosts {
		parts[zone] = wholeInEnvoy * n / max(sum, 1)
	}
	return parts
}

func total(hosts []int) (sum int) {
	for _, n := range hosts {
		sum += n
	}
	return sum
}

// zonesOf counts the zones that have hosts.
func zonesOf(hosts []int) (n int) {
	for _, there := range hosts {
		if there > 0 {
			n++
		}
	}
	return n
}

// to returns what part of its requests a proxy in a zone sends to each zone.
func (e envoy) to(zone int) []float64 {
	parts := make([]float64, len(e.upstream))
	if total(e.upstream) < e.minClusterSize || zonesOf(e.upstream) < 2 || zonesOf(e.originating) < 2 {
		for z, n := range e.upstream { // zone-aware routing is not performed
			parts[z] = float64(n) / float64(total(e.upstream))
		}
		return parts
	}
	callers, callees := percentages(e.originating), percentages(e.upstream)
	if callees[zone] > 0 && callees[zone] >= callers[zone] {
		parts[zone] = 1
		return parts
	}
	direct := wholeInEnvoy * callees[zone] / callers[zone]
	parts[zone] = float64(direct) / wholeInEnvoy
	residual, sum := make([]float64, len(parts)), 0.0
	for z := range residual {
		residual[z] = float64(max(callees[z]-callers[z], 0))
		sum += residual[z]
	}
	for z := range parts {
		if sum > 0 {
			parts[z] += (1 - float64(direct)/wholeInEnvoy) * residual[z] / sum
		} else { // rounding left no capacity anywhere
			parts[z] += (1 - float64(direct)/wholeInEnvoy) / float64(len(parts))
		}
	}
	return parts
}

// draws returns clusters with hosts in random zones.
func draws(t *testing.T, f func(t *testing.T, callers, callees []int)) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 11))
	for range 2000 {
		zones := 1 + r.IntN(4)
		callers, callees := make([]int, zones), make([]int, zones)
		for z := range zones {
			callers[z], callees[z] = r.IntN(6), r.IntN(6)
		}
		if total(callers) > 0 && total(callees) > 0 {
			f(t, callers, callees)
		}
	}
}

// TestZoneAwareRoutingIsFairLoadByZone follows the requests of 100 through Envoy's
// algorithm. In each zone so many stay as FairLoad keeps there, and no host has more
// than its share. Below the minimum size that is so for Uniform.
func TestZoneAwareRoutingIsFairLoadByZone(t *testing.T) {
	const rounding = 100 * 0.002
	draws(t, func(t *testing.T, callers, callees []int) {
		for _, least := range []int{0, 6} {
			e := envoy{callers, callees, least}
			routing := FairZone(least).Given(int32(total(callees)))
			load := make([]float64, len(callees))
			for zone, n := range callers {
				a := Replicas{int32(n), int32(total(callers))}
				b := Replicas{int32(callees[zone]), int32(total(callees))}
				parts := []float64{}
				if n > 0 {
					parts = e.to(zone)
				}
				stays := 0.0
				for z, part := range parts {
					load[z] += 100 * a.Share() * part
					if z == zone {
						stays = 100 * a.Share() * part
					}
				}
				if want := Local(routing, 100, a, b); math.Abs(stays-want) > rounding {
					t.Fatalf("%v: %v of 100 stay in zone %d, want %v as of %v", e, stays, zone, want, routing)
				}
			}
			for z, sum := range load {
				if fair := 100 * float64(callees[z]) / float64(total(callees)); math.Abs(sum-fair) > float64(len(load))*rounding {
					t.Fatalf("%v: the hosts in zone %d have %v of 100, want %v", e, z, sum, fair)
				}
			}
		}
	})
}

// TestFairZoneOnANode: a pod has the same part of the calls that stay in its zone as
// the others there.
func TestFairZoneOnANode(t *testing.T) {
	draws(t, func(t *testing.T, callers, callees []int) {
		for zone := range callers {
			a := Replicas{int32(callers[zone]), int32(total(callers))}
			b := Replicas{int32(callees[zone]), int32(total(callees))}
			if a.Placed == 0 || b.Placed == 0 {
				continue
			}
			each := ZoneKept(a, b) / float64(b.Placed)
			// Whole endpoints are one more at most, and never too few.
			if n := float64(ZoneEndpoints(a, b)); n < 1/each-1e-9 || n >= 1/each+1 {
				t.Errorf("%v callers, %v callees: as of %v endpoints, want %v rounded up", a, b, n, 1/each)
			}
		}
	})
}

func TestZoneKept(t *testing.T) {
	cases := map[string]struct {
		callers, callees Replicas
		kept             float64
		endpoints        int32
	}{
		"more endpoints than callers": {Replicas{1, 4}, Replicas{2, 4}, 1, 2},
		"as many":                     {Replicas{2, 4}, Replicas{3, 6}, 1, 3},
		"half of the callers' part":   {Replicas{2, 4}, Replicas{1, 4}, 0.5, 2},
		"no endpoints":                {Replicas{1, 4}, Replicas{0, 4}, 0, 1},
		"no callers":                  {Replicas{0, 4}, Replicas{3, 4}, 1, 3},
		"a third, rounded up":         {Replicas{1, 3}, Replicas{1, 4}, 0.75, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ZoneKept(c.callers, c.callees); math.Abs(got-c.kept) > 1e-9 {
				t.Errorf("the zone keeps %v, want %v", got, c.kept)
			}
			if got := ZoneEndpoints(c.callers, c.callees); got != c.endpoints {
				t.Errorf("as divided over %d endpoints, want %d", got, c.endpoints)
			}
		})
	}
}

func TestFairZone(t *testing.T) {
	for _, c := range []struct {
		least     int
		endpoints int32
		want      Routing
		name      string
	}{
		{0, 0, FairZone(0), "FairZone(0)"}, {-3, 1, FairZone(0), "FairZone(0)"},
		{6, 6, FairZone(6), "FairZone(6)"}, {6, 5, Uniform, "FairZone(6)"},
		{math.MaxInt32, math.MaxInt32, FairZone(mostLeastEndpoints), fmt.Sprintf("FairZone(%d)", mostLeastEndpoints)},
	} {
		r := FairZone(c.least)
		if got := r.Given(c.endpoints); got != c.want || r.String() != c.name {
			t.Errorf("%v with %d endpoints is %v, want %s as %v", r, c.endpoints, got, c.name, c.want)
		}
		if near, part := r.Kept(); near != r || part != 1 || !r.IsFair() {
			t.Errorf("%v: %v of the calls are routed by %v, fair: %v", r, part, near, r.IsFair())
		}
		for level, want := range map[locality.Level]bool{locality.Node: false, locality.Zone: true, locality.Region: true, locality.Remote: false} {
			if r.Prefers(level) != want {
				t.Errorf("%v prefers %v: %v", r, level, !want)
			}
		}
	}
	if r := FairZone(mostLeastEndpoints) + 1; r.IsFair() || r.percent() <= allPercent {
		t.Errorf("%v is taken for a routing", r)
	}
	for r, fair := range map[Routing]bool{Uniform: false, FairLoad: true, SameZone: false, ZoneShare(100): false} {
		if r.IsFair() != fair || r.Given(0) != r {
			t.Errorf("%v: fair: %v, with no endpoints %v", r, r.IsFair(), r.Given(0))
		}
	}
}

func TestLeastOfFairZones(t *testing.T) {
	fair := FairZone(6)
	for other, want := range map[Routing]Routing{
		fair: fair, FairZone(2): fair, FairZone(9): FairZone(9), SameZone: fair, SameNode: fair,
		Uniform: Uniform, SameNodeOrAny: Uniform, ZoneShare(80): Uniform, ZoneShare(0): Uniform,
	} {
		if a, b := Least(fair, other), Least(other, fair); a != want || b != want {
			t.Errorf("the least of %v and %v is %v or %v, want %v", fair, other, a, b, want)
		}
	}
}
