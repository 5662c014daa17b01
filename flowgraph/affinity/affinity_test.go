package affinity

import (
	"math"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

func TestGain(t *testing.T) {
	cases := map[string]struct {
		routing    Routing
		a, b       Replicas
		want       float64 // for an edge of rate 100
		wantBefore float64 // what stays without the new pod
	}{
		"uniform, no peer":                   {Uniform, Replicas{0, 2}, Replicas{0, 4}, 0, 0},
		"uniform, one of four peers":         {Uniform, Replicas{0, 2}, Replicas{1, 4}, 12.5, 0},
		"uniform, does not tire of replicas": {Uniform, Replicas{1, 2}, Replicas{1, 4}, 12.5, 12.5},
		"fair load, bounded by the peer":     {FairLoad, Replicas{0, 2}, Replicas{1, 4}, 25, 0},
		"fair load, the peer is saturated":   {FairLoad, Replicas{1, 2}, Replicas{1, 4}, 0, 25},
		"a rollout counts no more than all":  {Uniform, Replicas{2, 2}, Replicas{5, 4}, 0, 100},
		"nothing desired":                    {Uniform, Replicas{0, 0}, Replicas{1, 1}, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Gain(c.routing, 100, c.a, c.b); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("Gain = %v, want %v", got, c.want)
			}
			if got := Local(c.routing, 100, c.a, c.b); math.Abs(got-c.wantBefore) > 1e-9 {
				t.Errorf("Local = %v, want %v", got, c.wantBefore)
			}
		})
	}
}

// TestNewlyServed: it is the increase of Local for the callee.
func TestNewlyServed(t *testing.T) {
	for x := range int32(4) {
		for y := range int32(4) {
			caller, callee := Replicas{x, 3}, Replicas{y, 5}
			want := Local(SameNode, 70, caller, callee.plusOne()) - Local(SameNode, 70, caller, callee)
			if got := NewlyServed(70, caller, callee); math.Abs(got-want) > 1e-9 {
				t.Errorf("with %d of 3 callers and %d endpoints: %v, want %v", x, y, got, want)
			}
		}
	}
}

func TestGainsAddUpToAllTraffic(t *testing.T) {
	for _, routing := range []Routing{Uniform, FairLoad} {
		b := Replicas{3, 3}
		sum := 0.0
		for x := range int32(5) {
			sum += Gain(routing, 70, Replicas{x, 5}, b)
		}
		if math.Abs(sum-70) > 1e-9 {
			t.Errorf("%v: all pods beside all peers gain %v of 70", routing, sum)
		}
	}
	sum := 0.0
	for x := range int32(4) {
		if local := SelfLocal(70, Replicas{x, 4}); math.Abs(local-sum) > 1e-9 {
			t.Errorf("self-flow: %v stays with %d pods, which gained %v", local, x, sum)
		}
		sum += SelfGain(70, Replicas{x, 4})
	}
	if math.Abs(sum-70) > 1e-9 {
		t.Errorf("self-flow: all pods together gain %v of 70", sum)
	}
}

func TestNetMARKSOrdersAsUniformGain(t *testing.T) {
	// One workload, two domains, any counts: the quotient of the two scores is
	// that of the two gains.
	for n1 := range int32(6) {
		for n2 := range int32(6) {
			g1, g2 := Gain(Uniform, 9, Replicas{0, 3}, Replicas{n1, 6}), Gain(Uniform, 9, Replicas{0, 3}, Replicas{n2, 6})
			s1, s2 := NetMARKS(9, Replicas{n1, 6}), NetMARKS(9, Replicas{n2, 6})
			if (g1 < g2) != (s1 < s2) {
				t.Errorf("%d and %d of 6 peers: gains %v, %v but scores %v, %v", n1, n2, g1, g2, s1, s2)
			}
		}
	}
}

func TestInfluenceAndSignificance(t *testing.T) {
	for _, c := range []struct{ age, want float64 }{{-1, 1}, {0, 1}, {5, 1}, {10, 0.5}, {15, 0}, {99, 0}} {
		if got := Influence(c.age, 5, 15); got != c.want {
			t.Errorf("Influence(%v, 5, 15) = %v, want %v", c.age, got, c.want)
		}
	}
	for _, c := range []struct{ rate, half, want float64 }{{0, 10, 0}, {0, 0, 0}, {1, 0, 1}, {10, 10, 0.5}, {30, 10, 0.75}} {
		if got := Significance(c.rate, c.half); got != c.want {
			t.Errorf("Significance(%v, %v) = %v, want %v", c.rate, c.half, got, c.want)
		}
	}
}

func TestLeastPrefersWhatBothDo(t *testing.T) {
	all := []Routing{Uniform, SameNode, SameZone, SameNodeOrAny, ZoneShare(0), ZoneShare(70), ZoneShare(80), ZoneShare(100)}
	kept := func(r Routing) float64 { // in the zone
		near, part := r.Kept()
		if !near.Prefers(locality.Zone) {
			return -1 // no more than anywhere
		}
		return part
	}
	for _, r := range all {
		if Least(r, r) != r {
			t.Errorf("the least of %v and itself is %v", r, Least(r, r))
		}
		for _, other := range all {
			least := Least(r, other)
			if want := min(kept(r), kept(other)); kept(least) != want {
				t.Errorf("the least of %v and %v is %v, which keeps %v in the zone, want %v", r, other, least, kept(least), want)
			}
			for _, third := range all {
				if a, b := Least(least, third), Least(r, Least(other, third)); a != b {
					t.Errorf("the least of %v, %v and %v is %v or %v", r, other, third, a, b)
				}
			}
			for _, level := range []locality.Level{locality.Node, locality.Zone} {
				if want := r.Prefers(level) && other.Prefers(level); least.Prefers(level) != want {
					t.Errorf("the least of %v and %v is %v, which prefers %v: %v", r, other, least, level, !want)
				}
			}
			if Least(other, r) != least {
				t.Errorf("the least of %v and %v depends on their order", r, other)
			}
		}
	}
}

func TestZoneShare(t *testing.T) {
	for _, c := range []struct {
		percent int
		near    Routing
		part    float64
		name    string
	}{
		{-1, SameZone, 0, "ZoneShare(0)"}, {0, SameZone, 0, "ZoneShare(0)"}, {1, SameZone, 0.01, "ZoneShare(1)"},
		{80, SameZone, 0.8, "ZoneShare(80)"}, {99, SameZone, 0.99, "ZoneShare(99)"},
		{100, SameZone, 1, "ZoneShare(100)"}, {101, SameZone, 1, "ZoneShare(100)"},
	} {
		r := ZoneShare(c.percent)
		if near, part := r.Kept(); near != c.near || part != c.part || r.String() != c.name {
			t.Errorf("ZoneShare(%d): %v of the calls are routed by %v, as %v; want %v, %v, %s", c.percent, part, near, r, c.part, c.near, c.name)
		}
	}
	for _, r := range []Routing{Uniform, FairLoad, SameNode, SameZone, SameNodeOrAny, firstFairZone} {
		if near, part := r.Kept(); near != r || part != 1 {
			t.Errorf("%v: %v of the calls are routed by %v", r, part, near)
		}
	}
}
