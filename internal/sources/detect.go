package sources

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// Found is a type of whose metrics a server has series that sources of the type read.
type Found struct {
	Type *Type
	// Metrics are those that it has, in the order of the type's queries.
	Metrics []Metric
	// Pairs is how many pairs of ends have been looked at, and Named how many of them have
	// two names that the type can read.
	Pairs, Named int
}

// Metric is a metric that a type reads.
type Metric struct {
	// Name is its name.
	Name string
	// Selector selects the series that the type reads.
	Selector string
	// Series is how many of them there are.
	Series int
}

// Series is how many series the type reads.
func (f *Found) Series() int {
	all := 0
	for _, m := range f.Metrics {
		all += m.Series
	}
	return all
}

// Detected is what has been found of all types.
type Detected struct {
	// Found are the types with series, in the order of their names.
	Found []Found
	// Looked are all metrics that were looked for, by type.
	Looked map[v1.SourceType][]Metric
}

// Answers returns the types to choose from: those that name both ends of some traffic. If
// there are none, those that have series at all, so that their sources can say what is wrong.
func (d *Detected) Answers() []Found {
	var named []Found
	for _, f := range d.Found {
		if f.Named > 0 {
			named = append(named, f)
		}
	}
	if len(named) == 0 {
		return d.Found
	}
	return named
}

// Detect looks for the metrics of every type: one query for each metric, and one more for
// those that are there. selector is a list of further label matchers.
func Detect(ctx context.Context, q telemetry.Querier, at time.Time, selector string) (*Detected, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	d := &Detected{Looked: map[v1.SourceType][]Metric{}}
	for _, t := range all {
		f, err := d.look(ctx, q, at, &t, selector)
		if err != nil {
			return nil, err
		}
		if len(f.Metrics) > 0 {
			d.Found = append(d.Found, f)
		}
	}
	return d, nil
}

// look looks for one type.
func (d *Detected) look(ctx context.Context, q telemetry.Querier, at time.Time, t *Type, selector string) (Found, error) {
	f := Found{Type: t}
	if t.Definition == nil {
		return f, nil
	}
	counted := map[string]int{}
	names := t.Definition.Namer()
	for _, probe := range t.Definition.Probes(selector) {
		there := false
		for _, m := range probe.Metrics {
			if _, known := counted[m.Series]; !known {
				n, err := number(ctx, q, at, "count("+m.Series+")")
				if err != nil {
					return f, fmt.Errorf("looking for %s, which sources of type %s read: %w", m.Name, t.Name, err)
				}
				counted[m.Series] = int(n)
				d.Looked[t.Name] = append(d.Looked[t.Name], Metric{m.Name, m.Series, int(n)})
				if n > 0 {
					f.Metrics = append(f.Metrics, Metric{m.Name, m.Series, int(n)})
				}
			}
			there = there || counted[m.Series] > 0
		}
		if !there {
			continue
		}
		if err := f.readEnds(ctx, q, at, probe.Ends, names); err != nil {
			return f, fmt.Errorf("reading the ends of %s, as sources of type %s do: %w", probe.Metrics[0].Name, t.Name, err)
		}
	}
	return f, nil
}

// maxPairs is how many pairs of ends are looked at, unless none of them has been named.
const maxPairs = 10_000

// readEnds counts the pairs of ends, and those that are named.
func (f *Found) readEnds(ctx context.Context, q telemetry.Querier, at time.Time, query string, names func(telemetry.Labels) bool) error {
	enough := errors.New("enough pairs")
	err := q.Query(ctx, query, at, func(s telemetry.Series) error {
		f.Pairs++
		if names(s.Labels) {
			f.Named++
		}
		if f.Pairs >= maxPairs && f.Named > 0 {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// number returns the value of a query that yields at most one, 0 for none.
func number(ctx context.Context, q telemetry.Querier, at time.Time, query string) (float64, error) {
	value := 0.0
	err := q.Query(ctx, query, at, func(s telemetry.Series) error {
		if s.Valid() {
			value = s.Value
		}
		return nil
	})
	return value, err
}
