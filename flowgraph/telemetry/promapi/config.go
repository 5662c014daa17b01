// Package promapi is the client of a Prometheus-compatible HTTP API. It treats
// the server as untrusted: time, body, number of series and length of labels
// are limited, redirects are refused, and no proxy is taken from the
// environment. It decodes the answer to an instant query while it reads it, in
// memory that does not depend on the number of series. It knows no other part
// of the API.
package promapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Config says how to reach the server. Only URL is required.
type Config struct {
	// URL is the base of the API without /api/v1: http or https, without user
	// information, query and fragment.
	URL string
	// Timeout limits one query from connecting to the last byte of the answer;
	// DefaultTimeout when zero.
	Timeout time.Duration

	// CAFile holds the PEM certificates to trust instead of the system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate; both or none.
	CertFile, KeyFile string
	// ServerName overrides the name that the server's certificate must have.
	ServerName string

	// BearerTokenFile holds a token; not together with Username.
	BearerTokenFile string
	// Username and PasswordFile are basic authentication; both or none.
	Username, PasswordFile string
	// Headers are added to every request, e.g. X-Scope-OrgID for a tenant.
	// Credentials belong into files: Authorization is refused.
	Headers map[string]string

	// MaxBodyBytes limits an answer, which is never compressed;
	// DefaultMaxBodyBytes when zero. It limits time, not memory: an answer is
	// decoded while it is read.
	MaxBodyBytes int64
	// MaxSeries limits the series of one answer; DefaultMaxSeries when zero.
	MaxSeries int
	// MaxLabelBytes limits a label value: a longer one reads as if the label
	// were missing, so that the source counts the series as unknown.
	// DefaultMaxLabelBytes when zero.
	MaxLabelBytes int

	// Route is the way to a server that cannot be reached at URL; nil connects to URL.
	Route *Route
}

// Route is a way to a server other than to its address: through somebody who reaches it. It
// has either Transport and URL, or Dial. A Client does not close it.
type Route struct {
	// Transport carries the requests, and proves to whoever forwards them that it may. What the
	// forwarder reads is not for the server: so no credentials, certificates or headers of the
	// Config go with it.
	Transport http.RoundTripper
	// URL is the base of the API as Transport takes it.
	URL string
	// Dial connects to the server. What is said over the connection is the same as without a
	// Route: TLS, credentials and headers are for the server.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// validate reports a Route that is none, or would give a forwarder what is for the server.
func (r *Route) validate(c Config) error {
	switch {
	case r == nil:
		return nil
	case (r.Transport == nil) == (r.Dial == nil):
		return errors.New("route: needs a transport or a way to connect, and not both")
	case r.Dial != nil:
		return nil
	case c.BearerTokenFile != "" || c.Username != "" || c.CertFile != "" || c.CAFile != "" || c.ServerName != "" || len(c.Headers) > 0:
		return errors.New("route: credentials, certificates and headers for the server would go to whoever forwards the requests")
	}
	if err := ValidateURL(r.URL); err != nil {
		return fmt.Errorf("route: url: %w", err)
	}
	return nil
}

// The defaults of Config.
const (
	DefaultTimeout             = 30 * time.Second
	DefaultMaxBodyBytes  int64 = 512 << 20
	DefaultMaxSeries           = 1_000_000
	DefaultMaxLabelBytes       = 1024 // Kubernetes names have at most 253
)

// withDefaults returns c with the zero limits replaced.
func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxBodyBytes == 0 {
		c.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if c.MaxSeries == 0 {
		c.MaxSeries = DefaultMaxSeries
	}
	if c.MaxLabelBytes == 0 {
		c.MaxLabelBytes = DefaultMaxLabelBytes
	}
	return c
}

// ValidateURL reports why raw cannot be Config.URL. The error does not repeat
// it, because it may hold a password.
func ValidateURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.User != nil:
		return errors.New("must not hold credentials; put them into files")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must begin with http:// or https://")
	case u.Host == "" || u.Hostname() == "":
		return errors.New("has no host")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("must not have a query or a fragment")
	}
	return nil
}

// ValidateHeader reports why a header with this name may not be set.
func ValidateHeader(name string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "Proxy-Authorization", "Cookie":
		return errors.New("credentials belong into files")
	case "Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Connection":
		return errors.New("is set by the client")
	case "":
		return errors.New("has no name")
	}
	return nil
}

func (c Config) validate() error {
	if err := ValidateURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	for name := range c.Headers {
		if err := ValidateHeader(name); err != nil {
			return fmt.Errorf("header %q: %w", name, err)
		}
	}
	switch {
	case c.Timeout < 0 || c.MaxBodyBytes < 0 || c.MaxSeries < 0 || c.MaxLabelBytes < 0:
		return errors.New("timeout and limits must not be negative")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("certFile and keyFile go together")
	case (c.Username == "") != (c.PasswordFile == ""):
		return errors.New("username and passwordFile go together")
	case c.Username != "" && c.BearerTokenFile != "":
		return errors.New("a bearer token and basic authentication exclude each other")
	}
	return c.Route.validate(c)
}
