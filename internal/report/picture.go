package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// artist draws the pictures of one page: it knows which nodes and edges of the
// cluster are shown, and by which position.
type artist struct {
	c      *cluster.Cluster
	levels []locality.Level
	// nodes and edges are positions in the cluster, in the order of the page. Among the nodes
	// are sites, by their positions in cut.Parts; shown is how many of the others there are.
	nodes, edges []int32
	shown        int
	// nodeAt is the position on the page of each node; those that are left out
	// share the one after the last. siteAt is that of sites, as far as they are shown.
	nodeAt []int
	siteAt map[int32]int
	// edgeAt is the position on the page of each edge, negative when it has none.
	edgeAt []int
	// workloadAt has the workloads outside the cluster too, after the others.
	workloadAt map[flowgraph.WorkloadID]int
	// small is the traffic of the edges that are left out.
	small float64
}

func newArtist(runs []Run) *artist {
	c := runs[0].samples[0].Cluster
	a := &artist{c: c, edgeAt: make([]int, len(c.Edges)), workloadAt: map[flowgraph.WorkloadID]int{}}
	for _, l := range runs[0].samples[0].Outcome.Levels {
		a.levels = append(a.levels, l.Level)
	}
	a.chooseNodes(runs)
	order := positions(len(c.Edges))
	slices.SortFunc(order, func(i, j int32) int {
		x, y := &c.Edges[i], &c.Edges[j]
		return cmp.Or(cmp.Compare(y.BytesPerSecond(), x.BytesPerSecond()), x.From.Compare(y.From), x.To.Compare(y.To))
	})
	for k, i := range order {
		a.edgeAt[i] = k
		if k >= pageEdges {
			a.edgeAt[i] = -1
			a.small += c.Edges[i].BytesPerSecond()
		}
	}
	a.edges = order[:min(len(order), pageEdges)]
	for i, w := range c.Workloads {
		a.workloadAt[w.ID] = i
	}
	for _, i := range a.edges {
		for _, id := range []flowgraph.WorkloadID{c.Edges[i].From, c.Edges[i].To} {
			if _, known := a.workloadAt[id]; !known {
				a.workloadAt[id] = len(a.workloadAt)
			}
		}
	}
	return a
}

// chooseNodes shows the nodes with most traffic over all runs, by place.
func (a *artist) chooseNodes(runs []Run) {
	order := positions(len(a.c.Nodes))
	if len(order) > pageNodes {
		sums := make([]float64, len(order))
		for i := range runs {
			for n, sum := range nodeTraffic(&runs[i].samples[0]) {
				sums[n] += sum
			}
		}
		slices.SortStableFunc(order, func(i, j int32) int { return cmp.Compare(sums[j], sums[i]) })
		order = order[:pageNodes]
		slices.Sort(order)
	}
	a.shown = len(order)
	sites, where := a.chooseSites()
	order = append(order, sites...)
	at := func(i int32) locality.Locality {
		if i < 0 {
			return where[i]
		}
		return a.c.Nodes[i].Locality
	}
	slices.SortStableFunc(order, func(i, j int32) int {
		x, y := at(i), at(j)
		return cmp.Or(strings.Compare(x.Region, y.Region), strings.Compare(x.Zone, y.Zone))
	})
	a.nodes, a.siteAt = order, map[int32]int{}
	a.nodeAt = slices.Repeat([]int{len(order)}, len(a.c.Nodes))
	for k, n := range order {
		if n < 0 {
			a.siteAt[n] = k
			continue
		}
		a.nodeAt[n] = k
	}
}

func positions(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

func (a *artist) cluster() *pageCluster {
	p := &pageCluster{Nodes: []pageNode{}, Edges: []pageEdge{}, Workloads: make([]pageWorkload, len(a.workloadAt))}
	_, sites := a.chooseSites()
	for _, i := range a.nodes {
		if i < 0 {
			at := sites[i]
			p.Nodes = append(p.Nodes, pageNode{Name: at.Node, Zone: at.Zone, Region: at.Region, Site: true})
			continue
		}
		n := &a.c.Nodes[i]
		p.Nodes = append(p.Nodes, pageNode{n.Node, n.Zone, n.Region, n.Allocatable.MilliCPU, n.Allocatable.Memory, n.MaxPods, false})
	}
	for id, at := range a.workloadAt {
		p.Workloads[at] = pageWorkload{Workload: workload(id)}
		if site, ok := id.Site(); ok {
			p.Workloads[at].Zone, p.Workloads[at].Region = site.Zone, site.Region
		}
	}
	for i, w := range a.c.Workloads {
		p.Workloads[i].Replicas, p.Workloads[i].TrafficDistribution = w.Replicas, distribution(w.Routing)
	}
	for _, i := range a.edges {
		e := &a.c.Edges[i]
		p.Edges = append(p.Edges, pageEdge{a.workloadAt[e.From], a.workloadAt[e.To], rounded(e.BytesPerSecond()), rounded(e.RequestsPerSecond)})
	}
	for _, change := range changes(a.c, make(cluster.Assignment, len(a.c.Workloads)), locality.Region).workloads { // nearer levels leave out sites
		p.Workloads[a.workloadAt[change.From]].BytesPerSecond = rounded(change.Total)
	}
	return p
}

// changes are those from an assignment to itself: what stays.
func changes(c *cluster.Cluster, assigned cluster.Assignment, level locality.Level) (all struct{ edges, workloads []cut.Change }) {
	all.edges, all.workloads = cut.Changes(c, assigned, c, assigned, level, cut.Configured)
	return all
}

func (a *artist) picture(s *Sample) picture {
	p := picture{EdgeLocal: map[string][]float64{}, WorkloadLocal: map[string][]float64{}}
	p.Pods = a.pods(s.Assigned)
	type ends struct{ from, to flowgraph.WorkloadID }
	at := map[ends]int{}
	for k, i := range a.edges {
		at[ends{a.c.Edges[i].From, a.c.Edges[i].To}] = k
	}
	for _, level := range a.levels {
		all := changes(s.Cluster, s.Assigned, level)
		edges, workloads := make([]float64, len(a.edges)), make([]float64, len(a.workloadAt))
		for _, change := range all.edges {
			if k, shown := at[ends{change.From, change.To}]; shown {
				edges[k] = rounded(change.After)
			}
		}
		for _, change := range all.workloads {
			workloads[a.workloadAt[change.From]] = rounded(change.After)
		}
		name := a.c.Scale.Name(level)
		p.EdgeLocal[name], p.WorkloadLocal[name] = edges, workloads
	}
	a.traffic(s, &p)
	return p
}

func (a *artist) pods(assigned cluster.Assignment) []int {
	triples := []int{}
	for w, nodes := range assigned {
		counts := map[int]int{}
		for _, n := range nodes {
			counts[a.nodeAt[n]]++
		}
		for at := range len(a.nodes) + 1 {
			if counts[at] > 0 {
				triples = append(triples, w, at, counts[at])
			}
		}
	}
	return triples
}

// traffic fills in what goes from node to node, of all edges together and of the
// largest parts.
func (a *artist) traffic(s *Sample, p *picture) {
	side := len(a.nodes) + 1
	others := a.shown < len(a.c.Nodes)
	if others {
		side++
	}
	at := func(node int32) int {
		if node >= 0 {
			return a.nodeAt[node]
		}
		if k, isShown := a.siteAt[node]; isShown {
			return k
		}
		return side - 1
	}
	type part struct {
		edge, from, to int
		rate           float64
	}
	var parts []part
	p.Between = make([]float64, side*side)
	for i, each := range cut.Parts(s.Cluster, s.Assigned, cut.Configured) {
		from, to := at(each.From), at(each.To)
		if others && each.From == each.To && from == len(a.nodes) {
			p.OthersLocal += each.BytesPerSecond
			continue
		}
		p.Between[from*side+to] += each.BytesPerSecond
		if a.edgeAt[i] >= 0 && from < len(a.nodes) && to < len(a.nodes) {
			parts = append(parts, part{a.edgeAt[i], from, to, each.BytesPerSecond})
		}
	}
	for i := range p.Between {
		p.Between[i] = digits(p.Between[i], 6)
	}
	p.OthersLocal = digits(p.OthersLocal, 6)
	slices.SortStableFunc(parts, func(x, y part) int { return cmp.Compare(y.rate, x.rate) })
	p.Parts = []float64{}
	for _, each := range parts[:min(len(parts), pageParts)] {
		p.Parts = append(p.Parts, float64(each.edge), float64(each.from), float64(each.to), digits(each.rate, 4))
	}
}

// digits keeps some significant digits: a picture has no use for more.
func digits(v float64, n int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', n, 64), 64)
	if err != nil {
		return v
	}
	return r
}
