package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const (
	// eraseLine brings a terminal back to the beginning of an empty line.
	eraseLine = "\r\x1b[K"
	// quietFor is how long long work may go on without a word where nobody watches: often
	// enough to see in a log that it goes on, seldom enough to read the rest of the log.
	quietFor = 10 * time.Second
)

// progress shows how far long work is. On a terminal that is one line, which the next one
// replaces. Elsewhere, as in a log, it is a plain line at most every quietFor, the first
// when the work has gone on for that long. A nil *progress shows nothing.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mu sync.Mutex
	// spoke is when the last line was written, or when the work began; zero where there is none.
	spoke time.Time
}

// line shows a line; "" ends the work, and takes the line away from a terminal.
func (p *progress) line(line string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch {
	case p.terminal:
		fmt.Fprint(p.out, eraseLine, line)
	case line == "":
		p.spoke = time.Time{}
	case p.spoke.IsZero():
		p.spoke = now
	case now.Sub(p.spoke) >= quietFor:
		p.spoke = now
		fmt.Fprintln(p.out, line)
	}
}

// asking shows which query is under way. It implements telemetry.Querier.
type asking struct {
	querier telemetry.Querier
	show    func(line string)
	// word returns the line for the query that is asked as the nth, counted from 1.
	word  func(query string, nth int) string
	asked int
}

// Query implements telemetry.Querier.
func (a *asking) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	a.asked++
	a.show(a.word(query, a.asked))
	return a.querier.Query(ctx, query, at, yield)
}

// refreshing shows the queries of one refresh by their names.
func refreshing(q telemetry.Querier, sources []telemetry.Source, show func(string)) *asking {
	names, total := map[string]string{}, 0
	for _, s := range sources {
		for _, query := range s.Queries() {
			names[query.PromQL] = query.Name
			total++
		}
	}
	return &asking{querier: q, show: show, word: func(query string, nth int) string {
		name, known := names[query]
		if !known { // beyond what every refresh asks
			name = "more"
		}
		return fmt.Sprintf("asking Prometheus for %s (%d/%d)...", name, nth, max(nth, total))
	}}
}

// looking shows that a Prometheus is searched for metrics.
func looking(q telemetry.Querier, show func(string)) *asking {
	return &asking{querier: q, show: show, word: func(_ string, nth int) string {
		return fmt.Sprintf("looking for metrics that count bytes (query %d)...", nth)
	}}
}
