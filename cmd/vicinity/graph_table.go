package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// writeTable writes r for people: the edges, their sums, and what the sources
// returned and left out.
func writeTable(w io.Writer, r viewed) {
	if len(r.shown) > 0 {
		writeEdges(w, r)
		fmt.Fprintln(w)
	}
	writeSummary(w, r)
	writeFindings(w, r)
	for _, problem := range r.problems {
		fmt.Fprintf(w, "\nwarning: %s.\n", show.Printable(problem))
	}
	fmt.Fprintln(w)
	writeSources(w, r)
	writeLeftOut(w, r)
	switch {
	case len(r.edges) == 0:
		writeWhyEmpty(w, r)
	case len(r.shown) == 0:
		fmt.Fprintf(w, "\nNo edge begins or ends in namespace %s. Namespaces with traffic: %s.\n",
			show.Printable(r.namespace), strings.Join(namespaces(r.edges, 10), ", "))
	}
}

func writeEdges(w io.Writer, r viewed) {
	t := show.Table{Left: 2}
	header := []string{"FROM", "TO", "SENT/s", "RECEIVED/s", "REQUESTS/s", "SHARE"}
	ages := slices.ContainsFunc(r.shown, func(e flowgraph.Edge) bool { return r.age(e) >= time.Second })
	if ages {
		header = append(header, "AGE")
	}
	origins := slices.ContainsFunc(r.shown, func(e flowgraph.Edge) bool { return e.Origin != flowgraph.Observed })
	if origins {
		header = append(header, "ORIGIN")
	}
	t.Add(header...)
	for _, e := range r.shown {
		row := []string{
			e.From.String(), e.To.String(),
			show.ByteRate(e.SentBytesPerSecond), show.ByteRate(e.ReceivedBytesPerSecond),
			requests(e.RequestsPerSecond), show.Percent(r.share(e.Rates)),
		}
		if e.Origin != flowgraph.Observed {
			row[5] = "-" // of the bytes that were observed
		}
		if ages {
			row = append(row, show.Duration(r.age(e)))
		}
		if origins {
			row = append(row, e.Origin.String())
		}
		t.Add(row...)
	}
	t.Write(w)
	if n := r.notShown; n.edges+n.declared > 0 {
		also := ""
		if n.declared > 0 {
			also = fmt.Sprintf(", and %d declared", n.declared)
		}
		fmt.Fprintf(w, "... and %s with %s of all bytes%s; --limit 0 shows all\n", show.Plural(n.edges, "smaller edge"), show.Percent(r.share(n.rates)), also)
	}
}

// requests is the cell of an edge's requests. Where the telemetry counts none,
// as with TCP, 0 would look like an observation.
func requests(perSecond float64) string {
	if perSecond == 0 {
		return "-"
	}
	return count(perSecond)
}

// age is how much older than the graph's data the observation of e is.
func (r *graphReport) age(e flowgraph.Edge) time.Duration { return r.dataAt.Sub(e.ObservedAt) }

func writeSummary(w io.Writer, r viewed) {
	t := show.Table{Left: 2}
	totalsRow := func(name string, n totals) {
		t.Add(name, fmt.Sprintf("%s, %s, %s, %s requests/s",
			show.Plural(n.workloads, "workload"), show.Plural(n.edges, "edge"), show.ByteRate(n.rates.BytesPerSecond()), count(n.rates.RequestsPerSecond)))
	}
	totalsRow("graph", r.total)
	if n := r.total; n.declared > 0 {
		t.Add("declared", fmt.Sprintf("%s, %s, in no other sum: what counts of the traffic of new workloads", show.Plural(n.declared, "edge"), show.ByteRate(n.declaredRates.BytesPerSecond())))
	}
	if names := r.conditions(); len(names) > 0 {
		t.Add("", "read with the warnings below: "+strings.Join(names, ", "))
	}
	if l := r.leftOut(); l.Series > 0 {
		t.Add("left out", fmt.Sprintf("%s in %d series, for the reasons below", show.ByteRate(l.BytesPerSecond), l.Series))
	}
	if sites := r.total.withSites; r.sites > 0 {
		t.Add("with sites", fmt.Sprintf("%s with %d of %s outside the cluster (%s of all bytes); %s with the rest of the outside is left out",
			show.ByteRate(sites.BytesPerSecond()), r.total.sites, show.Plural(r.sites, "site"), show.Percent(r.share(sites)), show.ByteRate(r.outside())))
	}
	if r.namespace != "" {
		totalsRow("namespace "+r.namespace, r.matching)
	}
	self := r.total.self
	t.Add("self-flow", fmt.Sprintf("%s, %s requests/s (%s of all bytes)", show.ByteRate(self.BytesPerSecond()), count(self.RequestsPerSecond), show.Percent(r.share(self))))
	windows := []string{}
	for _, d := range r.windows() {
		windows = append(windows, show.Duration(d))
	}
	age := r.madeAt.Sub(r.dataAt).Round(100 * time.Millisecond)
	t.Add("data", fmt.Sprintf("of %s, %s old; rates over %s", show.Moment(r.dataAt), show.Duration(age), strings.Join(windows, ", ")))
	if r.found != nil {
		t.Add("source", foundBy(r.found))
	}
	if len(r.shown) > 1 {
		t.Add("order", fmt.Sprintf("by bytes/s, where one request counts %s", strings.TrimSuffix(show.ByteRate(r.requestBytes), "/s")))
	}
	if r.invalidFlows > 0 {
		t.Add("refused", show.Plural(r.invalidFlows, "flow")+" without a workload or with a rate that is no number")
	}
	t.Write(w)
}

// writeFindings says what is wrong with the figures above.
func writeFindings(w io.Writer, r viewed) {
	for _, s := range r.sources {
		for i, f := range s.Findings {
			fmt.Fprintf(w, "\nwarning: %s, %s: %s.\n  Why it matters: %s.\n  Next: %s.\n", show.Printable(s.Name), f.Condition,
				show.Printable(f.Text()), show.Printable(f.Why), show.Printable(s.next[i]))
		}
	}
}

func writeSources(w io.Writer, r viewed) {
	t := show.Table{Left: 1}
	t.Add("SOURCE", "SERIES", "FLOWS", "WINDOW", "TOOK")
	for _, s := range r.sources {
		series, flows := strconv.Itoa(s.Series), strconv.Itoa(s.Flows)
		if s.Err != nil {
			series, flows = "failed", "-"
		}
		t.Add(s.Name, series, flows, show.Duration(s.about.Window), show.Duration(s.Duration.Round(time.Millisecond)))
	}
	t.Write(w)
}

// writeLeftOut says what did not become a flow, and what to do about it.
func writeLeftOut(w io.Writer, r viewed) {
	for _, s := range r.sources {
		if s.Err != nil || len(s.LeftOut) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nLeft out by %s:\n", show.Printable(s.Name))
		t := show.Table{Left: 1}
		t.Add("REASON", "SERIES", "BYTES/s")
		var said []string
		for _, reason := range telemetry.Reasons() {
			l, ok := s.LeftOut[reason]
			if !ok {
				continue
			}
			bytes := show.ByteRate(l.BytesPerSecond)
			if !reason.HasRate() {
				bytes = "-"
			}
			t.Add(reason.String(), strconv.Itoa(l.Series), bytes)
			said = append(said, reason.String()+": "+explainReason(reason))
		}
		t.Write(w)
		for _, line := range said {
			fmt.Fprintln(w, line)
		}
	}
}

// namespaces returns the names of the first n namespaces with edges, in order.
func namespaces(edges []flowgraph.Edge, n int) []string {
	var names []string
	for _, e := range edges {
		names = append(names, show.Printable(e.From.Namespace), show.Printable(e.To.Namespace))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > n {
		names = append(names[:n:n], fmt.Sprintf("and %d more", len(names)-n))
	}
	return names
}
