package promfind

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestFind(t *testing.T) {
	answers := prometheusAPI("")
	addon := service("istio-system", "prometheus", map[string]string{"app": "prometheus"}, port("http", 9090))
	operated := headless(service("monitoring", "prometheus-operated", map[string]string{"operated-prometheus": "true"}, port("http-web", 9090)))
	stack := service("monitoring", "kube-prometheus-stack-prometheus", nil, port("reloader-web", 8080), port("http-web", 9090))
	cases := map[string]struct {
		cluster  *apiServer
		forwards map[string]http.HandlerFunc
		also     []string
		want     string // the Service and the way
		wantErr  []string
	}{
		"Istio's addon": {
			cluster: &apiServer{services: []corev1.Service{addon, service("shop", "cart", nil, port("http", 80))}, behind: map[string]http.HandlerFunc{"istio-system/prometheus": answers}},
			want:    "istio-system/prometheus:9090 through the API server",
		},
		"the operator's Service beside its users'": {
			cluster: &apiServer{
				services: []corev1.Service{operated, stack}, behind: map[string]http.HandlerFunc{"monitoring/prometheus-operated": answers, "monitoring/kube-prometheus-stack-prometheus": answers},
				pods: map[string][]string{"monitoring/prometheus-operated": {"p-0", "p-1"}, "monitoring/kube-prometheus-stack-prometheus": {"p-1", "p-0"}},
			},
			want: "monitoring/kube-prometheus-stack-prometheus:9090 through the API server",
		},
		"the same, but pods may not be looked at": {
			cluster: &apiServer{
				services: []corev1.Service{operated, stack}, behind: map[string]http.HandlerFunc{"monitoring/prometheus-operated": answers, "monitoring/kube-prometheus-stack-prometheus": answers},
				refused: []string{"/apis/discovery.k8s.io"},
			},
			want: "monitoring/kube-prometheus-stack-prometheus:9090 through the API server",
		},
		"TLS where nothing says so": {
			cluster: &apiServer{services: []corev1.Service{service("monitoring", "prometheus-k8s", nil, port("web", 9091))}, behind: map[string]http.HandlerFunc{"monitoring/prometheus-k8s": func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "/https:prometheus-k8s:9091/") {
					answering(400, "Client sent an HTTP request to an HTTPS server.\n")(w, r)
					return
				}
				answering(401, "Unauthorized")(w, r)
			}}},
			wantErr: []string{"monitoring/prometheus-k8s:9091: it wants credentials, or a tenant (status 401)"},
		},
		"the best of several ports": {
			cluster: &apiServer{services: []corev1.Service{service("monitoring", "prometheus", nil, port("web", 9090), port("http", 8080))}, behind: map[string]http.HandlerFunc{"monitoring/prometheus": answers}},
			want:    "monitoring/prometheus:9090 through the API server",
		},
		"only the operator's Service": {
			cluster: &apiServer{services: []corev1.Service{operated}, behind: map[string]http.HandlerFunc{"monitoring/prometheus-operated": answers}},
			want:    "monitoring/prometheus-operated:9090 through the API server",
		},
		"several": {
			cluster: &apiServer{
				services: []corev1.Service{addon, service("monitoring", "prometheus-server", nil, port("http", 80))},
				behind:   map[string]http.HandlerFunc{"istio-system/prometheus": answers, "monitoring/prometheus-server": answers},
			},
			wantErr: []string{"2 servers of the Prometheus API: istio-system/prometheus:9090 and monitoring/prometheus-server:80"},
		},
		"two in one namespace": {
			cluster: &apiServer{
				services: []corev1.Service{service("monitoring", "a-prometheus", nil, port("web", 9090)), service("monitoring", "b-prometheus", nil, port("web", 9090))},
				behind:   map[string]http.HandlerFunc{"monitoring/a-prometheus": answers, "monitoring/b-prometheus": answers},
				pods:     map[string][]string{"monitoring/a-prometheus": {"a-0"}, "monitoring/b-prometheus": {"b-0"}},
			},
			wantErr: []string{"monitoring/a-prometheus:9090 and monitoring/b-prometheus:9090"},
		},
		"several, of which one answers": {
			cluster: &apiServer{
				services: []corev1.Service{addon, stack}, behind: map[string]http.HandlerFunc{"istio-system/prometheus": answers, "monitoring/kube-prometheus-stack-prometheus": answering(200, "<html>")},
			},
			want: "istio-system/prometheus:9090 through the API server",
		},
		"Thanos' two ways in": {
			cluster: &apiServer{
				services: []corev1.Service{service("thanos", "thanos-query", nil, port("http", 9090), port("grpc", 10901)), service("thanos", "thanos-query-frontend", nil, port("http", 9090))},
				behind:   map[string]http.HandlerFunc{"thanos/thanos-query": answers, "thanos/thanos-query-frontend": answers},
			},
			want: "thanos/thanos-query-frontend:9090 through the API server",
		},
		"Mimir, below a path": {
			cluster: &apiServer{services: []corev1.Service{service("mimir", "mimir-nginx", nil, port("http", 80))}, behind: map[string]http.HandlerFunc{"mimir/mimir-nginx": prometheusAPI("/prometheus")}},
			want:    "mimir/mimir-nginx:80/prometheus through the API server",
		},
		"VictoriaMetrics": {
			cluster: &apiServer{services: []corev1.Service{service("vm", "vmselect-main", nil, port("http", 8481))}, behind: map[string]http.HandlerFunc{"vm/vmselect-main": prometheusAPI("/select/0/prometheus")}},
			want:    "vm/vmselect-main:8481/select/0/prometheus through the API server",
		},
		"nothing": {wantErr: []string{"no Service in the cluster looks like Prometheus"}},
		"a tenant is wanted": {
			cluster: &apiServer{services: []corev1.Service{service("mimir", "mimir-nginx", nil, port("http", 80))}, behind: map[string]http.HandlerFunc{"mimir/mimir-nginx": answering(401, "no org id")}},
			wantErr: []string{"mimir/mimir-nginx:80/prometheus: it wants credentials, or a tenant (status 401)"},
		},
		"no pod": {
			cluster: &apiServer{services: []corev1.Service{addon}, behind: map[string]http.HandlerFunc{"istio-system/prometheus": func(w http.ResponseWriter, _ *http.Request) {
				refuse(w, 503, "ServiceUnavailable", `no endpoints available for service "prometheus"`)
			}}},
			forwards: map[string]http.HandlerFunc{"istio-system/prometheus": answers}, // is not tried
			wantErr:  []string{"istio-system/prometheus:9090: it has no pod that is ready"},
		},
		"the API server does not reach it": {
			cluster:  &apiServer{services: []corev1.Service{addon}},
			forwards: map[string]http.HandlerFunc{"istio-system/prometheus": answers},
			want:     "istio-system/prometheus:9090 through a port-forward",
		},
		"its proxy may not be used": {
			cluster:  &apiServer{services: []corev1.Service{addon}, refused: []string{"/api/v1/namespaces/istio-system/services/prometheus:9090/proxy"}},
			forwards: map[string]http.HandlerFunc{"istio-system/prometheus": answers},
			want:     "istio-system/prometheus:9090 through a port-forward",
		},
		"neither may be used": {
			cluster: &apiServer{services: []corev1.Service{addon}, refused: []string{"/api/v1/namespaces/istio-system/services/prometheus:9090/proxy"}},
			wantErr: []string{"the account may not use the API server's proxy (get services/proxy)", "the account may not forward ports"},
		},
		"Services of all namespaces may not be listed": {
			cluster: &apiServer{services: []corev1.Service{addon}, behind: map[string]http.HandlerFunc{"istio-system/prometheus": answers}, refused: []string{"/api/v1/services", "/api/v1/namespaces/monitoring/"}},
			want:    "istio-system/prometheus:9090 through the API server",
		},
		"it is where one was told to look too": {
			cluster: &apiServer{services: []corev1.Service{service("mine", "prometheus", nil, port("", 9090))}, behind: map[string]http.HandlerFunc{"mine/prometheus": answers}, refused: []string{"/api/v1/services"}},
			also:    []string{"mine"},
			want:    "mine/prometheus:9090 through the API server",
		},
		"it is where nobody looks": {
			cluster: &apiServer{services: []corev1.Service{service("mine", "prometheus", nil, port("", 9090))}, refused: []string{"/api/v1/services"}},
			wantErr: []string{"no Service in the namespaces ", "istio-system", "may not list the Services of others"},
		},
		"no Services may be listed": {
			cluster: &apiServer{refused: []string{"/api/v1/"}},
			wantErr: []string{"listing Services: ", "is not allowed"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.cluster == nil {
				tc.cluster = &apiServer{}
			}
			tc.cluster.t = t
			found, err := tc.cluster.finder(t, tc.forwards, tc.also...).Find(t.Context())
			got := ""
			if found != nil {
				got = found.Service.String() + " " + found.Way
			}
			if got != tc.want || (err == nil) != (tc.wantErr == nil) {
				t.Fatalf("found %q, error %v, want %q and %q", got, err, tc.want, tc.wantErr)
			}
			for _, want := range tc.wantErr {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestFindIn(t *testing.T) {
	both := map[string]http.HandlerFunc{"a/prometheus": prometheusAPI(""), "b/prometheus": prometheusAPI("")}
	a := &apiServer{t: t, services: []corev1.Service{service("a", "prometheus", nil, port("", 9090)), service("b", "prometheus", nil, port("", 9090))}, behind: both}
	found, err := a.finder(t, nil).FindIn(t.Context(), "b")
	if err != nil || found.Service.String() != "b/prometheus:9090" || found.Service.URL() != "http://prometheus.b.svc:9090" {
		t.Errorf("found %+v, error %v", found, err)
	}
	if _, err = a.finder(t, nil).FindIn(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "no Service in namespace c looks like") {
		t.Errorf("error = %v", err)
	}
}

func TestReach(t *testing.T) {
	services := []corev1.Service{
		service("monitoring", "metrics", nil, port("grpc", 10901), port("https", 9443)), // nothing says that it is one
		service("mimir", "mimir-nginx", nil, port("http", 80)),
	}
	behind := map[string]http.HandlerFunc{"monitoring/metrics": prometheusAPI(""), "mimir/mimir-nginx": prometheusAPI("/prometheus")}
	cases := map[string]struct {
		service  string
		refused  []string
		ownEyes  bool
		forwards map[string]http.HandlerFunc
		want     string
		wantErr  string
	}{
		"with its port":      {service: "svc:monitoring/metrics:10901", want: "http://metrics.monitoring.svc:10901 through the API server"},
		"its port is chosen": {service: "svc:monitoring/metrics", want: "https://metrics.monitoring.svc:9443 through the API server"},
		"the usual path":     {service: "svc:mimir/mimir-nginx", want: "http://mimir-nginx.mimir.svc:80/prometheus through the API server"},
		"a path of its own":  {service: "svc:mimir/mimir-nginx:80/other", wantErr: "it does not answer as a Prometheus API (status 404)"},
		"no such port":       {service: "svc:monitoring/metrics:1", wantErr: "service monitoring/metrics has no port 1; it has 10901 grpc, 9443 https"},
		"no such Service":    {service: "svc:monitoring/none:1", wantErr: `services "none" not found`},
		"it may not be read": {service: "svc:monitoring/metrics:10901", refused: []string{"/api/v1/namespaces/monitoring/services/metrics"}, wantErr: "the account may not use the API server's proxy"},
		"for its eyes alone": {service: "svc:monitoring/metrics:10901", ownEyes: true, forwards: behind, want: "http://metrics.monitoring.svc:10901 through a port-forward"},
		"and not to be had":  {service: "svc:monitoring/metrics:10901", ownEyes: true, wantErr: "by a port-forward: the account may not forward ports"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := ParseService(tc.service)
			if err != nil {
				t.Fatal(err)
			}
			a := &apiServer{t: t, services: services, behind: behind, refused: tc.refused}
			found, err := a.finder(t, tc.forwards).Reach(t.Context(), s, tc.ownEyes)
			switch {
			case tc.wantErr != "":
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("found %+v, error %v, want %q", found, err, tc.wantErr)
				}
				if is := apierrors.IsNotFound(err); is != (name == "no such Service") {
					t.Errorf("that it is not there: %v", is)
				}
			case err != nil || found.Service.URL()+" "+found.Way != tc.want:
				t.Errorf("found %+v, error %v, want %q", found, err, tc.want)
			}
			if tc.ownEyes && len(a.proxied) > 0 {
				t.Errorf("the API server was given %v", a.proxied)
			}
		})
	}
}

// TestCredentialsOfTheCluster has a server redirect to somebody else, who must not get them.
func TestCredentialsOfTheCluster(t *testing.T) {
	var got []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("Authorization")) }))
	t.Cleanup(thief.Close)
	a := &apiServer{t: t, services: []corev1.Service{service("monitoring", "prometheus", nil, port("", 9090))}, behind: map[string]http.HandlerFunc{"monitoring/prometheus": prometheusAPI("")}}
	found, err := a.finder(t, nil).Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	base := found.Route.URL
	elsewhere := thief.URL + strings.TrimPrefix(base, "http://"+strings.Split(base, "/")[2]) + "/api/v1/query"
	client := &http.Client{Transport: found.Route.Transport} // follows redirects
	get := func(url string) error {
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	for _, to := range []string{strings.TrimSuffix(base, "/prometheus:9090/proxy") + "/other:80/proxy/", base + "/../../secrets", base, thief.URL, elsewhere} {
		if err := get(to); err == nil || !strings.Contains(err.Error(), "is not sent") {
			t.Errorf("%s: error = %v, want that the request was not sent", to, err)
		}
	}
	a.behind["monitoring/prometheus"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusFound)
	}
	if err := get(base + "/api/v1/query"); err == nil || !strings.Contains(err.Error(), "is not sent") {
		t.Errorf("redirected: error = %v, want that the request was not sent", err)
	}
	if len(got) > 0 {
		t.Errorf("somebody else got %q", got)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]Service{
		"svc:monitoring/prometheus":      {Namespace: "monitoring", Name: "prometheus"},
		"svc:monitoring/prometheus:9090": {Namespace: "monitoring", Name: "prometheus", Port: 9090},
		"svc:mimir/nginx:80/prometheus/": {Namespace: "mimir", Name: "nginx", Port: 80, Path: "/prometheus"},
		"svc:vm/select/select/0/other":   {Namespace: "vm", Name: "select", Path: "/select/0/other"},
	} {
		if got, err := ParseService(text); err != nil || got != want {
			t.Errorf("%s is %+v, error %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"svc:", "svc:prometheus", "svc:prometheus:9090", "svc:/prometheus", "svc:a/b:0", "svc:a/b:x", "svc:a/b:70000", "svc:A/b", "svc:a/b.c", "svc:a/https:b:1"} {
		if got, err := ParseService(text); err == nil || !strings.Contains(err.Error(), "svc:NAMESPACE/NAME:PORT") {
			t.Errorf("%s is %+v, error %v", text, got, err)
		}
	}
	for base, want := range map[string]string{
		"http://prometheus.monitoring:9090":                   "monitoring/prometheus:9090",
		"http://prometheus.monitoring.svc":                    "monitoring/prometheus:80",
		"https://thanos.monitoring.svc.cluster.local./prefix": "monitoring/thanos:443/prefix",
		"http://localhost:9090":                               "",
		"http://10.0.0.1:9090":                                "",
		"http://prometheus.example.com":                       "",
		"http://p-0.prometheus.monitoring.svc":                "",
		"http://prometheus":                                   "",
	} {
		got, ok := ServiceOf(base)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s is %s, %v, want %q", base, got, ok, want)
		}
	}
}
