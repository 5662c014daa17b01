package promfind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// dialFunc connects to a server.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// forward connects to a pod of a Service as kubectl port-forward does, but listens nowhere:
// nobody else on this machine can use it. It holds a connection to the API server while a
// connection to the pod is open, and chooses a pod anew each time it makes one.
type forward struct {
	config  *rest.Config
	client  kubernetes.Interface
	service Service

	mu   sync.Mutex
	link *link
}

func newForward(config *rest.Config, client kubernetes.Interface, s Service) *forward {
	return &forward{config: config, client: client, service: s}
}

// link is a connection to the API server for connections to one port of one pod.
type link struct {
	httpstream.Connection
	port int32

	// mu of the forward guards these.
	open, made int
}

// dial connects to the Service's port, whatever the address.
func (f *forward) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.link != nil && isClosed(f.link) {
		f.link = nil
	}
	if f.link == nil {
		l, err := f.connect(ctx)
		if err != nil {
			return nil, err
		}
		f.link = l
	}
	l := f.link
	conn, err := newConn(l.Connection, l.port, l.made, func() { f.closed(l) })
	if err != nil {
		f.link = nil
		_ = l.Close()
		return nil, err
	}
	l.made++
	l.open++
	return conn, nil
}

// closed is called once for each connection that is closed.
func (f *forward) closed(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.open--; l.open > 0 {
		return
	}
	if f.link == l {
		f.link = nil
	}
	_ = l.Close()
}

func isClosed(c httpstream.Connection) bool {
	select {
	case <-c.CloseChan():
		return true
	default:
		return false
	}
}

// connect chooses a pod and asks the API server for the connection.
func (f *forward) connect(ctx context.Context) (*link, error) {
	pod, port, err := f.pod(ctx)
	if err != nil {
		return nil, err
	}
	dialer, err := f.dialer(pod)
	if err != nil {
		return nil, err
	}
	type result struct {
		conn httpstream.Connection
		err  error
	}
	dialed := make(chan result, 1)
	go func() { // ends with the request, which knows no context
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		dialed <- result{conn, err}
	}()
	select {
	case r := <-dialed:
		if r.err != nil {
			return nil, notForwarded(pod, r.err)
		}
		return &link{Connection: r.conn, port: port}, nil
	case <-ctx.Done():
		go func() { // ends with the request
			if r := <-dialed; r.err == nil {
				_ = r.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// notForwarded says why there is no connection to a pod.
func notForwarded(pod *corev1.Pod, err error) error {
	// An upgrade that fails leaves only the API server's words.
	if apierrors.IsForbidden(err) || strings.Contains(err.Error(), " is forbidden: ") {
		return errors.New("the account may not forward ports (create pods/portforward)")
	}
	return fmt.Errorf("pod %s: %w", pod.Name, err)
}

// dialer asks for WebSockets first, as kubectl does, and for SPDY where they are not to be had.
func (f *forward) dialer(pod *corev1.Pod) (httpstream.Dialer, error) {
	to, err := apiURL(f.config, "namespaces", pod.Namespace, "pods", pod.Name, "portforward")
	if err != nil {
		return nil, err
	}
	first, err := portforward.NewSPDYOverWebsocketDialerForStreaming(to, f.config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(f.config)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	second := spdy.NewDialerForStreaming(upgrader, client, http.MethodPost, to)
	return portforward.NewFallbackDialerForStreaming(first, second, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// pod returns a pod of the Service that is ready, and the number of the port there.
func (f *forward) pod(ctx context.Context) (*corev1.Pod, int32, error) {
	s, err := f.client.CoreV1().Services(f.service.Namespace).Get(ctx, f.service.Name, metav1.GetOptions{})
	if err != nil {
		return nil, 0, err
	}
	if len(s.Spec.Selector) == 0 {
		return nil, 0, errors.New("the Service selects no pods")
	}
	i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == f.service.Port })
	if i < 0 {
		return nil, 0, fmt.Errorf("the Service has no port %d", f.service.Port)
	}
	selector := labels.SelectorFromSet(s.Spec.Selector).String()
	pods, err := f.client.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, 0, fmt.Errorf("looking for its pods: %w", err)
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for j := range pods.Items {
		pod := &pods.Items[j]
		if port := portAt(pod, s, s.Spec.Ports[i]); port != 0 && isReady(pod) {
			return pod, port, nil
		}
	}
	return nil, 0, errors.New("it has no pod that is ready")
}

func isReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// portAt returns the number of a Service's port at a pod, 0 where the pod has none of its name.
func portAt(pod *corev1.Pod, s *corev1.Service, p corev1.ServicePort) int32 {
	switch {
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return p.Port // nobody translates it
	case p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal != 0:
		return p.TargetPort.IntVal
	case p.TargetPort.Type == intstr.Int:
		return p.Port
	}
	for _, c := range pod.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == p.TargetPort.StrVal {
				return port.ContainerPort
			}
		}
	}
	return 0
}

// streamHeaders are those of one of the two streams of a connection.
func streamHeaders(kind string, port int32, id int) http.Header {
	h := http.Header{}
	h.Set(corev1.StreamType, kind)
	h.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	h.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(id))
	return h
}
