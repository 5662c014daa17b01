package report

import (
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/price"
)

// Figures are the measures of an assignment. Each value is a number in the field perSeed of
// a run, and an Estimate in its fields summary and difference.
type Figures[T any] struct {
	// Node is the traffic at the boundaries of nodes. Null when there are no nodes.
	Node *Level[T] `json:"node"`
	// Zone is the traffic at the boundaries of zones. Null when no node has a zone.
	Zone *Level[T] `json:"zone"`
	// Region is the traffic at the boundaries of regions. Null when no node has a region.
	Region *Level[T] `json:"region"`
	// Labelled are the levels that node labels tell, such as racks, the nearest first: those
	// that the configuration of any run names and any node has. Missing when there are none.
	Labelled []Labelled[T] `json:"labelled,omitempty"`
	// BusiestEndpoint is the load of the busiest pod if every caller calls the endpoints on
	// its own node first, relative to its fair share: 1 is even, 0 means that nothing is
	// called.
	BusiestEndpoint T `json:"busiestEndpoint"`
	// CPUDeviation is the standard deviation, over the nodes, of the share of CPU that is
	// requested, in percentage points.
	CPUDeviation T `json:"cpuDeviation"`
	// MemoryDeviation is the standard deviation, over the nodes, of the share of memory that
	// is requested, in percentage points.
	MemoryDeviation T `json:"memoryDeviation"`
	// Headroom is how many more pods fit that request the 95th percentile of CPU and of
	// memory over all pods.
	Headroom T `json:"headroom"`
	// Concentrated is the number of workloads with two or more pods that have all of them on
	// one node.
	Concentrated T `json:"concentrated"`
	// Concentration is the share of the workloads with two or more pods that have all of
	// them on one node.
	Concentration T `json:"concentration"`
	// NodesOverSkew is the number of pairs of a workload and a node on which it has over 3
	// pods more than on the node with the fewest: more than kube-scheduler's system default
	// constraints prefer.
	NodesOverSkew T `json:"nodesOverSkew"`
	// ZonesOverSkew is the number of pairs of a workload and a zone in which it has over 5
	// pods more than in the zone with the fewest.
	ZonesOverSkew T `json:"zonesOverSkew"`
	// BusiestLink is the largest part of a node's network capacity that is used in either
	// direction, with calls divided as configured. It is above 1 when the traffic exceeds
	// the capacity. Missing for recordings, and unless a run's configuration names the label
	// of the capacity and a node has it.
	BusiestLink *T `json:"busiestLink,omitempty"`
	// AfterNodeLoss is what remains after the loss of the worst node. Missing without
	// traffic.
	AfterNodeLoss *Loss[T] `json:"afterNodeLoss,omitempty"`
	// AfterZoneLoss is what remains after the loss of the worst zone. Missing without traffic
	// or without zones.
	AfterZoneLoss *Loss[T] `json:"afterZoneLoss,omitempty"`
	// Completes is the share of all requests that completes without any loss. It is below 1
	// when a workload that is called has no pod that serves. Missing without traffic.
	Completes *T `json:"completeShare,omitempty"`
	// Unserved is the traffic of edges of which an end in the cluster has no pod that
	// serves. It counts as crossing, and is in no price.
	Unserved T `json:"unservedBytesPerSecond"`
	// Nodes is the number of nodes at the end. A consolidation drains some.
	Nodes T `json:"nodes"`
	// Placed is the number of pods with a node at the end.
	Placed T `json:"placed"`
	// Idle is the number of pods with a node that do not serve, for example because they are
	// not ready.
	Idle T `json:"idle"`
	// Missing is how many more pods the workloads want.
	Missing T `json:"missing"`
	// Unschedulable is how many pods fitted nowhere when they arrived. In a rollout, the pod
	// that such a pod should replace stays.
	Unschedulable T `json:"unschedulable"`
	// CrossZonePerMonth is the price of the traffic between zones in 30 days, with calls
	// divided as configured. Only traffic between nodes of known, different zones counts, and
	// that of nodes with sites of other zones, but none with the rest of the outside. Missing
	// without a price or without zones.
	CrossZonePerMonth *T `json:"crossZonePerMonth,omitempty"`
	// UnknownZonePerMonth is what the traffic of nodes, and with sites, without a zone would
	// cost in addition to crossZonePerMonth if all of it left its zone. Missing without a price
	// or without zones, and when every node and site has a zone.
	UnknownZonePerMonth *T `json:"unknownZonePerMonth,omitempty"`
}

// Loss is what remains after the loss of one node or one zone: the one whose loss leaves
// the least.
type Loss[T any] struct {
	// Complete is the share of all requests that still complete, end to end: a call
	// completes if its callee has a pod left that serves, and all calls that the callee
	// makes in turn complete. It is a share of all bytes when lossUnit is "bytes".
	Complete T `json:"completeShare"`
	// Load is the traffic of each remaining pod relative to before, of the workload where it
	// grows most: 2 means twice as much. Workloads without a remaining pod do not count.
	Load T `json:"largestLoad"`
}

// Level is the traffic at the boundaries of one level, such as node or zone, for four ways
// to divide calls over endpoints.
type Level[T any] struct {
	// Configured is the traffic if calls are divided as the Service of each called workload
	// says. In runs whose routing is "assumed", Services say what is assumed.
	Configured Traffic[T] `json:"configured"`
	// Uniform is the traffic if calls are divided evenly over all endpoints.
	Uniform Traffic[T] `json:"uniform"`
	// FairLoad is the traffic if calls prefer endpoints close by, as far as their fair share
	// of the load reaches.
	FairLoad Traffic[T] `json:"fairLoad"`
	// SameNode is the traffic if calls go to endpoints close by whenever there is one,
	// whatever its load.
	SameNode Traffic[T] `json:"sameNode"`
	// Unknown is the part of crossingBytesPerSecond of configured of which it is not known
	// whether it crosses: one end is on a node, or is a site, whose domain is not known. Missing
	// when the domains of all nodes and sites are known.
	Unknown *T `json:"unknownBytesPerSecond,omitempty"`
}

// Labelled is the traffic at the boundaries of a level that a node label tells.
type Labelled[T any] struct {
	// Label is the key of the label.
	Label string `json:"label"`
	*Level[T]

	level locality.Level
}

// Traffic is all traffic, in two parts: what stays within the domains of a level (on one
// node, in one zone), and what crosses their boundaries.
type Traffic[T any] struct {
	// Local is the traffic that stays.
	Local T `json:"localBytesPerSecond"`
	// LocalShare is the part of all traffic that stays.
	LocalShare T `json:"localShare"`
	// Crossing is the traffic that crosses. All traffic with an end outside the cluster does,
	// except with sites in the same zone or region.
	Crossing T `json:"crossingBytesPerSecond"`
}

// model returns the traffic under a model of package sim.
func (l *Level[T]) model(m cut.Model) *Traffic[T] {
	switch m {
	case cut.Uniform:
		return &l.Uniform
	case cut.FairLoad:
		return &l.FairLoad
	case cut.SameNode:
		return &l.SameNode
	default:
		return &l.Configured
	}
}

// level returns the place of a level, which may hold nil.
func (f *Figures[T]) level(l locality.Level) **Level[T] {
	switch l {
	case locality.Node:
		return &f.Node
	case locality.Zone:
		return &f.Zone
	case locality.Region:
		return &f.Region
	default:
		for i := range f.Labelled {
			if f.Labelled[i].level == l {
				return &f.Labelled[i].Level
			}
		}
		none := (*Level[T])(nil)
		return &none
	}
}

// scale has the levels that node labels tell.
func (f *Figures[T]) scale() locality.Scale {
	var scale locality.Scale
	for _, l := range f.Labelled {
		scale = append(scale, locality.Label{Level: l.level, Key: l.Label})
	}
	return scale
}

// cells returns all figures that are there, in an order that depends on nothing
// but which these are.
func (f *Figures[T]) cells() []*T {
	var cells []*T
	for _, l := range f.scale().Levels() {
		level := *f.level(l)
		if level == nil {
			continue
		}
		for _, m := range cut.Models() {
			t := level.model(m)
			cells = append(cells, &t.Local, &t.LocalShare, &t.Crossing)
		}
		if level.Unknown != nil {
			cells = append(cells, level.Unknown)
		}
	}
	cells = append(cells,
		&f.BusiestEndpoint, &f.CPUDeviation, &f.MemoryDeviation, &f.Headroom,
		&f.Concentrated, &f.Concentration, &f.NodesOverSkew, &f.ZonesOverSkew,
		&f.Unserved, &f.Nodes, &f.Placed, &f.Idle, &f.Missing, &f.Unschedulable)
	for _, loss := range []*Loss[T]{f.AfterNodeLoss, f.AfterZoneLoss} {
		if loss != nil {
			cells = append(cells, &loss.Complete, &loss.Load)
		}
	}
	for _, optional := range []*T{f.Completes, f.CrossZonePerMonth, f.UnknownZonePerMonth, f.BusiestLink} {
		if optional != nil {
			cells = append(cells, optional)
		}
	}
	return cells
}

// estimateEach returns an estimate for each figure that like has; figures are
// numbered as cells are.
func estimateEach(like *Figures[float64], estimate func(cell int) sim.Estimate) Figures[sim.Estimate] {
	var f Figures[sim.Estimate]
	for _, label := range like.scale() {
		f.Labelled = append(f.Labelled, Labelled[sim.Estimate]{Label: label.Key, level: label.Level})
	}
	for _, l := range like.scale().Levels() {
		if of := *like.level(l); of != nil {
			*f.level(l) = &Level[sim.Estimate]{Unknown: zeroIf(of.Unknown != nil)}
		}
	}
	f.CrossZonePerMonth, f.UnknownZonePerMonth = zeroIf(like.CrossZonePerMonth != nil), zeroIf(like.UnknownZonePerMonth != nil)
	f.BusiestLink, f.Completes = zeroIf(like.BusiestLink != nil), zeroIf(like.Completes != nil)
	if like.AfterNodeLoss != nil {
		f.AfterNodeLoss = &Loss[sim.Estimate]{}
	}
	if like.AfterZoneLoss != nil {
		f.AfterZoneLoss = &Loss[sim.Estimate]{}
	}
	for i, cell := range f.cells() {
		e := estimate(i)
		*cell = sim.Estimate{Mean: rounded(e.Mean), Interval: rounded(e.Interval), Runs: e.Runs}
	}
	return f
}

// zeroIf returns a place for an estimate that is there.
func zeroIf(there bool) *sim.Estimate {
	if !there {
		return nil
	}
	return &sim.Estimate{}
}

// rounded keeps nine significant digits: more than any telemetry has, and fewer
// than processors that multiply and add in one step disagree on.
func rounded(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 9, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// column returns one figure of all seeds.
func column(seeds []Seed, cell int) []float64 {
	values := make([]float64, len(seeds))
	for i := range seeds {
		values[i] = *seeds[i].cells()[cell]
	}
	return values
}

// figuresOf puts an outcome into the form of a report. The scale has the names of
// its levels.
func figuresOf(o *cut.Outcome, scale locality.Scale, unschedulable int, prices *price.List) Figures[float64] {
	f := Figures[float64]{
		BusiestEndpoint: o.Hotspot.Load,
		CPUDeviation:    o.CPUDeviation, MemoryDeviation: o.MemoryDeviation, Headroom: float64(o.Headroom),
		Concentrated: float64(o.Concentrated), Concentration: float64(o.Concentrated) / float64(max(o.MultiReplica, 1)),
		NodesOverSkew: float64(o.NodesOverSkew), ZonesOverSkew: float64(o.ZonesOverSkew),
		Unserved: o.Unserved, Placed: float64(o.Placed), Idle: float64(o.Idle), Missing: float64(o.Missing), Unschedulable: float64(unschedulable),
	}
	for _, label := range scale {
		if _, known := o.Level(label.Level); known {
			f.Labelled = append(f.Labelled, Labelled[float64]{Label: label.Key, level: label.Level})
		}
	}
	for _, l := range o.Levels {
		level := &Level[float64]{}
		for _, m := range cut.Models() {
			*level.model(m) = Traffic[float64]{l.Local[m], o.LocalShare(l.Level, m), o.Crossing(l.Level, m)}
		}
		if l.Incomplete {
			level.Unknown = &l.Unknown
		}
		*f.level(l.Level) = level
	}
	if o.Links.Known > 0 {
		f.BusiestLink = &o.Links.Busiest
	}
	if o.Survival.Node.Domain != "" {
		f.Completes = &o.Survival.Before
	}
	f.AfterNodeLoss, f.AfterZoneLoss = lossOf(o.Survival.Node), lossOf(o.Survival.Zone)
	if f.Zone != nil && prices != nil {
		f.CrossZonePerMonth = new(prices.PerMonth(o.CrossingBetween(locality.Zone)))
		if f.Zone.Unknown != nil {
			f.UnknownZonePerMonth = new(prices.PerMonth(*f.Zone.Unknown))
		}
	}
	for _, cell := range f.cells() {
		*cell = rounded(*cell)
	}
	return f
}

func lossOf(l cut.Loss) *Loss[float64] {
	if l.Domain == "" {
		return nil
	}
	return &Loss[float64]{l.Complete, l.Load}
}
