package livelocality

import (
	"maps"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
)

// Pods says whose traffic is meant.
type Pods int

const (
	// All are the pods of all workloads.
	All Pods = iota
	// Ours are those of workloads all of whose serving pods were placed by a scheduler that
	// looks at traffic: traffic that has one of them at either end.
	Ours
	podsCount
)

// Measurement is how far the traffic of a cluster goes at one moment.
type Measurement struct {
	// Distances is by Pods.
	Distances [podsCount]cut.Distance
	// Serving is how many pods serve, and Silent how many of them belong to workloads without
	// any traffic in the graph, both by Pods.
	Serving, Silent [podsCount]int
}

// measured is what Measure keeps from one call to the next. Workloads and nodes have
// positions, as in a cluster.Cluster; those that are gone keep theirs until all is laid out
// anew.
type measured struct {
	cluster  cluster.Cluster
	layout   *cut.Layout
	at       map[string]int32 // nodes by name
	position map[flowgraph.WorkloadID]int32
	pods     []int32 // of each workload, those that serve
	isOurs   []bool  // by workload, whether all of these are
}

// spareWorkloads is how many workloads that are gone may keep their positions, beside as
// many as there are.
const spareWorkloads = 1000

// Measure says how far the traffic of a snapshot goes now. It is called by one goroutine at
// a time; its cost is that of the graph's edges and of what has changed.
func (f *Follower) Measure(snap *flowgraph.Snapshot) *Measurement {
	f.update()
	return f.measure(snap, func(*edge) {})
}

func (f *Follower) measure(snap *flowgraph.Snapshot, also func(*edge)) *Measurement {
	var m Measurement
	seen := f.each(snap, func(e *edge) {
		m.Distances[All].Add(&e.distance)
		if e.ours {
			m.Distances[Ours].Add(&e.distance)
		}
		also(e)
	})
	for p, pods := range f.pods {
		m.count(All, int(pods), seen[p])
		if f.isOurs[p] {
			m.count(Ours, int(pods), seen[p])
		}
	}
	return &m
}

// edge is one of a snapshot, by the numbers of its ends there.
type edge struct {
	from, to int
	callee   int32 // its position
	distance cut.Distance
	ours     bool
}

// each visits all edges of a snapshot. It returns of which workloads there is any traffic.
func (f *Follower) each(snap *flowgraph.Snapshot, visit func(*edge)) (seen []bool) {
	seen = make([]bool, len(f.cluster.Workloads))
	position := make([]int32, snap.Len())
	for i := range position {
		position[i] = f.positionOf(snap.ID(i))
		if p := position[i]; p >= 0 {
			seen[p] = true
		}
	}
	ours := func(p int32) bool { return p >= 0 && f.isOurs[p] }
	at := func(from, to int, r flowgraph.Rates) {
		caller, callee := position[from], position[to]
		visit(&edge{from, to, callee, f.layout.Distance(caller, callee, r.BytesPerSecond()), ours(caller) || ours(callee)})
	}
	for i := range position {
		for j, r := range snap.Callees(i) {
			at(i, j, r)
		}
		if r := snap.Self(i); r != (flowgraph.Rates{}) {
			at(i, i, r)
		}
	}
	return seen
}

// count counts the pods of a workload.
func (m *Measurement) count(whose Pods, serving int, seen bool) {
	m.Serving[whose] += serving
	if !seen {
		m.Silent[whose] += serving
	}
}

func (f *Follower) positionOf(id flowgraph.WorkloadID) int32 {
	if p, ok := f.position[id]; ok {
		return p
	}
	return f.layout.Site(id)
}

// update takes over what has changed.
func (f *Follower) update() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.layout == nil || f.moved || len(f.cluster.Workloads) > 2*len(f.workloads)+spareWorkloads {
		f.layOut()
	}
	known := len(f.cluster.Workloads)
	for id := range f.changed {
		if _, ok := f.position[id]; !ok && f.workloads[id] != nil {
			f.append(id)
		}
	}
	if len(f.cluster.Workloads) > known {
		f.layout.Grow()
	}
	for id := range f.changed {
		if p, ok := f.position[id]; ok {
			f.set(p, f.workloads[id])
		}
	}
	clear(f.changed)
	f.route()
}

// layOut begins anew with all that there is. What is known of the routing stays known.
func (f *Follower) layOut() {
	f.moved = false
	was, position := f.cluster.Workloads, f.position
	f.cluster = cluster.Cluster{}
	f.cluster.Nodes, f.at = f.clusterNodes()
	f.position, f.pods, f.isOurs = make(map[flowgraph.WorkloadID]int32, len(f.workloads)), nil, nil
	for id, w := range f.workloads {
		f.append(id)
		if p, ok := position[id]; ok {
			f.cluster.Workloads[len(f.cluster.Workloads)-1] = was[p]
		} else {
			w.routed = nil
		}
		f.changed[id] = true
	}
	f.layout = cut.NewLayout(&f.cluster, make(cluster.Assignment, len(f.cluster.Workloads)))
}

func (f *Follower) append(id flowgraph.WorkloadID) {
	f.position[id] = int32(len(f.cluster.Workloads))
	f.cluster.Workloads = append(f.cluster.Workloads, cluster.Workload{ID: id, Replicas: 1})
	f.pods, f.isOurs = append(f.pods, 0), append(f.isOurs, false)
}

// set looks at the pods of a workload again; w is nil when it has none left.
func (f *Follower) set(p int32, w *members) {
	var nodes []int32
	f.isOurs[p] = false
	if w != nil {
		nodes, f.isOurs[p] = f.serving(w)
	}
	f.pods[p] = int32(len(nodes))
	f.layout.Set(p, nodes)
}

// route looks up how calls are divided, where that may have changed.
func (f *Follower) route() {
	for id, w := range f.workloads {
		pod := w.any()
		if w.routed != nil && w.count == w.version.Count() && maps.Equal(w.routed.Labels, pod.Labels) {
			continue
		}
		w.version = f.routes.Version(pod.Namespace)
		w.count = w.version.Count()
		f.fill(&f.cluster.Workloads[f.position[id]], pod)
		w.routed = pod
	}
}
