package score

import (
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// TestSelfFlow: what a pod gains by the others of its workload, for calls that these
// divide among themselves.
func TestSelfFlow(t *testing.T) {
	cases := map[string]struct {
		routing affinity.Routing
		desired int32
		want    float64 // gain in the zone of two other pods
	}{
		"calls go to all pods":                       {affinity.Uniform, 4, 4. / 12},
		"each zone takes its own calls":              {affinity.FairZone(4), 4, 0},
		"too few endpoints for zone-aware balancing": {affinity.FairZone(5), 4, 4. / 12},
		"a zone takes half of its own calls":         {affinity.ZoneShare(50), 4, 2. / 12},
		"a pod takes its own calls":                  {affinity.FairLoad, 4, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := everyLevel()
			o.Closeness = []float64{1, 1, 0} // the zone alone counts
			s := newScene(t, o)
			s.router.routing = c.routing
			s.traffic(calls("web", "web", 1))
			s.node("n1", "a", "web", "web")
			n2 := s.node("n2", "a")
			s.node("n3", "b")
			x := s.engine.Evaluate(s.request("web", c.desired)).Explain(n2)
			if x.Gain != c.want {
				t.Errorf("the gain is %v, want %v", x.Gain, c.want)
			}
			for _, p := range x.Peers {
				if p.Routing != c.routing.Given(c.desired) {
					t.Errorf("explained as %v", p.Routing)
				}
			}
		})
	}
}

// TestSelfFlowOnTheNetwork: calls that a pod makes to itself leave no node.
func TestSelfFlowOnTheNetwork(t *testing.T) {
	cases := map[string]struct {
		routing affinity.Routing
		desired int32
		load    float64 // of n1, which has one pod
		adds    float64 // of the next pod on n2, which has none
	}{
		"calls go to all pods":              {affinity.Uniform, 4, 25, 25},
		"each pod takes its own":            {affinity.SameNode, 4, 0, 0},
		"or up to its fair share":           {affinity.FairLoad, 4, 0, 0},
		"the zone takes its own":            {affinity.SameZone, 4, 25, 25},
		"the only pod has nobody else":      {affinity.Uniform, 1, 0, 0},
		"half of them stay in their zone":   {affinity.ZoneShare(50), 4, 25, 25},
		"a node is preferred, or any other": {affinity.SameNodeOrAny, 4, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := byNode()
			o.MaxUtilization = 1
			s := newScene(t, o)
			s.router.routing = c.routing
			s.traffic(calls("web", "web", 100), calls("web", "db", 1e9))
			n1, n2 := s.node("n1", "a", "web", "db"), s.node("n2", "a", "db")
			s.board.SetDesired(workload("web"), Desired{Pods: c.desired})
			for _, n := range []int32{n1, n2} {
				s.board.SetBandwidth(n, 1e12)
			}
			s.engine.Evaluate(s.request("web", c.desired))
			without := newScene(t, o)
			without.router.routing = c.routing
			without.traffic(calls("web", "db", 1e9))
			w1, w2 := without.node("n1", "a", "web", "db"), without.node("n2", "a", "db")
			without.board.SetDesired(workload("web"), Desired{Pods: c.desired})
			for _, n := range []int32{w1, w2} {
				without.board.SetBandwidth(n, 1e12)
			}
			without.engine.Evaluate(without.request("web", c.desired))
			const rounding = 1e-6
			load := s.engine.load(s.snap, n1).out - without.engine.load(without.snap, w1).out
			if diff := load - c.load; diff > rounding || diff < -rounding {
				t.Errorf("the load is %v more, want %v", load, c.load)
			}
			adds := s.engine.networks.addsOn(n2).out - without.engine.networks.addsOn(w2).out
			if diff := adds - c.adds; diff > rounding || diff < -rounding {
				t.Errorf("the next pod adds %v more, want %v", adds, c.adds)
			}
		})
	}
}
