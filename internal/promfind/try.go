package promfind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
)

// atATime is how many candidates are asked at a time.
const atATime = 8

// maxAnswer is how much is read of an answer: that of a server of the API is short.
const maxAnswer = 64 << 10

// answer is what became of a candidate: found is nil where it is none, and why says why.
type answer struct {
	candidate candidate
	found     *Found
	why       string
}

func (f *Finder) tryAll(ctx context.Context, candidates []candidate) []answer {
	answers := make([]answer, len(candidates))
	var group errgroup.Group
	group.SetLimit(atATime)
	for i, c := range candidates {
		group.Go(func() error {
			found, why := f.try(ctx, c)
			answers[i] = answer{c, found, why}
			return nil
		})
	}
	_ = group.Wait() // no error
	return answers
}

// try asks a candidate through the API server, and where that is of no use by a port-forward.
func (f *Finder) try(ctx context.Context, c candidate) (*Found, string) {
	found, err := f.byProxy(ctx, c)
	if err == nil {
		return found, ""
	}
	if errors.Is(err, errTLS) && c.Scheme == "http" {
		c.Scheme = "https"
		return f.try(ctx, c)
	}
	if final := (*finalError)(nil); errors.As(err, &final) {
		return nil, err.Error()
	}
	if found, forward := f.byForward(ctx, c, err.Error()); forward == nil {
		return found, ""
	} else {
		return nil, fmt.Sprintf("%v; %v", err, forward)
	}
}

// byProxy asks through the API server's proxy for Services.
func (f *Finder) byProxy(ctx context.Context, c candidate) (*Found, error) {
	base, err := f.proxyURL(c.Service)
	if err != nil {
		return nil, &finalError{err}
	}
	transport, err := rest.TransportFor(f.config)
	if err != nil {
		return nil, &finalError{err}
	}
	route := &promapi.Route{Transport: &pinned{transport, base}, URL: base.String()}
	if err := ask(ctx, route.Transport, route.URL); err != nil {
		return nil, err
	}
	return c.found(route, "through the API server"), nil
}

// byForward asks through a port-forward. because says why the API server's proxy was of no
// use, "" where it was not to be used.
func (f *Finder) byForward(ctx context.Context, c candidate, because string) (*Found, error) {
	route := &promapi.Route{Dial: f.forward(c.Service)}
	found := c.found(route, "through a port-forward")
	if because == "" {
		// It is for its owner to ask, with the credentials. That a pod is there is looked at.
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		conn, err := route.Dial(ctx, "tcp", c.Name)
		if err != nil {
			return nil, &ForwardError{c.Service, err}
		}
		return found, conn.Close()
	}
	transport := &http.Transport{DialContext: route.Dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer}
	if err := ask(ctx, transport, c.URL()); err != nil {
		return nil, fmt.Errorf("by a port-forward: %w", err)
	}
	return found, nil
}

// ForwardError says that a Service which only a port-forward may lead to cannot be reached so.
type ForwardError struct {
	Service Service
	err     error
}

// Error names the Service.
func (e *ForwardError) Error() string {
	return fmt.Sprintf("service %s: by a port-forward: %v", e.Service, e.err)
}

// Unwrap returns why.
func (e *ForwardError) Unwrap() error { return e.err }

// found is the candidate once it has answered.
func (c candidate) found(route *promapi.Route, way string) *Found {
	return &Found{Service: c.Service, Route: route, Way: way, rank: c.rank, headless: c.headless, system: c.kind.system}
}

// proxyURL is where the API server forwards requests to a Service.
func (f *Finder) proxyURL(s Service) (*url.URL, error) {
	id := fmt.Sprintf("%s:%d", s.Name, s.Port)
	if s.Scheme == "https" {
		id = "https:" + id
	}
	return apiURL(f.config, "namespaces", s.Namespace, "services", id, "proxy", s.Path)
}

// apiURL is the address of something in the API's core group.
func apiURL(config *rest.Config, elements ...string) (*url.URL, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("the address of the API server: %w", err)
	}
	base.Path = "/" + strings.Trim(base.Path, "/") // JoinPath keeps a path relative that is
	return base.JoinPath(append([]string{"api/v1"}, elements...)...), nil
}

// pinned takes requests to one place only: the transport beneath it adds the credentials of
// the cluster to whatever it is given, and what answers there may redirect.
type pinned struct {
	transport http.RoundTripper
	base      *url.URL
}

// RoundTrip implements http.RoundTripper.
func (p *pinned) RoundTrip(r *http.Request) (*http.Response, error) {
	within := strings.HasPrefix(r.URL.EscapedPath(), strings.TrimRight(p.base.EscapedPath(), "/")+"/") && !strings.Contains(r.URL.Path, "..")
	if r.URL.Scheme != p.base.Scheme || r.URL.Host != p.base.Host || !within {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, fmt.Errorf("a request to %s://%s does not go to Prometheus, and is not sent", r.URL.Scheme, r.URL.Host)
	}
	return p.transport.RoundTrip(r)
}

// finalError is one that another way does not help with.
type finalError struct{ error }

// Unwrap returns what it is about.
func (e *finalError) Unwrap() error { return e.error }

func finally(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }

// ask returns nil when a server of the API answers.
func ask(ctx context.Context, transport http.RoundTripper, base string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/api/v1/query?query=vector(1)", nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unanswered(ctx, err)
	}
	return judge(resp.StatusCode, body)
}

func unanswered(ctx context.Context, err error) error {
	if timedOut := net.Error(nil); ctx.Err() != nil || errors.As(err, &timedOut) && timedOut.Timeout() {
		return fmt.Errorf("no answer within %v", askTimeout)
	}
	return err
}

// judge returns nil for an answer of the API. It tells what the API server says from what
// comes from beyond it.
func judge(code int, body []byte) error {
	var said struct{ Status, Kind, Message string }
	_ = json.Unmarshal(body, &said) // what is no JSON says nothing
	switch {
	case code == http.StatusOK && said.Status == "success":
		return nil
	case said.Kind != "Status" && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return finally("it wants credentials, or a tenant (status %d)", code)
	case code == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server"): // of Go's servers
		return finally("%w", errTLS)
	case said.Kind != "Status" && code >= 500:
		return fmt.Errorf("it answers with status %d", code)
	case said.Kind != "Status":
		return finally("%w (status %d)", errNoAPI, code)
	case code == http.StatusNotFound:
		return finally("%s", said.Message)
	case strings.Contains(said.Message, "no endpoints available"):
		return finally("it has no pod that is ready")
	case code == http.StatusForbidden:
		return errors.New("the account may not use the API server's proxy (get services/proxy)")
	}
	return fmt.Errorf("the API server does not reach it: %s", said.Message)
}
