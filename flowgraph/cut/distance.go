package cut

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Distance is traffic by how far it goes, as Configured, in bytes per second in both
// directions. The parts have nothing in common, and are all of it together.
type Distance struct {
	// Within is what stays within a domain of a level and, as far as is known, within none
	// of a nearer level, by the level's position in the cluster's scale.
	Within [maxLevels]float64
	// Beyond goes between different domains of the widest level at which any node has one.
	Beyond float64
	// Unknown is the traffic of which it is not known whether it stays within a domain of
	// that level: one end is on a node that does not say which domain it is in.
	Unknown float64
	// Unserved has an end without a pod that serves, and External one that is not in the
	// cluster.
	Unserved, External float64
}

// Distance returns how far the traffic of an edge between two workloads goes, by
// position; Outside stands for an end that is not in the cluster.
func (l *Layout) Distance(from, to int32, bytesPerSecond float64) (d Distance) {
	e := ends{from, to}
	if from < 0 || to < 0 {
		d.External = bytesPerSecond
		return d
	}
	if !l.served(e) {
		d.Unserved = bytesPerSecond
		return d
	}
	local, unknown := l.asConfigured(e)
	widest := 0
	for k := range l.levels {
		if l.domains[k].known > 0 {
			widest = k
		}
	}
	within := 0.0
	for k := range l.levels {
		d.Within[k] = max(local[k]-within, 0) * bytesPerSecond
		within = max(within, local[k])
	}
	d.Unknown = unknown[widest] * bytesPerSecond
	if beyond := 1 - within - unknown[widest]; beyond > negligible {
		d.Beyond = beyond * bytesPerSecond
	}
	return d
}

// asConfigured is the part of stays that is Configured.
func (l *Layout) asConfigured(e ends) (local, unknown byLevel) {
	route := l.configured(e)
	if l.load(e.to); !l.directly(e) && follows(route.Routing) {
		local = l.preferred(route, e, nil, &unknown)
		return local, unknown
	}
	local = l.local(route, e, nil)
	switch {
	case l.directly(e):
		unknown = l.unknownParts(e, cluster.Route{})
	case route.Routing == affinity.Uniform:
		unknown = l.unknownEvenly(e)
	default:
		unknown = l.unknownParts(e, route)
	}
	return local, unknown
}

// Total is all the traffic.
func (d *Distance) Total() float64 {
	total := d.Beyond + d.Unknown + d.Unserved + d.External
	for _, within := range d.Within {
		total += within
	}
	return total
}

// Add adds other traffic.
func (d *Distance) Add(other *Distance) {
	for k, within := range other.Within {
		d.Within[k] += within
	}
	d.Beyond += other.Beyond
	d.Unknown += other.Unknown
	d.Unserved += other.Unserved
	d.External += other.External
}
