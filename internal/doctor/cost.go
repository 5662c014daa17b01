package doctor

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// spy is a telemetry.Querier that remembers what queries cost, and the largest of their
// series.
type spy struct {
	telemetry.Querier
	now   func() time.Time
	asked map[string]*asked // by PromQL
	// grouping finds the labels of an aggregation.
	grouping *regexp.Regexp
}

// asked is what is known of one query.
type asked struct {
	took   time.Duration
	series int
	err    error
	// largest are some of the series with the largest values.
	largest  []kept
	smallest float64 // of largest
}

// kept is a series that outlives its answer.
type kept struct {
	labels keptLabels
	value  float64
}

// keptLabels implements telemetry.Labels.
type keptLabels map[string]string

// Get implements telemetry.Labels.
func (l keptLabels) Get(name string) string { return l[name] }

// mostKept is how many series of a query are kept.
const mostKept = 60

func newSpy(q telemetry.Querier, now func() time.Time) *spy {
	return &spy{Querier: q, now: now, asked: map[string]*asked{}, grouping: regexp.MustCompile(`\bby\s*\(([^)]*)\)`)}
}

// Query implements telemetry.Querier.
func (s *spy) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	a := &asked{}
	s.asked[query] = a
	names := s.groupedBy(query)
	began := s.now()
	a.err = s.Querier.Query(ctx, query, at, func(one telemetry.Series) error {
		a.series++
		a.keep(one, names)
		return yield(one)
	})
	a.took = s.now().Sub(began)
	return a.err
}

// groupedBy are the labels that the answers to a query may have.
func (s *spy) groupedBy(query string) []string {
	var all []string
	for _, m := range s.grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.Trim(strings.TrimSpace(label), `"`); label != "" && !slices.Contains(all, label) {
				all = append(all, label)
			}
		}
	}
	return all
}

// keep keeps a series if it is one of the largest.
func (a *asked) keep(s telemetry.Series, names []string) {
	if math.IsNaN(s.Value) {
		return
	}
	if len(a.largest) == 2*mostKept {
		slices.SortFunc(a.largest, func(x, y kept) int { return -compareValues(x.value, y.value) })
		a.largest = a.largest[:mostKept]
		a.smallest = a.largest[mostKept-1].value
	}
	if len(a.largest) >= mostKept && s.Value <= a.smallest {
		return
	}
	labels := keptLabels{}
	for _, name := range names {
		if value := s.Labels.Get(name); value != "" {
			labels[name] = value
		}
	}
	a.largest = append(a.largest, kept{labels, s.Value})
}

func compareValues(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// costly is the part of a limit beyond which a query costs too much.
const costly = 0.5

// cost compares what the queries of the sources cost with what they may.
func (l *look) cost(context.Context) []Result {
	p := l.cfg.Prometheus
	timeout, most := p.Timeout.Duration, int(*p.MaxSeries)
	slowest, largest, all := queryCost{}, queryCost{}, time.Duration(0)
	for _, s := range l.sources {
		for _, q := range s.Queries() {
			a := l.spy.asked[q.PromQL]
			if a == nil {
				continue
			}
			all += a.took
			if c := (queryCost{s.Name() + " " + q.Name, *a}); c.took >= slowest.took {
				slowest = c
			}
			if c := (queryCost{s.Name() + " " + q.Name, *a}); c.series >= largest.series {
				largest = c
			}
		}
	}
	results := []Result{l.costOf(slowest, largest, all, timeout, most)}
	return append(results, l.rules(slowest, timeout))
}

// queryCost is a query with its name.
type queryCost struct {
	name string
	asked
}

func (l *look) costOf(slowest, largest queryCost, all, timeout time.Duration, most int) Result {
	failed := telemetry.FailureOf(slowest.err)
	r := good(nameCost, "A refresh takes %s, its slowest query (%s) %s, and the largest answer has %s.",
		show.Duration(all.Round(time.Millisecond)), slowest.name, show.Duration(slowest.took.Round(time.Millisecond)), series(largest.series))
	switch {
	case failed == telemetry.Timeout || failed == telemetry.TooLarge || telemetry.FailureOf(largest.err) == telemetry.TooLarge:
		r.Severity, r.What = Error, fmt.Sprintf("The query %s does not end within the limits: prometheus.timeout is %s, prometheus.maxSeries %d.", slowest.name, show.Duration(timeout), most)
	case float64(slowest.took) > costly*float64(timeout):
		r.Severity, r.What = Warning, fmt.Sprintf("The query %s takes %s, and prometheus.timeout is %s.", slowest.name, show.Duration(slowest.took.Round(time.Millisecond)), show.Duration(timeout))
	case float64(largest.series) > costly*float64(most):
		r.Severity, r.What = Warning, fmt.Sprintf("The answer to %s has %s, and prometheus.maxSeries is %d.", largest.name, series(largest.series), most)
	case all > l.cfg.Interval.Duration:
		r.Severity, r.What = Warning, fmt.Sprintf("A refresh takes %s, which is more than the interval of %s.", show.Duration(all.Round(time.Millisecond)), show.Duration(l.cfg.Interval.Duration))
	default:
		return r
	}
	r.Why = "A query that exceeds a limit fails the refresh of its source, and the graph ages until the plugin has no influence."
	r.Next = "Raise prometheus.timeout or prometheus.maxSeries in " + l.inFile() + ", or let Prometheus compute the rates: manifests/recording-rules."
	return r
}

const (
	// manyRead is how many series a refresh may read before recording rules are worth their
	// while, and fewer is how many times fewer they leave.
	manyRead, fewer = 100_000, 4
	// slow is the part of the time-out at which they are, however many series there are.
	slow = 0.25
)

// rules says whether recording rules would pay.
func (l *look) rules(slowest queryCost, timeout time.Duration) Result {
	for i := range l.cfg.Sources {
		s := &l.cfg.Sources[i]
		f := l.of(s.Type)
		if f == nil || !f.Type.HasRules() {
			continue
		}
		answered := 0
		for _, q := range l.sources[i].Queries() {
			if a := l.spy.asked[q.PromQL]; a != nil {
				answered += a.series
			}
		}
		read := f.Series()
		switch {
		case s.Recorded && answered == 0:
			return Result{
				Check: nameRules, Severity: Error, What: fmt.Sprintf("%s reads recording rules (recorded: true), and none has a series; the metrics themselves have %d.", s.Name, read),
				Why: "The source has no traffic.", Next: "Load manifests/recording-rules/" + string(s.Type) + ".yaml into Prometheus, or set recorded to false in " + l.inFile() + ".",
			}
		case s.Recorded:
			return good(nameRules, "%s reads recording rules.", s.Name)
		case read >= manyRead && fewer*answered <= read || float64(slowest.took) > slow*float64(timeout) && fewer*answered <= read:
			return Result{
				Check: nameRules, Severity: Note, What: fmt.Sprintf("Each refresh reads %s of %s and adds them up to %d.", series(read), s.Type, answered),
				Why: "Recording rules do that once for all schedulers, and their answers are small.", Next: "Load manifests/recording-rules/" + string(s.Type) + ".yaml into Prometheus and set recorded: true for the source.",
			}
		}
		return good(nameRules, "Recording rules would not pay: a refresh reads %s.", series(read))
	}
	return good(nameRules, "There are no recording rules for these sources.")
}
