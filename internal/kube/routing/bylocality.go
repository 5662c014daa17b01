package routing

import (
	"maps"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Labels of Istio's that a failoverPriority may name.
const (
	// NetworkLabel is that of the network of a pod.
	NetworkLabel = "topology.istio.io/network"
	// SubzoneLabel is that of the part of its zone that a node is in.
	SubzoneLabel = "topology.istio.io/subzone"
)

// isOff reports whether a setting is turned off; unset it is on.
func isOff(enabled *wrapperspb.BoolValue) bool { return enabled != nil && !enabled.GetValue() }

// byLocality is what a localityLbSetting prefers. Shares need no detection of outliers;
// without it proxies prefer nothing else, as they would never know when to fail over.
func byLocality(s *networking.LocalityLoadBalancerSetting, detectsOutliers bool) affinity.Routing {
	switch {
	case isOff(s.GetEnabled()):
		return affinity.Uniform
	case len(s.GetDistribute()) > 0:
		return byShares(s.GetDistribute())
	case !detectsOutliers:
		return affinity.Uniform
	case len(s.GetFailoverPriority()) > 0:
		return byPriority(s.GetFailoverPriority(), len(s.GetFailover()) > 0)
	}
	return affinity.SameZone
}

// byPriority returns what the labels of a failoverPriority prefer. An endpoint is
// the nearer the more of them it shares with the caller, counted from the first to
// the first that differs: a label counts only where all before it are shared too.
// With failover equals are told apart by zone.
func byPriority(labels []string, failover bool) affinity.Routing {
	zone, part := false, false
	for _, label := range labels {
		switch label {
		case NetworkLabel, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion:
			// Whatever shares a zone shares these.
		case corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone:
			zone = zone || !part
		case SubzoneLabel:
			part = true // the rest of the zone comes after others, unless the zone stands before
		case corev1.LabelHostname:
			if zone || failover && !part {
				return affinity.SameNode
			}
			return affinity.SameNodeOrAny
		default: // not known of the caller
			if zone {
				return affinity.SameZone
			}
			return affinity.Uniform
		}
	}
	if zone || failover && !part {
		return affinity.SameZone
	}
	return affinity.Uniform
}

// byShares returns how calls are divided by entries that go by zone: as by that which
// keeps the least in its zone. Which zones have callers, and whether one of them is
// not named, is not known here.
func byShares(entries []*networking.LocalityLoadBalancerSetting_Distribute) affinity.Routing {
	least := affinity.SameZone
	for _, e := range entries {
		least = affinity.Least(least, byEntry(e))
	}
	return least
}

// byEntry returns what the callers of a zone keep there, and Uniform for an entry that
// is about a region or a subzone, or has a part of the zone or all of its region among
// its destinations: what it keeps in the zone depends on where endpoints are.
func byEntry(e *networking.LocalityLoadBalancerSetting_Distribute) affinity.Routing {
	from := readPlace(e.GetFrom())
	if _, ok := from.zoneName(); !ok || !addUp(e) {
		return affinity.Uniform
	}
	kept := uint32(0)
	for name, percent := range e.GetTo() {
		switch to := readPlace(name); {
		case to == from:
			kept += percent
		case to.meets(from):
			return affinity.Uniform
		}
	}
	return affinity.ZoneShare(int(kept))
}

// addUp reports whether the shares of an entry are percentages of all calls. Istio rejects
// shares of 0, and those that do not add up to 100.
func addUp(e *networking.LocalityLoadBalancerSetting_Distribute) bool {
	sum := uint32(0)
	for _, percent := range e.GetTo() {
		if percent < 1 || percent > 100 {
			return false
		}
		sum += percent
	}
	return sum == 100
}

func equalEntries(a, b *networking.LocalityLoadBalancerSetting_Distribute) bool {
	return a.GetFrom() == b.GetFrom() && maps.Equal(a.GetTo(), b.GetTo())
}

// zoneShares is what the entries say where all of them are about zones alone and valid; nil
// else.
func zoneShares(entries []*networking.LocalityLoadBalancerSetting_Distribute) cluster.Shares {
	if len(entries) == 0 {
		return nil
	}
	shares := cluster.Shares{}
	for _, e := range entries {
		from, ok := readPlace(e.GetFrom()).zoneName()
		if !ok || !addUp(e) {
			return nil
		}
		to := map[string]uint32{}
		for name, percent := range e.GetTo() {
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
