package affinity

import "math"

// mostLeastEndpoints bounds what FairZone takes: no workload has as many endpoints.
const mostLeastEndpoints = 1 << 24

// FairZone keeps calls in the caller's zone as far as the fair share of the endpoints
// there reaches, and divides them evenly over those; what is left goes to the zones
// whose endpoints have fewer callers than their share. Every endpoint has the same
// load. It is Envoy's zone-aware routing, which needs leastEndpoints of the callee
// (Given): with fewer it is Uniform.
func FairZone(leastEndpoints int) Routing {
	return firstFairZone + Routing(min(max(leastEndpoints, 0), mostLeastEndpoints))
}

// Given is the routing of calls to a workload with so many endpoints: Uniform for a
// FairZone that needs more, and r itself otherwise.
func (r Routing) Given(endpoints int32) Routing {
	if r.isFairZone() && int(endpoints) < r.leastEndpoints() {
		return Uniform
	}
	return r
}

// IsFair reports whether no endpoint has more than its fair share of the calls
// because of where its callers are: with FairLoad and FairZone.
func (r Routing) IsFair() bool { return r == FairLoad || r.isFairZone() }

func (r Routing) isFairZone() bool {
	return r >= firstFairZone && r <= firstFairZone+mostLeastEndpoints
}

// leastEndpoints is what FairZone was given.
func (r Routing) leastEndpoints() int { return int(r - firstFairZone) }

// leastFairZone is Least where one of both is a FairZone. It keeps no more than the
// preferences of the zone do, in the zone and on each node. Of a FairZone and a
// ZoneShare either may keep less.
func leastFairZone(r, other Routing) Routing {
	switch {
	case r.isFairZone() && other.isFairZone():
		return max(r, other) // that which needs more endpoints
	case other.isFairZone():
		r, other = other, r
	}
	if other == SameNode || other == SameZone {
		return r
	}
	return Uniform
}

// ZoneKept is the part, in [0,1], of the calls from the callers in a zone that stays
// there under FairZone: all where the zone has at least as large a part of the
// endpoints as of the callers, and else the part of the calls that these endpoints
// would have if calls were divided evenly over all, xb/db, of those that are made in
// the zone, xa/da:
//
//	min(1, (xb/db) / (xa/da))
func ZoneKept(callers, callees Replicas) float64 {
	if callers.Share() <= callees.Share() {
		return 1
	}
	return callees.Share() / callers.Share()
}

// ZoneEndpoints is over how many endpoints the calls from the callers in a zone are
// as good as divided under FairZone: those in the zone, or more where calls leave it.
// A pod there receives one of so many parts of them:
//
//	ceil(max(xb, db xa/da))
func ZoneEndpoints(callers, callees Replicas) int32 {
	matching := math.Ceil(callers.Share()*float64(callees.Desired) - 1e-9)
	return max(callees.Placed, int32(matching))
}
