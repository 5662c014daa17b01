package istio

import (
	"iter"
	"maps"
	"slices"

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

func plus(a, b flowgraph.Rates) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     a.SentBytesPerSecond + b.SentBytesPerSecond,
		ReceivedBytesPerSecond: a.ReceivedBytesPerSecond + b.ReceivedBytesPerSecond,
		RequestsPerSecond:      a.RequestsPerSecond + b.RequestsPerSecond,
	}
}
