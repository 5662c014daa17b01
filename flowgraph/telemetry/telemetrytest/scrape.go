package telemetrytest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// series is a counter of a target and its samples.
type series struct {
	target  Target
	name    string
	labels  map[string]string
	value   float64
	exposed bool
	fresh   bool // the newest scrape has it
	samples strings.Builder
}

// seriesOf returns the series of a counter. Counters that differ only in labels which are
// missing are one.
func (s *simulation) seriesOf(c Counter) *series {
	labels := maps.Clone(c.Labels)
	for _, label := range s.without {
		delete(labels, label)
	}
	key := c.Target.String() + c.Name + text(labels)
	of, ok := s.series[key]
	if !ok {
		of = &series{target: c.Target, name: c.Name, labels: labels}
		fmt.Fprintf(&of.samples, " _x%d", s.books.scrapes())
		s.series[key] = of
		s.order = append(s.order, of)
	}
	return of
}

// scrape takes a sample of each series. What a scrape does not find any more is marked as
// gone; while nobody scrapes, nothing is.
func (s *simulation) scrape() {
	for _, of := range s.order {
		switch {
		case !s.outage && of.exposed && !s.down[of.target]:
			fmt.Fprint(&of.samples, " ", strconv.FormatFloat(of.value, 'f', 3, 64))
			of.fresh = true
		case !s.outage && of.fresh:
			of.samples.WriteString(" stale")
			of.fresh = false
		default:
			of.samples.WriteString(" _")
		}
	}
	s.books.close()
	s.rosters = append(s.rosters, maps.Clone(s.pods))
}

// load returns what has been scraped as a load command of Prometheus' own tests.
func (s *simulation) load() string {
	jobs := []string{"pods"}
	ports := map[string]string{"pods": "15020", "proxies": "15090"}
	if s.twice {
		jobs = append(jobs, "proxies")
	}
	out := &strings.Builder{}
	fmt.Fprintf(out, "load %v\n", interval)
	for _, of := range s.order {
		for _, job := range jobs {
			labels := maps.Clone(of.labels)
			if labels == nil {
				labels = map[string]string{}
			}
			labels["namespace"], labels["pod"] = of.target.Namespace, of.target.Pod
			labels["job"], labels["instance"] = job, of.target.Address+":"+ports[job]
			fmt.Fprintf(out, "  %s%s%s\n", of.name, text(labels), of.samples.String())
		}
	}
	return out.String()
}

// text is labels as PromQL has them.
func text(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+strconv.Quote(labels[name]))
	}
	return "{" + strings.Join(all, ",") + "}"
}
