package trafficlocality

import (
	"math"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// scorer is the arguments in the form that the arithmetic wants.
type scorer struct {
	netmarks        bool
	auto            bool             // the routing is read from the cluster
	routing         affinity.Routing // of every callee, unless auto
	topology        locality.Scale
	levels          []scoredLevel
	requestBytes    float64
	significantRate float64    // negative: by the graph
	maxShare        [2]float64 // of a workload's pods, on a node and in a zone
	foresees        bool       // pods that are wanted, but not placed yet, count
	reserves        bool       // room is kept for them
	links           linkBound
	staleAfter      time.Duration
	expireAfter     time.Duration
}

func newScorer(a *configv1.TrafficLocalityArgs) scorer {
	s := scorer{
		netmarks:        a.Strategy == configv1.StrategyNetMARKS,
		requestBytes:    a.RequestBytes.AsApproximateFloat64(),
		significantRate: -1,
		maxShare:        [2]float64{*a.MaxShare.Node, *a.MaxShare.Zone},
		staleAfter:      a.StaleAfter.Duration,
		expireAfter:     a.ExpireAfter.Duration,
	}
	var closeness []float64
	s.topology, closeness = scaleOf(a)
	if a.SignificantRate != nil {
		s.significantRate = a.SignificantRate.AsApproximateFloat64()
	}
	s.auto = !s.netmarks && a.Routing == configv1.RoutingAuto
	s.routing = map[configv1.Routing]affinity.Routing{
		configv1.RoutingFairLoad: affinity.FairLoad,
		configv1.RoutingSameNode: affinity.SameNode,
		configv1.RoutingSameZone: affinity.SameZone,
	}[a.Routing] // Uniform otherwise
	if s.netmarks { // as published
		s.topology, closeness = nil, []float64{1, 0, 0}
		s.requestBytes = 0
		if a.SignificantRate == nil {
			s.significantRate = leastRate
		}
	}
	if n := a.NetworkCapacity; n != nil && !s.netmarks {
		s.links = linkBound{on: true, label: n.Label, unit: *n.Unit, share: *n.MaxUtilization}
	}
	s.levels = scored(s.topology, closeness, s.maxShare)
	s.foresees = !s.netmarks && *a.ReserveRoom && closeness[0] > 0
	s.reserves = s.foresees && len(s.levels) > 0 && s.levels[0].level == locality.Node && s.levels[0].step > 0
	return s
}

// influence is what a snapshot of the given age still counts, in [0,1].
func (s scorer) influence(age time.Duration) float64 {
	return affinity.Influence(float64(age), float64(s.staleAfter), float64(s.expireAfter))
}

// nodeLocal reports whether a pod that lands on a node changes the score of
// that node at most.
func (s scorer) nodeLocal() bool {
	nodeOnly := len(s.levels) == 0 || len(s.levels) == 1 && s.levels[0].level == locality.Node
	// Under FairLoad the own pods count, and the best node's gain is what every
	// score is measured against.
	// A node that draws no more of the workload's pods may have been the best.
	unbound := s.maxShare == [2]float64{1, 1}
	// A node whose network is full may have been too.
	unbound = unbound && !s.links.on
	// Of room that is kept there is less, or more, elsewhere, and peers that are
	// expected are so where pods are.
	return nodeOnly && unbound && !s.foresees && (s.netmarks || !s.auto && s.routing == affinity.Uniform)
}

// countsSelf reports whether a workload's traffic with itself counts.
func (s scorer) countsSelf() bool { return !s.netmarks }

// limits returns how many of a workload's pods draw no more of them to a node and
// to a zone. During a rollout there are more than desired, which will leave.
func (s scorer) limits(desired, placed int32) (limits [2]int32) {
	leaving := max(placed+1-desired, 0)
	for i, share := range s.maxShare {
		limits[i] = math.MaxInt32
		if share < 1 {
			limits[i] = max(1, min(int32(math.Ceil(share*float64(desired)-1e-9)), desired-1)) + leaving
		}
	}
	return limits
}

// gain is what one more pod of the workload a in a domain is worth for one
// edge with the peer b, in bytes per second. Where calls prefer the domain, they
// count as far as the fair share of the endpoints there reaches: beyond it these
// would have more to do than the others, and attract no more callers. Where there is
// no endpoint yet, all that is called there counts for the first one.
func (s scorer) gain(e edge, a, b affinity.Replicas, prefers bool) float64 {
	switch {
	case s.netmarks:
		return affinity.NetMARKS(e.w, b)
	case !prefers:
		return affinity.Gain(affinity.Uniform, e.w, a, b)
	}
	gain := affinity.Gain(affinity.FairLoad, e.w, a, b)
	if !e.calls && !e.routing.IsFair() {
		gain = max(gain, affinity.NewlyServed(e.w, b, a))
	}
	return gain
}

// weight is the rate of an edge that decides, in bytes per second.
func (s scorer) weight(r flowgraph.Rates) float64 { return r.Weight(s.requestBytes) }

// leastRate is the lowest rate at which the plugin has half of its full say when
// the arguments do not name one, so that one byte per second does not become 100
// points in a graph of such rates.
const leastRate = 16 << 10

// halfSay is the rate of a pod at which the plugin has half of its full say.
func (s scorer) halfSay(meanRate float64) float64 {
	if s.significantRate >= 0 {
		return s.significantRate
	}
	return max(meanRate, leastRate)
}

// scale turns gains into scores: gain / the best gain x significance of the
// pod's own rate x influence, in whole points of 0 to 100.
func (s scorer) scale(best, podRate, meanRate, influence float64) float64 {
	if best <= 0 {
		return 0
	}
	return maxScore * affinity.Significance(podRate, s.halfSay(meanRate)) * influence / best
}

// points is a gain on the framework's scale.
func points(gain, scale float64) uint8 {
	return uint8(min(math.Round(gain*scale), maxScore))
}
