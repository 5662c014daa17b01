package sources

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// Details are what there is to know of metrics that have been found.
type Details struct {
	// Age is how old the newest sample is, by the server's clock.
	Age time.Duration
	// Jobs are the scrape jobs that have the metrics, in the order of their names.
	Jobs []Job
}

// Job is a scrape job.
type Job struct {
	Name string
	// Targets is how many targets have the metric, told apart by the labels that scrapes add:
	// instance, namespace and pod.
	Targets int
}

// Details asks what there is to know of the metrics, two queries for each.
func (f *Found) Details(ctx context.Context, q telemetry.Querier, at time.Time) (Details, error) {
	var d Details
	jobs := map[string]int{}
	for i, m := range f.Metrics {
		seconds, err := number(ctx, q, at, "min(time() - timestamp("+m.Selector+"))")
		if err != nil {
			return d, fmt.Errorf("asking how new %s is: %w", m.Name, err)
		}
		if age := time.Duration(seconds * float64(time.Second)); i == 0 || age < d.Age {
			d.Age = age
		}
		err = q.Query(ctx, "count by (job) (count by (job, instance, namespace, pod) ("+m.Selector+"))", at, func(s telemetry.Series) error {
			job := s.Labels.Get("job")
			jobs[job] = max(jobs[job], int(s.Value))
			return nil
		})
		if err != nil {
			return d, fmt.Errorf("asking which targets have %s: %w", m.Name, err)
		}
	}
	for name, targets := range jobs {
		d.Jobs = append(d.Jobs, Job{name, targets})
	}
	slices.SortFunc(d.Jobs, func(a, b Job) int { return cmp.Compare(a.Name, b.Name) })
	return d, nil
}

// Near is a metric that is nearly what a type reads.
type Near struct {
	Metric
	Types []string
	// Old says that it was there within the last hour, but is not now; otherwise it is
	// there, and none of its series are those that the types read.
	Old bool
}

// longAgo is how far back metrics are looked for that are not there now.
const longAgo = "1h"

// Nearly looks for metrics that are nearly what types read, where nothing has been found:
// two queries for each name. selector is the one that Detect was given.
func (d *Detected) Nearly(ctx context.Context, q telemetry.Querier, at time.Time, selector string) ([]Near, error) {
	types := map[string][]string{}
	for t, looked := range d.Looked {
		for _, m := range looked {
			if m.Series == 0 && !strings.HasPrefix(m.Name, "{") && !slices.Contains(types[m.Name], string(t)) {
				types[m.Name] = append(types[m.Name], string(t))
			}
		}
	}
	var all []Near
	for _, name := range slices.Sorted(maps.Keys(types)) {
		any := name + "{" + strings.TrimRight(strings.TrimSpace(selector), ", ") + "}"
		for _, old := range []bool{false, true} {
			series := any
			if old {
				series = "last_over_time(" + any + "[" + longAgo + "])"
			}
			n, err := number(ctx, q, at, "count("+series+")")
			if err != nil {
				return nil, fmt.Errorf("looking for %s: %w", name, err)
			}
			if n > 0 {
				slices.Sort(types[name])
				all = append(all, Near{Metric{Name: name, Selector: any, Series: int(n)}, types[name], old})
				break
			}
		}
	}
	return all, nil
}

// Telling returns the only type that has metrics which it does not read and checks what is
// wrong with them, "" where there is none: its source says it better.
func Telling(near []Near) string {
	types := map[string]bool{}
	for _, n := range near {
		for _, t := range n.Types {
			if !n.Old {
				types[t] = true
			}
		}
	}
	for name := range types {
		if kind, ok, err := Named(v1.SourceType(name)); err == nil && ok && kind.IsCode() && len(types) == 1 {
			return name
		}
	}
	return ""
}
