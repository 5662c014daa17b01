package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// maxAdvice is how many workloads the table of Services lists.
const maxAdvice = 10

// writeAdvice writes what another trafficDistribution would save: a row for each
// option, options that save the same in one row, and columns for each run. The last rows
// are the totals over all workloads, also those that are not listed.
func (r *Report) writeAdvice(out io.Writer) {
	if len(r.RoutingAdvice) == 0 {
		return
	}
	shown := r.RoutingAdvice[:min(len(r.RoutingAdvice), maxAdvice)]
	fmt.Fprint(out, "\nWhat another trafficDistribution would save if the pods stayed where each run has them")
	if left := len(r.RoutingAdvice) - len(shown); left > 0 {
		fmt.Fprintf(out, " (%d more in the JSON output)", left)
	}
	fmt.Fprintln(out, ":")
	header := []string{"SERVICES OF", "SET TO", "NOW", "CALLS"}
	for _, s := range shown[0].Options[0].Runs {
		header = append(header, strings.ToUpper(s.Run)+": NODE")
		header = append(header, s.cells("ZONE", "MONTH")...)
		header = append(header, "BUSIEST")
	}
	t := show.Table{Left: 3}
	t.Add(header...)
	add := func(workload, now, calls string, options []Option) {
		for _, option := range merged(options) {
			row := []string{workload, option.TrafficDistribution, now, calls}
			for _, s := range option.Runs {
				row = append(row, show.ByteRate(s.CrossNode))
				row = append(row, s.cells(show.ByteRate(s.zone()), fmt.Sprintf("%.2f", s.money()))...)
				row = append(row, fmt.Sprintf("%.2f", s.BusiestEndpoint))
			}
			t.Add(row...)
		}
	}
	for _, a := range shown {
		add(a.Workload.String(), a.TrafficDistribution, show.ByteRate(a.BytesPerSecond), a.Options)
	}
	add(fmt.Sprintf("all %d", len(r.RoutingAdvice)), "", "", r.RoutingTotals)
	t.Write(out)
	meanings := append([]string{"NODE: bytes/s that would no longer leave the node"},
		shown[0].Options[0].Runs[0].cells("ZONE: the same for zones", "MONTH: money saved on traffic between known zones in 30 days")...)
	fmt.Fprintln(out, strings.Join(append(meanings, "BUSIEST: load of the busiest pod then, relative to its fair share"), "; "))
}

// merged joins options that save the same in every run into one, named after both.
func merged(options []Option) []Option {
	var all []Option
	for _, option := range options {
		same := slices.IndexFunc(all, func(o Option) bool { return slices.EqualFunc(o.Runs, option.Runs, Saving.equal) })
		if same >= 0 {
			all[same].TrafficDistribution += " or " + option.TrafficDistribution
			continue
		}
		all = append(all, option)
	}
	return all
}

// equal reports whether both have the same figures.
func (s Saving) equal(other Saving) bool {
	return s.CrossNode == other.CrossNode && s.zone() == other.zone() && s.money() == other.money() && s.BusiestEndpoint == other.BusiestEndpoint
}

// cells returns those of the two cells that the run has.
func (s Saving) cells(zone, money string) []string {
	var cells []string
	if s.CrossZone != nil {
		cells = append(cells, zone)
	}
	if s.PerMonth != nil {
		cells = append(cells, money)
	}
	return cells
}
