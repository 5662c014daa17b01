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
	routing         affinity.Routing
	closeness       locality.Closeness
	levels          []locality.Level // those with a positive step
	requestBytes    float64
	significantRate float64
	staleAfter      time.Duration
	expireAfter     time.Duration
}

func newScorer(a *configv1.TrafficLocalityArgs) scorer {
	s := scorer{
		netmarks:        a.Strategy == configv1.StrategyNetMARKS,
		closeness:       locality.Closeness{Node: *a.Closeness.Node, Zone: *a.Closeness.Zone, Region: *a.Closeness.Region},
		requestBytes:    a.RequestBytes.AsApproximateFloat64(),
		significantRate: a.SignificantRate.AsApproximateFloat64(),
		staleAfter:      a.StaleAfter.Duration,
		expireAfter:     a.ExpireAfter.Duration,
	}
	if a.Routing == configv1.RoutingFairLoad {
		s.routing = affinity.FairLoad
	}
	if s.netmarks {
		s.closeness = locality.Closeness{Node: 1}
		s.requestBytes = 0
	}
	for _, level := range locality.Levels() {
		if s.closeness.Step(level) > 0 {
			s.levels = append(s.levels, level)
		}
	}
	return s
}

// influence is what a snapshot of the given age still counts, in [0,1].
func (s scorer) influence(age time.Duration) float64 {
	return affinity.Influence(float64(age), float64(s.staleAfter), float64(s.expireAfter))
}

// nodeLocal reports whether a pod that lands on a node changes the score of
// that node at most.
func (s scorer) nodeLocal() bool {
	nodeOnly := len(s.levels) == 0 || len(s.levels) == 1 && s.levels[0] == locality.Node
	// Under FairLoad the own pods count, and the best node's gain is what every
	// score is measured against.
	return nodeOnly && (s.netmarks || s.routing == affinity.Uniform)
}

// countsSelf reports whether a workload's traffic with itself counts.
func (s scorer) countsSelf() bool { return !s.netmarks }

// gain is what one more pod of the workload a in a domain is worth for one
// edge with the peer b, in bytes per second.
func (s scorer) gain(w float64, a, b affinity.Replicas) float64 {
	if s.netmarks {
		return affinity.NetMARKS(w, b)
	}
	return affinity.Gain(s.routing, w, a, b)
}

// weight is the rate of an edge that decides, in bytes per second.
func (s scorer) weight(r flowgraph.Rates) float64 { return r.Weight(s.requestBytes) }

// scale turns gains into scores: gain / the best gain x significance of the
// pod's own rate x influence, in whole points of 0 to 100.
func (s scorer) scale(best, podRate, influence float64) float64 {
	if best <= 0 {
		return 0
	}
	return maxScore * affinity.Significance(podRate, s.significantRate) * influence / best
}

// points is a gain on the framework's scale.
func points(gain, scale float64) uint8 {
	return uint8(min(math.Round(gain*scale), maxScore))
}
