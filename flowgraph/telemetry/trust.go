package telemetry

import (
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Trust says which reports a source believes, and how many it keeps. Telemetry is input
// from tenants: whoever runs a target that is scraped may report what it likes. The zero
// value believes all and keeps all.
type Trust struct {
	// ReporterLabel is the label with the namespace of the target that a series comes
	// from, as the scrape has attached it. When it is set, a target is believed only
	// what it reports of its own end. "" believes everybody.
	ReporterLabel string
	// TrustedReporters are namespaces whose targets report for others, such as agents on
	// nodes. They need a ReporterLabel.
	TrustedReporters []string
	// Agreed counts of traffic between namespaces what both ends report: the smaller of
	// each rate, and nothing where only one end does, unless by TrustedReporters alone.
	// Otherwise the larger counts.
	Agreed bool
	// Limits bound the pairs of one observation, and half-way twice as many.
	Limits flowgraph.Limits
	// Sites are the endpoints outside the cluster that count. Whoever runs the scheduler says
	// where they are; which traffic is with them, targets report.
	Sites *Sites
	// Known, when set, reports whether there is an edge already. It has precedence over
	// new ones where there are too many.
	Known func(from, to flowgraph.WorkloadID) bool
}

// Identifies reports whether targets are believed only what they report of themselves.
func (t *Trust) Identifies() bool { return t.ReporterLabel != "" }

// Judge says whether a target of some namespace, which is "" where the series has no such
// label, may report for an end in another: Included, UnknownReporter or ForeignReporter.
func (t *Trust) Judge(reporter, end string) Reason {
	switch {
	case !t.Identifies() || reporter != "" && reporter == end:
		return Included
	case reporter == "":
		return UnknownReporter
	case t.Trusts(reporter):
		return Included
	}
	return ForeignReporter
}

// Trusts reports whether targets in a namespace may report for ends that they are none of.
func (t *Trust) Trusts(reporter string) bool {
	return t.Identifies() && slices.Contains(t.TrustedReporters, reporter)
}

// JudgeAgent says whether a target of some namespace may report for ends that it is none
// of, whoever they are: Included, UnknownReporter or ForeignReporter.
func (t *Trust) JudgeAgent(reporter string) Reason { return t.Judge(reporter, "") }

// ValidateReporterLabel reports why a label cannot name the namespace of a target.
func ValidateReporterLabel(label string) error {
	if !model.LegacyValidation.IsValidLabelName(label) {
		return errors.New("must be the name of a label in Prometheus: letters, digits and underscores, no digit first")
	}
	for _, own := range []string{"source_", "destination_", "reporter", "exported_", "__", "cluster"} {
		if strings.HasPrefix(label, own) {
			return errors.New("must be a label that the scrape attaches, such as namespace: targets choose the values of those that begin with " + own)
		}
	}
	return nil
}
