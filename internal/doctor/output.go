package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// Schema names the JSON output. A change that could break a reader gets another number; new
// fields do not.
const Schema = "vicinity.doctor/v1"

// severities are all of them, from the least to the most serious.
func severities() []Severity { return []Severity{Fine, Note, Unchecked, Warning, Error} }

// Count is how many results have a severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, result := range r.Results {
		if result.Severity == s {
			n++
		}
	}
	return n
}

// group are the results of a group, the worst first.
type group struct {
	name    string
	results []Result
}

// groups returns the results by group, in the order of Groups.
func (r Report) groups() []group {
	var all []group
	for _, name := range Groups() {
		g := group{name: name}
		for _, result := range r.Results {
			if GroupOf(result.Check) == name {
				g.results = append(g.results, result)
			}
		}
		slices.SortStableFunc(g.results, func(a, b Result) int { return int(b.Severity - a.Severity) })
		if len(g.results) > 0 {
			all = append(all, g)
		}
	}
	return all
}

const (
	// width is how wide the table is at most, where no single word is wider.
	width = 100
	// margin is where texts begin, behind the severity.
	margin = 12
)

// WriteTable writes a report for people. all says whether what is as it should be has a line
// each; otherwise each group has one for all of it.
func (r Report) WriteTable(w io.Writer, all bool) {
	for _, g := range r.groups() {
		fmt.Fprintln(w, g.name)
		var good []string
		for i := 0; i < len(g.results); i++ {
			result := g.results[i]
			switch {
			case result.Severity == Fine && !all:
				good = append(good, result.Check)
				continue
			case result.Severity == Unchecked:
				for i+1 < len(g.results) && g.results[i+1].Severity == Unchecked && g.results[i+1].What == result.What {
					result.Check += ", " + g.results[i+1].Check
					i++
				}
			}
			writeResult(w, result)
		}
		if len(good) > 0 {
			paragraph(w, Fine.String(), strings.Join(good, ", "))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, r.Summary())
}

// writeResult writes one result: what, why and what next.
func writeResult(w io.Writer, r Result) {
	paragraph(w, r.Severity.String(), fmt.Sprintf("%s [%s]", r.What, r.Check))
	if r.Why != "" && r.Severity != Fine {
		paragraph(w, "", "Why: "+r.Why)
	}
	if r.Next != "" {
		paragraph(w, "", "Next: "+r.Next)
	}
}

// paragraph writes text in lines of at most width, with a word before the first.
func paragraph(w io.Writer, before, text string) {
	line, used := fmt.Sprintf("  %-*s", margin-2, before), margin
	begun := false
	for _, word := range strings.Fields(show.Printable(text)) {
		n := utf8.RuneCountInString(word)
		if begun && used+1+n > width {
			fmt.Fprintln(w, strings.TrimRight(line, " "))
			line, used, begun = strings.Repeat(" ", margin), margin, false
			if before == "" { // below "Next: "
				line, used = strings.Repeat(" ", margin+6), margin+6
			}
		}
		if begun {
			line, used = line+" ", used+1
		}
		line, used, begun = line+word, used+n, true
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// Summary is a line with how many results have which severity, the most serious first.
func (r Report) Summary() string {
	words := map[Severity][2]string{
		Error: {"error", "errors"}, Warning: {"warning", "warnings"}, Unchecked: {"unchecked", "unchecked"}, Note: {"note", "notes"}, Fine: {"ok", "ok"},
	}
	var all []string
	for _, s := range slices.Backward(severities()) {
		n, word := r.Count(s), words[s][1]
		if n == 1 {
			word = words[s][0]
		}
		all = append(all, fmt.Sprintf("%d %s", n, word))
	}
	return strings.Join(all, ", ") + "."
}

// reportJSON is the JSON output.
type reportJSON struct {
	Schema string    `json:"schema"`
	MadeAt time.Time `json:"madeAt"`
	// Worst is the highest severity, on which the exit code depends.
	Worst  string         `json:"worst"`
	Counts map[string]int `json:"counts"`
	// Results are in the order of the checks.
	Results []resultJSON `json:"results"`
}

type resultJSON struct {
	Check    string `json:"check"`
	Group    string `json:"group"`
	Severity string `json:"severity"`
	What     string `json:"what"`
	Why      string `json:"why,omitempty"`
	Next     string `json:"next,omitempty"`
}

// WriteJSON writes a report in the schema of Schema.
func (r Report) WriteJSON(w io.Writer, now time.Time) error {
	out := reportJSON{Schema: Schema, MadeAt: now.UTC().Truncate(time.Second), Worst: r.Worst().String(), Counts: map[string]int{}, Results: []resultJSON{}}
	for _, s := range severities() {
		out.Counts[s.String()] = r.Count(s)
	}
	for _, result := range r.Results {
		out.Results = append(out.Results, resultJSON{
			Check: result.Check, Group: GroupOf(result.Check), Severity: result.Severity.String(), What: result.What, Why: result.Why, Next: result.Next,
		})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
