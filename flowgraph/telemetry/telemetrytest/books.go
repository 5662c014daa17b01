package telemetrytest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// edge is a pair of workloads.
type edge struct{ from, to flowgraph.WorkloadID }

func (e edge) String() string { return fmt.Sprintf("%v -> %v", e.from, e.to) }

func (e edge) compare(o edge) int {
	if c := e.from.Compare(o.from); c != 0 {
		return c
	}
	return e.to.Compare(o.to)
}

// amounts are the traffic of each Protocol since the beginning.
type amounts [2]Traffic

// books say what the traffic really was: at each scrape, all of it since the beginning.
// The zero edge has what some proxy reports without knowing both ends.
type books struct {
	now map[edge]*amounts
	at  []map[edge]amounts
}

func newBooks() books {
	b := books{now: map[edge]*amounts{}}
	b.close() // before the first scrape
	return b
}

// scrapes is how many there have been, that of the beginning included.
func (b *books) scrapes() int { return len(b.at) }

// close keeps what has been until a scrape.
func (b *books) close() {
	until := make(map[edge]amounts, len(b.now))
	for e, a := range b.now {
		until[e] = *a
	}
	b.at = append(b.at, until)
}

// add adds what a call exchanges. Where oneWay is set, either direction is an edge.
func (b *books) add(c Call, step Step, of *current, oneWay bool) {
	all := step.Moved
	all.add(step.Retried)
	client, server := workloadOf(c.Client), workloadOf(c.Server)
	switch {
	case !of.named && len(of.counts) == 0: // nobody can know
	case !of.named:
		b.book(edge{}, c.Protocol, all)
	case oneWay:
		b.book(edge{client, server}, c.Protocol, Traffic{Sent: all.Sent})
		b.book(edge{server, client}, c.Protocol, Traffic{Sent: all.Received})
	case c.Waypoint == Pod{}:
		b.book(edge{client, server}, c.Protocol, all)
	default:
		b.book(edge{client, workloadOf(c.Waypoint)}, c.Protocol, step.Moved)
		if c.Server.Meshed { // a waypoint does not say that it is one end
			b.book(edge{workloadOf(c.Waypoint), server}, c.Protocol, all)
		}
	}
}

func (b *books) book(e edge, p Protocol, t Traffic) {
	if b.now[e] == nil {
		b.now[e] = &amounts{}
	}
	b.now[e][p].add(t)
}

func workloadOf(p Pod) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: p.Namespace, Name: p.Workload}
}

// want is the true rate of an edge over a window, and by how much an answer may differ.
type want struct{ sent, received, sentWithin, receivedWithin float64 }

func (w *want) add(o want) {
	w.sent += o.sent
	w.received += o.received
	w.sentWithin += o.sentWithin
	w.receivedWithin += o.receivedWithin
}

// wanted returns the true rates over the window that ends at a time.
func (b *books) wanted(at time.Duration, tolerance func(Protocol) float64) map[edge]want {
	rates := map[edge]want{}
	end := b.at[at/interval]
	start := b.at[max(0, at-window)/interval]
	for e := range end {
		w := want{}
		for p := range end[e] {
			within := tolerance(Protocol(p))
			sent := (end[e][p].Sent - start[e][p].Sent) / window.Seconds()
			received := (end[e][p].Received - start[e][p].Received) / window.Seconds()
			w.add(want{sent, received, sent * within, received * within})
		}
		rates[e] = w
	}
	return rates
}

// compareWith says how an observation differs from the true rates: in both directions of
// each edge, and in all that is counted, whether it is of an edge or left out. least is the
// part of the rates that must be seen at least.
func compareWith(wanted map[edge]want, o telemetry.Observation, least float64) error {
	var errs []error
	differs := func(what any, got, rate, within float64) {
		if got > rate+within+slack || got < least*(rate-within)-slack {
			errs = append(errs, fmt.Errorf("%v: %.6g B/s, want %.6g, at most %.2g off", what, got, rate, within))
		}
	}
	got := map[edge]flowgraph.Rates{}
	for _, f := range o.Flows {
		e := edge{f.From, f.To}
		if _, twice := got[e]; twice {
			errs = append(errs, fmt.Errorf("%v: two flows", e))
		}
		got[e] = f.Rates
		if _, ok := wanted[e]; !ok && f.BytesPerSecond() > slack {
			errs = append(errs, fmt.Errorf("%v: there is no such edge, but %.6g B/s", e, f.BytesPerSecond()))
		}
	}
	all := want{}
	for _, e := range slices.SortedFunc(maps.Keys(wanted), edge.compare) {
		w := wanted[e]
		all.add(w)
		if e == (edge{}) {
			continue
		}
		if _, ok := got[e]; !ok && least > 0 && w.sent+w.received > slack {
			errs = append(errs, fmt.Errorf("%v: the edge is missing", e))
			continue
		}
		differs(fmt.Sprint(e, " sent"), got[e].SentBytesPerSecond, w.sent, w.sentWithin)
		differs(fmt.Sprint(e, " received"), got[e].ReceivedBytesPerSecond, w.received, w.receivedWithin)
	}
	differs("all traffic, left out or not", o.BytesPerSecond(), all.sent+all.received, all.sentWithin+all.receivedWithin)
	return errors.Join(errs...)
}

// slack is a rate in bytes per second that is none.
const slack = 1e-3
