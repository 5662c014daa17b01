package promapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const queryPath = "/api/v1/query"

// Client queries one server. It is safe for concurrent use.
type Client struct {
	config    Config
	endpoint  string
	transport *transport
	http      *http.Client
	byGet     atomic.Bool // the last query was taken by GET, after a POST was refused
}

var _ telemetry.Querier = (*Client)(nil)

// New returns a client. It reports a Config that cannot work, but does not
// connect and does not open the files: they are read when they are needed, and
// may be rotated.
func New(c Config) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	c = c.withDefaults()
	t := newTransport(c)
	base := c.URL
	if c.Route != nil && c.Route.Transport != nil {
		base = c.Route.URL
	}
	return &Client{
		config:    c,
		endpoint:  strings.TrimRight(base, "/") + queryPath,
		transport: t,
		http:      &http.Client{Transport: t, CheckRedirect: refuseRedirect},
	}, nil
}

// Close closes the connections that are not in use. The client stays usable.
func (c *Client) Close() { c.transport.closeIdle() }

// API returns the base of the API and the client that requests are made with, for other parts
// of it than queries: the way, credentials, headers and the limit of an answer's size hold for
// these too, the time-out does not.
func (c *Client) API() (base string, client *http.Client) {
	return strings.TrimSuffix(c.endpoint, queryPath), c.http
}

// Query implements telemetry.Querier. It yields the series while it reads the
// answer, so that the time-out also limits what yield does. The value of a
// native histogram is NaN. Errors other than those of yield are
// *telemetry.QueryError and name the server.
func (c *Client) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	var stopped error
	err := c.query(ctx, c.form(query, at), func(s telemetry.Series) error {
		stopped = yield(s)
		return stopped
	})
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		e := classify(err)
		return &telemetry.QueryError{Failure: e.Failure, Err: fmt.Errorf("%s: %w", c.config.URL, e.Err)}
	}
	return nil
}

// form returns the parameters of an instant query.
func (c *Client) form(query string, at time.Time) string {
	seconds := float64(at.Unix()) + float64(at.Nanosecond())/1e9
	return url.Values{
		"query": {query},
		"time":  {strconv.FormatFloat(seconds, 'f', -1, 64)},
		// Prometheus takes whole units only: 1.5s is an error.
		"timeout": {strconv.FormatInt(c.config.Timeout.Milliseconds(), 10) + "ms"},
		"limit":   {strconv.Itoa(c.config.MaxSeries)},
	}.Encode()
}

func (c *Client) query(ctx context.Context, form string, yield func(telemetry.Series) error) error {
	resp, err := c.ask(ctx, form)
	if err != nil {
		return err
	}
	// Of an answer that is not read to its end, this ends the connection.
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusFailure(resp)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return badAnswer("the answer is compressed (%s), which was not asked for", coding)
	}
	if err := limited(resp.Header); err != nil {
		return err
	}
	return decode(contextReader{ctx, resp.Body}, limits{series: c.config.MaxSeries, labelBytes: c.config.MaxLabelBytes}, yield)
}

// ask sends a query by POST, and by GET where only that is taken. It remembers the latter:
// what refuses each POST may also count them, and write them to an audit log.
func (c *Client) ask(ctx context.Context, form string) (*http.Response, error) {
	if !c.byGet.Load() {
		resp, err := c.post(ctx, form)
		if err != nil || !onlyGet(resp.StatusCode) {
			return resp, err
		}
		resp.Body.Close()
	}
	resp, err := c.get(ctx, form)
	c.byGet.Store(err == nil && resp.StatusCode == http.StatusOK)
	return resp, err
}

// contextReader stops when ctx ends. net/http alone would go on with what has
// arrived, which may be much when the server is fast.
type contextReader struct {
	ctx context.Context
	in  io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

// onlyGet reports whether a status may mean that the server, or a proxy before
// it, takes a query by GET only. A proxy that asks Kubernetes whether the user
// may (kube-rbac-proxy) answers 403 when the user may get but not create.
func onlyGet(status int) bool {
	switch status {
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

func (c *Client) post(ctx context.Context, form string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Not sent: it tells net/http that a query may be repeated when the server
	// has just closed the connection that was kept for it.
	req.Header["Idempotency-Key"] = nil
	return c.http.Do(req)
}

func (c *Client) get(ctx context.Context, form string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint+"?"+form, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}
