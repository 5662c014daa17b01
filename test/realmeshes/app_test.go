//go:build linux

package realmeshes

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// protocol is what an application speaks.
type protocol string

const (
	http1 protocol = "HTTP/1.1"
	http2 protocol = "HTTP/2"
	grpcs protocol = "gRPC"
	tcp   protocol = "TCP"
)

// isHTTP says that Envoy reads the requests.
func (p protocol) isHTTP() bool { return p != tcp }

// isHTTP2 says that they are in HTTP/2.
func (p protocol) isHTTP2() bool { return p == http2 || p == grpcs }

// alpn is what TLS calls the protocol.
func (p protocol) alpn() string {
	switch {
	case p.isHTTP2():
		return "h2"
	case p == http1:
		return "http/1.1"
	}
	return "tcp"
}

// traffic is a number of requests of one size. Over TCP, a request is some bytes that are
// answered by some others.
type traffic struct {
	protocol         protocol
	requests         int
	request, respond int  // bytes of payload of each
	perRequest       bool // a connection for each request, where the client opens them
	stream           bool // all requests are messages of one call of gRPC
	failures         int  // how many attempts of each request the server refuses first
	// whileOpen, of gRPC in one stream and of TCP, is called when all is answered and
	// nothing is closed yet.
	whileOpen func() error
}

// streams is how many requests Envoy sees: a call of gRPC is one, and so is a connection of
// TCP.
func (is traffic) streams() int {
	if is.stream || is.protocol == tcp && !is.perRequest {
		return 1
	}
	return is.requests * (is.failures + 1)
}

// meter counts what passes through connections, towards the server and back.
type meter struct{ in, out atomic.Int64 }

func (m *meter) both() int { return int(m.in.Load() + m.out.Load()) }

type meteredConn struct {
	net.Conn
	m *meter
}

func (c meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.in.Add(int64(n))
	return n, err
}

func (c meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.out.Add(int64(n))
	return n, err
}

type meteredListener struct {
	net.Listener
	m *meter
}

func (l meteredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return meteredConn{c, l.m}, nil
}

// app is a server that answers traffic. It knows what it has read and written on its
// connections, with TLS and without.
type app struct {
	traffic
	outer, plain meter // the same without TLS
	requests     atomic.Int64
}

// serve starts a server on a node.
func serve(t *testing.T, n *node, address string, is traffic, security *tls.Config) *app {
	t.Helper()
	a := &app{traffic: is}
	var l net.Listener = meteredListener{n.listen(t, address), &a.outer}
	if security != nil {
		l = tls.NewListener(l, security)
	}
	l = meteredListener{l, &a.plain}
	var wg sync.WaitGroup
	switch is.protocol {
	case http1, http2:
		server := &http.Server{Handler: a, Protocols: &http.Protocols{}}
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true) // as TLS is taken off before
		wg.Go(func() { _ = server.Serve(l) })
		t.Cleanup(func() { hangUp(server); wg.Wait() })
	case grpcs:
		server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(a.call))
		wg.Go(func() { _ = server.Serve(l) })
		t.Cleanup(func() { server.Stop(); wg.Wait() })
	case tcp:
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() { a.accept(ctx, l) })
		t.Cleanup(func() { cancel(); l.Close(); wg.Wait() })
	}
	return a
}

// ServeHTTP implements http.Handler.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if n, err := io.Copy(io.Discard, r.Body); err != nil || n != int64(a.request) {
		http.Error(w, fmt.Sprintf("%d bytes, want %d: %v", n, a.request, err), http.StatusBadRequest)
		return
	}
	if a.failures > 0 && a.requests.Add(1)%int64(a.failures+1) != 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", fmt.Sprint(a.respond))
	_, _ = w.Write(make([]byte, a.respond)) // the client notices what is missing
}

// raw leaves messages of gRPC as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (raw) Unmarshal(b []byte, v any) error { *v.(*[]byte) = bytes.Clone(b); return nil }
func (raw) Name() string                    { return "raw" }

// call answers the messages of a call of gRPC, one each.
func (a *app) call(_ any, stream grpc.ServerStream) error {
	for {
		var message []byte
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(message) != a.request {
			return fmt.Errorf("%d bytes, want %d", len(message), a.request)
		}
		answer := make([]byte, a.respond)
		if err := stream.SendMsg(&answer); err != nil {
			return err
		}
	}
}

// accept answers connections until the listener is closed.
func (a *app) accept(ctx context.Context, l net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer hangUp(c)
			defer context.AfterFunc(ctx, func() { hangUp(c) })()
			for {
				if _, err := io.CopyN(io.Discard, c, int64(a.request)); err != nil {
					return
				}
				if _, err := c.Write(make([]byte, a.respond)); err != nil {
					return
				}
			}
		})
	}
}

// send sends the traffic from a node to an address and reads all answers.
func (is traffic) send(ctx context.Context, n *node, address string) error {
	switch is.protocol {
	case grpcs:
		return is.sendGRPC(ctx, n, address)
	case tcp:
		return is.sendTCP(ctx, n, address)
	}
	transport := &http.Transport{DialContext: n.dial, Protocols: &http.Protocols{}, DisableKeepAlives: is.perRequest}
	defer transport.CloseIdleConnections()
	transport.Protocols.SetHTTP1(is.protocol == http1)
	transport.Protocols.SetUnencryptedHTTP2(is.protocol == http2)
	client := &http.Client{Transport: transport}
	for range is.requests {
		if err := is.post(ctx, client, address); err != nil {
			return err
		}
	}
	return nil
}

func (is traffic) post(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/api", bytes.NewReader(make([]byte, is.request)))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || got != int64(is.respond) {
		return fmt.Errorf("%s with %d bytes, want %d", response.Status, got, is.respond)
	}
	return nil
}

func (is traffic) sendGRPC(ctx context.Context, n *node, address string) error {
	dial := func(ctx context.Context, address string) (net.Conn, error) { return n.dial(ctx, "tcp", address) }
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		return err
	}
	defer hangUp(c)
	exchange := func() error {
		request, answer := make([]byte, is.request), []byte{}
		return c.Invoke(ctx, "/shop.Api/Get", &request, &answer)
	}
	if is.stream {
		stream, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/shop.Api/Watch")
		if err != nil {
			return err
		}
		exchange = func() error {
			request, answer := make([]byte, is.request), []byte{}
			if err := stream.SendMsg(&request); err != nil {
				return err
			}
			return stream.RecvMsg(&answer)
		}
		defer func() { _ = stream.CloseSend() }()
	}
	for range is.requests {
		if err := exchange(); err != nil {
			return err
		}
	}
	return is.stillOpen()
}

func (is traffic) stillOpen() error {
	if is.whileOpen == nil {
		return nil
	}
	return is.whileOpen()
}

func (is traffic) sendTCP(ctx context.Context, n *node, address string) error {
	var c net.Conn
	defer func() {
		if c != nil {
			hangUp(c)
		}
	}()
	for i := range is.requests {
		if i == 0 || is.perRequest {
			if c != nil {
				hangUp(c)
			}
			var err error
			if c, err = n.dial(ctx, "tcp", address); err != nil {
				return err
			}
		}
		if _, err := c.Write(make([]byte, is.request)); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, c, int64(is.respond)); err != nil {
			return err
		}
	}
	return is.stillOpen()
}
