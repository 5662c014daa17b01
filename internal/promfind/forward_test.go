package promfind

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// kubelet plays the end of a port-forward: what comes in at a port of a pod goes back with the
// name of the pod before it. Port 1 is closed.
type kubelet struct {
	mu    sync.Mutex
	links []httpstream.Connection
	asked []string // the pods
}

// serve upgrades to SPDY alone: whoever asks for WebSockets is refused, as old API servers do.
func (k *kubelet) serve(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	pod := path.Base(path.Dir(r.URL.Path))
	streams := make(chan httpstream.Stream, 16)
	link := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if link == nil {
		return
	}
	k.mu.Lock()
	k.links, k.asked = append(k.links, link), append(k.asked, pod)
	k.mu.Unlock()
	var echoes sync.WaitGroup
	defer echoes.Wait()
	defer func() { _ = link.Close() }()
	for {
		select {
		case <-link.CloseChan():
			return
		case s := <-streams:
			closed := s.Headers().Get(corev1.PortHeader) == "1"
			switch {
			case s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError && closed:
				fmt.Fprint(s, "nothing listens there")
				_ = s.Close()
			case s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError:
				_ = s.Close()
			case closed:
				_ = s.Close()
			default:
				echoes.Go(func() {
					fmt.Fprintf(s, "%s:%s ", pod, s.Headers().Get(corev1.PortHeader))
					_, _ = io.Copy(s, s)
				})
			}
		}
	}
}

// open is how many connections there are.
func (k *kubelet) open() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, link := range k.links {
		if !isClosed(link) {
			n++
		}
	}
	return n
}

func readyPod(name string, ready corev1.ConditionStatus) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 9099}, {Name: "closed", ContainerPort: 1}}}}},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
}

// says sends a word, and returns what comes back up to it.
func says(c net.Conn, word string) (string, error) {
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	var got []byte
	for !strings.HasSuffix(string(got), word) {
		b := make([]byte, 64)
		n, err := c.Read(b)
		if got = append(got, b[:n]...); err != nil {
			return string(got), err
		}
	}
	return string(got), nil
}

// TestForward connects to pods of a Service, several times, over one connection while it is in
// use, and to another pod when the first has gone.
func TestForward(t *testing.T) {
	k := &kubelet{}
	s := service("monitoring", "prometheus", nil, corev1.ServicePort{Port: 9090, TargetPort: intstr.FromString("web")}, corev1.ServicePort{Port: 91, TargetPort: intstr.FromString("closed")})
	s.Spec.Selector = map[string]string{"app": "prometheus"}
	a := &apiServer{t: t, services: []corev1.Service{s}, podList: []corev1.Pod{readyPod("p-1", "True"), readyPod("p-0", "False")}, forward: k.serve}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	f := newForward(config, client, Service{Namespace: "monitoring", Name: "prometheus", Port: 9090})
	connect := func() net.Conn {
		t.Helper()
		c, err := f.dial(t.Context(), "tcp", "whatever")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := connect(), connect()
	for _, c := range []net.Conn{first, second} {
		if got, err := says(c, "hello"); err != nil || got != "p-1:9099 hello" {
			t.Errorf("got %q, error %v", got, err)
		}
	}
	if n := k.open(); n != 1 {
		t.Errorf("%d connections for two, want one", n)
	}
	_ = first.Close()
	if got, err := says(second, "still"); err != nil || got != "still" {
		t.Errorf("after the first is closed, got %q, error %v", got, err)
	}
	// The API server goes away, and so does the pod.
	a.mu.Lock()
	a.podList = []corev1.Pod{readyPod("p-2", "True")}
	a.mu.Unlock()
	_ = k.links[0].Close()
	if got, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes of a connection that is lost", got)
	}
	<-f.link.CloseChan()
	third := connect()
	if got, err := says(third, "again"); err != nil || got != "p-2:9099 again" {
		t.Errorf("got %q, error %v", got, err)
	}
	_ = second.Close()
	_ = second.Close()
	_ = third.Close()
	if f.link != nil {
		t.Error("it keeps a connection that nobody uses")
	}

	closed := newForward(config, client, Service{Namespace: "monitoring", Name: "prometheus", Port: 91})
	c, err := closed.dial(t.Context(), "tcp", "whatever")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || err.Error() != "nothing listens there" {
		t.Errorf("error = %v, want what the node says", err)
	}
	_ = c.Close()
	a.mu.Lock()
	a.podList = nil
	a.mu.Unlock()
	if _, err := f.dial(t.Context(), "tcp", "whatever"); err == nil || err.Error() != "it has no pod that is ready" {
		t.Errorf("error = %v", err)
	}
}
