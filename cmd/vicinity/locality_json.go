package main

import (
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/price"
)

// localitySchema names the JSON output, as graphSchema does.
const localitySchema = "vicinity.locality/v1"

// localityJSON is the JSON output of the verb locality. Rates are bytes per second in both
// directions.
type localityJSON struct {
	Schema string    `json:"schema"`
	MadeAt time.Time `json:"madeAt"`
	DataAt time.Time `json:"dataAt"`
	// All is the traffic of the graph, PlacedByVicinity that of workloads all of whose
	// serving pods ask for one of SchedulerNames.
	All              distanceJSON `json:"all"`
	PlacedByVicinity distanceJSON `json:"placedByVicinity"`
	SchedulerNames   []string     `json:"schedulerNames"`
	Pods             podsJSON     `json:"pods"`
	// HasZones and HasRegions say that some node says its zone, or its region.
	HasZones   bool `json:"hasZones"`
	HasRegions bool `json:"hasRegions"`
	// Sources say what became no edge, as those of vicinity.graph do.
	Sources []sourceJSON `json:"sources"`
	// NotRead are kinds of objects that nobody may list.
	NotRead []string `json:"notRead,omitempty"`
	// Warnings say what makes the figures wrong.
	Warnings   []string                `json:"warnings,omitempty"`
	Price      *price.List             `json:"price,omitempty"`
	Namespaces []namespaceDistanceJSON `json:"namespaces"`
	Edges      []edgeDistanceJSON      `json:"edges"`
	// NotShown is how many edges --limit keeps out of Edges.
	NotShown int `json:"notShown,omitempty"`
}

type podsJSON struct {
	Serving                 int `json:"serving"`
	WithoutTraffic          int `json:"withoutTraffic"`
	ServingPlacedByVicinity int `json:"servingPlacedByVicinity"`
}

type distanceJSON struct {
	BytesPerSecond float64 `json:"bytesPerSecond"`
	// Levels are the parts of it by how far they go, as vicinity_traffic_bytes_per_second
	// has them.
	Levels map[string]float64 `json:"levels"`
	// BetweenZones is what goes between two known zones, PerMonth its price.
	BetweenZones float64  `json:"betweenZones"`
	PerMonth     *float64 `json:"perMonth,omitempty"`
}

type namespaceDistanceJSON struct {
	Namespace string `json:"namespace"`
	distanceJSON
}

type edgeDistanceJSON struct {
	From workloadJSON `json:"from"`
	To   workloadJSON `json:"to"`
	distanceJSON
	// Routing is how the calls are divided over the callee's pods; "" with sites, and where the
	// callee has none.
	Routing          string `json:"routing"`
	PlacedByVicinity bool   `json:"placedByVicinity"`
}

func (r *localityReport) toJSON() *localityJSON {
	out := &localityJSON{
		Schema: localitySchema, MadeAt: seconds(r.graph.madeAt), DataAt: seconds(r.graph.dataAt),
		All: r.distance(&r.Distances[livelocality.All]), PlacedByVicinity: r.distance(&r.Distances[livelocality.Ours]),
		SchedulerNames: r.schedulers, HasZones: r.HasZones, HasRegions: r.HasRegions, NotRead: r.unread, Warnings: r.warnings, Price: r.prices,
		Pods:       podsJSON{r.Serving[livelocality.All], r.Silent[livelocality.All], r.Serving[livelocality.Ours]},
		Namespaces: []namespaceDistanceJSON{}, Edges: []edgeDistanceJSON{},
	}
	for _, source := range r.graph.sources {
		out.Sources = append(out.Sources, sourceToJSON(source))
	}
	for _, n := range r.namespaces() {
		out.Namespaces = append(out.Namespaces, namespaceDistanceJSON{n.Name, r.distance(&n.Distance)})
	}
	edges, others := r.edges()
	for _, e := range edges {
		out.Edges = append(out.Edges, edgeDistanceJSON{
			From: workloadToJSON(e.From), To: workloadToJSON(e.To), distanceJSON: r.distance(&e.Distance),
			Routing: routingOf(&e), PlacedByVicinity: e.Ours,
		})
	}
	out.NotShown = others
	return out
}

func (r *localityReport) distance(d *cut.Distance) distanceJSON {
	out := distanceJSON{BytesPerSecond: d.Total(), Levels: map[string]float64{}, BetweenZones: livelocality.BetweenZones(d)}
	for _, p := range livelocality.Parts() {
		out.Levels[p.Name] = p.Of(d)
	}
	if r.prices != nil {
		out.PerMonth = new(r.prices.PerMonth(out.BetweenZones))
	}
	return out
}
