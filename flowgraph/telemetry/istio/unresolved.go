package istio

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// unresolved is what has an unresolved end and goes to one service. A connection
// whose proxies do not know each other is reported by both: by the client's as one
// to an unknown server, by the server's as one from an unknown client. Nothing in
// the series joins the two, so they are compared service by service: the larger of
// both views counts, never their sum.
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

// findUnmatched notes the services that one side alone reports. Names of hosts outside,
// which have dots, and what is let through have no server that reports them.
func (t *tally) findUnmatched(open map[uint32]*unresolved) {
	for _, name := range slices.Sorted(maps.Keys(t.services)) {
		u := open[t.services[name]]
		if u == nil || name == "" || isPassthrough(name) || strings.Contains(name, ".") {
			continue
		}
		into, rates := &t.toUnknown, u.byClient
		switch byClient, byServer := u.byClient.BytesPerSecond(), u.byServer.BytesPerSecond(); {
		case byServer == 0 && byClient > 0:
		case byClient == 0 && byServer > 0:
			into, rates = &t.fromUnknown, u.byServer
		default:
			continue
		}
		if into.Names == nil {
			into.Names = map[string]bool{}
		}
		into.Names[name] = true
		into.BytesPerSecond += rates.BytesPerSecond()
	}
}

// oneEnd is the traffic of included pairs that one end alone reports under both names, by
// the workload at the other end. That end's proxy reports the same bytes, but does not
// know the peer, and may call the service otherwise (an alias, an ExternalName): they are
// among what it reports of unknown peers, and count already.
type oneEnd struct {
	byClients map[uint32]flowgraph.Rates // by the called workload
	byServers map[uint32]flowgraph.Rates // by the calling workload
}

func (t *tally) reportedByOneEnd(keys []key) oneEnd {
	known := oneEnd{map[uint32]flowgraph.Rates{}, map[uint32]flowgraph.Rates{}}
	for _, k := range keys {
		if k.reason() != telemetry.Included {
			continue
		}
		switch r := t.reports.at(t.sums[k]); {
		case r.has[1] == 0:
			known.byClients[k.to] = plus(known.byClients[k.to], r.bySource)
		case r.has[0] == 0:
			known.byServers[k.from] = plus(known.byServers[k.from], r.byDestination)
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

// minus is what of a is beyond b, at least 0.
func minus(a, b flowgraph.Rates) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     max(0, a.SentBytesPerSecond-b.SentBytesPerSecond),
		ReceivedBytesPerSecond: max(0, a.ReceivedBytesPerSecond-b.ReceivedBytesPerSecond),
		RequestsPerSecond:      max(0, a.RequestsPerSecond-b.RequestsPerSecond),
	}
}

func plus(a, b flowgraph.Rates) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     a.SentBytesPerSecond + b.SentBytesPerSecond,
		ReceivedBytesPerSecond: a.ReceivedBytesPerSecond + b.ReceivedBytesPerSecond,
		RequestsPerSecond:      a.RequestsPerSecond + b.RequestsPerSecond,
	}
}
