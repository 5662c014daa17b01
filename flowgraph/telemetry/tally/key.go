package tally

import (
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// key is a pair of endpoints and whether their traffic becomes a flow. Clusters are not
// part of it: an end that does not know the cluster may write another name for it than the
// other end does.
type key struct {
	from, to uint32
	// group tells apart what has an end that is not named, and otherwise the instances
	// that report, where the largest of them counts; 0 where nothing is told apart.
	group uint32
	why   uint32 // a telemetry.Reason in less memory
}

func (k key) reason() telemetry.Reason { return telemetry.Reason(k.why) }

// isOpen reports whether the traffic becomes no flow.
func (k key) isOpen() bool { return k.reason() != telemetry.Included }

// keyOf returns the key of a report and why it becomes no flow. Where there are too many
// keys of the latter kind, or the names are invalid, the key is not of this reason.
func (t *Tally) keyOf(r *Report) (key, telemetry.Reason) {
	if r.Reason == telemetry.Included && (r.From.IsZero() || r.To.IsZero()) {
		r.Reason = telemetry.UnknownWorkload // a flow has two ends
	}
	if r.From.Kind == telemetry.SiteEndpoint && r.To.Kind == telemetry.SiteEndpoint {
		r.Reason = telemetry.External // nothing of it is in the cluster
	}
	if r.Reason != telemetry.Included && t.isFull() {
		return key{}, r.Reason
	}
	var k key
	var validFrom, validTo bool
	k.from, validFrom = t.index(r.From)
	k.to, validTo = t.index(r.To)
	if !validFrom || !validTo {
		return key{}, telemetry.Invalid
	}
	switch r.Reason {
	case telemetry.Included:
		if t.o.Largest {
			k.group = t.instances.number(r.Instance)
		}
	case telemetry.BlackHole, telemetry.OtherCluster: // both ends know what these are
	default:
		if t.o.Reporters == BothEnds && (k.from == 0 || k.to == 0) {
			k.group = t.groups.number(r.Group)
		}
	}
	k.why = uint32(r.Reason)
	return k, r.Reason
}

// index returns the number of an endpoint, 0 for the zero one. ok is false where there can
// be none of such a name.
func (t *Tally) index(e telemetry.Endpoint) (i uint32, ok bool) {
	isWorkload := e.Kind == telemetry.WorkloadEndpoint
	if isWorkload {
		i, ok = t.workloads[e.Workload()]
	} else {
		i, ok = t.others[e]
	}
	switch {
	case ok:
		return i, true
	case !e.IsValid():
		return 0, false
	}
	i = uint32(len(t.endpoints))
	t.endpoints = append(t.endpoints, e)
	if isWorkload {
		t.workloads[e.Workload()] = i
	} else {
		t.others[e] = i
	}
	return i, true
}

// What is kept of names that only tell traffic apart. Those beyond it are taken for one.
const (
	maxNames     = 20_000
	maxNameBytes = 253
)

// names numbers names from 1 on.
type names map[string]uint32

func (n names) number(name string) uint32 {
	if len(name) > maxNameBytes {
		name = ""
	}
	i, known := n[name]
	if !known && len(n) >= maxNames {
		name = ""
		i, known = n[name]
	}
	if !known {
		i = uint32(len(n)) + 1
		n[name] = i
	}
	return i
}
