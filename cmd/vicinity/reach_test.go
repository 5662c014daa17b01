package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// services is an API server with Services that all answer as Prometheus through its proxy. It
// notes what it forwards.
type services struct {
	names     []string // namespace/name
	forwarded []string
	// says is what the forwarded requests had in Authorization and X-Scope-OrgID.
	heard []string
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	object := func(name string) string {
		namespace, name, _ := strings.Cut(name, "/")
		return fmt.Sprintf(`{"kind": "Service", "apiVersion": "v1", "metadata": {"namespace": %q, "name": %q}, "spec": {"clusterIP": "10.96.0.9", "ports": [{"name": "web", "port": 9090}]}}`, namespace, name)
	}
	if r.URL.Path == "/api/v1/services" {
		var all []string
		for _, name := range s.names {
			all = append(all, object(name))
		}
		fmt.Fprintf(w, `{"kind": "ServiceList", "apiVersion": "v1", "items": [%s]}`, strings.Join(all, ","))
		return
	}
	if r.URL.Path == "/api/v1/nodes" || r.URL.Path == "/api/v1/pods" { // without which doctor would know nothing
		fmt.Fprint(w, `{"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}`)
		return
	}
	for _, full := range s.names {
		namespace, name, _ := strings.Cut(full, "/")
		at := "/api/v1/namespaces/" + namespace + "/services/" + name
		switch {
		case r.URL.Path == at:
			fmt.Fprint(w, object(full))
			return
		case strings.HasPrefix(r.URL.Path, at+":9090/proxy/"):
			s.forwarded = append(s.forwarded, full)
			s.heard = append(s.heard, r.Header.Get("Authorization")+r.Header.Get("X-Scope-OrgID"))
			fmt.Fprint(w, oneFlow)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}`)
}

// oneFlow answers every query of the Istio source.
const oneFlow = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"reporter":"source","source_workload_namespace":"shop",
	"source_workload":"web","destination_workload_namespace":"shop","destination_workload":"cart"},"value":[1,"1000"]}]}}`

// kubeconfig writes one for a server, and returns its path.
func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: here,
clusters: [{name: cluster, cluster: {server: %q}}, {name: other, cluster: {server: "http://127.0.0.1:1"}}],
users: [{name: me, user: {token: of-the-cluster}}],
contexts: [{name: here, context: {cluster: cluster, user: me, namespace: shop}}, {name: there, context: {cluster: other}}]}`, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFindPrometheus finds it for the verbs that are not told where it is.
func TestFindPrometheus(t *testing.T) {
	one, two := []string{"monitoring/prometheus"}, []string{"istio-system/prometheus", "monitoring/prometheus"}
	recording := filepath.Join(t.TempDir(), "recording")
	cases := map[string]struct {
		services []string
		args     []string
		wantCode int
		wantErr  []string
	}{
		"one":                 {one, []string{"graph", "--source", "istio-sidecar"}, 0, []string{"Prometheus: monitoring/prometheus:9090, through the API server\n"}},
		"shadow":              {one, []string{"locality", "--shadow"}, 0, []string{"Prometheus: monitoring/prometheus:9090, through the API server\n"}},
		"two":                 {two, []string{"graph"}, 1, []string{"has 2 servers of the Prometheus API: ", "type: vicinity graph --prometheus svc:istio-system/prometheus:9090, or vicinity graph --prometheus svc:monitoring/prometheus:9090"}},
		"one of two":          {two, []string{"graph", "--prometheus", "svc:istio-system/prometheus", "--source", "istio-sidecar"}, 0, []string{"Prometheus: istio-system/prometheus:9090, through the API server\n"}},
		"none":                {nil, []string{"graph"}, 1, []string{"no Service in the cluster looks like Prometheus", "Name it: vicinity graph --prometheus svc:NAMESPACE/NAME:PORT"}},
		"not there":           {one, []string{"graph", "--prometheus", "svc:monitoring/thanos"}, 1, []string{"reading Service monitoring/thanos: not found; see: kubectl get services --namespace monitoring"}},
		"no Service":          {one, []string{"graph", "--prometheus", "svc:thanos"}, 2, []string{`--prometheus "svc:thanos": must be svc:NAMESPACE/NAME or svc:NAMESPACE/NAME:PORT`}},
		"for detect":          {one, []string{"sources", "detect", "-n", "monitoring", "--context", "here"}, exitFailure, []string{"listing the Services of namespace monitoring: "}},
		"for record":          {one, []string{"record", "-n", "monitoring", "--context", "here", "--since", "2m", recording}, exitFailure, []string{"listing the Services of namespace monitoring: "}},
		"nowhere to look":     {one, []string{"record", "-n", "shop", "--prometheus", "http://127.0.0.1:1", "--duration", "1m", recording}, 2, []string{"--namespace does not go with --prometheus"}},
		"nowhere, by a file":  {one, []string{"sources", "detect", "-n", "shop", "--telemetry-config", "t.yaml"}, 2, []string{"--namespace does not go with --telemetry-config"}},
		"a cluster is gone":   {one, []string{"graph", "--context", "there"}, 1, []string{"listing Services: ", "refused; check the cluster with: kubectl get services", "or type: vicinity graph --prometheus http"}},
		"a named one is gone": {one, []string{"graph", "--context", "there", "--prometheus", "svc:monitoring/prometheus"}, 1, []string{"reading Service monitoring/prometheus: ", "refused; see: kubectl get services --namespace monitoring"}},
		"no such context":     {one, []string{"graph", "--context", "nowhere"}, 2, []string{`--context "nowhere": there is no such context; type: kubectl config get-contexts`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := kubeconfig(t, serve(t, (&services{names: tc.services}).ServeHTTP))
			var out, errs bytes.Buffer
			code := invokeAs(t.Context(), append([]string{"vicinity"}, append(tc.args, "--kubeconfig", path)...), streams{out: &out, err: &errs}, clock())
			if code != tc.wantCode {
				t.Errorf("exit code %d, want %d", code, tc.wantCode)
			}
			for _, want := range tc.wantErr {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("no %q in %s", want, &errs)
				}
			}
		})
	}
}

// TestDetectNamesWhatItFound names the server again in the next step, even if nobody typed it.
func TestDetectNamesWhatItFound(t *testing.T) {
	path := kubeconfig(t, serve(t, (&services{names: []string{"monitoring/prometheus"}}).ServeHTTP))
	code, out, errs := invoke(t, "sources", "detect", "--kubeconfig", path)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if want := "Next: vicinity graph --prometheus svc:monitoring/prometheus:9090"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

// TestConfiguredAddress has a file name an address of the cluster. What the file has for
// Prometheus must not reach the API server.
func TestConfiguredAddress(t *testing.T) {
	const inside = "http://prometheus.monitoring.svc:9090"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of-prometheus"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		prometheus string // the section of the file
		resolves   bool
		want       string // the way
		wantErr    string
	}{
		"an address of the cluster":                     {"url: " + inside, false, "through the API server", ""},
		"a short one":                                   {"url: http://prometheus.monitoring:9090", false, "through the API server", ""},
		"one that is a name here":                       {"url: " + inside, true, "", ""},
		"one of no Service":                             {"url: http://thanos.monitoring:9090", false, "", ""},
		"one of elsewhere, with a cluster that is gone": {"url: http://prometheus.lan:9090", false, "", ""},
		"one of elsewhere":                              {"url: http://prometheus.example.com", false, "", ""},
		"with a token":                                  {"url: " + inside + "\n  bearerTokenFile: " + secret, false, "", "rule out the API server's proxy"},
		"with a password":                               {"url: " + inside + "\n  basicAuth: {username: me, passwordFile: " + secret + "}", false, "", "rule out the API server's proxy"},
		"with a tenant":                                 {"url: " + inside + "\n  headers: {X-Scope-OrgID: of-prometheus}", false, "", "rule out the API server's proxy"},
		"with a CA":                                     {"url: https://prometheus.monitoring:9090\n  tls: {caFile: " + secret + "}", false, "", "rule out the API server's proxy"},
		"with TLS":                                      {"url: https://prometheus.monitoring:9090", false, "", "rule out the API server's proxy"},
		"with a token, and a name here":                 {"url: " + inside + "\n  bearerTokenFile: " + secret, true, "", ""},
		"a port that the Service has not":               {"url: http://prometheus.monitoring:9091", false, "", "has no port 9091"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &services{names: []string{"monitoring/prometheus"}}
			o := telemetryOptions{configFile: writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus:\n  "+tc.prometheus+"\nsources: [{type: istio-sidecar}]\n")}
			cluster := &clusterOptions{kubeconfig: kubeconfig(t, serve(t, s.ServeHTTP))}
			if strings.HasSuffix(name, "is gone") {
				cluster.context = "there"
			}
			o.findIn(cluster)
			o.lookup = func(context.Context, string) ([]string, error) {
				if tc.resolves {
					return []string{"10.0.0.9"}, nil
				}
				return nil, errors.New("no such host")
			}
			cmd := &cobra.Command{}
			cmd.SetContext(t.Context())
			_, err := o.configuration(cmd, streams{err: io.Discard})
			if (tc.wantErr == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error = %v, want %q", err, tc.wantErr)
			}
			if o.way != tc.want || (o.route == nil) != (tc.want == "") {
				t.Errorf("it is asked %q, want %q", o.way, tc.want)
			}
			for _, heard := range s.heard {
				if strings.Contains(heard, "of-prometheus") {
					t.Errorf("the API server was told %q", heard)
				}
			}
			if tc.wantErr != "" && len(s.forwarded) > 0 {
				t.Errorf("it forwarded to %v", s.forwarded)
			}
		})
	}
}

// TestCompletionOfCluster completes what the kubeconfig and the cluster have, and says nothing
// where they cannot be asked.
func TestCompletionOfCluster(t *testing.T) {
	found := &services{names: []string{"monitoring/prometheus", "shop/cart"}}
	objects := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/services" {
			found.ServeHTTP(w, r)
			return
		}
		names := map[string][]string{
			"/api/v1/namespaces":                        {"shop", "data"},
			"/api/v1/namespaces/shop/pods":              {"cart-1-x", "web-0"},
			"/api/v1/namespaces/data/pods":              {"db-0"},
			"/apis/apps/v1/namespaces/shop/deployments": {"cart"},
			"/apis/apps/v1/namespaces/shop/replicasets": {"old", "cart-1:owned"},
			"/apis/batch/v1/namespaces/shop/cronjobs":   {"nightly"},
		}[r.URL.Path]
		var items []string
		for _, name := range names {
			name, owned, _ := strings.Cut(name, ":")
			owner := ""
			if owned != "" {
				owner = `, "ownerReferences": [{"name": "cart", "controller": true}]`
			}
			items = append(items, fmt.Sprintf(`{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": %q%s}}`, name, owner))
		}
		if names == nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": [%s]}`, strings.Join(items, ","))
	}
	path := kubeconfig(t, serve(t, objects))
	t.Chdir(t.TempDir())
	for _, name := range []string{"me.csv", "me.txt", "meshes.tar.zst"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		args []string
		want string
	}{
		"servers":             {[]string{"graph", "--kubeconfig", path, "--prometheus", "svc:"}, "svc:monitoring/prometheus:9090\n:4\n"},
		"servers or a URL":    {[]string{"graph", "--kubeconfig", path, "--prometheus", ""}, "http://localhost:9090\nsvc:\n:6\n"},
		"servers of none":     {[]string{"graph", "--prometheus", "svc:"}, ":6\n"},
		"contexts":            {[]string{"graph", "--kubeconfig", path, "--context", ""}, "here\tcluster\nthere\tother\n:4\n"},
		"contexts of none":    {[]string{"graph", "--context", ""}, ":4\n"},
		"namespaces":          {[]string{"record", "--kubeconfig", path, "-n", ""}, "data\nshop\n:4\n"},
		"namespaces of none":  {[]string{"graph", "-n", ""}, ":4\n"},
		"nobody answers":      {[]string{"graph", "--kubeconfig", path, "--context", "there", "-n", ""}, ":4\n"},
		"pods":                {[]string{"explain", "--kubeconfig", path, "pod", ""}, "cart-1-x\nweb-0\n:4\n"},
		"pods of another":     {[]string{"explain", "--kubeconfig", path, "-n", "data", "pod", ""}, "db-0\n:4\n"},
		"pods before a slash": {[]string{"explain", "--kubeconfig", path, "pod", "data/"}, "data/db-0\n:4\n"},
		"workloads":           {[]string{"explain", "--kubeconfig", path, "workload", ""}, "cart\nnightly\nold\n:4\n"},
		"one name only":       {[]string{"explain", "--kubeconfig", path, "workload", "cart", ""}, ":4\n"},
		"a mesh":              {[]string{"replay", "mesh:"}, "mesh:help\tlist them\nmesh:"},
		"mesh or a file":      {[]string{"replay", "me"}, "me.csv\nmeshes.tar.zst\nmesh:\n:6\n"},
		"files":               {[]string{"replay", ""}, "zst\ncsv\njson\n:8\n"},
		"one input":           {[]string{"replay", "x.csv", ""}, ":4\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), append([]string{"vicinity", "__complete"}, tc.args...), streams{out: &out, err: &errs}, clock())
			if code != 0 || !strings.HasPrefix(out.String(), tc.want) {
				t.Errorf("exit code %d, stdout %q, want %q", code, &out, tc.want)
			}
			if said := errs.String(); strings.Count(said, "\n") > 1 { // cobra says which directive it is
				t.Errorf("it says %s", said)
			}
		})
	}
}
