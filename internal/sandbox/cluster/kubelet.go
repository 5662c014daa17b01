package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/util/cert"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// startKubelet serves what a kubelet does for kubectl port-forward, for the pods that are
// programs of this process, and for kubectl logs, until ctx ends. It serves nothing else.
func (c *Cluster) startKubelet(ctx context.Context) error {
	certificate, key, err := cert.GenerateSelfSignedCertKey("kubelet", nil, nil)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.network.kubelet = listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /portForward/{namespace}/{pod}", c.network.portForward)
	mux.HandleFunc("GET /portForward/{namespace}/{pod}", c.network.portForward)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", c.network.containerLogs)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // an upgrade needs HTTP/1.1
		BaseContext:  func(net.Listener) context.Context { return ctx },
	}
	c.running.Go(func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			c.failed(err)
		}
	})
	c.running.Go(func() {
		<-ctx.Done()
		c.failed(server.Close())
	})
	return nil
}

// ServeLogs has a handler answer kubectl logs, for all nodes: kubelet.Kubelet's ContainerLogs,
// for example. Its requests have the path values namespace, pod and container, and the query of
// a kubelet's containerLogs. It replaces the one before.
func (c *Cluster) ServeLogs(handler http.HandlerFunc) { c.network.serveLogs(handler) }

// containerLogs asks who runs containers, if anybody does.
func (n *network) containerLogs(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	serve := n.logs
	n.mu.Unlock()
	if serve == nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "container %q in pod %q is simulated: nothing runs in it, so that it has no log", r.PathValue("container"), r.PathValue("pod"))
		return
	}
	serve(w, r)
}

// portForward connects streams to ports of a pod until the other end closes the connection.
func (n *network) portForward(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return // it has answered
	}
	pod := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("pod")}
	streams := make(chan httpstream.Stream)
	gone := make(chan struct{})
	defer close(gone)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		select {
		case streams <- s:
			return nil
		case <-gone:
			return errors.New("the connection is closed")
		}
	})
	if conn == nil {
		return // it has answered
	}
	defer func() { _ = conn.Close() }()
	var forwards sync.WaitGroup
	defer forwards.Wait()
	waiting := map[string]httpstream.Stream{} // for the other half, by request
	for {
		select {
		case <-conn.CloseChan():
			return
		case <-r.Context().Done():
			_ = conn.Close()
			return
		case s := <-streams:
			id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			other := waiting[id]
			if other == nil {
				waiting[id] = s
				continue
			}
			delete(waiting, id)
			data, problems := s, other
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				data, problems = other, s
			}
			forwards.Go(func() {
				if err := n.copyPort(r.Context(), pod, data); err != nil {
					fmt.Fprintf(problems, "forwarding a port of pod %s: %v", pod, err)
				}
				_ = problems.Close()
				conn.RemoveStreams(data, problems)
			})
		}
	}
}

// copyPort copies between a stream and the port of a pod that it is for.
func (n *network) copyPort(ctx context.Context, pod types.NamespacedName, data httpstream.Stream) error {
	defer func() { _ = data.Close() }()
	port, err := strconv.ParseInt(data.Headers().Get(corev1.PortHeader), 10, 32)
	if err != nil {
		return fmt.Errorf("its number: %w", err)
	}
	to, err := n.dialPod(ctx, pod, int32(port))
	if err != nil {
		return err
	}
	sent := make(chan struct{})
	go func() { // ends with the stream, which is reset below
		defer close(sent)
		_, _ = io.Copy(to, data)
		_ = to.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(data, to)
	_ = to.Close()
	_ = data.Reset()
	<-sent
	return err
}
