package score

import (
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Options say how an Engine scores. They do not change.
type Options struct {
	// NetMARKS scores as the published baseline does (affinity.NetMARKS), instead of
	// by the gain of one more pod.
	NetMARKS bool
	// Scale is the levels at which nodes are told apart.
	Scale locality.Scale
	// Closeness is what a byte is worth that stays at a level, in [0,1], by the
	// position of the level in Scale.Levels(). It does not rise with the level.
	Closeness []float64
	// RequestBytes is how many bytes a request is worth beside its own.
	RequestBytes float64
	// SignificantRate is the rate of a pod, in bytes per second, at which its scores
	// have half of their full range. Negative: what the
	// scores have of it follows the rates of all workloads, see reference, or FixedRate
	// where flowgraph.Reach isolates namespaces.
	SignificantRate float64
	// MaxNodeShare and MaxZoneShare, in (0,1], are the share of a workload's pods from
	// which on a node or a zone attracts no more of them; 1 is no bound.
	MaxNodeShare, MaxZoneShare float64
	// Anticipate counts pods of peers that are wanted but not placed yet.
	Anticipate bool
	// ReserveRoom keeps room for the pods that gain most from it. It has an effect
	// only where a byte that stays on the node is worth more than one in the zone.
	ReserveRoom bool
	// MaxUtilization is the share of a node's bandwidth up to which its network may be
	// loaded, in each direction; 0 is no bound.
	MaxUtilization float64
}

// FixedRate is the SignificantRate, in bytes per second, where the rates of other workloads
// must not matter and nobody names one: some calls of a few kilobytes each second. A pod
// with a tenth of it is left to the other plugins, and one with ten times as much has nine
// tenths of the full range.
const FixedRate = 16 << 10

// Level is a level that has a say in the scores.
type Level struct {
	locality.Level
	// Position is that of the level in Options.Scale.Levels().
	Position int
	// Step is what a byte is worth more here than at the next wider level, in [0,1].
	// It is 0 where the level only bounds the share of a workload's pods.
	Step float64
	// MaxShare is the share of a workload's pods from which on a domain attracts no
	// more of them; 1 is no bound.
	MaxShare float64
}

// Levels returns the levels that have a say, the nearest first: those with a positive
// step or a bound.
func (o Options) Levels() []Level {
	var levels []Level
	for i, level := range o.Scale.Levels() {
		l := Level{Level: level, Position: i, Step: o.Closeness[i], MaxShare: 1}
		if i+1 < len(o.Closeness) {
			l.Step -= o.Closeness[i+1]
		}
		switch level {
		case locality.Node:
			l.MaxShare = o.MaxNodeShare
		case locality.Zone:
			l.MaxShare = o.MaxZoneShare
		}
		if l.Step > 0 || l.MaxShare < 1 {
			levels = append(levels, l)
		}
	}
	return levels
}

// reserves reports whether room is kept: what is gained on the node alone must be
// worth something.
func (o Options) reserves(levels []Level) bool {
	return o.ReserveRoom && len(levels) > 0 && levels[0].Level == locality.Node && levels[0].Step > 0
}

// limit is how many pods of a workload a domain may have and still attract another:
// MaxShare of those wanted, rounded up, never the last of several, always one. During
// a rollout there are more than wanted, which will leave.
func (l Level) limit(desired, placed int32) int32 {
	if l.MaxShare >= 1 {
		return math.MaxInt32
	}
	leaving := max(placed+1-desired, 0)
	return max(1, min(int32(math.Ceil(l.MaxShare*float64(desired)-1e-9)), desired-1)) + leaving
}

// gain is what one more pod of workload a in a domain is worth for one edge with the
// peer b, in bytes per second. Where calls prefer the domain, they count as far as the
// fair share of the endpoints there reaches: beyond it these would have more to do than
// the others, and attract no more callers. Where there is no endpoint yet, all that is
// called there counts for the first one.
func (o *Options) gain(e *edge, a, b affinity.Replicas, prefers bool) float64 {
	switch {
	case o.NetMARKS:
		return affinity.NetMARKS(e.weight, b)
	case !prefers:
		return affinity.Gain(affinity.Uniform, e.weight, a, b)
	}
	gain := affinity.Gain(affinity.FairLoad, e.weight, a, b)
	if !e.calls && !e.routing.IsFair() {
		gain = max(gain, affinity.NewlyServed(e.weight, b, a))
	}
	return gain
}

// weight is the rate of an edge that decides, in bytes per second.
func (o *Options) weight(r flowgraph.Rates) float64 { return r.Weight(o.RequestBytes) }

// MaxPoints is the highest score.
const MaxPoints = 100

// pointsOf rounds points.
func pointsOf(points float64) uint8 { return uint8(min(math.Round(points), MaxPoints)) }
