package tally

import (
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// maxDivisions is how many pairs of workloads Divide keeps where Trust has no limit of edges.
const maxDivisions = 100_000

// division is a client and a workload that serves it, with names as divisions have them.
type division struct{ from, to flowgraph.WorkloadID }

// flat is a workload whose name may have come through a metric's name: - and . are _ there.
func flat(id flowgraph.WorkloadID) flowgraph.WorkloadID {
	flatten := func(name string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == '.' {
				return '_'
			}
			return r
		}, name)
	}
	return flowgraph.WorkloadID{Namespace: flatten(id.Namespace), Name: flatten(id.Name)}
}

// Divide takes what one series says of how a client's traffic with a Service is divided over
// the workloads behind it: a rate, of whatever unit, at which a workload serves the client. In
// names, _ stands for - and . too. namespace is as in Report, for a target at the client's
// end. Divisions are to be taken before the reports that they divide.
func (t *Tally) Divide(from, to flowgraph.WorkloadID, namespace string, rate float64) {
	t.series++
	from, to = flat(from), flat(to)
	limit := maxDivisions
	if edges := t.o.Trust.Limits.Edges; edges > 0 {
		limit = 2 * edges
	}
	_, known := t.divisions[division{from, to}]
	rate, ok := flowgraph.ClampRate(rate)
	switch reason := t.judgeDivision(from, namespace); {
	case !ok, len(from.Namespace)+len(from.Name)+len(to.Namespace)+len(to.Name) > 4*maxNameBytes:
		t.leaveOut(telemetry.Invalid, 1, 0)
	case reason != telemetry.Included:
		t.leaveOut(reason, 1, 0)
	case !known && len(t.divisions) >= limit:
		t.leaveOut(telemetry.Surplus, 1, 0)
	default:
		if t.divisions == nil {
			t.divisions = map[division]float64{}
		}
		t.divisions[division{from, to}] += rate
	}
}

// judgeDivision says whether the target that reports a division may speak for the client.
func (t *Tally) judgeDivision(from flowgraph.WorkloadID, namespace string) telemetry.Reason {
	if t.o.Reporters == Agents {
		return t.o.Trust.JudgeAgent(namespace)
	}
	reason := t.o.Trust.Judge(namespace, from.Namespace)
	if reason == telemetry.ForeignReporter && flat(flowgraph.WorkloadID{Namespace: namespace}).Namespace == from.Namespace {
		return telemetry.Included
	}
	return reason
}

// divided returns the parts of a client's traffic that belong to the workloads behind an
// endpoint: those of the divisions, or else the shares that the endpoint has for everybody.
func (t *Tally) divided(from flowgraph.WorkloadID, shares []telemetry.Share) []telemetry.Share {
	if len(shares) < 2 || len(t.divisions) == 0 {
		return shares
	}
	from = flat(from)
	seen := make(map[flowgraph.WorkloadID]bool, len(shares))
	parts := make([]telemetry.Share, 0, len(shares))
	all := 0.0
	for _, s := range shares {
		to := flat(s.Workload)
		if seen[to] { // nobody can tell these apart
			return shares
		}
		seen[to] = true
		if rate := t.divisions[division{from, to}]; rate > 0 {
			parts = append(parts, telemetry.Share{Workload: s.Workload, Part: rate})
			all += rate
		}
	}
	if all <= 0 {
		return shares
	}
	for i := range parts {
		parts[i].Part /= all
	}
	return parts
}
