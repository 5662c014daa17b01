package replayreport

import (
	"fmt"
	"io"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// maxAdvice is how many workloads the table of Services lists.
const maxAdvice = 10

// writeAdvice writes what another trafficDistribution would save: a row for each
// option, and columns for each run.
func (r *Report) writeAdvice(out io.Writer) {
	if len(r.RoutingAdvice) == 0 {
		return
	}
	shown := r.RoutingAdvice[:min(len(r.RoutingAdvice), maxAdvice)]
	fmt.Fprint(out, "\nWhat another trafficDistribution would save, the pods staying where they are")
	if left := len(r.RoutingAdvice) - len(shown); left > 0 {
		fmt.Fprintf(out, " (%d more in the JSON output)", left)
	}
	fmt.Fprintln(out, ":")
	header := []string{"SERVICES OF", "SET TO", "NOW", "CALLS"}
	for _, s := range shown[0].Options[0].Runs {
		header = append(header, show.Printable(strings.ToUpper(s.Run))+": NODE")
		header = append(header, s.cells("ZONE", "MONTH")...)
		header = append(header, "BUSIEST")
	}
	t := columns{header}
	for _, a := range shown {
		for _, option := range a.Options {
			row := []string{show.Printable(a.Workload.String()), option.TrafficDistribution, a.TrafficDistribution, show.ByteRate(a.BytesPerSecond)}
			for _, s := range option.Runs {
				row = append(row, show.ByteRate(s.CrossNode))
				row = append(row, s.cells(show.ByteRate(s.zone()), fmt.Sprintf("%.2f", s.money()))...)
				row = append(row, fmt.Sprintf("%.2f", s.BusiestEndpoint))
			}
			t.add(row...)
		}
	}
	t.left().write(out)
	meanings := append([]string{"NODE: bytes/s that would no longer leave the node"},
		shown[0].Options[0].Runs[0].cells("ZONE: the same of zones", "MONTH: the price of these")...)
	fmt.Fprintln(out, strings.Join(append(meanings, "BUSIEST: load of the busiest pod then, relative to its fair share"), "; "))
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
