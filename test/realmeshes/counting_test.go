//go:build linux

package realmeshes

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"
)

// trial is traffic between a client and a server behind an Envoy: the client's sidecar.
type trial struct {
	name string
	traffic
	perRequest bool // Envoy opens a connection for each request
	upstream   [2]*cluster
	entry      [2]*listener // where the client calls
	server     [2]*app
}

// Each trial is made without TLS and with mutual TLS between Envoy and the server.
const (
	plain = iota
	encrypted
)

func trials() []*trial {
	medium := func(p protocol) traffic { return traffic{protocol: p, requests: 200, request: 500, respond: 5000} }
	small := func(p protocol) traffic { return traffic{protocol: p, requests: 200, request: 10, respond: 100} }
	large := func(p protocol) traffic {
		return traffic{protocol: p, requests: 10, request: 100_000, respond: 500_000}
	}
	stream, connections, twice := medium(grpcs), medium(tcp), medium(http1)
	stream.stream, connections.perRequest, twice.failures = true, true, 1
	return []*trial{
		{name: "HTTP/1.1, 500 B and 5 kB", traffic: medium(http1)},
		{name: "HTTP/2, 500 B and 5 kB", traffic: medium(http2)},
		{name: "gRPC, 500 B and 5 kB", traffic: medium(grpcs)},
		{name: "gRPC, the same in one stream", traffic: stream},
		{name: "TCP, 500 B and 5 kB", traffic: medium(tcp)},
		{name: "HTTP/1.1, 10 B and 100 B", traffic: small(http1)},
		{name: "HTTP/2, 10 B and 100 B", traffic: small(http2)},
		{name: "HTTP/1.1, 100 kB and 500 kB", traffic: large(http1)},
		{name: "TCP, 100 kB and 500 kB", traffic: large(tcp)},
		{name: "HTTP/1.1, 500 B and 5 kB, a connection each", traffic: medium(http1), perRequest: true},
		{name: "TCP, 500 B and 5 kB, a connection each", traffic: connections, perRequest: true},
		{name: "HTTP/1.1, 500 B and 5 kB, each tried twice", traffic: twice},
	}
}

// counted is what is known of a trial's traffic, in both directions: the payload, what Envoy
// counts, what TCP connections carry, and what is on the wire.
type counted struct{ payload, envoy, tcp, frames int }

// TestWhatEnvoyCounts compares the counters of bytes of an upstream with what its server, one
// of ours that ends TLS itself, has read and written, and the figures with those in the
// documentation.
func TestWhatEnvoyCounts(t *testing.T) {
	l := newLab(t)
	all := trials()
	sidecar := l.prepare(t, all)
	table := [][]string{{"requests and answers", "Envoy counts", "TCP carries", "with mTLS", "on the wire", "with mTLS"}}
	for _, tr := range all {
		without, with := tr.run(t, l, sidecar, plain), tr.run(t, l, sidecar, encrypted)
		if off := float64(with.envoy)/float64(without.envoy) - 1; off < -0.001 || off > 0.001 {
			t.Errorf("%s: Envoy has counted %d bytes without TLS, and %d with it", tr.name, without.envoy, with.envoy)
		}
		table = append(table, []string{
			tr.name, of(without.envoy, with.payload), of(without.tcp, with.payload), of(with.tcp, with.payload),
			of(without.frames, with.payload), of(with.frames, with.payload),
		})
	}
	l.wire.check(t, l.client)
	t.Logf("Envoy %s: bytes in both directions for 100 bytes of payload\n%s", sidecar.version(t), markdown(table))
	compareDocumented(t, table, []float64{0.01, 0.01, 0.1, 0.1, 0.1})
}

// prepare starts the servers of trials and the sidecar in front of them.
func (l *lab) prepare(t *testing.T, all []*trial) *envoy {
	t.Helper()
	a := newAuthority(t)
	var clusters []*cluster
	var listeners []*listener
	for i, tr := range all {
		for _, mode := range []int{plain, encrypted} {
			c := &cluster{
				name: fmt.Sprintf("trial-%d-%d", i, mode), address: at(l.server.address, l.port()), http2: tr.protocol.isHTTP2(), perRequest: tr.perRequest,
			}
			var security *tls.Config
			if mode == encrypted {
				alpn := tr.protocol.alpn()
				c.tls = &tlsEnd{a.issue(t, "client"), a.pem, "server", []string{alpn}}
				security = a.server(t, a.issue(t, "server"), alpn)
			}
			tr.upstream[mode], tr.server[mode] = c, serve(t, l.server, c.address, tr.traffic, security)
			tr.entry[mode] = &listener{address: at("127.0.0.1", l.port()), cluster: c.name, statPrefix: c.name, http: tr.protocol.isHTTP(), retries: tr.failures}
			clusters, listeners = append(clusters, c), append(listeners, tr.entry[mode])
		}
	}
	return l.start(t, l.client, "client", bootstrap(clusters, listeners))
}

// sentTwice is how much TCP may have sent twice on a busy machine, where acknowledgements come
// late: a few segments, and a twentieth of much traffic.
func sentTwice(bytes int) int { return max(50_000, bytes/20) }

// run sends the traffic of a trial, and checks that Envoy's counters are what the server has
// read and written without TLS, to the byte.
func (tr *trial) run(t *testing.T, l *lab, sidecar *envoy, mode int) (got counted) {
	t.Helper()
	if err := tr.send(t.Context(), l.client, tr.entry[mode].address); err != nil {
		t.Fatalf("%s: %v", tr.name, err)
	}
	upstream, server := tr.upstream[mode], tr.server[mode]
	eventually(t, func() error { return sidecar.agrees(t.Context(), upstream.name, server) })
	eventually(t, func() error { return l.carries(upstream, server) })
	got.payload = tr.requests * ((tr.failures+1)*tr.request + tr.respond)
	got.envoy, got.tcp = server.plain.both(), server.outer.both()
	if hasMore := got.tcp > got.envoy; hasMore != (mode == encrypted) {
		t.Errorf("%s: %d bytes of TCP connections for %d that Envoy has counted; mTLS: %v", tr.name, got.tcp, got.envoy, mode == encrypted)
	}
	on := l.wire.of(portOf(upstream.address))
	got.frames = on.toServer.frames + on.toClient.frames
	return got
}

// carries compares what TCP has carried on the wire with what a server has read and written.
func (l *lab) carries(upstream *cluster, server *app) error {
	on, is := l.wire.of(portOf(upstream.address)), server.outer.both()
	if carried := on.toServer.payload + on.toClient.payload; l.wire != nil && (carried < is || carried > is+sentTwice(is)) {
		return fmt.Errorf("%s: %d bytes of TCP connections, and %d on the wire", upstream.name, is, carried)
	}
	return nil
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

// TestGatewaysCountTLS passes connections with TLS on without looking into them, as Consul's
// mesh gateways and Kuma's zone proxies do. For a gateway, TLS is the payload.
func TestGatewaysCountTLS(t *testing.T) {
	l := newLab(t)
	a := newAuthority(t)
	is := traffic{protocol: http1, requests: 200, request: 500, respond: 5000}
	alpn := is.protocol.alpn()
	behind := &cluster{name: "behind", address: at("127.0.0.1", l.port())}
	server := serve(t, l.server, behind.address, is, a.server(t, a.issue(t, "server"), alpn))
	public := &listener{address: at(l.server.address, l.port()), cluster: behind.name, statPrefix: "public"}
	gateway := l.start(t, l.server, "gateway", bootstrap([]*cluster{behind}, []*listener{public}))
	upstream := &cluster{name: "upstream", address: public.address, tls: &tlsEnd{a.issue(t, "client"), a.pem, "server", []string{alpn}}}
	entry := &listener{address: at("127.0.0.1", l.port()), cluster: upstream.name, statPrefix: "upstream", http: true}
	sidecar := l.start(t, l.client, "client", bootstrap([]*cluster{upstream}, []*listener{entry}))
	if err := is.send(t.Context(), l.client, entry.address); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return sidecar.agrees(t.Context(), upstream.name, server) })
	eventually(t, func() error {
		sent, received, err := gateway.upstreamBytes(t.Context(), behind.name)
		if outer := &server.outer; err == nil && (sent != int(outer.in.Load()) || received != int(outer.out.Load())) {
			err = fmt.Errorf("the gateway has counted %d bytes sent and %d received; the server's connections had %d and %d with TLS",
				sent, received, outer.in.Load(), outer.out.Load())
		}
		return err
	})
}
