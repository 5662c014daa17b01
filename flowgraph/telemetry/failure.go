package telemetry

import (
	"context"
	"errors"
	"fmt"
)

// Failure says why a refresh failed, coarsely enough for a metric label.
type Failure int

const (
	// NoFailure is the zero value: the refresh succeeded.
	NoFailure Failure = iota
	// OtherFailure is an error of no known kind.
	OtherFailure
	// Timeout means that the server did not answer in time.
	Timeout
	// Unreachable means that there is no connection to the server: refused, no
	// such host, TLS.
	Unreachable
	// Denied means that the server did not accept the credentials.
	Denied
	// Rejected means that the server refused or failed to run the query.
	Rejected
	// Partial means that the server marked its answer as incomplete.
	Partial
	// TooLarge means that the answer exceeds a configured limit.
	TooLarge
	// Empty means that the answers name no traffic between workloads: nothing is
	// scraped, the metrics are gone after a restart, the clocks differ, a selector
	// or a recording rule is wrong.
	Empty
	// BadAnswer means that the answer is not what the API promises: another
	// service, a redirect, broken JSON.
	BadAnswer
	// Mixed means that the answers mix the traffic of several clusters, so that equal
	// names would be added up.
	Mixed
	// Panicked means that the source itself broke: a bug of ours.
	Panicked
)

// Failures returns every kind of failure, NoFailure excepted.
func Failures() []Failure {
	return []Failure{OtherFailure, Timeout, Unreachable, Denied, Rejected, Partial, TooLarge, Empty, BadAnswer, Mixed, Panicked}
}

// String returns the failure as metrics and the CLI show it, e.g. "too-large".
func (f Failure) String() string {
	switch f {
	case NoFailure:
		return "none"
	case OtherFailure:
		return "other"
	case Timeout:
		return "timeout"
	case Unreachable:
		return "unreachable"
	case Denied:
		return "denied"
	case Rejected:
		return "rejected"
	case Partial:
		return "partial"
	case TooLarge:
		return "too-large"
	case Empty:
		return "empty"
	case BadAnswer:
		return "bad-answer"
	case Mixed:
		return "several-clusters"
	case Panicked:
		return "panic"
	}
	return fmt.Sprintf("Failure(%d)", int(f))
}

// QueryError is an error of a Querier with its kind.
type QueryError struct {
	Failure Failure
	Err     error
}

// Error returns the text of the wrapped error.
func (e *QueryError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *QueryError) Unwrap() error { return e.Err }

// FailureOf returns the kind of err: that of the first QueryError in its chain,
// Timeout for an exceeded deadline, OtherFailure for anything else, NoFailure
// for nil.
func FailureOf(err error) Failure {
	var q *QueryError
	switch {
	case err == nil:
		return NoFailure
	case errors.As(err, &q):
		return q.Failure
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return OtherFailure
}
