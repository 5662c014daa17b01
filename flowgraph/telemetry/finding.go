package telemetry

import (
	"fmt"
	"strings"
	"time"
)

// Condition is a state of the telemetry that makes figures wrong or incomplete and
// that lasts until somebody changes something (or, for YoungData, until time passes).
type Condition int

const (
	// NoCondition is the zero value and no finding's.
	NoCondition Condition = iota
	// MissingBytes means that requests or connections are counted, but not their
	// bytes.
	MissingBytes
	// SeveralClusters means that the answers mix the traffic of several clusters.
	SeveralClusters
	// ScrapedTwice means that the server has the same proxies several times.
	ScrapedTwice
	// MissingLabels means that series lack labels that name workloads.
	MissingLabels
	// YoungData means that the data do not fill the window of the rates yet.
	YoungData
	// OnlyWaypoints means that traffic is reported by waypoints alone.
	OnlyWaypoints
	// UnmatchedServices means that clients and servers that do not know each other call
	// services by different names, so that their traffic may be counted at both.
	UnmatchedServices
	// Unchecked means that the server did not answer the questions that would find
	// the others.
	Unchecked
)

// Conditions returns every condition, NoCondition excepted.
func Conditions() []Condition {
	return []Condition{MissingBytes, SeveralClusters, ScrapedTwice, MissingLabels, YoungData, OnlyWaypoints, UnmatchedServices, Unchecked}
}

// String returns the condition as metrics and the CLI show it, e.g.
// "missing-bytes".
func (c Condition) String() string {
	switch c {
	case NoCondition:
		return "none"
	case MissingBytes:
		return "missing-bytes"
	case SeveralClusters:
		return "several-clusters"
	case ScrapedTwice:
		return "scraped-twice"
	case MissingLabels:
		return "missing-labels"
	case YoungData:
		return "young-data"
	case OnlyWaypoints:
		return "only-waypoints"
	case UnmatchedServices:
		return "unmatched-services"
	case Unchecked:
		return "unchecked"
	}
	return fmt.Sprintf("Condition(%d)", int(c))
}

// Finding is a condition that a source is in, in words for people. Package
// condition makes them.
type Finding struct {
	Condition Condition
	// About tells the findings of one condition apart: a label, a kind of traffic.
	About string
	// What is the case, without a full stop and without names of the cluster: it has
	// counts and the names of metrics and labels.
	What string
	// Names are the values that What speaks of, such as clusters or scrape jobs.
	Names []string
	// Why it matters, without a full stop.
	Why string
	// Setting is the source's field that mends it (cluster, selector, window), and
	// Value what to set it to; both are empty when no setting does.
	Setting, Value string
	// Do is what else can be done: a command, a query or a place to look at. It may
	// be empty when there is a Setting.
	Do string
	// Until is when the condition passes by itself; zero when it does not.
	Until time.Time
	// Stops says that the figures mean nothing as they are: the refresh fails.
	Stops bool
}

// Text returns What with the names.
func (f Finding) Text() string {
	if len(f.Names) == 0 {
		return f.What
	}
	return f.What + " (" + strings.Join(f.Names, ", ") + ")"
}

// Next returns what to type or do next. set says how a setting is made where the
// reader is, e.g. as a flag.
func (f Finding) Next(set func(setting, value string) string) string {
	switch {
	case f.Setting == "":
		return f.Do
	case f.Do == "":
		return set(f.Setting, f.Value)
	}
	return set(f.Setting, f.Value) + ", or " + f.Do
}

// SetInFile returns for Next how a setting of a source is made in a
// TelemetryConfiguration; file is what to call that file.
func SetInFile(file, source string) func(setting, value string) string {
	return func(setting, value string) string {
		return fmt.Sprintf("set %s: '%s' for the source %s in %s", setting, strings.ReplaceAll(value, "'", "''"), source, file)
	}
}

// FindingError is the error of a refresh that a finding stops.
type FindingError struct {
	// Source is the source's name.
	Source  string
	Finding Finding
}

// Error says what is the case and why it matters.
func (e *FindingError) Error() string { return e.Finding.Text() + ": " + e.Finding.Why }

// stopped returns an error when a finding of the source stops the refresh.
func (o Observation) stopped(source string) error {
	for _, f := range o.Findings {
		if f.Stops {
			return &QueryError{Failure: Mixed, Err: &FindingError{Source: source, Finding: f}}
		}
	}
	return nil
}
