package promfind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// apiServer is a cluster as it looks to somebody who looks for Prometheus.
type apiServer struct {
	t        *testing.T
	services []corev1.Service
	// refused are paths that the account may not use, by their beginning.
	refused []string
	// behind is what answers at a Service, by namespace/name; without one, the API server
	// does not reach it.
	behind map[string]http.HandlerFunc
	// pods are those behind a Service, by namespace/name.
	pods map[string][]string

	// podList are all pods, and forward serves the upgrade of a port-forward to one.
	podList []corev1.Pod
	forward http.HandlerFunc

	mu      sync.Mutex
	proxied []string // the requests that were forwarded
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, path := range a.refused {
		if strings.HasPrefix(r.URL.Path, path) {
			refuse(w, http.StatusForbidden, "Forbidden", "is not allowed")
			return
		}
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) > 6 && parts[6] == "proxy":
		a.proxy(w, r, parts)
	case strings.HasSuffix(r.URL.Path, "/portforward") && a.forward != nil:
		a.forward(w, r)
	case strings.HasSuffix(r.URL.Path, "/pods"):
		a.mu.Lock()
		defer a.mu.Unlock()
		a.write(w, &corev1.PodList{Items: a.podList})
	case strings.HasSuffix(r.URL.Path, "/endpointslices"):
		a.endpointSlices(w, r, parts[4])
	case len(parts) == 6 && parts[4] == "services":
		for _, s := range a.services {
			if s.Namespace == parts[3] && s.Name == parts[5] {
				a.write(w, &s)
				return
			}
		}
		refuse(w, http.StatusNotFound, "NotFound", fmt.Sprintf("services %q not found", parts[5]))
	case strings.HasSuffix(r.URL.Path, "/services"):
		list := &corev1.ServiceList{}
		for _, s := range a.services {
			if len(parts) == 3 || s.Namespace == parts[3] {
				list.Items = append(list.Items, s)
			}
		}
		a.write(w, list)
	default:
		refuse(w, http.StatusNotFound, "NotFound", "there is no "+r.URL.Path)
	}
}

// proxy forwards a request to what is behind a Service.
func (a *apiServer) proxy(w http.ResponseWriter, r *http.Request, parts []string) {
	a.mu.Lock()
	a.proxied = append(a.proxied, r.URL.Path)
	a.mu.Unlock()
	name := strings.TrimPrefix(parts[5], "https:")
	name, _, _ = strings.Cut(name, ":")
	if h := a.behind[parts[3]+"/"+name]; h != nil {
		h(w, r)
		return
	}
	refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "error trying to reach service: connection refused")
}

func (a *apiServer) endpointSlices(w http.ResponseWriter, r *http.Request, namespace string) {
	name := strings.TrimPrefix(r.URL.Query().Get("labelSelector"), discoveryv1.LabelServiceName+"=")
	slice := discoveryv1.EndpointSlice{}
	for _, pod := range a.pods[namespace+"/"+name] {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Name: pod}})
	}
	a.write(w, &discoveryv1.EndpointSliceList{Items: []discoveryv1.EndpointSlice{slice}})
}

func (a *apiServer) write(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(object); err != nil {
		a.t.Error(err)
	}
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: reason, Message: message, Code: int32(code),
	})
}

// finder returns a Finder for the cluster. forwards says which Services a port-forward
// reaches.
func (a *apiServer) finder(t *testing.T, forwards map[string]http.HandlerFunc, also ...string) *Finder {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	f, err := New(&rest.Config{Host: server.URL, BearerToken: "of-the-cluster", QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, also...)
	if err != nil {
		t.Fatal(err)
	}
	f.forward = func(s Service) dialFunc {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			h := forwards[s.Namespace+"/"+s.Name]
			if h == nil {
				return nil, errors.New("the account may not forward ports")
			}
			behind := httptest.NewServer(h)
			t.Cleanup(behind.Close)
			return (&net.Dialer{}).DialContext(ctx, network, behind.Listener.Addr().String())
		}
	}
	return f
}

// service is one with a single port, or several as name=number.
func service(namespace, name string, labels map[string]string, ports ...corev1.ServicePort) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.7", Ports: ports},
	}
}

func headless(s corev1.Service) corev1.Service {
	s.Spec.ClusterIP = corev1.ClusterIPNone
	return s
}

func port(name string, number int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number}
}

// prometheusAPI answers as one, at a path.
func prometheusAPI(at string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, at+"/api/v1/query") || r.URL.Query().Get("query") == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}
}

func answering(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}
