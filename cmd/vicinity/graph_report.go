package main

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/sources"
)

// graphReport is the graph and where it comes from. Renderers get a viewed report.
type graphReport struct {
	// madeAt is after dataAt, the evaluation time of the queries.
	madeAt, dataAt time.Time
	// edges are in the order of the snapshot.
	edges []flowgraph.Edge
	total totals
	// invalidFlows is how many flows the graph refused.
	invalidFlows int
	sources      []sourceReport
	// sites is how many the configuration has.
	sites int
	// problems are what is wrong with what workloads declare.
	problems []string
	// found is the type that was found, nil where it was configured.
	found *sources.Found
}

// totals are sums over edges that were observed. Self-flows are part of every field.
type totals struct {
	workloads, sites, edges int
	rates                   flowgraph.Rates
	// self is the part of rates that is self-flow, and withSites that with sites.
	self, withSites flowgraph.Rates
	// declared is how many edges were not observed, and declaredRates what they add up to.
	declared      int
	declaredRates flowgraph.Rates
}

// sourceReport is what became of one source.
type sourceReport struct {
	telemetry.SourceStatus
	about telemetry.About
	// firstQuery is one that people can try by hand.
	firstQuery telemetry.Query
	// next are the next steps of the findings, in their order.
	next []string
}

// newReport describes the graph of snap. The sources of status and from are the same,
// in the same order.
func newReport(snap *flowgraph.Snapshot, status telemetry.Status, from []telemetry.Source, now time.Time, next func(string, telemetry.Finding) string) *graphReport {
	r := &graphReport{madeAt: now, dataAt: snap.At(), invalidFlows: status.InvalidFlows}
	r.setEdges(snap)
	for i, s := range status.Sources {
		source := sourceReport{SourceStatus: s, about: from[i].About(), firstQuery: from[i].Queries()[0]}
		for _, f := range s.Findings {
			source.next = append(source.next, next(s.Name, f))
		}
		r.sources = append(r.sources, source)
	}
	return r
}

// setEdges takes over the edges of a snapshot.
func (r *graphReport) setEdges(snap *flowgraph.Snapshot) {
	r.edges = slices.AppendSeq(make([]flowgraph.Edge, 0, snap.EdgeCount()), snap.Edges())
	r.total = sum(r.edges)
}

// empty returns an error where there is no edge.
func (r *graphReport) empty() error {
	if len(r.edges) > 0 {
		return nil
	}
	return codedError{errors.New("no traffic: the graph is empty"), exitEmpty}
}

// conditions are the names of what the sources were found in, each once.
func (r *graphReport) conditions() []string {
	var all []string
	for _, s := range r.sources {
		for _, f := range s.Findings {
			if name := f.Condition.String(); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// outside is the traffic of both directions that the sources left out because an end is
// outside the cluster, and no site.
func (r *graphReport) outside() (bytesPerSecond float64) {
	for _, s := range r.sources {
		for _, reason := range outsideReasons() {
			bytesPerSecond += s.LeftOut[reason].BytesPerSecond
		}
	}
	return bytesPerSecond
}

// outsideReasons are the reasons for what may be outside the cluster.
func outsideReasons() []telemetry.Reason {
	return []telemetry.Reason{telemetry.External, telemetry.Passthrough, telemetry.UnknownAddress}
}

// leftOut is the traffic that the sources left out, as bytes per second in both
// directions, and how many series it comes from.
func (r *graphReport) leftOut() telemetry.LeftOut {
	var all telemetry.LeftOut
	for _, s := range r.sources {
		for _, l := range s.LeftOut {
			all.Series += l.Series
			all.BytesPerSecond += l.BytesPerSecond
		}
	}
	return all
}

func sum(edges []flowgraph.Edge) totals {
	t := totals{}
	ends := map[flowgraph.WorkloadID]struct{}{}
	for _, e := range edges {
		if e.Origin != flowgraph.Observed {
			t.declared++
			t.declaredRates = plus(t.declaredRates, e.Rates)
			continue
		}
		t.edges++
		ends[e.From], ends[e.To] = struct{}{}, struct{}{}
		t.rates = plus(t.rates, e.Rates)
		if e.From.IsSite() || e.To.IsSite() {
			t.withSites = plus(t.withSites, e.Rates)
		}
		if e.IsSelf() {
			t.self = plus(t.self, e.Rates)
		}
	}
	for id := range ends {
		if id.IsSite() {
			t.sites++
		}
	}
	t.workloads = len(ends) - t.sites
	return t
}

func plus(a, b flowgraph.Rates) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     a.SentBytesPerSecond + b.SentBytesPerSecond,
		ReceivedBytesPerSecond: a.ReceivedBytesPerSecond + b.ReceivedBytesPerSecond,
		RequestsPerSecond:      a.RequestsPerSecond + b.RequestsPerSecond,
	}
}

// view is what the user wants to see of a report.
type view struct {
	// namespace keeps the edges that begin or end in it; "" keeps all.
	namespace string
	// limit is the largest number of edges; 0 is no limit.
	limit        int
	requestBytes float64
}

// viewed is a report as it is shown.
type viewed struct {
	*graphReport
	view
	// matching are the totals of the edges in view.namespace, shown or not.
	matching totals
	// shown are the largest of these edges, the largest first.
	shown []flowgraph.Edge
	// notShown are the totals of the others.
	notShown totals
}

// viewedBy selects and orders the edges: by rate, where a request is worth
// requestBytes, then by name.
func (r *graphReport) viewedBy(v view) viewed {
	edges := slices.Clone(r.edges)
	if v.namespace != "" {
		edges = slices.DeleteFunc(edges, func(e flowgraph.Edge) bool {
			return e.From.Namespace != v.namespace && e.To.Namespace != v.namespace
		})
	}
	slices.SortFunc(edges, func(a, b flowgraph.Edge) int {
		return cmp.Or(cmp.Compare(b.Weight(v.requestBytes), a.Weight(v.requestBytes)), a.From.Compare(b.From), a.To.Compare(b.To))
	})
	out := viewed{graphReport: r, view: v, matching: sum(edges), shown: edges}
	if v.limit > 0 && v.limit < len(edges) {
		out.shown, out.notShown = edges[:v.limit], sum(edges[v.limit:])
	}
	return out
}

// share returns the part that r has in all bytes of the graph, 0 when there are
// none.
func (r *graphReport) share(rates flowgraph.Rates) float64 {
	all := r.total.rates.BytesPerSecond()
	if all == 0 {
		return 0
	}
	return rates.BytesPerSecond() / all
}

// windows returns the different windows of the sources' rates, in their order.
func (r *graphReport) windows() []time.Duration {
	var all []time.Duration
	for _, s := range r.sources {
		if !slices.Contains(all, s.about.Window) {
			all = append(all, s.about.Window)
		}
	}
	return all
}
