package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
)

// apiServer serves some nodes and pods and returns the path of a kubeconfig. It
// forbids what is in forbidden, "list pods" and the like. Istio is not there.
func apiServer(t *testing.T, forbidden ...string) string {
	t.Helper()
	objects := map[string]string{
		"nodes": `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"}}}`,
		"pods": `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"cart-0","creationTimestamp":"2026-10-01T11:57:30Z",
			"annotations":{"note":"hunter2"}},"spec":{"containers":[{"name":"c","env":[{"name":"PASSWORD","value":"hunter2"}]}]}}`,
	}
	return apiServerOf(t, objects, forbidden...)
}

// apiServerOf serves lists of objects by their resources.
func apiServerOf(t *testing.T, objects map[string]string, forbidden ...string) string {
	t.Helper()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		verb := "list"
		if r.FormValue("watch") != "" {
			verb = "watch"
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/version":
			fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.0"}`)
		case resource == "destinationrules":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		case strings.Contains(strings.Join(forbidden, ","), verb+" "+resource):
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no role","code":403}`)
		case verb == "watch":
			if r.FormValue("sendInitialEvents") == "true" { // as a server that is too old for it
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"BadRequest","code":400}`)
				return
			}
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case resource == "deployments": // which a client asks for that knows the type
			fmt.Fprintf(w, `{"apiVersion":"apps/v1","kind":"DeploymentList","metadata":{"resourceVersion":"1"},"items":[%s]}`, objects[resource])
		default:
			fmt.Fprintf(w, `{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":"1"},"items":[%s]}`, objects[resource])
		}
	})
	return kubeconfig(t, url)
}

// recordedIn is what a recording says, line by line.
func recordedIn(t *testing.T, path string) (recording.Manifest, []string) {
	t.Helper()
	source, err := recordingfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	r, err := recording.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Manifest(), lines
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Changes {
			var o struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := json.Unmarshal(c.Object, &o); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"hunter2", "10.96.0.1"} {
				if bytes.Contains(c.Object, []byte(secret)) {
					t.Errorf("%s is recorded: %s", secret, c.Object)
				}
			}
			lines = append(lines, fmt.Sprintf("%s %s %s", c.Type, o.Kind, o.Metadata.Name))
		}
		line := s.At.Format(time.TimeOnly)
		for _, e := range s.Edges {
			line += fmt.Sprintf(" %s-%s:%.0f/%.0f/%.0f", e.From.Name, e.To.Name, e.SentBytesPerSecond, e.ReceivedBytesPerSecond, e.RequestsPerSecond)
		}
		lines = append(lines, line)
	}
}

func TestRecordPast(t *testing.T) {
	url := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	for _, name := range []string{"rec", "rec.tar.zst"} {
		path := filepath.Join(t.TempDir(), name)
		out := succeed(t, "record", "--prometheus", url, "--kubeconfig", apiServer(t, "list services"), "--since", "3m", "--window", "2m", path)
		for _, want := range []string{
			"Recorded 3m, from 2026-10-01T11:57:00Z to 2026-10-01T12:00:00Z, into ", "steps of 1m         ", "traffic on average   2.1 KiB/s",
			"Note: services are not recorded: list is forbidden.", "Note: objects are those at the end", "\nNext: vicinity replay " + path + " --price aws\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
		m, lines := recordedIn(t, path)
		want := []string{
			"ADDED Node n1", "ADDED Pod cart-0", "11:58:00 web-cart:100/2000/5", "11:59:00 web-cart:100/2000/5", "12:00:00 web-cart:100/2000/5",
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !m.Complete || len(m.Sources) != 1 || len(m.Notes) != 2 || m.Step != time.Minute {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestRecordLive(t *testing.T) {
	url := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	path := filepath.Join(t.TempDir(), "rec.tar.zst")
	out := succeed(t, "record", "--prometheus", url, "--kubeconfig", apiServer(t), "--duration", "2s", "--step", "1s", "--anonymize", path)
	if words := strings.Join(strings.Fields(out), " "); !strings.Contains(words, "Recorded 2s") || !strings.Contains(words, " objects 2 ") || strings.Contains(out, "Note") {
		t.Error(out)
	}
	m, lines := recordedIn(t, path)
	if len(lines) != 4 || !m.Complete || !m.Anonymized {
		t.Fatalf("%+v: %q", m, lines)
	}
	for _, line := range lines {
		if strings.Contains(line, "cart") || strings.HasSuffix(line, " n1") {
			t.Errorf("not renamed: %s", line)
		}
	}
}

// Ctrl-C ends a recording well.
func TestRecordInterrupted(t *testing.T) {
	url := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	path := filepath.Join(t.TempDir(), "rec")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errs bytes.Buffer
	told := writer(func(p []byte) {
		if bytes.Contains(p, []byte("recorded 1 of 3600 steps")) {
			interrupt()
		}
	})
	code := invokeAs(ctx, []string{"vicinity", "record", "--prometheus", url, "--kubeconfig", apiServer(t), "--duration", "1h", "--step", "1s", path},
		streams{out: &out, err: &errs, progress: onTerminal(told)}, clock())
	if code != exitOK || !strings.Contains(out.String(), "It ended early, interrupted") {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
	if m, lines := recordedIn(t, path); m.Complete || m.Ended != "interrupted" || len(lines) < 3 || lines[2] != "12:00:01 web-cart:100/2000/5" {
		t.Errorf("%+v: %q", m, lines)
	}
}

// A recording that ends before its first step is of no use, and says so.
func TestRecordInterruptedAtOnce(t *testing.T) {
	url := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	for name, tc := range map[string]struct {
		flags []string
		at    string // the line of progress at which it is interrupted
		want  string
	}{
		"no step":    {[]string{"--duration", "1h", "--step", "1m"}, "recorded 0 of 60 steps", "rec ended before its first step of 1m did: it has no traffic"},
		"no traffic": {[]string{"--since", "1h", "--source", "istio-sidecar"}, "recorded 1 of 60 steps", "no traffic was observed"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var out, errs bytes.Buffer
			told := writer(func(p []byte) {
				if bytes.Contains(p, []byte(tc.at)) {
					interrupt()
				}
			})
			args := append([]string{"vicinity", "record", "--prometheus", url, "--kubeconfig", apiServer(t), filepath.Join(t.TempDir(), "rec")}, tc.flags...)
			code := invokeAs(ctx, args, streams{out: &out, err: &errs, progress: onTerminal(told)}, clock())
			if code != exitEmpty || !strings.Contains(out.String(), "It ended early, interrupted") || strings.Contains(out.String(), "Next:") || !strings.Contains(errs.String(), tc.want) {
				t.Errorf("exit code %d: %s%s", code, &out, &errs)
			}
		})
	}
}

// What goes wrong while files are written is an error that says what there is.
func TestRecordCannotWrite(t *testing.T) {
	url := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	path := filepath.Join(t.TempDir(), "rec")
	var out, errs bytes.Buffer
	told := writer(func([]byte) {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	})
	code := invokeAs(t.Context(), []string{"vicinity", "record", "--prometheus", url, "--kubeconfig", apiServer(t), "--since", "2m", path},
		streams{out: &out, err: &errs, progress: onTerminal(told)}, clock())
	if code != exitFailure || out.Len() > 0 || !strings.Contains(errs.String(), "rec can be read up to 2026-10-01T11:58:00Z") {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func TestRecordErrors(t *testing.T) {
	url := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	unavailable := serve(t, status(503))
	exists := t.TempDir()
	fresh := filepath.Join(exists, "rec")
	cases := map[string]struct {
		args     []string
		wantCode int
		want     []string
	}{
		"no path":          {[]string{"--prometheus", url, "--since", "1h"}, 2, []string{"where to?", "recording.tar.zst"}},
		"an empty path":    {[]string{"--prometheus", url, "--since", "1h", ""}, 2, []string{"where to?"}},
		"below a file":     {[]string{"--prometheus", url, "--since", "1h", "record_test.go/rec"}, 2, []string{"PATH record_test.go/rec: not a directory"}},
		"two paths":        {[]string{"--prometheus", url, "a", "b"}, 2, []string{`takes one PATH, not "b"`}},
		"no source":        {[]string{"--since", "1h", fresh}, 2, []string{"which Prometheus? Type: vicinity record"}},
		"no time":          {[]string{"--prometheus", url, fresh}, 2, []string{"how long? --duration 1h"}},
		"both times":       {[]string{"--prometheus", url, "--since", "1h", "--duration", "1h", fresh}, 2, []string{"exclude each other"}},
		"fractions":        {[]string{"--prometheus", url, "--since", "1h", "--step", "1500ms", fresh}, 2, []string{"--step 1.5s: must be whole seconds"}},
		"too short":        {[]string{"--prometheus", url, "--since", "30s", fresh}, 2, []string{"--since 30s: must not be shorter than --step, 1m"}},
		"too many steps":   {[]string{"--prometheus", url, "--duration", "9000h", "--step", "1s", fresh}, 2, []string{"--duration 9000h0m0s: has 32400000 steps"}},
		"exists":           {[]string{"--prometheus", url, "--since", "1h", exists}, 2, []string{"exists; a recording never overwrites"}},
		"other archive":    {[]string{"--prometheus", url, "--since", "1h", fresh + ".tar.gz"}, 2, []string{"archives end in .tar.zst"}},
		"no archive":       {[]string{"--prometheus", url, "--since", "1h", fresh + ".tar"}, 2, []string{"archives end in .tar.zst"}},
		"no kubeconfig":    {[]string{"--prometheus", url, "--since", "1h", "--kubeconfig", fresh, fresh}, 2, []string{"--kubeconfig " + fresh + ": no such file"}},
		"unknown context":  {[]string{"--prometheus", url, "--since", "1h", "--kubeconfig", apiServer(t), "--context", "x", fresh}, 2, []string{"kubectl config get-contexts"}},
		"no pods":          {[]string{"--prometheus", url, "--since", "1h", "--kubeconfig", apiServer(t, "list pods"), fresh}, 1, []string{"kubectl auth can-i list pods --all-namespaces"}},
		"no watch":         {[]string{"--prometheus", url, "--duration", "1h", "--kubeconfig", apiServer(t, "watch nodes"), fresh}, 1, []string{"kubectl auth can-i watch nodes"}},
		"server refuses":   {[]string{"--prometheus", unavailable, "--since", "1h", "--kubeconfig", apiServer(t), fresh}, 1, []string{"looking for what sources read", "without /api/v1"}},
		"nothing in there": {[]string{"--prometheus", url, "--source", "istio-sidecar", "--selector", `job="none"`, "--since", "1m", "--kubeconfig", apiServer(t), fresh}, 4, []string{"no traffic was observed", "check that Prometheus scrapes"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := invoke(t, append([]string{"record"}, tc.args...)...)
			if code != tc.wantCode || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, want %d: %s", code, tc.wantCode, stderr)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in %s", want, stderr)
				}
			}
			if _, err := os.Lstat(fresh); err == nil && name != "nothing in there" {
				t.Error("a file has been made")
			}
			if err := os.RemoveAll(fresh); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRecordOfThePastDoesNotWaitForEver: it only lists, and no list takes for ever. A recording
// from now on watches.
func TestRecordOfThePastDoesNotWaitForEver(t *testing.T) {
	o := recordOptions{trafficOptions: trafficOptions{clusterOptions: clusterOptions{kubeconfig: writeFile(t, nobodysKubeconfig)}}}
	for since, want := range map[time.Duration]time.Duration{0: 0, time.Hour: answerTimeout} {
		o.since = since
		if config, err := o.clusterConfig(); err != nil || config.Timeout != want {
			t.Errorf("--since %s: it waits for %v, error %v", since, config.Timeout, err)
		}
	}
	late := fmt.Errorf("listing pods: %w", context.DeadlineExceeded)
	if got := o.notBegun(late); got.Error() != late.Error() {
		t.Errorf("of the cluster, it says %s", got)
	}
	if got := o.notBegun(&telemetry.QueryError{Failure: telemetry.Timeout, Err: late}); !strings.Contains(got.Error(), "raise --timeout") {
		t.Errorf("of a query, it says %s", got)
	}
}
