package livelocality

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Report is how far the traffic of a cluster goes, by namespace and by edge.
type Report struct {
	Measurement
	// Namespaces have the traffic that has an end in them, that which crosses most first:
	// what goes from one namespace to another counts in both. A site is in none.
	Namespaces []Namespace
	// Edges are all of them, those first that cross most.
	Edges []Edge
	// HasZones and HasRegions say that some node says its zone, or its region.
	HasZones, HasRegions bool
}

// Namespace is the traffic of one.
type Namespace struct {
	Name     string
	Distance cut.Distance
}

// Edge is the traffic from one workload to another.
type Edge struct {
	From, To flowgraph.WorkloadID
	Distance cut.Distance
	// Routing is how calls are divided over the pods of To, if IsDivided: not where one end is
	// a site, or To has never had a pod.
	Routing   affinity.Routing
	IsDivided bool
	// Ours says that all serving pods of either end were placed by traffic.
	Ours bool
}

// Put tells of all nodes and pods that there are, for informers that do not run.
func (f *Follower) Put(nodes []*corev1.Node, pods []*corev1.Pod) {
	for _, n := range nodes {
		f.setNode(n)
	}
	for _, p := range pods {
		f.setPod(nil, p)
	}
}

// Report is Measure with what it adds up.
func (f *Follower) Report(snap *flowgraph.Snapshot) *Report {
	f.update()
	r := &Report{}
	for _, n := range f.cluster.Nodes {
		r.HasZones, r.HasRegions = r.HasZones || n.Zone != "", r.HasRegions || n.Region != ""
	}
	namespaces := map[string]*cut.Distance{}
	add := func(of flowgraph.WorkloadID, d *cut.Distance) {
		name := of.Namespace
		if of.IsSite() {
			return
		}
		if namespaces[name] == nil {
			namespaces[name] = &cut.Distance{}
		}
		namespaces[name].Add(d)
	}
	r.Measurement = *f.measure(snap, func(e *edge) {
		from, to := snap.ID(e.from), snap.ID(e.to)
		add(from, &e.distance)
		if to.Namespace != from.Namespace {
			add(to, &e.distance)
		}
		row := Edge{From: from, To: to, Distance: e.distance, Ours: e.ours}
		if row.IsDivided = e.callee >= 0 && !from.IsSite(); row.IsDivided {
			row.Routing = f.cluster.Workloads[e.callee].RouteFrom(from.Namespace).Routing
		}
		r.Edges = append(r.Edges, row)
	})
	for name, d := range namespaces {
		r.Namespaces = append(r.Namespaces, Namespace{name, *d})
	}
	slices.SortFunc(r.Namespaces, func(a, b Namespace) int {
		return cmp.Or(cmp.Compare(r.Crossing(&b.Distance), r.Crossing(&a.Distance)), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(r.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(r.Crossing(&b.Distance), r.Crossing(&a.Distance)), a.From.Compare(b.From), a.To.Compare(b.To))
	})
	return r
}

// BetweenZones is the traffic that goes between two known zones, in bytes per second.
func BetweenZones(d *cut.Distance) float64 {
	return d.Between[slices.Index(locality.Levels(), locality.Zone)]
}

// BetweenNodes is the traffic that goes from one node to another.
func BetweenNodes(d *cut.Distance) float64 {
	return d.Between[slices.Index(locality.Levels(), locality.Node)]
}

// Crossing is the traffic by which rows are ordered: what goes between zones, and between
// nodes where no node says its zone.
func (r *Report) Crossing(d *cut.Distance) float64 {
	if r.HasZones {
		return BetweenZones(d)
	}
	return BetweenNodes(d)
}
