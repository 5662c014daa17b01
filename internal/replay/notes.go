package replay

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/sources"
)

// trafficWarnings say when the edges of an input have no bytes: figures of traffic
// that are 0 then are no result.
func trafficWarnings(edges []flowgraph.Edge) []string {
	bytes, requests, silent := 0.0, 0, 0
	for _, e := range edges {
		bytes += e.BytesPerSecond()
		if e.RequestsPerSecond > 0 {
			requests++
			if e.BytesPerSecond() == 0 {
				silent++
			}
		}
	}
	const look = "their bytes are unknown but count as 0; vicinity graph says which metric has no series"
	switch {
	case silent == 1:
		return []string{fmt.Sprintf("1 of %d edges with requests has no bytes: %s", requests, look)}
	case silent > 1:
		return []string{fmt.Sprintf("%d of %d edges with requests have no bytes: %s", silent, requests, look)}
	case bytes == 0:
		return []string{"there is no traffic in the input: every rate in it is 0, so that no figure of traffic or cost says anything; " +
			"record it while the application is in use, or check bytes_per_second in the edge list"}
	}
	return nil
}

// leftOutOfRecording returns what a manifest says was left out.
func leftOutOfRecording(m recording.Manifest) []report.LeftOut {
	var all []report.LeftOut
	for _, l := range m.LeftOut {
		all = append(all, report.LeftOut(l))
	}
	return all
}

// leftOutOfData returns what the steps of a data directory left out, and notes on
// what is wrong with the telemetry in it.
func leftOutOfData(a *telemetry.Account) (all []report.LeftOut, notes []string) {
	for _, l := range a.LeftOut() {
		all = append(all, report.LeftOut(l))
	}
	for _, f := range a.Findings() {
		note := f.Note()
		if f.Until.IsZero() { // what has passed by itself needs no step
			note += "; next: " + f.Next(telemetry.SetInFile("a file given with --telemetry-config", f.Source))
		}
		notes = append(notes, note)
	}
	return all, notes
}

// followWarnings says of which sources of a recording the mesh divides calls otherwise than
// Services ask: what another routing would save is then not to be had.
func followWarnings(names []string) (warnings []string) {
	for _, name := range names {
		if do, ok := sources.RoutingSetting(name); ok {
			warnings = append(warnings, fmt.Sprintf(
				"the mesh of source %s does not divide calls as trafficDistribution asks: columns and advice with another routing promise what it does not do, and calls to Services that ask for it are taken to stay close; replay with a configuration that has %s (docs/routing.md)", name, do))
		}
	}
	return warnings
}
