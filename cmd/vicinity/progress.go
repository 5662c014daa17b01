package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
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
// when the work has gone on for that long. Work that has nothing new to say for quietFor is
// shown again, with the age of what it said last. A nil *progress shows nothing.
type progress struct {
	out      io.Writer
	terminal bool
	// width returns how many characters a line of the terminal has; nil is for one without end.
	width func() int
	now   func() time.Time
	// ticks come more often than quietFor. Without them, nothing is shown again.
	ticks <-chan time.Time

	mu sync.Mutex
	// said is what the work under way has said last, and saidAt when; "" where there is none.
	said   string
	saidAt time.Time
	// shown is when a line was last shown, or when the work began.
	shown time.Time
}

// line shows a line; "" ends the work, and takes the line away from a terminal.
func (p *progress) line(line string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	begins := p.said == ""
	p.said, p.saidAt = line, p.now()
	switch {
	case line == "" && p.terminal && !begins:
		fmt.Fprint(p.out, eraseLine)
	case line == "":
	case p.terminal:
		p.show(p.saidAt)
	case begins:
		p.shown = p.saidAt
	default:
		p.showIfDue(p.saidAt)
	}
}

// repeat shows what was said last again with every tick at which it is due, until the function
// returned is called.
func (p *progress) repeat() (stop func()) {
	if p == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-p.ticks:
				p.again()
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (p *progress) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said != "" {
		p.showIfDue(p.now())
	}
}

func (p *progress) showIfDue(now time.Time) {
	if now.Sub(p.shown) >= quietFor {
		p.show(now)
	}
}

func (p *progress) show(now time.Time) {
	p.shown = now
	age := ""
	if d := now.Sub(p.saidAt).Truncate(time.Second); d > 0 {
		age = fmt.Sprintf(" (%s ago)", show.Duration(d))
	}
	said := []rune(show.Printable(p.said))
	if !p.terminal {
		fmt.Fprintln(p.out, string(said)+age)
		return
	}
	if p.width != nil { // a line that goes on in the next one could not be taken away
		said = said[:max(0, min(len(said), p.width()-1-len(age)))]
	}
	fmt.Fprint(p.out, eraseLine, string(said), age)
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
