package promql

import (
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Probe is how to find out whether a server has what one query reads.
type Probe struct {
	// Measures is what the query measures.
	Measures Measure
	// Metrics are what the query takes rates of.
	Metrics []Metric
	// Ends is PromQL without rates that has a series for each pair of ends. Its values mean
	// nothing.
	Ends string
}

// Metric is what a query takes rates of.
type Metric struct {
	// Name is the metric's, or its matchers where a query names it by these.
	Name string
	// Series selects what is read of it.
	Series string
}

// Probes returns the probes of the queries that take rates, those for bytes first. selector is
// a list of further label matchers.
func (d *Definition) Probes(selector string) []Probe {
	selector = strings.TrimRight(strings.TrimSpace(selector), ", ")
	var all []Probe
	for _, measures := range Measures() {
		for _, q := range d.Queries {
			if q.Measures != measures {
				continue
			}
			if p, ok := d.probe(q, selector); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// probe returns the probe of a query. ok is false where the query takes no rates.
func (d *Definition) probe(q Query, selector string) (p Probe, ok bool) {
	tokens, err := scan(q.Query)
	if err != nil {
		return p, false
	}
	p.Measures = q.Measures
	drop := map[int]bool{}
	for i, t := range tokens {
		if t.kind != bracket || t.text != "[" {
			continue
		}
		start, end, isSelector := selectorBefore(tokens, i)
		if !isSelector {
			continue
		}
		m := Metric{Series: expand(textOf(tokens[start:end]), nil, selector, "")}
		if m.Name = m.Series; tokens[start].kind == word {
			m.Name = tokens[start].text
		}
		if !slices.Contains(p.Metrics, m) {
			p.Metrics = append(p.Metrics, m)
		}
		// Functions with further arguments keep their range.
		after := i + slices.IndexFunc(tokens[i:], func(t token) bool { return t.text == "]" }) + 1
		f := functionBefore(tokens, start)
		if f < 0 || firstOf(tokens[after:]) != ")" {
			continue
		}
		for at := i; at < after; at++ {
			drop[at] = true
		}
		drop[f] = true
	}
	var kept []token
	for i, t := range tokens {
		if !drop[i] {
			kept = append(kept, t)
		}
	}
	p.Ends = expand(textOf(kept), d.endLabels(), selector, "5m") // of subqueries
	return p, len(p.Metrics) > 0
}

// endLabels are the labels that name ends, each once.
func (d *Definition) endLabels() []string {
	var all []string
	for _, e := range slices.Concat(d.Client, d.Server) {
		all = append(all, e.labels()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// selectorBefore returns where the selector begins and ends to which the range at i belongs.
// ok is false for the range of a subquery.
func selectorBefore(tokens []token, i int) (start, end int, ok bool) {
	end = skipBlank(tokens, i-1) + 1
	switch {
	case end == 0:
		return 0, 0, false
	case tokens[end-1].kind == word:
		return end - 1, end, true
	case tokens[end-1].text != "}":
		return 0, 0, false
	}
	start = end - 1
	for start > 0 && (tokens[start].kind != bracket || tokens[start].text != "{") {
		start--
	}
	if name := skipBlank(tokens, start-1); name >= 0 && tokens[name].kind == word {
		start = name
	}
	return start, end, true
}

// functionBefore returns the index of the function whose first argument begins at i, -1
// where there is none.
func functionBefore(tokens []token, i int) int {
	open := skipBlank(tokens, i-1)
	if open < 0 || tokens[open].text != "(" {
		return -1
	}
	if f := skipBlank(tokens, open-1); f >= 0 && tokens[f].kind == word {
		return f
	}
	return -1
}

// skipBlank returns the last index up to i of a token that is more than white space.
func skipBlank(tokens []token, i int) int {
	for i >= 0 && strings.TrimSpace(tokens[i].text) == "" {
		i--
	}
	return i
}

// firstOf is the first token that is more than white space.
func firstOf(tokens []token) string {
	for _, t := range tokens {
		if strings.TrimSpace(t.text) != "" {
			return t.text
		}
	}
	return ""
}

func textOf(tokens []token) string {
	out := &strings.Builder{}
	for _, t := range tokens {
		out.WriteString(t.text)
	}
	return out.String()
}

// Namer returns a function that reports whether labels name two ends of traffic, both of
// them in a cluster.
func (d *Definition) Namer() func(telemetry.Labels) bool {
	whole := d.WithDefaults()
	client, server := readersOf(whole.Client), readersOf(whole.Server)
	a := &answers{source: &Source{}, taken: map[*endReader]map[string]parts{}} // of no sites
	names := func(ways []endReader, l telemetry.Labels) bool {
		e := a.read(ways, l)
		return e.reason == telemetry.Included && e.endpoint.IsValid()
	}
	return func(l telemetry.Labels) bool { return names(client, l) && names(server, l) }
}
