package cut

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Outside stands for the position of a node, or of a workload, that the cluster
// does not have.
const Outside int32 = -1

const (
	// atNode is the position of the level Node, which is nearer than all others.
	atNode = 0
	// everywhere is the position of no level: all nodes.
	everywhere = -1
	// maxLevels is how many levels there are at most.
	maxLevels = 3 + locality.MaxLabels
)

// Layout is where the serving pods of each workload are, counted by topology domain
// at each level. It answers which endpoints a caller's calls go to. It is kept up to
// date by Set and Move, and is not safe for concurrent use.
type Layout struct {
	c *cluster.Cluster
	// levels are those of the cluster's scale, the nearest first; zone is the
	// position of Zone among them.
	levels  []locality.Level
	zone    int
	domains []domains // by position of the level
	// pods is how many pods each workload has.
	pods []int32
	// places is where they are: by position of the level, then by workload,
	// ordered by domain.
	places [][][]tally
	// incomplete says that some node's domain is unknown at a level where another
	// node's is known.
	incomplete bool

	// What follows is used anew for each caller, and for each edge.
	targets     []target
	calls, free []float64 // by domain of any level, 0 in between
}

// domains are the topology domains of one level. Every node is in one: a node whose
// own is not known counts as in a domain that it shares with the nodes of its
// domain at the next nearer level, and with no others. So domains always nest.
type domains struct {
	// of is by node.
	of []int32
	// names are locality.Domain's, by number; "" of those that are not known. Two
	// domains have one name where a label of a wider level divides it.
	names []string
	// isKnown is by number too.
	isKnown []bool
	// member is the position of some node of each domain.
	member []int32
	// known is how many of them are known.
	known int
}

// tally is how many pods of a workload are in a domain.
type tally struct{ domain, pods int32 }

// NewLayout returns the layout of an assignment: all of its pods serve. The layout
// refers to the cluster's workloads, and looks up how calls to them are divided
// there.
func NewLayout(c *cluster.Cluster, serving cluster.Assignment) *Layout {
	l := &Layout{c: c}
	l.levels = c.Scale.Levels()
	l.zone = slices.Index(l.levels, locality.Zone)
	l.places = make([][][]tally, len(l.levels))
	l.SetNodes()
	l.Grow()
	for w, nodes := range serving {
		l.Set(int32(w), nodes)
	}
	return l
}

// SetNodes takes over the cluster's nodes, to which some may have been added. The
// pods of all workloads must be set anew when the locality of a node has changed.
func (l *Layout) SetNodes() {
	l.domains = domainsOf(l.c)
	l.incomplete = false
	l.calls, l.free = make([]float64, len(l.c.Nodes)+1), make([]float64, len(l.c.Nodes)+1)
	for k := range l.domains {
		d := &l.domains[k]
		l.incomplete = l.incomplete || d.known > 0 && d.known < len(d.names)
	}
}

// Grow makes room for workloads that have been added to the cluster; they have no
// pods.
func (l *Layout) Grow() {
	n := len(l.c.Workloads) - len(l.pods)
	l.pods = append(l.pods, make([]int32, n)...)
	for k := range l.places {
		l.places[k] = append(l.places[k], make([][]tally, n)...)
	}
}

// Set says on which nodes the serving pods of a workload are.
func (l *Layout) Set(workload int32, nodes []int32) {
	l.pods[workload] = int32(len(nodes))
	at := make([]int32, len(nodes))
	for k := range l.places {
		for i, n := range nodes {
			at[i] = l.domains[k].of[n]
		}
		l.places[k][workload] = tallied(at, l.places[k][workload][:0])
	}
}

// tallied counts equal numbers, in order. It sorts what it is given.
func tallied(at []int32, counts []tally) []tally {
	slices.Sort(at)
	for _, d := range at {
		if last := len(counts) - 1; last >= 0 && counts[last].domain == d {
			counts[last].pods++
			continue
		}
		counts = append(counts, tally{d, 1})
	}
	return counts
}

// add changes the number of a workload's pods on a node by one.
func (l *Layout) add(workload, node, by int32) {
	l.pods[workload] += by
	for k := range l.places {
		places := &l.places[k][workload]
		d := l.domains[k].of[node]
		i, found := find(*places, d)
		switch {
		case !found:
			*places = slices.Insert(*places, i, tally{d, by})
		case (*places)[i].pods+by == 0:
			*places = slices.Delete(*places, i, i+1)
		default:
			(*places)[i].pods += by
		}
	}
}

// find returns the position of a domain among places.
func find(places []tally, domain int32) (i int, found bool) {
	if len(places) <= 8 { // most often; faster than halving
		for i, t := range places {
			if t.domain >= domain {
				return i, t.domain == domain
			}
		}
		return len(places), false
	}
	return slices.BinarySearchFunc(places, domain, func(t tally, d int32) int { return cmp.Compare(t.domain, d) })
}

// in returns how many pods a workload has in the node's domain of a level.
func (l *Layout) in(level int, node, workload int32) int32 {
	places := l.places[level][workload]
	if i, found := find(places, l.domains[level].of[node]); found {
		return places[i].pods
	}
	return 0
}

// HasZones reports whether the zone of any node is known.
func (l *Layout) HasZones() bool { return l.domains[l.zone].known > 0 }

// knows reports whether the node's domain of a level is known.
func (l *Layout) knows(level int, node int32) bool {
	d := &l.domains[level]
	return d.isKnown[d.of[node]]
}

// domainsOf numbers the domains of each level, by position.
func domainsOf(c *cluster.Cluster) []domains {
	levels := c.Scale.Levels()
	all := make([]domains, len(levels))
	numbers := make([]map[string]int32, len(all))
	for k := range all {
		all[k].of, numbers[k] = make([]int32, len(c.Nodes)), make(map[string]int32, len(c.Nodes))
	}
	at := c.Localities()
	for i, n := range c.Nodes {
		nearer := ""
		for k, key := range c.Scale.Domains(at[i], n.Labels) {
			known := key != ""
			if !known {
				key = "\x00" + nearer // no key of a domain that is known
			}
			number, ok := numbers[k][key]
			if !ok {
				number = int32(len(all[k].names))
				numbers[k][key] = number
				all[k].add(at[i], levels[k], int32(i), known)
			}
			all[k].of[i], nearer = number, key
		}
	}
	return all
}

func (d *domains) add(at locality.Locality, level locality.Level, member int32, known bool) {
	name := ""
	if known {
		d.known++
		if name = at.Domain(level); name == "" {
			name = "label" // locality.Domain does not tell what labels do
		}
	}
	d.names, d.isKnown, d.member = append(d.names, name), append(d.isKnown, known), append(d.member, member)
}

// meet calls f for each domain that has pods of both, in order.
func meet(callers, callees []tally, f func(caller, callee tally)) {
	for len(callers) > 0 && len(callees) > 0 {
		switch a, b := callers[0], callees[0]; {
		case a.domain < b.domain:
			callers = callers[1:]
		case a.domain > b.domain:
			callees = callees[1:]
		default:
			f(a, b)
			callers, callees = callers[1:], callees[1:]
		}
	}
}
