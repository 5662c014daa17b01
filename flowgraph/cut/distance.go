package cut

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Distance is traffic by how far it goes, as Configured, in bytes per second in both
// directions. The parts have nothing in common, and are all of it together; Between counts
// some of it again.
type Distance struct {
	// Within is what stays within a domain of a level and, as far as is known, within none
	// of a nearer level, by the level's position in the cluster's scale.
	Within [maxLevels]float64
	// Between is what goes between two different known domains of a level, by its position.
	// It is part of the Between of every nearer level.
	Between [maxLevels]float64
	// Beyond is that of the widest level at which any node has a domain.
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
		if between := 1 - local[k] - unknown[k]; between > negligible && l.domains[k].known > 0 {
			d.Between[k] = between * bytesPerSecond
		}
	}
	d.Unknown, d.Beyond = unknown[widest]*bytesPerSecond, d.Between[widest]
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
		d.Between[k] += other.Between[k]
	}
	d.Beyond += other.Beyond
	d.Unknown += other.Unknown
	d.Unserved += other.Unserved
	d.External += other.External
}
