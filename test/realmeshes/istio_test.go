//go:build linux

package realmeshes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWireBytesOfRequests compares what Envoy's meters of requests say, which are what Istio's
// sidecars report as the sizes of HTTP requests and answers, with what the client's sidecar has
// counted of the same connection. Istio's filter itself is not in this Envoy.
func TestWireBytesOfRequests(t *testing.T) {
	l := newLab(t)
	a := newAuthority(t)
	for _, is := range []traffic{
		{protocol: http1, requests: 200, request: 500, respond: 5000},
		{protocol: http2, requests: 200, request: 500, respond: 5000},
		{protocol: grpcs, requests: 200, request: 500, respond: 5000, stream: true},
	} {
		t.Run(string(is.protocol), func(t *testing.T) {
			alpn := []string{is.protocol.alpn()}
			inbound := &cluster{name: "inbound", address: at("127.0.0.1", l.port()), http2: is.protocol.isHTTP2()}
			serve(t, l.server, inbound.address, is, nil)
			public := &listener{
				address: at(l.server.address, l.port()), cluster: inbound.name, statPrefix: "public", http: true,
				tls: &tlsEnd{a.issue(t, "server"), a.pem, "server", alpn}, wireBytes: filepath.Join(t.TempDir(), "requests"),
			}
			l.start(t, l.server, "server", bootstrap([]*cluster{inbound}, []*listener{public}))
			upstream := &cluster{
				name: "upstream", address: public.address, http2: is.protocol.isHTTP2(), tls: &tlsEnd{a.issue(t, "client"), a.pem, "server", alpn},
			}
			entry := &listener{address: at("127.0.0.1", l.port()), cluster: upstream.name, statPrefix: "upstream", http: true}
			sidecar := l.start(t, l.client, "client", bootstrap([]*cluster{upstream}, []*listener{entry}))
			if err := is.send(t.Context(), l.client, entry.address); err != nil {
				t.Fatal(err)
			}
			var meters [2]int
			eventually(t, func() (err error) { meters, err = sumOf(public.wireBytes, is.streams()); return err })
			sent, received, err := sidecar.upstreamBytes(t.Context(), upstream.name)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("requests and answers: the meters say %d and %d bytes, the client's sidecar has counted %d and %d", meters[0], meters[1], sent, received)
			for i, counted := range []int{sent, received} {
				// Frames of HTTP/2 that belong to no request are the connection's alone.
				if meters[i] > counted || float64(meters[i]) < 0.99*float64(counted) {
					t.Errorf("the meters say %d bytes, the connection had %d", meters[i], counted)
				}
			}
		})
	}
}

// sumOf adds up a file of wire bytes when it has that many requests.
func sumOf(path string, requests int) (sum [2]int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return sum, err
	}
	if n := strings.Count(string(text), "\n"); n != requests {
		return sum, fmt.Errorf("%s has %d requests, want %d", path, n, requests)
	}
	for line := range strings.Lines(string(text)) {
		var from, to int
		if _, err := fmt.Sscan(line, &from, &to); err != nil {
			return sum, err
		}
		sum[0], sum[1] = sum[0]+from, sum[1]+to
	}
	return sum, nil
}
