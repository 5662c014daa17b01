package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// faultServer is a Prometheus behind TLS whose answers a test changes while a
// scheduler reads them.
type faultServer struct {
	URL    string
	CAFile string

	ca, otherCA *authority

	mu      sync.Mutex
	handler http.HandlerFunc
	cert    *tls.Certificate
	server  *http.Server // nil while it does not listen, as is
	socket  net.Listener
}

func newFaultServer(t *testing.T) *faultServer {
	t.Helper()
	s := &faultServer{ca: newAuthority(t), otherCA: newAuthority(t)}
	s.CAFile = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(s.CAFile, s.ca.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "https://" + listener.Addr().String()
	s.certify(s.ca.issue(t, "127.0.0.1", time.Hour))
	s.serve(listener)
	t.Cleanup(s.close)
	return s
}

func (s *faultServer) serve(listener net.Listener) {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			handler := s.handler
			s.mu.Unlock()
			handler(w, r)
		}),
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.cert, nil
		}},
		ErrorLog:          log.New(discard{}, "", 0), // of clients that do not trust it
		ReadHeaderTimeout: time.Minute,
	}
	server.SetKeepAlivesEnabled(false) // a new certificate counts at once
	s.mu.Lock()
	s.server, s.socket = server, listener
	s.mu.Unlock()
	go func() { _ = server.ServeTLS(listener, "", "") }() // ends with close
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// close stops listening and cuts all connections.
func (s *faultServer) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		_ = s.socket.Close() // the server may not yet know it
		_ = s.server.Close()
	}
	s.server, s.socket = nil, nil
}

// listen undoes close.
func (s *faultServer) listen(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", strings.TrimPrefix(s.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	s.serve(listener)
}

func (s *faultServer) answer(handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = handler
}

func (s *faultServer) certify(cert *tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cert = cert
}

// vector answers the query for the sent bytes with the given elements of an
// instant vector, and every other query with none.
func vector(elements string) http.HandlerFunc {
	return envelope(`{"status":"success","data":{"resultType":"vector","result":[@]}}`, elements)
}

// envelope writes an answer with the elements, or none, in the place of @.
func envelope(answer, elements string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		result := ""
		if strings.Contains(r.FormValue("query"), "istio_request_bytes_sum") {
			result = elements
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(strings.Replace(answer, "@", result, 1)))
	}
}

// element is one element of a vector: traffic from one workload to another.
func element(from, to flowgraph.WorkloadID, value string) string {
	return fmt.Sprintf(`{"metric":{"reporter":"source","source_workload_namespace":%q,"source_workload":%q,`+
		`"destination_workload_namespace":%q,"destination_workload":%q},"value":[1,%q]}`,
		from.Namespace, from.Name, to.Namespace, to.Name, value)
}

// status answers with an HTTP status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://"+r.Host+"/elsewhere")
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(code)
	}
}

// raw takes the connection over and closes it when write returns.
func raw(write func(conn net.Conn) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = write(conn) // fails when the client has had enough
	}
}

// drip writes a text byte by byte, as slowly as keeps a connection open.
func drip(first, text string) http.HandlerFunc {
	return raw(func(conn net.Conn) error {
		if _, err := conn.Write([]byte(first)); err != nil {
			return err
		}
		for i := 0; ; i++ {
			if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

// flood writes a text again and again.
func flood(first, text string) http.HandlerFunc {
	block := []byte(strings.Repeat(text, 64<<10/len(text)+1))
	return raw(func(conn net.Conn) error {
		_, err := conn.Write([]byte(first))
		for err == nil {
			_, err = conn.Write(block)
		}
		return err
	})
}

// reset begins an answer and ends the connection with a TCP reset.
func reset(first string) http.HandlerFunc {
	return raw(func(conn net.Conn) error {
		_, err := conn.Write([]byte(first))
		tcp, ok := conn.(*tls.Conn).NetConn().(*net.TCPConn)
		if !ok {
			return errors.New("no TCP connection")
		}
		return errors.Join(err, tcp.SetLinger(0), tcp.Close())
	})
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a := &authority{}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

// issue returns a certificate for an IP address that is valid for so long from
// now; a negative time is the past.
func (a *authority) issue(t *testing.T, ip string, valid time.Duration) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "prometheus"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
