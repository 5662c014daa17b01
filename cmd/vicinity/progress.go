package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// eraseLine brings a terminal back to the beginning of an empty line.
const eraseLine = "\r\x1b[K"

// progress tells a terminal which query is under way. It implements
// telemetry.Querier for one refresh.
type progress struct {
	querier telemetry.Querier
	out     io.Writer         // nil when nobody watches
	names   map[string]string // of the queries, by their PromQL
	asked   int
	total   int
}

func newProgress(q telemetry.Querier, sources []telemetry.Source, out io.Writer) *progress {
	p := &progress{querier: q, out: out, names: map[string]string{}}
	for _, s := range sources {
		for _, query := range s.Queries() {
			p.names[query.PromQL] = query.Name
			p.total++
		}
	}
	return p
}

// Query implements telemetry.Querier.
func (p *progress) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	p.asked++
	if p.out != nil {
		name, known := p.names[query]
		if !known { // beyond what every refresh asks
			name = "more"
		}
		fmt.Fprintf(p.out, "%sasking Prometheus for %s (%d/%d)...", eraseLine, name, p.asked, max(p.asked, p.total))
	}
	return p.querier.Query(ctx, query, at, yield)
}

// clear removes the line.
func (p *progress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, eraseLine)
	}
}
