package report

import (
	"io"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/internal/page"
)

// What a page has at most; the page says what is left out. With these, one of a
// cluster of 500 workloads and 100 nodes is below 5 MB.
const (
	pageSeeds   = 20
	pageNodes   = 200
	pageSites   = 50
	pageEdges   = 2000
	pageParts   = 6000
	pageAdvice  = 300
	pageMoments = 1000
)

// pageData is what the page of a replay shows: the report, and pictures of what
// was measured.
type pageData struct {
	// Report is that of WriteJSON, with the first seeds and advice, with some moments of
	// each timeline, and without assignments, which the pictures have.
	Report document `json:"report"`
	// Cluster is missing when no run says what was measured.
	Cluster *pageCluster `json:"cluster,omitempty"`
	// Pictures are by the position of the run, of its first seed.
	Pictures []picture   `json:"pictures,omitempty"`
	LeftOut  pageLeftOut `json:"leftOut"`
}

// pageLeftOut counts what is in the figures but not on the page.
type pageLeftOut struct {
	Seeds   int `json:"seeds,omitempty"`
	Advice  int `json:"advice,omitempty"`
	Moments int `json:"moments,omitempty"`
	// Nodes are those with the least traffic, shown as one.
	Nodes int `json:"nodes,omitempty"`
	// Sites are those with the least traffic, part of elsewhere.
	Sites               int     `json:"sites,omitempty"`
	Edges               int     `json:"edges,omitempty"`
	EdgesBytesPerSecond float64 `json:"edgesBytesPerSecond,omitempty"`
}

// WriteHTML writes the report as one HTML file that needs nothing else. The same
// report gives the same bytes.
func (r *Report) WriteHTML(w io.Writer) error {
	return page.Write(w, page.Replay, r.Input.Name+": replay", r.page())
}

func (r *Report) page() *pageData {
	d := &pageData{Report: r.document}
	d.Report.Runs = slices.Clone(r.Runs)
	for i := range d.Report.Runs {
		run := &d.Report.Runs[i]
		run.Assignment = nil
		if more := len(run.PerSeed) - pageSeeds; more > 0 {
			run.PerSeed, d.LeftOut.Seeds = run.PerSeed[:pageSeeds], max(d.LeftOut.Seeds, more)
		}
		if more := len(run.Timeline) - pageMoments; more > 0 {
			run.Timeline, d.LeftOut.Moments = spread(run.Timeline), max(d.LeftOut.Moments, more)
		}
	}
	if more := len(r.RoutingAdvice) - pageAdvice; more > 0 {
		d.Report.RoutingAdvice, d.LeftOut.Advice = r.RoutingAdvice[:pageAdvice], more
	}
	if len(r.Runs) == 0 || slices.ContainsFunc(r.Runs, func(run Run) bool { return !run.drawable() }) {
		return d
	}
	a := newArtist(r.Runs)
	d.Cluster = a.cluster()
	d.LeftOut.Sites = len(a.c.Sites()) - len(a.siteAt)
	d.LeftOut.Nodes, d.LeftOut.Edges, d.LeftOut.EdgesBytesPerSecond = len(a.c.Nodes)-a.shown, len(a.c.Edges)-len(a.edges), rounded(a.small)
	for i := range r.Runs {
		d.Pictures = append(d.Pictures, a.picture(&r.Runs[i].samples[0]))
	}
	return d
}

// spread returns as many moments as a page has, evenly over all, the first and
// the last with them.
func spread(all []Moment) []Moment {
	some := make([]Moment, pageMoments)
	for i := range some {
		some[i] = all[i*(len(all)-1)/(pageMoments-1)]
	}
	return some
}

// drawable reports whether it is known what was measured.
func (run *Run) drawable() bool {
	return len(run.samples) > 0 && run.samples[0].Cluster != nil && run.samples[0].Assigned != nil
}

// pageCluster is what all runs have in common. Nodes, workloads and edges are
// named by their positions here.
type pageCluster struct {
	// Nodes are in the order of their regions and zones, the sites outside the cluster among
	// them.
	Nodes []pageNode `json:"nodes"`
	// Workloads are those of the cluster, then those outside that edges name.
	Workloads []pageWorkload `json:"workloads"`
	// Edges are the largest first.
	Edges []pageEdge `json:"edges"`
}

type pageNode struct {
	Name     string `json:"name"`
	Zone     string `json:"zone"`
	Region   string `json:"region"`
	MilliCPU int64  `json:"milliCPU"`
	Memory   int64  `json:"memory"`
	MaxPods  int32  `json:"maxPods"`
	// Site says that it is a site outside the cluster, which has no pods.
	Site bool `json:"site,omitempty"`
}

type pageWorkload struct {
	Workload
	// Replicas is 0 outside the cluster. Zone and Region are where a site is.
	Replicas int32  `json:"replicas"`
	Zone     string `json:"zone,omitempty"`
	Region   string `json:"region,omitempty"`
	// TrafficDistribution is how calls to it are divided; "Any" is evenly.
	TrafficDistribution string `json:"trafficDistribution,omitempty"`
	// BytesPerSecond is its traffic with all others of the cluster, with sites and itself.
	BytesPerSecond float64 `json:"bytesPerSecond"`
}

type pageEdge struct {
	From           int     `json:"from"`
	To             int     `json:"to"`
	BytesPerSecond float64 `json:"bytesPerSecond"`
	Requests       float64 `json:"requestsPerSecond"`
}

// picture is one assignment, as the Services are routed.
type picture struct {
	// Pods are triples: workload, node, number. Pods on nodes that are left out
	// are at the position after the last node.
	Pods []int `json:"pods"`
	// Between is the traffic from node to node, row by row: from all nodes, then
	// from all that are left out together where there are any, then from
	// elsewhere, that is from what else is outside and from pods without a node. What stays
	// on a node is on the diagonal; OthersLocal stays on nodes that are left out,
	// and is not part of Between.
	Between     []float64 `json:"between"`
	OthersLocal float64   `json:"othersLocal,omitempty"`
	// EdgeLocal and WorkloadLocal are what stays of each edge and of the traffic
	// of each workload, by level.
	EdgeLocal     map[string][]float64 `json:"edgeLocal"`
	WorkloadLocal map[string][]float64 `json:"workloadLocal"`
	// Parts are the largest of cut.Parts, as quadruples: edge, node, node, bytes
	// per second.
	Parts []float64 `json:"parts"`
}

// nodeTraffic is the traffic of each node in an assignment, its callers' and its
// endpoints'.
func nodeTraffic(s *Sample) []float64 {
	sums := make([]float64, len(s.Cluster.Nodes))
	for _, part := range cut.Parts(s.Cluster, s.Assigned, cut.Configured) {
		for _, n := range []int32{part.From, part.To} {
			if n >= 0 {
				sums[n] += part.BytesPerSecond
			}
		}
	}
	return sums
}
