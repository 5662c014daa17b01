//go:build linux

package realmeshes

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
)

// trial is traffic between a client and a server behind an Envoy: the client's sidecar.
type trial struct {
	name string
	traffic
	tls        bool
	perRequest bool // Envoy opens a connection for each request
}

func trials() []trial {
	var all []trial
	for _, tls := range []bool{false, true} {
		with := func(name string, is traffic, perRequest bool) {
			all = append(all, trial{name: name, traffic: is, tls: tls, perRequest: perRequest})
		}
		for _, p := range []protocol{http1, http2, grpcs, tcp} {
			with(string(p), traffic{protocol: p, requests: 200, request: 500, respond: 5000}, false)
		}
		with("gRPC, one stream", traffic{protocol: grpcs, requests: 200, request: 500, respond: 5000, stream: true}, false)
		with("HTTP/1.1, small", traffic{protocol: http1, requests: 200, request: 10, respond: 100}, false)
		with("HTTP/2, small", traffic{protocol: http2, requests: 200, request: 10, respond: 100}, false)
		with("HTTP/1.1, large", traffic{protocol: http1, requests: 10, request: 100_000, respond: 500_000}, false)
		with("TCP, large", traffic{protocol: tcp, requests: 10, request: 100_000, respond: 500_000}, false)
		with("HTTP/1.1, a connection for each request", traffic{protocol: http1, requests: 200, request: 500, respond: 5000}, true)
		with("TCP, a connection for each request", traffic{protocol: tcp, requests: 200, request: 500, respond: 5000, perRequest: true}, true)
		with("HTTP/1.1, each request tried twice", traffic{protocol: http1, requests: 200, request: 500, respond: 5000, failures: 1}, false)
	}
	return all
}

// counted is what is known of a trial's traffic, in both directions: the payload, what Envoy
// counts, what TCP connections carry, and what is on the wire.
type counted struct{ payload, envoy, tcp, frames int }

// TestWhatEnvoyCounts compares the counters of bytes of an upstream with what its server, one
// of ours that ends TLS itself, has read and written.
func TestWhatEnvoyCounts(t *testing.T) {
	l := newLab(t)
	a := newAuthority(t)
	var clusters []*cluster
	var listeners []*listener
	apps := make([]*app, len(trials()))
	for i, tr := range trials() {
		upstream := &cluster{name: fmt.Sprintf("trial-%d", i), address: at(l.server.address, l.port()), http2: tr.protocol.isHTTP2(), perRequest: tr.perRequest}
		if tr.tls {
			upstream.tls = &tlsEnd{a.issue(t, "client"), a.pem, "server", []string{tr.protocol.alpn()}}
			apps[i] = serve(t, l.server, upstream.address, tr.traffic, a.server(t, a.issue(t, "server"), tr.protocol.alpn()))
		} else {
			apps[i] = serve(t, l.server, upstream.address, tr.traffic, nil)
		}
		clusters = append(clusters, upstream)
		listeners = append(listeners, &listener{
			address: at("127.0.0.1", l.port()), cluster: upstream.name, statPrefix: upstream.name, http: tr.protocol.isHTTP(), retries: tr.failures,
		})
	}
	sidecar := l.start(t, l.client, "client", bootstrap(clusters, listeners))
	out := &strings.Builder{}
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| traffic\t| mTLS\t| payload\t| Envoy counts\t| TCP carries\t| on the wire\t|")
	fmt.Fprintln(table, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for i, tr := range trials() {
		got := tr.run(t, l, sidecar, clusters[i], listeners[i].address, apps[i])
		fmt.Fprintf(table, "| %s\t| %s\t| %d\t| %s\t| %s\t| %s\t|\n", tr.name, yes(tr.tls), got.payload,
			beyond(got.envoy, got.payload), beyond(got.tcp, got.payload), beyond(got.frames, got.payload))
	}
	l.wire.check(t, l.client)
	table.Flush()
	t.Logf("Envoy %s, bytes in both directions, and how many they are for 100 of payload:\n%s", sidecar.version(t), out)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// beyond is an amount and what it is of the payload.
func beyond(n, payload int) string {
	if n == 0 {
		return "not known"
	}
	return fmt.Sprintf("%d (%.1f)", n, 100*float64(n)/float64(payload))
}

// sentTwice is how much TCP may have sent twice on a busy machine: a few segments.
const sentTwice = 20_000

// run sends the traffic of a trial, and checks that Envoy's counters are what the server has
// read and written without TLS, to the byte.
func (tr trial) run(t *testing.T, l *lab, sidecar *envoy, upstream *cluster, address string, server *app) (got counted) {
	t.Helper()
	if err := tr.send(t.Context(), l.client, address); err != nil {
		t.Fatalf("%s: %v", tr.name, err)
	}
	eventually(t, func() error { return sidecar.agrees(t.Context(), upstream.name, server) })
	got.payload = tr.requests * ((tr.failures+1)*tr.request + tr.respond)
	got.envoy, got.tcp = server.plain.both(), server.outer.both()
	if encrypted := got.tcp > got.envoy; encrypted != tr.tls {
		t.Errorf("%s: %d bytes of TCP connections for %d that Envoy has counted; mTLS: %v", tr.name, got.tcp, got.envoy, tr.tls)
	}
	if l.wire == nil {
		return got
	}
	on := l.wire.of(portOf(upstream.address))
	got.frames = on.toServer.frames + on.toClient.frames
	if carried := on.toServer.payload + on.toClient.payload; carried < got.tcp || carried > got.tcp+sentTwice {
		t.Errorf("%s: %d bytes of TCP connections, and %d on the wire", tr.name, got.tcp, carried)
	}
	return got
}

// agrees compares an upstream's counters with what its server has read and written without
// TLS.
func (e *envoy) agrees(ctx context.Context, upstream string, server *app) error {
	sent, received, err := e.upstreamBytes(ctx, upstream)
	if err != nil {
		return err
	}
	if sent != int(server.plain.in.Load()) || received != int(server.plain.out.Load()) {
		return fmt.Errorf("%s: Envoy has counted %d bytes sent and %d received; the server has read %d and written %d (%d and %d with TLS)",
			upstream, sent, received, server.plain.in.Load(), server.plain.out.Load(), server.outer.in.Load(), server.outer.out.Load())
	}
	return nil
}

// upstreamBytes are the counters that this is about.
func (e *envoy) upstreamBytes(ctx context.Context, upstream string) (sent, received int, err error) {
	stats, err := e.stats(ctx)
	prefix := "cluster." + upstream + ".upstream_cx_"
	return stats[prefix+"tx_bytes_total"], stats[prefix+"rx_bytes_total"], err
}

// TestCountersOfOpenConnections reads the counters while connections and streams are open:
// they do not wait for the end.
func TestCountersOfOpenConnections(t *testing.T) {
	l := newLab(t)
	for _, is := range []traffic{
		{protocol: tcp, requests: 50, request: 1000, respond: 10_000},
		{protocol: grpcs, requests: 50, request: 1000, respond: 10_000, stream: true},
	} {
		t.Run(string(is.protocol), func(t *testing.T) {
			upstream := &cluster{name: "open", address: at(l.server.address, l.port()), http2: is.protocol.isHTTP2()}
			entry := &listener{address: at("127.0.0.1", l.port()), cluster: upstream.name, statPrefix: "open", http: is.protocol.isHTTP()}
			server := serve(t, l.server, upstream.address, is, nil)
			sidecar := l.start(t, l.client, "client", bootstrap([]*cluster{upstream}, []*listener{entry}))
			checked := false
			is.whileOpen = func() error {
				eventually(t, func() error {
					if least := is.requests * is.request; int(server.plain.in.Load()) < least {
						return fmt.Errorf("the server has read %d bytes; want %d", server.plain.in.Load(), least)
					}
					return sidecar.agrees(t.Context(), upstream.name, server)
				})
				checked = true
				return nil
			}
			if err := is.send(t.Context(), l.client, entry.address); err != nil || !checked {
				t.Fatalf("checked: %v: %v", checked, err)
			}
		})
	}
}

// TestHealthChecksAreNotCounted has Envoy check the health of an upstream that nobody calls.
func TestHealthChecksAreNotCounted(t *testing.T) {
	l := newLab(t)
	upstream := &cluster{name: "checked", address: at(l.server.address, l.port()), healthChecks: true}
	server := serve(t, l.server, upstream.address, traffic{protocol: tcp, request: len("ping"), respond: len("pong")}, nil)
	sidecar := l.start(t, l.client, "client", bootstrap([]*cluster{upstream}, nil))
	eventually(t, func() error {
		if n := server.plain.in.Load(); n < 3*int64(len("ping")) {
			return fmt.Errorf("the server has read %d bytes of health checks", n)
		}
		return nil
	})
	if sent, received, err := sidecar.upstreamBytes(t.Context(), upstream.name); err != nil || sent != 0 || received != 0 {
		t.Errorf("Envoy has counted %d bytes sent and %d received (%v), of health checks alone", sent, received, err)
	}
}
