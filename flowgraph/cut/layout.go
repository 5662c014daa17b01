package cut

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
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
	// levels are those of the cluster's scale, the nearest first; zone and region are
	// the positions of Zone and Region among them.
	levels       []locality.Level
	zone, region int
	domains      []domains // by position of the level
	// pods is how many pods each workload has.
	pods []int32
	// places is where they are.
	places []places
	// incomplete has the positions of the levels at which some node's domain is
	// unknown and another node's is known; hidden is how many pods each workload has
	// in unknown domains there, by position of the level.
	incomplete []int
	hidden     [maxLevels][]int32

	sites   map[flowgraph.WorkloadID]int32 // positions, see Site
	siteIDs []flowgraph.WorkloadID         // from firstSite downwards
	siteAt  []siteDomains                  // likewise

	// What follows is used anew for each callee, each caller and each edge: the
	// callee whose places are looked up most, and its pods by domain of each level.
	callee      int32
	count       [maxLevels][]int32
	targets     []target
	calls, free []float64 // by domain of any level, 0 in between
	divided     []Part
	from, to    []portion
	sorted      []int32
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
	// member is the position of some node of each domain, and at its locality as far as
	// the domain tells it.
	member []int32
	at     []locality.Locality
	// isLeft says by number whether a node in the domain is not gone; left is how
	// many such domains there are, known how many of these are known.
	isLeft      []bool
	left, known int
}

// places has the tallies of one workload's pods: those of the nearest level, ordered
// by domain, then those of the next one. They are together because they are needed
// together.
type places struct {
	tallies []tally
	end     [maxLevels]int32 // of each level's
}

// tally is how many pods of a workload are in a domain.
type tally struct{ domain, pods int32 }

// NewLayout returns the layout of an assignment: all of its pods serve. The layout
// refers to the cluster's workloads, and looks up how calls to them are divided
// there.
func NewLayout(c *cluster.Cluster, serving cluster.Assignment) *Layout {
	l := &Layout{c: c, callee: Outside, sites: map[flowgraph.WorkloadID]int32{}}
	l.levels = c.Scale.Levels()
	l.zone, l.region = slices.Index(l.levels, locality.Zone), slices.Index(l.levels, locality.Region)
	l.SetNodes()
	l.Grow()
	for _, id := range c.Sites() {
		l.Site(id)
	}
	room := make([]tally, serving.Pods()*len(l.levels)) // of all workloads, together
	for w, nodes := range serving {
		n := len(nodes) * len(l.levels)
		l.places[w].tallies, room = room[:0:n], room[n:]
		l.Set(int32(w), nodes)
	}
	return l
}

// SetNodes takes over the cluster's nodes, to which some may have been added. The
// pods of all workloads must be set anew when the locality of a node has changed.
func (l *Layout) SetNodes() {
	l.domains = domainsOf(l.c)
	l.calls, l.free = make([]float64, len(l.c.Nodes)+1), make([]float64, len(l.c.Nodes)+1)
	l.incomplete, l.callee = nil, Outside
	for k := range l.domains {
		d := &l.domains[k]
		l.count[k] = make([]int32, len(d.names))
		if d.known > 0 && d.known < d.left {
			l.incomplete = append(l.incomplete, k)
		}
	}
	l.setSites()
}

// Grow makes room for workloads that have been added to the cluster; they have no
// pods.
func (l *Layout) Grow() {
	n := len(l.c.Workloads) - len(l.pods)
	l.pods = append(l.pods, make([]int32, n)...)
	l.places = append(l.places, make([]places, n)...)
	for k := range l.levels {
		l.hidden[k] = append(l.hidden[k], make([]int32, n)...)
	}
}

// at returns where the pods of a workload are at a level.
func (l *Layout) at(level int, workload int32) []tally {
	p := &l.places[workload]
	if level == 0 {
		return p.tallies[:p.end[0]]
	}
	return p.tallies[p.end[level-1]:p.end[level]]
}

// Set says on which nodes the serving pods of a workload are.
func (l *Layout) Set(workload int32, nodes []int32) {
	l.unload(workload)
	l.pods[workload] = int32(len(nodes))
	l.sorted = slices.Grow(l.sorted[:0], len(nodes))
	at, p := l.sorted[:len(nodes)], &l.places[workload]
	p.tallies = p.tallies[:0]
	for k := range l.levels {
		d := &l.domains[k]
		hidden := int32(0)
		for i, n := range nodes {
			at[i] = d.of[n]
			if !d.isKnown[at[i]] {
				hidden++
			}
		}
		p.tallies = appendTallies(p.tallies, at)
		p.end[k] = int32(len(p.tallies))
		l.hidden[k][workload] = hidden
	}
}

// load has count tell where the pods of a workload are.
func (l *Layout) load(workload int32) {
	if l.callee == workload {
		return
	}
	l.unload(l.callee)
	l.callee = workload
	for k := range l.levels {
		count := l.count[k]
		for _, p := range l.at(k, workload) {
			count[p.domain] = p.pods
		}
	}
}

// unload has count tell of no workload, if it tells of this one.
func (l *Layout) unload(workload int32) {
	if l.callee != workload || workload == Outside {
		return
	}
	l.callee = Outside
	for k := range l.levels {
		count := l.count[k]
		for _, p := range l.at(k, workload) {
			count[p.domain] = 0
		}
	}
}

// appendTallies counts equal numbers, in order. It sorts what it is given.
func appendTallies(counts []tally, at []int32) []tally {
	slices.Sort(at)
	for i, d := range at {
		if i > 0 && d == at[i-1] {
			counts[len(counts)-1].pods++
			continue
		}
		counts = append(counts, tally{d, 1})
	}
	return counts
}

// add changes the number of a workload's pods on a node by one.
func (l *Layout) add(workload, node, by int32) {
	l.unload(workload)
	l.pods[workload] += by
	p := &l.places[workload]
	for k := range l.levels {
		d := l.domains[k].of[node]
		if !l.domains[k].isKnown[d] {
			l.hidden[k][workload] += by
		}
		here := l.at(k, workload)
		i, found := find(here, d)
		begin, moved := int(p.end[k])-len(here), int32(0)
		switch {
		case !found:
			p.tallies, moved = slices.Insert(p.tallies, begin+i, tally{d, by}), 1
		case here[i].pods+by == 0:
			p.tallies, moved = slices.Delete(p.tallies, begin+i, begin+i+1), -1
		default:
			here[i].pods += by
		}
		for wider := k; wider < len(l.levels); wider++ {
			p.end[wider] += moved
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

// in returns how many pods of the callee that is loaded are in the node's domain of
// a level.
func (l *Layout) in(level int, node int32) int32 {
	return l.count[level][l.domains[level].of[node]]
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
			if !n.Gone {
				all[k].setLeft(number)
			}
			all[k].of[i], nearer = number, key
		}
	}
	return all
}

func (d *domains) add(at locality.Locality, level locality.Level, member int32, known bool) {
	name := ""
	if known {
		if name = at.Domain(level); name == "" {
			name = "label" // locality.Domain does not tell what labels do
		}
	}
	d.names, d.isKnown, d.member = append(d.names, name), append(d.isKnown, known), append(d.member, member)
	d.at = append(d.at, at)
	d.isLeft = append(d.isLeft, false)
}

// setLeft says that a node in a domain is not gone.
func (d *domains) setLeft(number int32) {
	if d.isLeft[number] {
		return
	}
	d.isLeft[number] = true
	d.left++
	if d.isKnown[number] {
		d.known++
	}
}
