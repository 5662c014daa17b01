package shadow

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// View says what of a Report is shown.
type View struct {
	// Namespace keeps the workloads of one namespace; "" keeps all.
	Namespace string
	// Limit is how many workloads are shown at most; 0 is all.
	Limit int
}

// of returns the workloads that are shown, and how many more the limit keeps out.
func (v View) of(all []Workload) (shown []Workload, others int) {
	for _, w := range all {
		if v.Namespace == "" || strings.HasPrefix(w.Name, v.Namespace+"/") {
			shown = append(shown, w)
		}
	}
	if v.Limit > 0 && len(shown) > v.Limit {
		shown, others = shown[:v.Limit], len(shown)-v.Limit
	}
	return shown, others
}

// WriteTable writes the Report for people.
func (r *Report) WriteTable(w io.Writer, v View) {
	r.writeDecisions(w)
	r.writeTraffic(w)
	r.writeWorkloads(w, v)
	fmt.Fprintf(w, "\nof the %s before %s; all numbers are as Prometheus estimates them from its scrapes\n", show.Duration(r.Since), show.Moment(r.At))
}

func (r *Report) writeDecisions(w io.Writer) {
	var all float64
	for _, n := range r.Decisions {
		all += n
	}
	t := show.Table{Left: 1}
	t.Add("WITH TRAFFICLOCALITY THE NODE", "DECISIONS", "SHARE")
	for _, o := range []struct{ name, title string }{
		{"same", "would be the same"},
		{"other", "would be another"},
		{"no-say", "would be the same: it has nothing to say"},
		{"not-looked-at", "was not scored: one was feasible, a batch or a pod group"},
		{"unclear", "cannot be told"},
	} {
		t.Add(o.title, number(r.Decisions[o.name]), share(r.Decisions[o.name], all))
	}
	t.Add("in all", number(all), share(all, all))
	t.Write(w)
}

func (r *Report) writeTraffic(w io.Writer) {
	o := &r.Other
	if o.Rate == 0 {
		return
	}
	fmt.Fprintln(w, "\nTraffic of the pods that would have another node, as it was when each was placed,")
	fmt.Fprintln(w, "with the pods that ran then:")
	fmt.Fprintln(w)
	t := show.Table{Left: 1}
	t.Add("STAYS", "NOW/s", "SHARE", "ON THE OTHER NODE/s", "SHARE")
	for _, l := range []struct {
		title             string
		chosen, preferred float64
	}{{"on the node", o.Chosen.Node, o.Preferred.Node}, {"in the zone", o.Chosen.Zone, o.Preferred.Zone}, {"in all", o.Rate, o.Rate}} {
		t.Add(l.title, show.ByteRate(l.chosen), share(l.chosen, o.Rate), show.ByteRate(l.preferred), share(l.preferred, o.Rate))
	}
	t.Write(w)
}

func (r *Report) writeWorkloads(w io.Writer, v View) {
	shown, others := v.of(r.Workloads)
	if len(shown) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := show.Table{Left: 1}
	t.Add("WORKLOAD", "DECISIONS", "OTHER NODE", "TRAFFIC OF THOSE/s", "ON THE NODE", "INSTEAD OF", "IN THE ZONE", "INSTEAD OF")
	for _, x := range shown {
		o := &x.Other
		t.Add(x.Name, number(x.Same+x.Differs), share(x.Differs, x.Same+x.Differs), show.ByteRate(o.Rate),
			share(o.Preferred.Node, o.Rate), share(o.Chosen.Node, o.Rate), share(o.Preferred.Zone, o.Rate), share(o.Chosen.Zone, o.Rate))
	}
	t.Write(w)
	if others > 0 {
		fmt.Fprintf(w, "and %s (--limit 0 shows all)\n", show.Plural(others, "more workload"))
	}
	for _, x := range shown {
		if x.Name == trafficlocality.OtherWorkloads {
			fmt.Fprintf(w, "%s are all beyond the first %d of a scheduler's run\n", x.Name, trafficlocality.MostShadowWorkloads)
		}
	}
}

// number writes the number of decisions.
func number(n float64) string { return fmt.Sprintf("%.0f", n) }

func share(part, of float64) string {
	if of == 0 {
		return "-"
	}
	return show.Percent(part / of)
}

// Schema names the JSON output; fields may be added to it.
const Schema = "vicinity.shadow/v1"

// JSON is the Report for programs. Rates are bytes per second, summed up over decisions.
type JSON struct {
	Schema       string    `json:"schema"`
	At           time.Time `json:"at"`
	SinceSeconds float64   `json:"sinceSeconds"`
	// Decisions are their numbers by outcome, as vicinity_shadow_decisions_total has it,
	// by Prometheus' estimate.
	Decisions map[string]float64 `json:"decisions"`
	// OtherNode is the traffic of the pods that would have another node.
	OtherNode TrafficJSON    `json:"otherNode"`
	Workloads []WorkloadJSON `json:"workloads"`
	// NotShown is how many workloads the limit keeps out.
	NotShown int `json:"notShown,omitempty"`
}

// TrafficJSON is Traffic.
type TrafficJSON struct {
	BytesPerSecond float64  `json:"bytesPerSecond"`
	Chosen         KeptJSON `json:"chosen"`
	Preferred      KeptJSON `json:"preferred"`
}

// KeptJSON is Kept.
type KeptJSON struct {
	Node float64 `json:"node"`
	Zone float64 `json:"zone"`
}

// WorkloadJSON is Workload.
type WorkloadJSON struct {
	Workload  string      `json:"workload"`
	Same      float64     `json:"same"`
	Other     float64     `json:"other"`
	OtherNode TrafficJSON `json:"otherNode"`
}

// WriteJSON writes the Report for programs.
func (r *Report) WriteJSON(w io.Writer, v View) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r.json(v))
}

func (r *Report) json(v View) *JSON {
	out := &JSON{
		Schema: Schema, At: r.At.UTC().Truncate(time.Second), SinceSeconds: r.Since.Seconds(), Decisions: r.Decisions,
		OtherNode: trafficJSON(r.Other), Workloads: []WorkloadJSON{},
	}
	shown, others := v.of(r.Workloads)
	for _, w := range shown {
		out.Workloads = append(out.Workloads, WorkloadJSON{w.Name, w.Same, w.Differs, trafficJSON(w.Other)})
	}
	out.NotShown = others
	return out
}

func trafficJSON(t Traffic) TrafficJSON {
	return TrafficJSON{t.Rate, KeptJSON(t.Chosen), KeptJSON(t.Preferred)}
}
