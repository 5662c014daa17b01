package main

import (
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/page"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// graphSchema names the JSON output. A change that could break a reader gets
// another number; new fields do not.
const graphSchema = "vicinity.graph/v1"

// graphJSON is the JSON output of the verb graph. Rates are per second and have
// the precision of the graph: that of a float32, and three digits for an edge's
// requests. Times are RFC 3339, in UTC and whole seconds.
type graphJSON struct {
	Schema string `json:"schema"`
	// MadeAt is when the output was made; DataAt is the time of the data.
	MadeAt time.Time `json:"madeAt"`
	DataAt time.Time `json:"dataAt"`
	// RequestBytes is what one request counts in the order of the edges.
	RequestBytes float64 `json:"requestBytes"`
	// Total is of the whole graph.
	Total totalsJSON `json:"total"`
	// Namespace is that of --namespace, and Matching are the totals of the
	// edges that begin or end in it; both are missing without --namespace.
	Namespace string      `json:"namespace,omitempty"`
	Matching  *totalsJSON `json:"matching,omitempty"`
	// Declared are the edges that were not observed, with --declared and where there are
	// any. They are in no other sum.
	Declared *declaredJSON `json:"declared,omitempty"`
	// Problems say what is wrong with what workloads declare; it is missing when nothing is.
	Problems []string `json:"problems,omitempty"`
	// NotShown are the totals of the edges that --limit keeps out of Edges. It
	// is missing when there are none.
	NotShown *totalsJSON `json:"notShown,omitempty"`
	// Edges are the largest first.
	Edges []edgeJSON `json:"edges"`
	// InvalidFlows is how many flows the graph refused, for a rate that is no
	// number or a missing workload.
	InvalidFlows int          `json:"invalidFlows"`
	Sources      []sourceJSON `json:"sources"`
}

// totalsJSON are sums over edges, self-flows included. SelfFlow is their part. Sites and
// WithSites are missing when no edge is with a site outside the cluster.
type totalsJSON struct {
	Workloads int `json:"workloads"`
	Sites     int `json:"sites,omitempty"`
	Edges     int `json:"edges"`
	ratesJSON
	SelfFlow  ratesJSON  `json:"selfFlow"`
	WithSites *ratesJSON `json:"withSites,omitempty"`
}

// declaredJSON are sums over edges that were not observed.
type declaredJSON struct {
	Edges int `json:"edges"`
	ratesJSON
}

// ratesJSON are what one end exchanges with the other: sent goes from "from" to
// "to", received comes back.
type ratesJSON struct {
	SentBytesPerSecond     float32 `json:"sentBytesPerSecond"`
	ReceivedBytesPerSecond float32 `json:"receivedBytesPerSecond"`
	RequestsPerSecond      float32 `json:"requestsPerSecond"`
}

type workloadJSON struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Site is where a site outside the cluster is. It is missing for workloads.
	Site *siteJSON `json:"site,omitempty"`
}

type siteJSON struct {
	Region string `json:"region,omitempty"`
	Zone   string `json:"zone,omitempty"`
}

func workloadToJSON(id flowgraph.WorkloadID) workloadJSON {
	w := workloadJSON{Namespace: id.Namespace, Name: id.Name}
	if at, ok := id.Site(); ok {
		w.Site = &siteJSON{at.Region, at.Zone}
	}
	return w
}

type edgeJSON struct {
	From workloadJSON `json:"from"`
	To   workloadJSON `json:"to"`
	ratesJSON
	// Share is the edge's part of all bytes of the graph, 0 to 1.
	Share float32 `json:"share"`
	// SelfFlow is traffic of a workload with itself.
	SelfFlow   bool      `json:"selfFlow"`
	ObservedAt time.Time `json:"observedAt"`
	// Origin says how the edge is known, where it was not observed: annotation, appgroup,
	// sidecar or inherited. Such an edge has no share.
	Origin string `json:"origin,omitempty"`
}

type sourceJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// WindowSeconds is the range of the source's rates.
	WindowSeconds float64 `json:"windowSeconds"`
	// DurationSeconds is how long the queries took together.
	DurationSeconds float64 `json:"durationSeconds"`
	Series          int     `json:"series"`
	Flows           int     `json:"flows"`
	// Failure is the kind of Error, such as "timeout"; both are missing when
	// the source succeeded.
	Failure string        `json:"failure,omitempty"`
	Error   string        `json:"error,omitempty"`
	LeftOut []leftOutJSON `json:"leftOut"`
	// Conditions say what makes the source's figures wrong or incomplete; it is
	// missing when nothing is known to.
	Conditions []conditionJSON `json:"conditions,omitempty"`
}

// conditionJSON is a condition of the telemetry, for people beside its name.
type conditionJSON struct {
	Condition string `json:"condition"`
	// What is the case, of which Names; Why it matters; and what to do Next.
	What  string   `json:"what"`
	Names []string `json:"names,omitempty"`
	Why   string   `json:"why"`
	Next  string   `json:"next"`
}

// leftOutJSON is traffic that belongs to no pair of workloads.
type leftOutJSON struct {
	Reason         string  `json:"reason"`
	Series         int     `json:"series"`
	BytesPerSecond float32 `json:"bytesPerSecond"`
}

// writeJSON writes r in the schema graphSchema.
func writeJSON(w io.Writer, r viewed) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(toJSON(r))
}

// writePage writes r as one HTML file that needs nothing else.
func writePage(w io.Writer, r viewed) error {
	return page.Write(w, page.Graph, "Traffic of "+show.Moment(r.dataAt), toJSON(r))
}

func toJSON(r viewed) graphJSON {
	out := graphJSON{
		Schema:       graphSchema,
		MadeAt:       seconds(r.madeAt),
		DataAt:       seconds(r.dataAt),
		RequestBytes: r.requestBytes,
		Total:        totalsToJSON(r.total),
		Namespace:    r.namespace,
		Edges:        []edgeJSON{},
		InvalidFlows: r.invalidFlows,
		Sources:      []sourceJSON{},
	}
	if r.namespace != "" {
		t := totalsToJSON(r.matching)
		out.Matching = &t
	}
	if n := r.total; n.declared > 0 {
		out.Declared = &declaredJSON{n.declared, ratesToJSON(n.declaredRates)}
	}
	out.Problems = r.problems
	if r.notShown.edges+r.notShown.declared > 0 {
		t := totalsToJSON(r.notShown)
		out.NotShown = &t
	}
	for _, e := range r.shown {
		e.RequestsPerSecond = threeDigits(e.RequestsPerSecond)
		edge := edgeJSON{
			From: workloadToJSON(e.From), To: workloadToJSON(e.To), ratesJSON: ratesToJSON(e.Rates),
			Share: float32(r.share(e.Rates)), SelfFlow: e.IsSelf(), ObservedAt: seconds(e.ObservedAt),
		}
		if e.Origin != flowgraph.Observed {
			edge.Origin, edge.Share = e.Origin.String(), 0
		}
		out.Edges = append(out.Edges, edge)
	}
	for _, s := range r.sources {
		out.Sources = append(out.Sources, sourceToJSON(s))
	}
	return out
}

func sourceToJSON(s sourceReport) sourceJSON {
	out := sourceJSON{
		Name: s.Name, Type: s.about.Type,
		WindowSeconds: s.about.Window.Seconds(), DurationSeconds: s.Duration.Seconds(),
		Series: s.Series, Flows: s.Flows, LeftOut: []leftOutJSON{},
	}
	if s.Err != nil {
		out.Failure, out.Error = telemetry.FailureOf(s.Err).String(), s.Err.Error()
	}
	for i, f := range s.Findings {
		out.Conditions = append(out.Conditions, conditionJSON{f.Condition.String(), f.What, f.Names, f.Why, s.next[i]})
	}
	for _, reason := range telemetry.Reasons() {
		if l, ok := s.LeftOut[reason]; ok {
			out.LeftOut = append(out.LeftOut, leftOutJSON{reason.String(), l.Series, float32(l.BytesPerSecond)})
		}
	}
	return out
}

func totalsToJSON(t totals) totalsJSON {
	out := totalsJSON{Workloads: t.workloads, Sites: t.sites, Edges: t.edges, ratesJSON: ratesToJSON(t.rates), SelfFlow: ratesToJSON(t.self)}
	if t.sites > 0 {
		out.WithSites = new(ratesToJSON(t.withSites))
	}
	return out
}

func ratesToJSON(r flowgraph.Rates) ratesJSON {
	return ratesJSON{float32(r.SentBytesPerSecond), float32(r.ReceivedBytesPerSecond), float32(r.RequestsPerSecond)}
}

// threeDigits leaves out the digits that the graph does not hold.
func threeDigits(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
