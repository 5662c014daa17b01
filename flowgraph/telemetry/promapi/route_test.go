package promapi

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// forwarder counts the requests that it takes, and adds its own credentials.
type forwarder struct{ requests int }

func (f *forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	f.requests++
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer of-the-forwarder")
	return http.DefaultTransport.RoundTrip(r)
}

// TestTransportOfRoute asks a server that only somebody else reaches.
func TestTransportOfRoute(t *testing.T) {
	var asked, authorization string
	forwards := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked, authorization = r.URL.Path, r.Header.Get("Authorization")
		fmt.Fprintf(w, vector, "")
	})
	through := &forwarder{}
	got, err := query(t, Config{URL: "http://prometheus.monitoring.svc:9090", Route: &Route{Transport: through, URL: forwards + "/to/it/proxy"}})
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err != nil || len(got) != 3 {
		t.Errorf("%d series, error %v", len(got), err)
	}
	if through.requests != 1 || asked != "/to/it/proxy/api/v1/query" || authorization != "Bearer of-the-forwarder" {
		t.Errorf("%d requests, the last to %s with %q", through.requests, asked, authorization)
	}
}

// TestNothingForTheForwarder has credentials of the server, which whoever forwards the
// requests must not see.
func TestNothingForTheForwarder(t *testing.T) {
	to := &Route{Transport: &forwarder{}, URL: "https://api"}
	cases := map[string]Config{
		"a token":       {BearerTokenFile: "token"},
		"a password":    {Username: "me", PasswordFile: "password"},
		"a certificate": {CertFile: "crt", KeyFile: "key"},
		"a header":      {Headers: map[string]string{"X-Scope-OrgID": "tenant"}},
		"a CA":          {CAFile: "ca"},
		"a name":        {ServerName: "prometheus"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.URL, c.Route = "http://prometheus", to
			if _, err := New(c); err == nil || !strings.Contains(err.Error(), "would go to whoever forwards") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestRouteThatIsNone(t *testing.T) {
	dial := (&net.Dialer{}).DialContext
	cases := map[string]*Route{
		"neither": {},
		"both":    {Transport: &forwarder{}, URL: "https://api", Dial: dial},
		"no URL":  {Transport: &forwarder{}},
	}
	for name, route := range cases {
		if _, err := New(Config{URL: "http://prometheus", Route: route}); err == nil || !strings.Contains(err.Error(), "route: ") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// TestDialOfRoute speaks TLS with the server over a connection that somebody else made, and
// gives it the credentials.
func TestDialOfRoute(t *testing.T) {
	var authorization string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		fmt.Fprintf(w, vector, "")
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca"), filepath.Join(dir, "token")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := errors.Join(os.WriteFile(ca, certificate, 0o600), os.WriteFile(token, []byte("secret"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var wanted string
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		wanted = address
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	// The certificate is for this name.
	got, err := query(t, Config{URL: "https://example.com:9090", CAFile: ca, BearerTokenFile: token, Route: &Route{Dial: dial}})
	if err != nil || len(got) != 3 || wanted != "example.com:9090" || authorization != "Bearer secret" {
		t.Errorf("%d series, error %v, connected to %q with %q", len(got), err, wanted, authorization)
	}
	if _, err = query(t, Config{URL: "https://prometheus.monitoring.svc", CAFile: ca, Route: &Route{Dial: dial}}); err == nil || !strings.Contains(err.Error(), "prometheus.monitoring.svc") {
		t.Errorf("error = %v, want that the certificate is not for the name", err)
	}
}

// TestAPIServerSays reads what a Kubernetes API server answers that cannot, or may not, forward.
func TestAPIServerSays(t *testing.T) {
	cases := map[int]telemetry.Failure{
		401: telemetry.Denied, 403: telemetry.Denied, 404: telemetry.Unreachable, 503: telemetry.Unreachable, 504: telemetry.Timeout, 400: telemetry.BadAnswer,
	}
	for code, want := range cases {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no endpoints available for service \"prometheus\""}`)
		})
		_, err := query(t, Config{URL: url})
		if telemetry.FailureOf(err) != want || !strings.Contains(err.Error(), "the API server says: no endpoints available") {
			t.Errorf("%d: %v, %v, want %v", code, telemetry.FailureOf(err), err, want)
		}
	}
}

// TestGetIsRemembered asks a server that takes only GET, for a while.
func TestGetIsRemembered(t *testing.T) {
	var asked []string
	down := false
	client, err := New(Config{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method)
		switch {
		case down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusForbidden)
		default:
			fmt.Fprintf(w, vector, "")
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ask := func() error {
		return client.Query(t.Context(), "up", time.Unix(1, 0), func(telemetry.Series) error { return nil })
	}
	first, second := ask(), ask()
	down = true
	third := ask()
	down = false
	if err := errors.Join(first, second, ask()); err != nil || third == nil {
		t.Errorf("errors %v, and %v from a server that is down", err, third)
	}
	if got := strings.Join(asked, " "); got != "POST GET GET GET POST GET" {
		t.Errorf("asked by %s", got)
	}
}
