// Package doctor says what is wrong with an installation of Vicinity, why it matters and what
// to type next. A check is a function that looks at one thing and returns what it found; it
// changes nothing, neither in the cluster nor in Prometheus. What could not be looked at is a
// result of its own, never silence. The package prints tables and JSON, and knows no flags.
package doctor

import (
	"cmp"
	"context"
	"slices"
)

// Severity says how much a result matters; higher values matter more.
type Severity int

// The severities, from the least to the most serious.
const (
	// Fine is something that was looked at and is as it should be.
	Fine Severity = iota
	// Note is worth knowing and needs no action.
	Note
	// Unchecked is something that could not be looked at.
	Unchecked
	// Warning makes Vicinity less useful, or figures less complete.
	Warning
	// Error makes Vicinity useless, figures wrong, or pods wait.
	Error
)

// String returns the word that the table and JSON have for it.
func (s Severity) String() string {
	switch s {
	case Fine:
		return "ok"
	case Note:
		return "note"
	case Unchecked:
		return "unchecked"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return "unknown"
}

// Result is what a check found.
type Result struct {
	// Check is the check's name, such as "prometheus-reachable": stable, for programs.
	Check string
	// Severity says how much it matters.
	Severity Severity
	// What is the case, in one sentence that names the object.
	What string
	// Why it matters; "" where What is Fine.
	Why string
	// Next is what to do about it, with the command to type or the field to set; "" where
	// nothing is to be done.
	Next string
}

// Check looks at one thing. It returns at least one result, and no error: what it could not
// look at is Unchecked, with the reason in What.
type Check func(ctx context.Context) []Result

// Report is what all checks found.
type Report struct {
	// Results are in the order of the checks.
	Results []Result
}

// Run runs the checks one after the other, and ends early when ctx does. began, which may be
// nil, is told how many checks are done before each.
func Run(ctx context.Context, checks []Check, began func(done, all int)) Report {
	r := Report{}
	for i, check := range checks {
		if ctx.Err() != nil {
			break
		}
		if began != nil {
			began(i, len(checks))
		}
		r.Results = append(r.Results, check(ctx)...)
	}
	return r
}

// Worst returns the highest severity, Fine where there is no result.
func (r Report) Worst() Severity {
	if len(r.Results) == 0 {
		return Fine
	}
	return slices.MaxFunc(r.Results, func(a, b Result) int { return cmp.Compare(a.Severity, b.Severity) }).Severity
}
