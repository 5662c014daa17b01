package replay

import (
	"fmt"
	"time"
)

// doing says what a pass is about, for progress.
func doing(ps pass) string {
	if ps.routes != nil {
		return "with the routing assumed"
	}
	return "with today's routing"
}

// tell shows a line to whoever watches.
func (o *Options) tell(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// counter tells how many replays of a cluster at one moment are done.
type counter struct {
	what        string
	made, total int
	began       time.Time
	options     *Options
}

func (c *counter) begin() { c.options.tell("%s: 0 of %d replays...", c.what, c.total) }

func (c *counter) done() {
	c.made++
	left := c.options.Now().Sub(c.began) / time.Duration(c.made) * time.Duration(c.total-c.made)
	c.options.tell("%s: %d of %d replays, %v left...", c.what, c.made, c.total, left.Round(time.Second))
}

// stepper tells how far a replay over time is.
type stepper struct {
	what     string
	from, to time.Time
	began    time.Time
	shown    time.Time
	options  *Options
}

func (s *stepper) done(at time.Time) {
	const often = 200 * time.Millisecond
	now := s.options.Now()
	if s.options.Progress == nil || now.Sub(s.shown) < often || !at.After(s.from) {
		return
	}
	s.shown = now
	share := min(float64(at.Sub(s.from))/float64(max(s.to.Sub(s.from), 1)), 1)
	left := time.Duration(float64(now.Sub(s.began)) * (1 - share) / share)
	s.options.tell("%s: at %s, %.0f %% of the time, %v left...", s.what, at.UTC().Format(time.RFC3339), 100*share, left.Round(time.Second))
}
