// Package affinity is the scoring arithmetic: how much traffic stays within a
// topology domain, and how much more stays when one pod is added there. Numbers
// in, numbers out: it knows neither graphs nor nodes.
//
// Notation: an edge of rate w joins workloads a and b, which want da and db
// replicas in all and have xa and xb of them in the domain. The fractions
// xa/da and xb/db are at most 1.
package affinity

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Routing says how the calls of an edge are divided over the callee's
// endpoints.
type Routing int

const (
	// Uniform divides calls evenly over all endpoints, wherever they are:
	// plain Services, and most meshes by default.
	Uniform Routing = iota
	// FairLoad keeps calls local as far as the local endpoints' fair share of
	// the load reaches: local preference bounded by the callee's capacity. It
	// is the "gained affinity" of RASA (ICDE 2024).
	FairLoad
	// SameNode keeps a call on the caller's node whenever an endpoint is there,
	// whatever its load, or else in its zone: trafficDistribution PreferSameNode
	// (KEP-3015).
	SameNode
	// SameZone keeps a call in the caller's zone whenever an endpoint is there,
	// and divides it evenly over those of the zone: trafficDistribution
	// PreferSameZone (KEP-3015).
	SameZone
	// SameNodeOrAny keeps a call on the caller's node whenever an endpoint is there,
	// and else divides it evenly over all: Istio's failoverPriority of
	// kubernetes.io/hostname alone.
	SameNodeOrAny
	// firstZoneShare is ZoneShare(0); those of 1 to 100 percent follow it.
	firstZoneShare
	// firstFairZone is FairZone(0); those of more endpoints follow it.
	firstFairZone = firstZoneShare + allPercent + 1
)

// allPercent is all calls.
const allPercent = 100

// ZoneShare keeps so many percent of a caller's calls in its zone, and divides them
// evenly over the endpoints there and the others evenly over those elsewhere: Istio's
// distribute. Where one side has no endpoints, all go to the other.
func ZoneShare(percent int) Routing {
	return firstZoneShare + Routing(min(max(percent, 0), allPercent))
}

// Kept splits the calls of a ZoneShare: a part of them prefers the caller's zone, as
// near does, and the others leave it. Of other routings it is all calls, and r itself.
func (r Routing) Kept() (near Routing, part float64) {
	if percent := r.percent(); percent <= allPercent {
		return SameZone, float64(percent) / allPercent
	}
	return r, 1
}

// percent is what ZoneShare was given, and more than all for other routings.
func (r Routing) percent() int {
	if r < firstZoneShare || r >= firstFairZone {
		return allPercent + 1
	}
	return int(r - firstZoneShare)
}

// Least returns the routing that prefers no more than both do: what is certain
// where it is not known which of two counts. It is not for FairLoad.
func Least(r, other Routing) Routing {
	near, _ := r.Kept()
	otherNear, _ := other.Kept()
	prefers := func(level locality.Level) bool { return near.Prefers(level) && otherNear.Prefers(level) }
	if r.isFairZone() || other.isFairZone() {
		return leastFairZone(r, other)
	}
	switch {
	case prefers(locality.Node) && prefers(locality.Zone):
		return SameNode
	case prefers(locality.Node):
		return SameNodeOrAny
	case prefers(locality.Zone):
		if percent := min(r.percent(), other.percent()); percent <= allPercent {
			return ZoneShare(percent)
		}
		return SameZone
	default:
		return Uniform
	}
}

// Prefers reports whether every call stays within the caller's domain of a level when
// an endpoint is there. Where it does not, but does at a wider level, calls are
// divided evenly over the endpoints in the wider domain. Of the levels of node
// labels, only FairLoad prefers those that are nearer than the zone. FairLoad and
// FairZone prefer a domain up to the fair share of its endpoints.
func (r Routing) Prefers(level locality.Level) bool {
	switch r {
	case FairLoad:
		return level != locality.Remote
	case SameNode:
		return level == locality.Node || level >= locality.Zone
	case SameZone:
		return level >= locality.Zone
	case SameNodeOrAny:
		return level == locality.Node
	default:
		return r.isFairZone() && level >= locality.Zone && level != locality.Remote
	}
}

// String returns the routing's name as it stands in config files and reports.
func (r Routing) String() string {
	switch r {
	case Uniform:
		return "Uniform"
	case FairLoad:
		return "FairLoad"
	case SameNode:
		return "SameNode"
	case SameZone:
		return "SameZone"
	case SameNodeOrAny:
		return "SameNodeOrAny"
	}
	if percent := r.percent(); percent <= allPercent {
		return fmt.Sprintf("ZoneShare(%d)", percent)
	}
	if r.isFairZone() {
		return fmt.Sprintf("FairZone(%d)", r.leastEndpoints())
	}
	return fmt.Sprintf("Routing(%d)", int(r))
}

// Replicas is how many pods a workload has in a domain, and how many it wants
// in all.
type Replicas struct {
	// Placed is the number in the domain, terminating pods not counted.
	Placed int32
	// Desired is the number in all.
	Desired int32
}

// Share is Placed/Desired, at most 1 (a rollout runs more pods than desired),
// and 0 when nothing is desired.
func (r Replicas) Share() float64 {
	if r.Desired <= 0 || r.Placed <= 0 {
		return 0
	}
	return min(float64(r.Placed)/float64(r.Desired), 1)
}

// plusOne is r with one more pod in the domain.
func (r Replicas) plusOne() Replicas { return Replicas{r.Placed + 1, r.Desired} }

// Local is the traffic of an edge of rate w that stays in a domain:
//
//	Uniform   w (xa/da)(xb/db)
//	FairLoad  w min(xa/da, xb/db), and FairZone
//	the others  w xa/da where xb >= 1, else 0: a calls b
//
// It is for domains of the levels that the routing prefers, or for Uniform, where
// db may also be how many of b there are in a wider domain that is preferred.
func Local(routing Routing, w float64, a, b Replicas) float64 {
	switch {
	case routing == FairLoad, routing.isFairZone():
		return w * min(a.Share(), b.Share())
	case routing == SameNode, routing == SameZone, routing == SameNodeOrAny:
		if b.Placed < 1 {
			return 0
		}
		return w * a.Share()
	default:
		return w * a.Share() * b.Share()
	}
}

// Gain is how much more of an edge's traffic stays in a domain when one pod of
// a is added there: the increase of Local. It is never negative. Under Uniform
// it is w xb/(da db), which orders domains as NetMARKS does.
func Gain(routing Routing, w float64, a, b Replicas) float64 {
	return Local(routing, w, a.plusOne(), b) - Local(routing, w, a, b)
}

// NewlyServed is how much more of an edge's calls stays in a domain that they prefer
// when one pod of the callee is added there: w xa/da, what the caller's pods there call,
// for the first one, and 0 for others. It knows no bound: the first one may have more to
// do than its share.
func NewlyServed(w float64, caller, callee Replicas) float64 {
	if callee.Placed > 0 {
		return 0
	}
	return w * caller.Share()
}

// SelfLocal is what stays in a domain of the traffic w that a workload exchanges
// with itself. Its pairs are always routed uniformly: with x of d replicas there,
// x(x-1) of d(d-1) ordered pairs stay.
func SelfLocal(w float64, a Replicas) float64 {
	if a.Desired < 2 {
		return 0
	}
	x := float64(min(a.Placed, a.Desired))
	return w * x * (x - 1) / (float64(a.Desired) * float64(a.Desired-1))
}

// SelfGain is how much more of it stays with one more pod there: w 2x/(d(d-1)).
func SelfGain(w float64, a Replicas) float64 {
	if a.Desired < 2 || a.Placed <= 0 || a.Placed >= a.Desired {
		return 0
	}
	return w * 2 * float64(a.Placed) / (float64(a.Desired) * float64(a.Desired-1))
}

// NetMARKS is the share of an edge's traffic that belongs to the peer's pods in
// a domain, w xb/db: the score of Wojciechowski et al., "NetMARKS: Network
// Metrics-AwaRe Kubernetes Scheduler Powered by Service Mesh", INFOCOM 2021,
// which looks at neither routing nor the replicas of the pod's own workload.
func NetMARKS(w float64, b Replicas) float64 { return w * b.Share() }

// Significance is rate/(rate+half), in [0,1): how much say a pod's traffic has
// against the other score plugins. A pod of rate half (bytes per second) has
// half of it, so that one byte per second cannot decide. It is 0 for rate 0,
// and 1 for half 0.
func Significance(rate, half float64) float64 {
	if rate <= 0 {
		return 0
	}
	return rate / (rate + half)
}

// Influence is what telemetry of a given age still counts: 1 up to fresh, 0
// from expired on, linear between. The unit is the caller's; fresh <= expired.
func Influence(age, fresh, expired float64) float64 {
	switch {
	case age <= fresh:
		return 1
	case age >= expired:
		return 0
	default:
		return (expired - age) / (expired - fresh)
	}
}
