package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// maxPenWidth is the width of the thickest edge, in points.
const maxPenWidth = 8

// writeDOT writes the edges of r as a directed graph of Graphviz: a cluster for
// each namespace, and edges as wide as the square root of their rate.
func writeDOT(w io.Writer, r viewed) {
	title := "traffic of " + show.Moment(r.dataAt)
	if n := r.notShown; n.edges+n.declared > 0 {
		title += fmt.Sprintf("; %s with %s of all bytes not shown", show.Plural(n.edges+n.declared, "smaller edge"), show.Percent(r.share(r.notShown.rates)))
	}
	if names := r.conditions(); len(names) > 0 {
		title += "; read with the warnings of vicinity graph: " + strings.Join(names, ", ")
	}
	fmt.Fprintf(w, "digraph vicinity {\n  label=%s;\n  node [shape=box];\n", dotLabel(title))
	workloads := shownWorkloads(r.shown)
	for i, id := range workloads {
		if i == 0 || workloads[i-1].Namespace != id.Namespace {
			fmt.Fprintf(w, "  subgraph %s {\n    label=%s;\n", dotID("cluster_"+id.Namespace), dotLabel(id.Namespace))
		}
		shape := ""
		if id.IsSite() {
			shape = ", shape=cylinder" // outside the cluster
		}
		fmt.Fprintf(w, "    %s [label=%s%s];\n", dotID(id.String()), dotLabel(id.Name), shape)
		if i == len(workloads)-1 || workloads[i+1].Namespace != id.Namespace {
			fmt.Fprint(w, "  }\n")
		}
	}
	largest := 0.0
	for _, e := range r.shown {
		largest = max(largest, e.Weight(r.requestBytes))
	}
	for _, e := range r.shown {
		text := show.ByteRate(e.BytesPerSecond())
		if e.RequestsPerSecond > 0 {
			text += "\n" + count(e.RequestsPerSecond) + " requests/s"
		}
		style := ""
		if e.Origin != flowgraph.Observed {
			text, style = text+"\n"+e.Origin.String(), ", style=dashed"
		}
		fmt.Fprintf(w, "  %s -> %s [label=%s, penwidth=%.2f%s];\n", dotID(e.From.String()), dotID(e.To.String()),
			dotLabel(text), penWidth(e.Weight(r.requestBytes), largest), style)
	}
	fmt.Fprint(w, "}\n")
}

// penWidth is 1 for no traffic and maxPenWidth for the largest rate.
func penWidth(rate, largest float64) float64 {
	if largest == 0 {
		return 1
	}
	return 1 + (maxPenWidth-1)*math.Sqrt(rate/largest)
}

// shownWorkloads returns the ends of the edges, each once, in order.
func shownWorkloads(edges []flowgraph.Edge) []flowgraph.WorkloadID {
	var ids []flowgraph.WorkloadID
	for _, e := range edges {
		ids = append(ids, e.From, e.To)
	}
	slices.SortFunc(ids, flowgraph.WorkloadID.Compare)
	return slices.Compact(ids)
}

// dotID quotes an identifier. Graphviz unescapes the quote only; the doubled
// backslash keeps one at the end from escaping the closing quote.
func dotID(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(show.Printable(s)) + `"`
}

// dotLabel quotes a text that is shown, where Graphviz also gives a meaning to
// backslashes and entities. A line feed begins a line.
func dotLabel(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`).Replace(show.Printable(line))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
