package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
)

// telemetryFault is a fault of the telemetry, and what doctor must find of it.
type telemetryFault struct {
	// expose changes what the mesh exposes.
	expose func(string) string
	// stops says that the mesh answers no scrape any more once there is traffic.
	stops bool
	// targets are further ones of Prometheus, given the address of the mesh.
	targets func(address string) []metrics.Target
	// every is the scrape interval; 0 is a second.
	every time.Duration
	// before stands before Prometheus.
	before func(http.Handler) http.Handler
	// config is the TelemetryConfiguration below prometheus.url, where there is one.
	config string
	// flags are given with --prometheus beside a window of 10s, or instead of it.
	flags []string
	// want are all warnings and errors about the telemetry.
	want string
}

// TestDoctorTelemetry plants faults in the telemetry of a healthy cluster, each in a Prometheus
// of its own, and has doctor find them.
func TestDoctorTelemetry(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	for _, name := range []string{"db", "cart", "web"} {
		a.deploy(t, workload{name: name, replicas: 2})
	}
	calls := []mesh.Call{a.call("web", "cart"), a.call("cart", "db")}
	s.Mesh.SetCalls(calls)
	s.hasTraffic(t, a, "web", "cart")
	s.hasTraffic(t, a, "cart", "db")
	linkerd := mesh.New(s.client, mesh.Linkerd(), calls, time.Now)
	go func() { _ = linkerd.Run(t.Context()) }() // ends with the test
	faults := telemetryFaults(t, a.namespace, linkerd.Handler())
	planted := map[string]*faultyPrometheus{}
	for name, f := range faults {
		planted[name] = startFaulty(t, f, s.Mesh.Handler())
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			p := planted[name]
			p.ready(t)
			got, table := p.diagnose(t, s)
			if got != f.want {
				t.Errorf("found %s\nwant  %s\n%s", got, f.want, table)
			}
		})
	}
}

// faultyPrometheus is a Prometheus with a fault.
type faultyPrometheus struct {
	telemetryFault
	url     string // that doctor asks
	metrics *metrics.Server
	scrapes atomic.Int32
	ending  atomic.Bool
}

// startFaulty starts a Prometheus with a fault.
func startFaulty(t *testing.T, f telemetryFault, exposition http.Handler) *faultyPrometheus {
	t.Helper()
	p := &faultyPrometheus{telemetryFault: f}
	exposed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.scrapes.Add(1)
		if p.ending.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		out := httptest.NewRecorder()
		r.Header.Del("Accept-Encoding") // what is not compressed can be changed
		exposition.ServeHTTP(out, r)
		text := out.Body.String()
		if f.expose != nil {
			text = f.expose(text)
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(exposed.Close)
	address := strings.TrimPrefix(exposed.URL, "http://")
	o := metrics.Options{Dir: t.TempDir(), ScrapeInterval: max(f.every, time.Second), Targets: []metrics.Target{{Job: "mesh", Address: address, MetricsPath: "/metrics"}}}
	if f.targets != nil {
		o.Targets = append(o.Targets, f.targets(address)...)
	}
	var err error
	if p.metrics, err = metrics.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.metrics.Stop(); err != nil {
			t.Error(err)
		}
	})
	p.url = p.metrics.URL()
	if f.before != nil {
		base, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		front := httptest.NewServer(f.before(httputil.NewSingleHostReverseProxy(base)))
		t.Cleanup(front.Close)
		p.url = front.URL
	}
	return p
}

// ready waits until the window of the rates is full.
func (p *faultyPrometheus) ready(t *testing.T) {
	t.Helper()
	const before = "count(up offset 12s)" // more than the window
	eventually(t, "the window is full", func() error {
		resp, err := http.Get(p.metrics.URL() + "/api/v1/query?query=" + url.QueryEscape(before))
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err == nil && !bytes.Contains(body, []byte(`"value"`)) {
			err = fmt.Errorf("%s is %s", before, body)
		}
		return err
	})
	if !p.stops || p.ending.Swap(true) {
		return
	}
	ended := p.scrapes.Load()
	eventually(t, "Prometheus notices that the mesh does not answer", func() error {
		if p.scrapes.Load() < ended+3 {
			return errors.New("it has not asked again")
		}
		return nil
	})
}

// diagnose runs doctor and returns the warnings and errors about the telemetry, and all that it
// says.
func (p *faultyPrometheus) diagnose(t *testing.T, s *scene) (found, table string) {
	t.Helper()
	args := []string{"doctor", "-o", "json", "--kubeconfig", s.cluster.Kubeconfig()}
	switch {
	case p.config != "":
		file := filepath.Join(t.TempDir(), "telemetry.yaml")
		text := "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus:\n  url: " + p.url + "\n" + p.config
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--telemetry-config", file)
	default:
		args = append(args, "--prometheus", p.url)
		if !slices.Contains(p.flags, "--window") {
			args = append(args, "--window", "10s")
		}
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), s.program(t, "vicinity"), append(args, p.flags...)...)
	cmd.Stdout, cmd.Stderr = &out, &said
	failed := cmd.Run()
	var report struct {
		Worst   string
		Results []struct{ Check, Group, Severity, What, Why, Next string }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s: %v", args, out.String(), said.String(), errors.Join(failed, err))
	}
	code := map[string]int{"warning": 5, "error": 6}[report.Worst]
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("the exit code is %d, and the worst result is: %s", got, report.Worst)
	}
	var all []string
	for _, r := range report.Results {
		table += fmt.Sprintf("%s %s: %s %s %s\n", r.Severity, r.Check, r.What, r.Why, r.Next)
		ours := slices.Contains([]string{"Prometheus", "Sources", "Resolution", "Trust and configuration"}, r.Group)
		if ours && (r.Severity == "warning" || r.Severity == "error") {
			all = append(all, r.Check+" "+r.Severity)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ","), table
}

// lines keeps the lines of an exposition for which keep is true.
func lines(keep func(string) bool) func(string) string {
	return func(text string) string {
		var all []string
		for line := range strings.Lines(text) {
			if keep(line) {
				all = append(all, line)
			}
		}
		return strings.Join(all, "")
	}
}

// eachLine changes the lines of an exposition.
func eachLine(change func(string) string) func(string) string {
	return func(text string) string {
		var all []string
		for line := range strings.Lines(text) {
			all = append(all, change(line))
		}
		return strings.Join(all, "")
	}
}

// without leaves out the lines with one of some texts.
func without(texts ...string) func(string) string {
	return lines(func(line string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) })
	})
}

// swapped replaces texts, which are regular expressions.
func swapped(pairs ...string) func(string) string {
	return func(text string) string {
		for i := 0; i < len(pairs); i += 2 {
			text = regexp.MustCompile(pairs[i]).ReplaceAllString(text, pairs[i+1])
		}
		return text
	}
}

// andCopied adds to an exposition what a change makes of it, without comments.
func andCopied(change func(string) string) func(string) string {
	return func(text string) string {
		return text + lines(func(l string) bool { return !strings.HasPrefix(l, "#") })(change(text))
	}
}

// queryOf returns what a request asks, and the request with its body unread.
func queryOf(r *http.Request) (url.Values, *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is left of a request that is cut says so itself
	asks := r.URL.Query()
	if form, err := url.ParseQuery(string(body)); err == nil {
		for name, values := range form {
			asks[name] = values
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return asks, r
}

// withQuery is a request that asks something else, by POST.
func withQuery(r *http.Request, asks url.Values) *http.Request {
	text := asks.Encode()
	r = r.Clone(r.Context())
	r.Method, r.URL.RawQuery = http.MethodPost, ""
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return r
}
