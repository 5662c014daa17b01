package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
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
	// Measures is what the type takes from them.
	Measures promql.Measure
	// Series is how many of them there are.
	Series int
}

// HasBytes reports whether there is a metric that counts bytes.
func (f *Found) HasBytes() bool {
	return slices.ContainsFunc(f.Metrics, func(m Metric) bool { return m.Measures != promql.Requests })
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

// Answers returns the types to choose from: those that count bytes between two ends that they
// name. If there are none, those that name ends of anything, and then all that have series,
// so that their sources can say what is missing.
func (d *Detected) Answers() []Found {
	for _, is := range []func(Found) bool{
		func(f Found) bool { return f.Named > 0 && f.HasBytes() },
		func(f Found) bool { return f.Named > 0 },
	} {
		var all []Found
		for _, f := range d.Found {
			if is(f) {
				all = append(all, f)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return d.Found
}

// Detect looks for the metrics of every type: one query for each metric, and one more for a
// type that is there. selector is a list of further label matchers.
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
	names := t.Definition.Namer()
	for _, probe := range t.Definition.Probes(selector) {
		there, err := d.count(ctx, q, at, &f, probe)
		if err != nil {
			return f, err
		}
		if !there || f.Named > 0 {
			continue
		}
		if err := f.readEnds(ctx, q, at, probe.Ends, names); err != nil {
			return f, fmt.Errorf("looking for what sources read (type %s, ends of %s): %w", t.Name, probe.Metrics[0].Name, err)
		}
	}
	return f, nil
}

// count counts the series of a probe that have not been counted yet, and reports whether
// the probe has any.
func (d *Detected) count(ctx context.Context, q telemetry.Querier, at time.Time, f *Found, probe promql.Probe) (there bool, err error) {
	for _, of := range probe.Metrics {
		looked := d.Looked[f.Type.Name]
		i := slices.IndexFunc(looked, func(m Metric) bool { return m.Selector == of.Series })
		if i < 0 {
			n, err := number(ctx, q, at, "count("+of.Series+")")
			if err != nil {
				return false, fmt.Errorf("looking for what sources read (type %s, metric %s): %w", f.Type.Name, of.Name, err)
			}
			m := Metric{Name: of.Name, Selector: of.Series, Measures: probe.Measures, Series: int(n)}
			i, looked = len(looked), append(looked, m)
			d.Looked[f.Type.Name] = looked
			if n > 0 {
				f.Metrics = append(f.Metrics, m)
			}
		}
		there = there || looked[i].Series > 0
	}
	return there, nil
}

// How many pairs of ends are looked at where some have been named, and where none has.
const (
	maxPairs        = 10_000
	maxUnnamedPairs = 100_000
)

// readEnds counts the pairs of ends, and those that are named.
func (f *Found) readEnds(ctx context.Context, q telemetry.Querier, at time.Time, query string, names func(telemetry.Labels) bool) error {
	enough := errors.New("enough pairs")
	err := q.Query(ctx, query, at, func(s telemetry.Series) error {
		f.Pairs++
		if names(s.Labels) {
			f.Named++
		}
		if f.Pairs >= maxPairs && f.Named > 0 || f.Pairs >= maxUnnamedPairs {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) || telemetry.FailureOf(err) == telemetry.TooLarge && f.Pairs > 0 {
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
