package telemetry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Checker is a Source that can look for conditions which its answers do not show.
type Checker interface {
	Source
	// Check asks what else there is to know of what Collect saw at that time. The
	// findings of the observation itself are not repeated. Its queries are few and
	// cheap; an error means that some had no answer, and the findings are those of
	// the others.
	Check(ctx context.Context, q Querier, at time.Time, seen Observation) ([]Finding, error)
}

const (
	// checkEvery is how often a source that is well is checked. What the checks look
	// for changes with somebody's configuration, not with the traffic.
	checkEvery = time.Hour
	// recheckEvery is how often one is checked that is not, so that a cure shows.
	recheckEvery = 5 * time.Minute
)

// checks are the checks of one source over time.
type checks struct {
	at       time.Time // of the last one, zero before
	findings []Finding // of the last one
}

// current asks the source if it is time to, and returns what is the case at a time.
// recovered says that the refresh before failed.
func (c *checks) current(ctx context.Context, s Source, q Querier, at time.Time, seen Observation, recovered bool) []Finding {
	checker, ok := s.(Checker)
	if ok && c.due(at, seen.isEmpty(), recovered) {
		found, err := check(ctx, checker, q, at, seen)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			found = append(found, unchecked(err))
		}
		c.at, c.findings = at, found
	}
	passed := func(f Finding) bool { return !f.Until.IsZero() && !at.Before(f.Until) }
	return slices.Concat(seen.Findings, slices.DeleteFunc(slices.Clone(c.findings), passed))
}

func (c *checks) due(at time.Time, empty, recovered bool) bool {
	since := at.Sub(c.at).Abs()
	switch {
	case c.at.IsZero(), since >= checkEvery, recovered && !empty:
		return true
	}
	return (empty || len(c.findings) > 0) && since >= recheckEvery
}

// check turns a panic of the source into an error, as ask does.
func check(ctx context.Context, c Checker, q Querier, at time.Time, seen Observation) (found []Finding, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v: this is a bug of Vicinity, please report it", cause)
		}
	}()
	return c.Check(ctx, q, at, seen)
}

// unchecked is the finding of checks that had no answer.
func unchecked(err error) Finding {
	return Finding{
		Condition: Unchecked,
		What:      "the checks of the telemetry had no answer",
		Names:     []string{strings.ReplaceAll(err.Error(), "\n", "; ")}, // errors.Join
		Why:       "whether proxies are scraped twice, data is too young or traffic is missing is not known",
		Do:        "look at the server's log, and ask again",
	}
}
