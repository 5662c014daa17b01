package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/page"
	"github.com/vicinity-sched/vicinity/internal/price"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/sources"
)

// localityReport is how far the traffic of a cluster goes, and where that is known from.
type localityReport struct {
	*livelocality.Report
	graph      *graphReport
	view       view
	prices     *price.List
	schedulers []string
	unread     []string // kinds
	warnings   []string
}

func (r *localityReport) write(w io.Writer, output string) error {
	if output == outputHTML {
		return page.Write(w, page.Locality, "Locality of "+show.Moment(r.graph.dataAt), r.toJSON())
	}
	if output == outputJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r.toJSON())
	}
	r.writeTable(w)
	return nil
}

// edges are those to show, and how many others there are.
func (r *localityReport) edges() (shown []livelocality.Edge, others int) {
	shown = r.Edges
	if n := r.view.namespace; n != "" {
		shown = slices.DeleteFunc(slices.Clone(shown), func(e livelocality.Edge) bool { return e.From.Namespace != n && e.To.Namespace != n })
	}
	if r.view.limit > 0 && r.view.limit < len(shown) {
		return shown[:r.view.limit], len(shown) - r.view.limit
	}
	return shown, 0
}

// namespaces are those to show.
func (r *localityReport) namespaces() []livelocality.Namespace {
	if r.view.namespace == "" {
		return r.Namespaces
	}
	return slices.DeleteFunc(slices.Clone(r.Namespaces), func(n livelocality.Namespace) bool { return n.Name != r.view.namespace })
}

// parts returns the parts of the traffic, without those that the cluster has not.
func (r *localityReport) parts() []livelocality.Part {
	return slices.DeleteFunc(livelocality.Parts(), func(p livelocality.Part) bool {
		return p.Name == "zone" && !r.HasZones || p.Name == "region" && !r.HasRegions
	})
}

func share(part, of float64) string {
	if of == 0 {
		return "-"
	}
	return show.Percent(part / of)
}

func (r *localityReport) writeTable(w io.Writer) {
	all, ours := &r.Distances[livelocality.All], &r.Distances[livelocality.Ours]
	t := show.Table{Left: 1}
	t.Add("TRAFFIC", "ALL/s", "SHARE", "PLACED BY VICINITY/s", "SHARE")
	for _, p := range r.parts() {
		if p.Of(all) == 0 && p.Name != "node" && p.Name != "zone" {
			continue
		}
		t.Add(p.Title, show.ByteRate(p.Of(all)), share(p.Of(all), all.Total()), show.ByteRate(p.Of(ours)), share(p.Of(ours), ours.Total()))
	}
	t.Add("in all", show.ByteRate(all.Total()), share(all.Total(), all.Total()), show.ByteRate(ours.Total()), share(ours.Total(), ours.Total()))
	t.Write(w)
	r.writeNotes(w, all)
	for _, warning := range r.warnings {
		fmt.Fprintf(w, "\nwarning: %s.\n", show.Printable(warning))
	}
	r.writeNamespaces(w)
	r.writeCrossing(w)
	v := viewed{graphReport: r.graph}
	writeFindings(w, v)
	writeLeftOut(w, v)
}

// writeNotes says what the figures leave out, and what they cost.
func (r *localityReport) writeNotes(w io.Writer, all *cut.Distance) {
	fmt.Fprintln(w)
	t := show.Table{Left: 2}
	if r.HasZones {
		between := show.ByteRate(livelocality.BetweenZones(all))
		if r.prices != nil {
			between += ", " + r.money(all) + " a month: " + r.prices.String()
		}
		t.Add("between zones", between)
	} else {
		t.Add("between zones", "not known: no node has the label topology.kubernetes.io/zone")
	}
	notSeen := fmt.Sprintf("%d of %s that serve belong to workloads without traffic in the graph", r.Silent[livelocality.All], show.Plural(r.Serving[livelocality.All], "pod"))
	if l := r.graph.leftOut(); l.Series > 0 {
		notSeen += fmt.Sprintf("; %s were left out, for the reasons below", show.ByteRate(l.BytesPerSecond))
	}
	t.Add("not seen", notSeen)
	t.Add("placed by Vicinity", fmt.Sprintf("%s that serve, by schedulerName %s", show.Plural(r.Serving[livelocality.Ours], "pod"), strings.Join(r.schedulers, ", ")))
	if len(r.unread) > 0 {
		t.Add("not read", strings.Join(r.unread, ", ")+": calls are taken to be divided as if there were none; allow to list them")
	}
	if r.graph.found != nil {
		t.Add("source", foundBy(r.graph.found))
	}
	windows := []string{}
	for _, d := range r.graph.windows() {
		windows = append(windows, show.Duration(d))
	}
	t.Add("data", fmt.Sprintf("of %s, rates over %s, as placed and routed now", show.Moment(r.graph.dataAt), strings.Join(windows, ", ")))
	t.Write(w)
}

// money is what the traffic between zones costs in a month.
func (r *localityReport) money(d *cut.Distance) string {
	return strings.TrimSpace(fmt.Sprintf("%.2f %s", r.prices.PerMonth(livelocality.BetweenZones(d)), r.prices.Currency))
}

// figures are the cells of a row of traffic.
func (r *localityReport) figures(d *cut.Distance) []string {
	parts := livelocality.Parts()
	row := []string{show.ByteRate(d.Total()), share(parts[0].Of(d), d.Total())}
	if r.HasZones {
		row = append(row, share(parts[0].Of(d)+parts[1].Of(d), d.Total()), show.ByteRate(livelocality.BetweenZones(d)))
		if r.prices != nil {
			row = append(row, r.money(d))
		}
		return row
	}
	return append(row, show.ByteRate(livelocality.BetweenNodes(d)))
}

func (r *localityReport) headings() []string {
	row := []string{"TRAFFIC/s", "ON NODE"}
	if !r.HasZones {
		return append(row, "BETWEEN NODES/s")
	}
	row = append(row, "IN ZONE", "BETWEEN ZONES/s")
	if r.prices != nil {
		row = append(row, "A MONTH")
	}
	return row
}

func (r *localityReport) writeNamespaces(w io.Writer) {
	fmt.Fprintln(w)
	if len(r.namespaces()) == 0 && r.view.namespace != "" {
		fmt.Fprintf(w, "No edge begins or ends in namespace %s. Namespaces with traffic: %s.\n",
			show.Printable(r.view.namespace), strings.Join(namespaces(r.graph.edges, 10), ", "))
		return
	}
	t := show.Table{Left: 1}
	t.Add(append([]string{"NAMESPACE"}, r.headings()...)...)
	for _, n := range r.namespaces() {
		t.Add(append([]string{n.Name}, r.figures(&n.Distance)...)...)
	}
	t.Write(w)
	if len(r.Namespaces) > 1 {
		fmt.Fprintln(w, "Traffic between two namespaces counts in both. ON NODE is part of IN ZONE.")
	}
}

// warnOfRouting warns where calls are taken to be divided as Services say, and the mesh that was
// read does not follow them.
func (r *localityReport) warnOfRouting() {
	asked := 0
	for i := range r.Edges {
		if r.Edges[i].IsDivided && r.Edges[i].Routing != affinity.Uniform {
			asked++
		}
	}
	for _, s := range r.graph.sources {
		if do, ok := sources.RoutingSetting(s.about.Type); ok && asked > 0 {
			r.warnings = append(r.warnings, fmt.Sprintf(
				"%s taken to be routed as the Services ask, which the mesh of source %s does not follow, so that too much seems to stay close; give a scheduler's configuration with %s by --scheduler-config (docs/routing.md)",
				show.Plural(asked, "edge"), s.Name, do))
		}
	}
}

// routingOf says how the calls of an edge are divided, "" where nothing divides them.
func routingOf(e *livelocality.Edge) string {
	if !e.IsDivided {
		return ""
	}
	return e.Routing.String()
}

func (r *localityReport) writeCrossing(w io.Writer) {
	edges, others := r.edges()
	if len(edges) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := show.Table{Left: 2}
	t.Add(append(append([]string{"FROM", "TO"}, r.headings()...), "ROUTING")...)
	for _, e := range edges {
		t.Add(append(append([]string{e.From.String(), e.To.String()}, r.figures(&e.Distance)...), cmp.Or(routingOf(&e), "-"))...)
	}
	t.Write(w)
	if others > 0 {
		fmt.Fprintf(w, "... and %s that cross less; --limit 0 shows all\n", show.Plural(others, "edge"))
	}
}
