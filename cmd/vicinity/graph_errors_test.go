package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// hang calls began and answers when the client has gone.
func hang(began func()) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // so that the server notices the end of the client
		began()
		<-r.Context().Done()
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestErrors(t *testing.T) {
	const url = "http://127.0.0.1:1" // nobody listens
	broken := writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {urll: x}\n")
	unavailable := serve(t, status(503))
	two := writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: "+unavailable+"}\n"+
		"sources: [{type: istio-sidecar, name: one}, {type: istio-sidecar, name: two}]\n")
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewUnstartedServer(status(503))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes
	secure.StartTLS()
	defer secure.Close()
	secureFile := func(url string) string {
		return writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: "+url+"}\nsources: [{type: istio-sidecar}]\n")
	}
	another := secureFile(strings.Replace(secure.URL, "127.0.0.1", "localhost", 1))
	cases := map[string]struct {
		args     []string
		wantCode int
		want     []string
	}{
		"no flag": {[]string{}, 2, []string{"which Prometheus? Type: vicinity graph --prometheus http://localhost:9090"}},
		"a login page": {[]string{"--kubeconfig", kubeconfig(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!DOCTYPE html><html>") }))}, 1,
			[]string{"a page of HTML (status 200), which is not the Kubernetes API: check the server's address in the kubeconfig"}},
		"an empty kubeconfig": {[]string{"--kubeconfig", os.DevNull}, 2, []string{"--kubeconfig /dev/null: no cluster is named there"}},
		"both flags":          {[]string{"--prometheus", url, "--telemetry-config", "t.yaml"}, 2, []string{"exclude each other", "Type: vicinity graph --telemetry-config t.yaml"}},
		"no scheme":           {[]string{"--prometheus", "prometheus:9090"}, 2, []string{"--prometheus: ", "must begin with http"}},
		"password":            {[]string{"--prometheus", "http://u:hunter2@p"}, 2, []string{"--prometheus: ", "credentials"}},
		"unknown output":      {[]string{"--prometheus", url, "-o", "yaml"}, 2, []string{`--output "yaml": must be table, json, dot or html`}},
		"negative limit":      {[]string{"--prometheus", url, "--limit", "-1"}, 2, []string{"--limit -1: must not be negative"}},
		"limit is no number":  {[]string{"--prometheus", url, "--limit", "all"}, 2, []string{`--limit "all": must be a whole number`, "vicinity graph --help"}},
		"request bytes":       {[]string{"--prometheus", url, "--request-bytes", "-1Ki"}, 2, []string{`--request-bytes "-1Ki"`}},
		"window":              {[]string{"--prometheus", url, "--window", "1s"}, 2, []string{"--window: ", "at least 5s"}},
		"selector":            {[]string{"--prometheus", url, "--selector", "a=b"}, 2, []string{"--selector: ", `want label="value"`}},
		"timeout":             {[]string{"--prometheus", url, "--timeout", "0s"}, 2, []string{"--timeout: "}},
		"window with a file":  {[]string{"--telemetry-config", broken, "--window", "1m"}, 2, []string{"--window does not go with --telemetry-config: set sources[0].window in " + broken}},
		"unknown flag":        {[]string{"--bogus"}, 2, []string{"unknown flag: --bogus", "vicinity graph --help"}},
		"argument":            {[]string{"shop"}, 2, []string{`graph takes no argument "shop"`}},
		"unknown field":       {[]string{"--telemetry-config", broken}, 1, []string{broken, "prometheus.urll", "unknown field"}},
		"no such file":        {[]string{"--telemetry-config", "nowhere.yaml"}, 2, []string{"--telemetry-config nowhere.yaml: no such file"}},
		"connection refused":  {[]string{"--prometheus", closed.URL}, 1, []string{closed.URL + ": ", "refused", "--prometheus svc:"}},
		"503":                 {[]string{"--prometheus", unavailable, "--source", "istio-sidecar"}, 1, []string{"istio-sidecar", "http://127.0.0.1", "503", "look at the server's log"}},
		"two sources fail":    {[]string{"--telemetry-config", two}, 1, []string{"source one: ", "; source two: ", "503; check"}},
		"401":                 {[]string{"--prometheus", serve(t, status(401))}, 1, []string{"401", "prometheus.bearerTokenFile", "--telemetry-config"}},
		"404":                 {[]string{"--prometheus", serve(t, status(404))}, 1, []string{"404", "without /api/v1"}},
		"another CA":          {[]string{"--prometheus", secure.URL}, 1, []string{"unknown authority", "set prometheus.tls.caFile in a file given with --telemetry-config"}},
		"another CA, file":    {[]string{"--telemetry-config", secureFile(secure.URL)}, 1, []string{"set prometheus.tls.caFile in /"}},
		"another name":        {[]string{"--telemetry-config", another}, 1, []string{"not localhost", "set prometheus.tls.serverName in " + another}},
		"no TLS":              {[]string{"--prometheus", strings.Replace(unavailable, "http:", "https:", 1)}, 1, []string{"begin the address with http://"}},
		"TLS":                 {[]string{"--prometheus", strings.Replace(secure.URL, "https:", "http:", 1)}, 1, []string{"begin its address with https://"}},
		"not Prometheus": {[]string{"--prometheus", serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") })}, 1,
			[]string{"bad_response", "without /api/v1"}},
		"too slow": {[]string{"--prometheus", serve(t, hang(func() {})), "--timeout", "50ms"}, 1, []string{"no answer in time", "raise --timeout"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, stderr := invoke(t, append([]string{"graph"}, tc.args...)...)
			if code != tc.wantCode {
				t.Errorf("exit code %d, want %d", code, tc.wantCode)
			}
			if out != "" {
				t.Errorf("stdout: %s", out)
			}
			if !strings.HasPrefix(stderr, "vicinity: ") || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "hunter2") {
				t.Errorf("stderr is not one line, or tells a secret: %s", stderr)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr: %swant it to say %q", stderr, want)
				}
			}
		})
	}
}

func TestEveryFailureHasANextStep(t *testing.T) {
	for _, f := range telemetry.Failures() {
		if f != telemetry.OtherFailure && (nextStep(f, "") == "" || nextStep(f, "t.yaml") == "") {
			t.Errorf("%v has none", f)
		}
	}
	if got := nextStep(telemetry.Timeout, "t.yaml"); !strings.Contains(got, "prometheus.timeout in t.yaml") {
		t.Errorf("with a file: %s", got)
	}
}

// TestTimeOfTheCluster: that the API server takes too long is not a matter of --timeout.
func TestTimeOfTheCluster(t *testing.T) {
	o := telemetryOptions{}
	late := fmt.Errorf("listing pods: %w; check with: kubectl get pods", context.DeadlineExceeded)
	if got := o.explain(clusterError{late}); got.Error() != late.Error() {
		t.Errorf("it says %s", got)
	}
	if got := o.explain(errors.Join(errors.New("a"), clusterError{late})); got.Error() != "a; "+late.Error() {
		t.Errorf("it says %s", got)
	}
	if got := o.explain(late); !strings.Contains(got.Error(), "raise --timeout") {
		t.Errorf("of a query, it says %s", got)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	for _, r := range telemetry.Reasons() {
		if explainReason(r) == explainReason(telemetry.Reason(-1)) {
			t.Errorf("%v is not", r)
		}
	}
}
