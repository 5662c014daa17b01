package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// hotEndpoint is the load of a pod, relative to its fair share, from which on
// requests are usually too small for it.
const hotEndpoint = 2

// warnings says what the figures do not show by themselves.
func (r *Report) warnings() []string {
	var said []string
	warn := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if len(r.Runs) > 0 && r.Runs[0].Summary.Zone == nil {
		warn("no node has a zone: traffic between zones is not known, nor its price")
	}
	r.warnOfZones(warn)
	if share := r.Input.externalShare(); share >= 0.01 {
		warn("%s of the traffic has an end outside the cluster; no assignment keeps it local", show.Percent(share))
	}
	if r.Baseline != "" && r.run(r.Baseline) == nil {
		warn("there is no run %q to compare with", r.Baseline)
	}
	if r.Seeds == 1 && r.replayed() {
		warn("one seed says nothing of the influence of chance; take at least 5")
	}
	for _, run := range r.Runs {
		if run.Routing == RoutingAssumed && !run.Replayed {
			continue // its pods are those of today
		}
		s := run.Summary
		if s.Missing.Mean > 0 {
			warn("%s: %s without a node; the pods that serve, where there are any, take their calls", run.Name, pods(s.Missing))
		}
		if s.Unserved.Mean > 0 {
			warn("%s: %s is of workloads of which no pod serves: it counts as crossing, and is in no price", run.Name, show.ByteRate(s.Unserved.Mean))
		}
		if c := s.Completes; c != nil && c.Mean < 1-negligible {
			warn("%s: without any loss only %s of the %s completes, as some workloads have no pod that serves", run.Name, show.Percent(c.Mean), r.lossUnit())
		}
		if s.Unschedulable.Mean > s.Missing.Mean {
			warn("%s: %s fitted nowhere on arrival; in a rollout, what they should replace stayed", run.Name, pods(s.Unschedulable))
		}
		if d := run.Difference; d != nil && s.BusiestEndpoint.Mean > hotEndpoint && d.BusiestEndpoint.Mean > d.BusiestEndpoint.Interval {
			warn("%s: where calls prefer the same node, one pod gets %.1f times its fair share", run.Name, s.BusiestEndpoint.Mean)
		}
	}
	return said
}

// warnOfZones says what the nodes do not tell of their zones, and what that leaves
// out of each run's figures.
func (r *Report) warnOfZones(warn func(format string, args ...any)) {
	if len(r.Runs) == 0 || len(r.Runs[0].samples) == 0 || r.Runs[0].samples[0].Cluster == nil {
		return
	}
	c := r.Runs[0].samples[0].Cluster
	gaps := c.LocalityGaps()
	if gaps.WithoutZone > 0 {
		var of []string
		for _, run := range r.Runs {
			zone := run.Summary.Zone
			if zone == nil || zone.Unknown == nil {
				continue
			}
			text := run.Name + ": " + show.ByteRate(zone.Unknown.Mean)
			if price := run.Summary.UnknownZonePerMonth; price != nil {
				text += ", " + number(sim.Estimate{Mean: price.Mean}, 2)
				if r.Price != nil && r.Price.Currency != "" {
					text += " " + r.Price.Currency
				}
				text += " a month"
			}
			of = append(of, text)
		}
		warn("%d of %d nodes %s no zone: whether the traffic of pods there crosses zones is not known; it counts as crossing, and is not in the price (%s)",
			gaps.WithoutZone, len(c.Nodes), map[bool]string{true: "has", false: "have"}[gaps.WithoutZone == 1], strings.Join(of, "; "))
	}
	r.warnOfSites(warn, c)
	r.warnOfRegions(warn)
	switch {
	case gaps.Inferred:
		warn("a zone occurs with and without a region, on %s without: they count as one zone", show.Plural(gaps.WithoutRegion, "node"))
	case gaps.WithoutRegion > 0:
		warn("a zone occurs in several regions, and on %s without one: those count as a zone of their own", show.Plural(gaps.WithoutRegion, "node"))
	}
}

// warnOfRegions says how much of the traffic in the price is between regions, which
// providers charge more for.
func (r *Report) warnOfRegions(warn func(format string, args ...any)) {
	if r.Price == nil {
		return
	}
	var of []string
	for _, run := range r.Runs {
		between := 0.0
		for _, s := range run.samples {
			if _, known := s.Outcome.Level(locality.Region); known {
				between += s.Outcome.CrossingBetween(locality.Region) / float64(len(run.samples))
			}
		}
		if between > 0 {
			of = append(of, run.Name+": "+show.ByteRate(between))
		}
	}
	if of != nil {
		warn("traffic between regions is in the price like traffic between zones, although providers charge more for it (%s)", strings.Join(of, "; "))
	}
}

// replayed reports whether any run was: order and seeds concern no other.
func (r *Report) replayed() bool {
	return slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Replayed })
}
