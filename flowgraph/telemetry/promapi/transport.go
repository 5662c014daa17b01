package promapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const (
	dialTimeout     = 10 * time.Second
	idleConnTimeout = 90 * time.Second
	maxHeaderBytes  = 64 << 10
	maxSecretBytes  = 64 << 10
)

// transport adds credentials and headers to requests and limits the answers.
type transport struct {
	config Config
	base   http.RoundTripper
}

func newTransport(c Config) *transport {
	if c.Route != nil && c.Route.Transport != nil {
		return &transport{config: c, base: c.Route.Transport}
	}
	dial := (&net.Dialer{Timeout: dialTimeout}).DialContext
	if c.Route != nil {
		dial = c.Route.Dial
	}
	return &transport{
		config: c,
		base: &http.Transport{
			Proxy:       nil, // never from the environment
			DialContext: dial,
			// The certificates are read for each connection, so that rotated
			// ones are used without a restart.
			DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return dialTLS(ctx, c, dial, network, addr)
			},
			MaxConnsPerHost:        2, // one query and one small request of the CLI
			IdleConnTimeout:        idleConnTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
		},
	}
}

// closeIdle closes the connections that are not in use, unless they are a Route's.
func (t *transport) closeIdle() {
	if own, ok := t.base.(*http.Transport); ok && (t.config.Route == nil || t.config.Route.Transport == nil) {
		own.CloseIdleConnections()
	}
}

// dialTLS connects, and speaks TLS as the configuration says.
func dialTLS(ctx context.Context, c Config, dial func(context.Context, string, string) (net.Conn, error), network, addr string) (net.Conn, error) {
	conf, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		conf.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func tlsConfig(c Config) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading caFile: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("caFile %s: no PEM certificate in it", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certFile %s and keyFile %s: %w", c.CertFile, c.KeyFile, err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range t.config.Headers {
		r.Header.Set(name, value)
	}
	if err := t.authorize(r); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, &telemetry.QueryError{Failure: telemetry.Denied, Err: err}
	}
	// To compress an answer takes the server more than twice as long as it takes
	// us to decode it, and what is not compressed cannot grow here.
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{body: resp.Body, left: t.config.MaxBodyBytes, limit: t.config.MaxBodyBytes}
	return resp, nil
}

func (t *transport) authorize(r *http.Request) error {
	switch {
	case t.config.BearerTokenFile != "":
		token, err := readSecret(t.config.BearerTokenFile)
		if err != nil {
			return fmt.Errorf("bearerTokenFile: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case t.config.Username != "":
		password, err := readSecret(t.config.PasswordFile)
		if err != nil {
			return fmt.Errorf("passwordFile: %w", err)
		}
		r.SetBasicAuth(t.config.Username, password)
	}
	return nil
}

// readSecret returns the content of a file without surrounding space. Its
// errors never hold the content.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(data))
	switch {
	case secret == "":
		return "", fmt.Errorf("%s is empty", path)
	case strings.ContainsAny(secret, "\r\n\x00"):
		return "", fmt.Errorf("%s has more than one line", path)
	}
	return secret, nil
}

// limitedBody fails instead of ending when the body is longer than the limit.
type limitedBody struct {
	body        io.ReadCloser
	left, limit int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, &telemetry.QueryError{Failure: telemetry.TooLarge, Err: fmt.Errorf(
			"the answer is larger than maxBodyBytes (%d)", b.limit)}
	}
	return n, err
}

func (b *limitedBody) Close() error { return b.body.Close() }

func refuseRedirect(r *http.Request, _ []*http.Request) error {
	return &telemetry.QueryError{Failure: telemetry.BadAnswer, Err: errors.New(
		"the server redirects to " + r.URL.Scheme + "://" + r.URL.Host + ", which is not followed: use the final address")}
}
