package tally

import (
	"iter"
	"maps"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
)

// unresolved is what has an end that is not named and is of one group, such as the calls to
// one Service. A connection whose proxies do not know each other is reported by both: by
// the client's as one to an unknown server, by the server's as one from an unknown
// client. Nothing in the series joins the two, so they are compared group by group: the
// larger of both views counts, never their sum.
type unresolved struct {
	byClient, byServer flowgraph.Rates
	clients, servers   map[telemetry.Reason]flowgraph.Rates
}

// add takes what the two reporters say of a key.
func (u *unresolved) add(k key, r flowgraph.Rates) {
	if u.clients == nil {
		u.clients, u.servers = map[telemetry.Reason]flowgraph.Rates{}, map[telemetry.Reason]flowgraph.Rates{}
	}
	if k.to == 0 {
		u.byClient, u.clients[k.reason()] = plus(u.byClient, r), plus(u.clients[k.reason()], r)
		return
	}
	u.byServer, u.servers[k.reason()] = plus(u.byServer, r), plus(u.servers[k.reason()], r)
}

// bytes yields the bytes per second in both directions by reason: all that the
// clients report, and what the servers report beyond that.
func (u *unresolved) bytes() iter.Seq2[telemetry.Reason, float64] {
	return func(yield func(telemetry.Reason, float64) bool) {
		for _, reason := range slices.Sorted(maps.Keys(u.clients)) {
			if !yield(reason, u.clients[reason].BytesPerSecond()) {
				return
			}
		}
		sent := beyond(u.byServer.SentBytesPerSecond, u.byClient.SentBytesPerSecond)
		received := beyond(u.byServer.ReceivedBytesPerSecond, u.byClient.ReceivedBytesPerSecond)
		for _, reason := range slices.Sorted(maps.Keys(u.servers)) {
			r := u.servers[reason]
			if !yield(reason, r.SentBytesPerSecond*sent+r.ReceivedBytesPerSecond*received) {
				return
			}
		}
	}
}

// beyond is the part of all that is more than known, 0 to 1.
func beyond(all, known float64) float64 {
	if all <= known {
		return 0
	}
	return (all - known) / all
}

// Unmatched returns the traffic of the groups that one side alone reports, of those that
// are wanted: what clients report of servers that are not named, and servers of clients.
// It follows Observation.
func (t *Tally) Unmatched(wanted func(group string) bool) (toUnknown, fromUnknown condition.Unmatched) {
	for _, name := range slices.Sorted(maps.Keys(t.groups)) {
		u := t.halves[t.groups[name]]
		if u == nil || !wanted(name) {
			continue
		}
		into, rates := &toUnknown, u.byClient
		switch byClient, byServer := u.byClient.BytesPerSecond(), u.byServer.BytesPerSecond(); {
		case byServer == 0 && byClient > 0:
		case byClient == 0 && byServer > 0:
			into, rates = &fromUnknown, u.byServer
		default:
			continue
		}
		if into.Names == nil {
			into.Names = map[string]bool{}
		}
		into.Names[name] = true
		into.BytesPerSecond += rates.BytesPerSecond()
	}
	return toUnknown, fromUnknown
}

// oneEnd is the traffic of included pairs that one end alone reports under both names, by
// the workload at the other end. That end's proxy reports the same bytes, but does not
// know the peer, and may call the service otherwise (an alias, an ExternalName): they are
// among what it reports of unknown peers, and count already.
type oneEnd struct {
	byClients map[uint32]flowgraph.Rates // by the called workload
	byServers map[uint32]flowgraph.Rates // by the calling workload
}

func (t *Tally) reportedByOneEnd(keys []key) oneEnd {
	known := oneEnd{map[uint32]flowgraph.Rates{}, map[uint32]flowgraph.Rates{}}
	if t.o.Reporters != BothEnds {
		return known // the other end reports nothing
	}
	for _, k := range keys {
		if k.isOpen() {
			continue
		}
		switch r := t.reports.at(t.sums[k]); {
		case r.has[Server] == 0:
			known.byClients[k.to] = plus(known.byClients[k.to], r.by[Client])
		case r.has[Client] == 0:
			known.byServers[k.from] = plus(known.byServers[k.from], r.by[Server])
		}
	}
	return known
}

// take returns what of the rates of a key with one unknown end has not been reported by
// the other end already.
func (o oneEnd) take(k key, rates flowgraph.Rates) flowgraph.Rates {
	by, workload := o.byClients, k.to
	if k.to == 0 {
		by, workload = o.byServers, k.from
	}
	known := by[workload]
	if workload == 0 || known == (flowgraph.Rates{}) {
		return rates
	}
	by[workload] = minus(known, rates)
	return minus(rates, known)
}
