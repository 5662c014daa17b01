package kube

import (
	"maps"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// LocalityShare is an entry of Istio's distribute: where the calls from a locality go.
type LocalityShare struct {
	From string `json:"from,omitempty"`
	// To is the percentage of the calls by locality. One that is not named gets none.
	To map[string]uint32 `json:"to,omitempty"`
}

// byShares returns how calls are divided by entries that go by zone: as by that which
// keeps the least in its zone. Which zones have callers, and whether one of them is
// not named, is not known here.
func byShares(entries []LocalityShare) affinity.Routing {
	least := affinity.SameZone
	for _, e := range entries {
		least = affinity.Least(least, e.routing())
	}
	return least
}

// routing returns what the callers of a zone keep there, and Uniform for an entry that
// is about a region or a subzone, or has a part of the zone or all of its region among
// its destinations: what it keeps in the zone depends on where endpoints are. Istio
// rejects shares of 0, and those that do not add up to 100.
func (s LocalityShare) routing() affinity.Routing {
	from := readPlace(s.From)
	if _, ok := from.zoneName(); !ok {
		return affinity.Uniform
	}
	kept, sum := uint32(0), uint32(0)
	for name, percent := range s.To {
		to := readPlace(name)
		switch {
		case percent < 1 || percent > 100:
			return affinity.Uniform
		case to == from:
			kept += percent
		case to.meets(from):
			return affinity.Uniform
		}
		sum += percent
	}
	if sum != 100 {
		return affinity.Uniform
	}
	return affinity.ZoneShare(int(kept))
}

func (s LocalityShare) equal(other LocalityShare) bool {
	return s.From == other.From && maps.Equal(s.To, other.To)
}

// shares are the entries by which a choice has calls divided, if it does.
func (c choice) shares() []LocalityShare {
	if c.balancer == nil || c.balancer.ZoneAwareLbSetting != nil || c.balancer.LocalityLbSetting == nil {
		return nil
	}
	return c.balancer.LocalityLbSetting.Distribute
}

// zoneShares is what the entries say where all of them are about zones alone; nil else.
func zoneShares(entries []LocalityShare) cluster.Shares {
	if len(entries) == 0 {
		return nil
	}
	shares := cluster.Shares{}
	for _, e := range entries {
		from, ok := readPlace(e.From).zoneName()
		if !ok {
			return nil
		}
		to := map[string]uint32{}
		for name, percent := range e.To {
			zone, ok := readPlace(name).zoneName()
			if !ok {
				return nil
			}
			to[zone] += percent
		}
		if _, known := shares[from]; !known { // the first entry counts
			shares[from] = to
		}
	}
	return shares
}

// place is "region/zone/subzone". Of what is left out, or *, it has all.
type place struct{ region, zone, subzone string }

const anyPlace = "*"

func readPlace(name string) place {
	p := place{anyPlace, anyPlace, anyPlace}
	for i, part := range strings.SplitN(name, "/", 3) {
		if part != "" || i == 0 {
			*[...]*string{&p.region, &p.zone, &p.subzone}[i] = part
		}
	}
	return p
}

// zoneName is the zone's name as locality.Domain has it; ok is false for other places.
func (p place) zoneName() (name string, ok bool) {
	if p.region == anyPlace || p.zone == anyPlace || p.subzone != anyPlace {
		return "", false
	}
	return locality.Locality{Region: p.region, Zone: p.zone}.Domain(locality.Zone), true
}

// meets reports whether an endpoint may be in both places.
func (p place) meets(other place) bool {
	meet := func(a, b string) bool { return a == anyPlace || b == anyPlace || a == b }
	return meet(p.region, other.region) && meet(p.zone, other.zone) && meet(p.subzone, other.subzone)
}
