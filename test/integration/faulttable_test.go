package integration

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// faults are the table of what goes wrong. real is the URL of a Prometheus that
// scrapes the sandbox.
func faults(real string) []fault {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	const body = `{"status":"success","data":{"resultType":"vector","result":[`
	always := func(h http.HandlerFunc) func(*faulty) http.HandlerFunc {
		return func(*faulty) http.HandlerFunc { return h }
	}
	written := func(text string) func(*faulty) http.HandlerFunc {
		return always(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	value := func(v string) func(*faulty) http.HandlerFunc {
		return func(f *faulty) http.HandlerFunc { return vector(f.traffic(v)) }
	}
	inEnvelope := func(answer string) func(*faulty) http.HandlerFunc {
		return func(f *faulty) http.HandlerFunc { return envelope(answer, f.traffic("1000000")) }
	}
	return []fault{
		{name: "refused", results: []string{"unreachable"}, begin: (*faulty).refuse, end: (*faulty).accept},
		{name: "no such host", results: []string{"unreachable", "timeout"}, lasting: true, change: func(c *configv1.TelemetryConfiguration) {
			c.Prometheus.URL = "https://prometheus.invalid"
		}},
		{name: "certificate expired", results: []string{"unreachable"}, end: (*faulty).certify, begin: func(f *faulty, t *testing.T) {
			f.server.certify(f.server.ca.issue(t, "127.0.0.1", -time.Hour))
		}},
		{name: "certificate of another authority", results: []string{"unreachable"}, end: (*faulty).certify, begin: func(f *faulty, t *testing.T) {
			f.server.certify(f.server.otherCA.issue(t, "127.0.0.1", time.Hour))
		}},
		{name: "certificate of another name", results: []string{"unreachable"}, end: (*faulty).certify, begin: func(f *faulty, t *testing.T) {
			f.server.certify(f.server.ca.issue(t, "127.0.0.2", time.Hour))
		}},
		{name: "401", results: []string{"denied"}, answer: always(status(401))},
		{name: "403", results: []string{"denied"}, answer: always(status(403))},
		{name: "429", results: []string{"rejected"}, answer: always(status(429))},
		{name: "500", results: []string{"rejected"}, answer: always(status(500))},
		{name: "503", results: []string{"rejected"}, answer: always(status(503))},
		{name: "redirect", results: []string{"bad-answer"}, answer: always(status(302))},
		{name: "slow header", results: []string{"timeout"}, answer: always(drip("HTTP/1.1 200 OK\r\nX-Slow: ", "s"))},
		{name: "slow body", results: []string{"timeout"}, answer: always(drip(head+"\r\n"+body, " "))},
		{name: "silence", results: []string{"timeout"}, answer: always(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })},
		{name: "endless header", results: []string{"bad-answer", "unreachable", "too-large"}, answer: always(flood("HTTP/1.1 200 OK\r\nX-Long: ", "s"))},
		{name: "reset in the body", results: []string{"unreachable", "bad-answer"}, answer: always(reset(head + "Content-Length: 1000\r\n\r\n" + body))},
		{name: "endless body", results: []string{"too-large"}, answer: always(flood(head+"\r\n"+body, "  "))},
		{name: "body of 10 GB", results: []string{"too-large"}, answer: always(flood(head+"Content-Length: 10000000000\r\n\r\n"+body, "  "))},
		{name: "gzip bomb", results: []string{"bad-answer", "too-large"}, answer: always(bomb())},
		{name: "truncated JSON", results: []string{"bad-answer"}, answer: written(body + `{"metric":{"a":"b`)},
		{name: "no JSON", results: []string{"bad-answer"}, answer: written("<html>Sign in</html>")},
		{name: "a matrix", results: []string{"bad-answer"}, answer: written(`{"status":"success","data":{"resultType":"matrix","result":[]}}`)},
		{name: "a scalar", results: []string{"bad-answer"}, answer: written(`{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)},
		{name: "NaN", results: []string{"empty"}, answer: value("NaN")},
		{name: "infinite", results: []string{"success"}, harmless: true, answer: value("+Inf")},
		{name: "negative", results: []string{"empty"}, answer: value("-1")},
		{name: "1e308", results: []string{"success"}, harmless: true, answer: value("1e308")},
		{name: "duplicate series", results: []string{"success"}, harmless: true, answer: func(f *faulty) http.HandlerFunc {
			return vector(f.traffic("1000000") + "," + f.traffic("1000000"))
		}},
		{name: "empty result", results: []string{"empty"}, answer: always(vector(""))},
		{name: "warnings", results: []string{"partial"}, answer: inEnvelope(`{"status":"success","data":{"resultType":"vector","result":[@]},"warnings":["a store is missing"]}`)},
		{name: "truncated by a limit", results: []string{"too-large"}, answer: inEnvelope(`{"status":"success","data":{"resultType":"vector","result":[@]},"warnings":["results truncated due to limit"]}`)},
		{name: "a label of 1 MB", results: []string{"empty"}, answer: func(f *faulty) http.HandlerFunc {
			return vector(element(flowgraph.WorkloadID{Namespace: f.namespace, Name: strings.Repeat("x", 1<<20)}, f.pod(0), "1000000"))
		}},
		{name: "10 million series", results: []string{"too-large"}, answer: always(flood(head+"\r\n"+body, `{"metric":{},"value":[1,"1"]},`))},
		{name: "clock an hour ahead", results: []string{"empty"}, answer: always(shifted(real, time.Hour))},
		{name: "clock an hour behind", results: []string{"empty"}, answer: always(shifted(real, -time.Hour))},
		{name: "restart without data", results: []string{"unreachable", "empty"}, begin: (*faulty).restart, answer: always(vector(""))},
		{name: "credentials rotated", results: []string{"denied"}, answer: always(authorised("new", vector(""))), end: (*faulty).rotate, begin: func(f *faulty, t *testing.T) {
			f.writeToken(t, "old")
		}},
		{name: "recording rule missing", results: []string{"empty"}, answer: always(vector("")), change: func(c *configv1.TelemetryConfiguration) {
			c.Sources[0].Recorded = true
		}},
		{name: "workload renamed", results: []string{"success"}, answer: func(f *faulty) http.HandlerFunc {
			return vector(element(flowgraph.WorkloadID{Namespace: f.namespace, Name: "old-name"}, flowgraph.WorkloadID{Namespace: f.namespace, Name: "db"}, "1000000"))
		}, lasting: true},
	}
}

func (f *faulty) refuse(*testing.T)   { f.server.close() }
func (f *faulty) accept(t *testing.T) { f.server.listen(t) }

func (f *faulty) certify(t *testing.T) {
	f.server.certify(f.server.ca.issue(t, "127.0.0.1", time.Hour))
}

// restart makes the server stop and come back with nothing.
func (f *faulty) restart(t *testing.T) {
	f.server.close()
	f.server.listen(t)
}

// rotate demands another token, and writes it into the file.
func (f *faulty) rotate(t *testing.T) {
	f.server.answer(authorised("new", vector(f.traffic("1000000"))))
	f.writeToken(t, "new")
}

func (f *faulty) writeToken(t *testing.T, token string) {
	t.Helper()
	if err := os.WriteFile(f.tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

func authorised(token string, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		then(w, r)
	}
}

// bomb answers with what unpacks to a thousand times its size.
func bomb() http.HandlerFunc {
	packed := &bytes.Buffer{}
	z := gzip.NewWriter(packed)
	for range 1024 {
		_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}
}

// shifted asks a real Prometheus as if its clock were ahead by so much.
func shifted(real string, ahead time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := time.Now().Add(-ahead)
		response, err := http.PostForm(real+"/api/v1/query", url.Values{
			"query": {r.FormValue("query")}, "time": {fmt.Sprintf("%d.%03d", at.Unix(), at.Nanosecond()/1e6)},
		})
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		if _, err := io.Copy(w, response.Body); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
			return
		}
	}
}
