package promapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// endless serves series until the client has gone, which it reports to gone.
func endless(gone chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]}`)
		for {
			if _, err := io.WriteString(w, `,{"metric":{"a":"b"},"value":[1,"1"]}`); err != nil {
				return
			}
		}
	}
}

func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: not within 10 s", what)
	}
}

func TestCancellation(t *testing.T) {
	gone := make(chan struct{})
	client, err := New(Config{URL: serve(t, endless(gone)), MaxSeries: 1 << 40, MaxBodyBytes: 1 << 50})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	after, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		err = client.Query(ctx, "up", time.Unix(1, 0), func(telemetry.Series) error {
			if ctx.Err() != nil {
				after++
			}
			if cancel(); after > bufferBytes/30 {
				return errors.New("still asked")
			}
			return nil
		})
	}()
	wait(t, done, "the query")
	if !errors.Is(err, context.Canceled) || telemetry.FailureOf(err) != telemetry.OtherFailure {
		t.Errorf("error = %v after %d series, want context.Canceled", err, after)
	}
	wait(t, gone, "the connection")
}

func TestContextReader(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := contextReader{ctx, strings.NewReader("ab")}
	b := make([]byte, 1)
	if n, err := r.Read(b); n != 1 || err != nil {
		t.Errorf("%d bytes, error %v", n, err)
	}
	cancel()
	if n, err := r.Read(b); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %d bytes, error %v", n, err)
	}
}

func TestYieldEndsTheConnection(t *testing.T) {
	gone := make(chan struct{})
	client, err := New(Config{URL: serve(t, endless(gone))})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	stop := errors.New("stop")
	err = client.Query(t.Context(), "up", time.Unix(1, 0), func(telemetry.Series) error { return stop })
	if err != stop { //nolint:errorlint // it promises the very error
		t.Errorf("error = %v, want %v", err, stop)
	}
	wait(t, gone, "the connection")
}

func TestEndlessAnswersEnd(t *testing.T) {
	for name, c := range map[string]Config{
		"maxSeries (1000)":      {MaxSeries: 1000},
		"maxBodyBytes (100000)": {MaxBodyBytes: 100_000},
		"no answer in time":     {MaxSeries: 1 << 40, MaxBodyBytes: 1 << 50, Timeout: 50 * time.Millisecond},
	} {
		gone := make(chan struct{})
		c.URL = serve(t, endless(gone))
		if _, err := query(t, c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error = %v, want it to say %s", err, name)
		}
		wait(t, gone, name)
	}
}

// TestDialTimeout has no server: a connection that nobody answers takes ten
// seconds to fail.
func TestDialTimeout(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	if e := classify(&url.Error{Op: "Post", URL: "http://p?query=x", Err: dial}); e.Failure != telemetry.Timeout || strings.Contains(e.Error(), "query") {
		t.Errorf("%v, %v, want a time-out without the query", e.Failure, e)
	}
}

func TestFallBackToGet(t *testing.T) {
	for _, code := range []int{403, 405, 501} {
		var asked []string
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.FormValue("query"))
			if r.Method == http.MethodPost {
				w.WriteHeader(code)
				return
			}
			fmt.Fprintf(w, vector, "")
		})
		got, err := query(t, Config{URL: url})
		want := []string{`POST up{secret_query="1"}`, `GET up{secret_query="1"}`}
		if err != nil || len(got) != 3 || !slices.Equal(asked, want) {
			t.Errorf("%d: asked %q, got %q, error %v", code, asked, got, err)
		}
	}
}

// TestClosedConnection has the server close a connection that the client keeps,
// in the very moment of the next query.
func TestClosedConnection(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if seen[r.RemoteAddr] {
			panic(http.ErrAbortHandler)
		}
		seen[r.RemoteAddr] = true
		fmt.Fprintf(w, vector, "")
	})
	client, err := New(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 2 {
		if err := client.Query(t.Context(), "up", time.Unix(1, 0), func(telemetry.Series) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 {
		t.Errorf("%d connections: the first one was not kept, or not given up", len(seen))
	}
}

func TestHeaders(t *testing.T) {
	var encoding string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		encoding = r.Header.Get("Accept-Encoding")
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
		fmt.Fprintf(w, vector, "")
	})
	if _, err := query(t, Config{URL: url}); err == nil || !strings.Contains(err.Error(), "headers exceeded") {
		t.Errorf("error = %v, want one about the headers", err)
	}
	if encoding != "identity" {
		t.Errorf("Accept-Encoding = %q, want identity", encoding)
	}
}

func TestConcurrentQueries(t *testing.T) {
	client, err := New(Config{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := (mesh{series: 2000, workloads: 50, full: r.FormValue("query") == "full"}).write(w); err != nil {
			t.Error(err)
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var group sync.WaitGroup
	for _, q := range []string{"full", "short", "full", "short"} {
		group.Go(func() {
			n := 0
			err := client.Query(t.Context(), q, time.Unix(1, 0), func(s telemetry.Series) error {
				if want := fmt.Sprintf("workload-%05d-v1", n/2/20%50); s.Labels.Get("source_workload") != want {
					return fmt.Errorf("series %d is of %s, want %s", n, s.Labels.Get("source_workload"), want)
				}
				n++
				return nil
			})
			if err != nil || n != 2000 {
				t.Errorf("%d series, error %v", n, err)
			}
		})
	}
	group.Wait()
}
