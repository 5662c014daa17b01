package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// onTerminal shows progress as on a terminal.
func onTerminal(out io.Writer) *progress {
	return &progress{out: out, terminal: true, now: time.Now}
}

// steps is a clock that goes on by so much with each reading.
func steps(by time.Duration) func() time.Time {
	at := queryTime
	return func() time.Time {
		at = at.Add(by)
		return at
	}
}

func TestProgress(t *testing.T) {
	ten := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
	cases := map[string]struct {
		terminal bool
		every    time.Duration // between two lines
		lines    []string
		want     string
	}{
		"a terminal has one line":       {true, time.Hour, []string{"one", "two", ""}, eraseLine + "one" + eraseLine + "two" + eraseLine},
		"short work is silent":          {false, time.Second, append(ten[:9:9], ""), ""},
		"then every ten seconds":        {false, 4 * time.Second, ten, "4\n7\n10\n"},
		"slow work is told of each":     {false, time.Minute, ten[:3], "2\n3\n"},
		"each work begins anew":         {false, 6 * time.Second, []string{"a", "b", "", "c", "d", "", "e"}, ""},
		"the end of nothing is nothing": {false, time.Minute, []string{"", ""}, ""},
		"nor on a terminal":             {true, time.Minute, []string{"", ""}, ""},
		"what it says is text":          {true, time.Minute, []string{"\x1b[2Jx"}, eraseLine + `\x1b[2Jx`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &progress{out: &out, terminal: tc.terminal, now: steps(tc.every)}
			for _, line := range tc.lines {
				p.line(line)
			}
			if out.String() != tc.want {
				t.Errorf("%q, want %q", &out, tc.want)
			}
		})
	}
	var none *progress
	none.line("nobody is told")
}

// TestProgressRepeats: work that has nothing new to say is told of again, with the age of what
// it said.
func TestProgressRepeats(t *testing.T) {
	cases := map[string]struct {
		progress *progress
		work     func(*progress)
		want     string
	}{
		"one silent question": {&progress{}, func(p *progress) {
			p.line("asking")
			time.Sleep(25 * time.Second)
		}, "asking (10s ago)\nasking (20s ago)\n"},
		"less than ten seconds": {&progress{}, func(p *progress) {
			p.line("asking")
			time.Sleep(9500 * time.Millisecond)
			p.line("")
			time.Sleep(time.Minute)
		}, ""},
		"the next thing before": {&progress{}, func(p *progress) {
			p.line("one")
			time.Sleep(8500 * time.Millisecond)
			p.line("two")
			time.Sleep(3 * time.Second)
		}, "two (1s ago)\n"},
		"on a terminal": {&progress{terminal: true}, func(p *progress) {
			p.line("asking")
			time.Sleep(11 * time.Second)
			p.line("")
			time.Sleep(time.Minute)
		}, eraseLine + "asking" + eraseLine + "asking (10s ago)" + eraseLine},
		"on a narrow terminal": {&progress{terminal: true, width: func() int { return 13 }}, func(p *progress) {
			p.line("asking Prometheus")
			time.Sleep(11 * time.Second)
		}, eraseLine + "asking Prome" + eraseLine + "as (10s ago)"},
		"on a terminal that is hardly there": {&progress{terminal: true, width: func() int { return 1 }}, func(p *progress) {
			p.line("asking Prometheus")
		}, eraseLine},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				p := tc.progress
				p.out, p.now, p.ticks = &out, time.Now, time.Tick(time.Second)
				stop := p.repeat()
				tc.work(p)
				stop()
				if out.String() != tc.want {
					t.Errorf("%q, want %q", &out, tc.want)
				}
			})
		})
	}
	var none *progress
	none.repeat()()
}

// TestNoQuestionIsSilent: whichever answer of a server a verb waits for, there is something to
// say meanwhile.
func TestNoQuestionIsSilent(t *testing.T) {
	load := traffic(t, placedTraffic)
	telemetry := "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: URL}\nsources: [{type: istio-sidecar}]\n"
	pod := writeFile(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "new", "namespace": "shop"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}`)
	for name, args := range map[string]string{
		"graph":            "graph --prometheus URL",
		"declared":         "graph --declared --prometheus URL --kubeconfig KUBECONFIG",
		"its Prometheus":   "graph --kubeconfig SERVICES",
		"a named one":      "graph --prometheus svc:monitoring/prometheus --kubeconfig SERVICES",
		"a file":           "graph --telemetry-config TELEMETRY",
		"locality":         "locality --prometheus URL --kubeconfig KUBECONFIG",
		"shadow":           "locality --shadow --prometheus RECORDED",
		"explain":          "explain workload web -n shop --prometheus URL --kubeconfig KUBECONFIG",
		"explain a file":   "explain -f " + pod + " --prometheus URL --kubeconfig KUBECONFIG",
		"detect":           "sources detect --prometheus URL",
		"record":           "record --since 3m --prometheus URL --kubeconfig KUBECONFIG " + filepath.Join(t.TempDir(), "rec"),
		"doctor":           "doctor --prometheus URL --kubeconfig KUBECONFIG",
		"doctor finds it":  "doctor --kubeconfig SERVICES",
		"doctor suggests":  "doctor --suggest --prometheus URL --kubeconfig KUBECONFIG",
		"doctor by a file": "doctor --telemetry-config TELEMETRY --kubeconfig KUBECONFIG",
	} {
		t.Run(name, func(t *testing.T) {
			h := &holding{}
			h.progress = &progress{out: writer(func(p []byte) { h.told.Store(string(p)) }), now: steps(11 * time.Second)}
			asked := h.server(t, prometheus(t, load))
			for word, with := range map[string]string{
				"RECORDED":  h.server(t, prometheus(t, recorded)),
				"TELEMETRY": writeFile(t, strings.ReplaceAll(telemetry, "URL", asked)), "URL": asked,
				"KUBECONFIG": kubeconfig(t, h.server(t, serverOf(t, apiServerOf(t, placed())))),
				"SERVICES":   kubeconfig(t, h.server(t, serve(t, (&services{names: []string{"monitoring/prometheus"}}).ServeHTTP))),
			} {
				args = strings.ReplaceAll(args, word, with)
			}
			var out, errs bytes.Buffer
			if code := invokeAs(t.Context(), append([]string{"vicinity"}, strings.Fields(args)...), streams{out: &out, err: &errs, progress: h.progress}, clock()); code == exitUsage || code == exitFailure {
				t.Errorf("exit code %d: %s", code, &errs)
			}
			if asked, silent := h.result(); asked == 0 || len(silent) > 0 {
				t.Errorf("of %d questions, nothing is told during %q", asked, silent)
			}
		})
	}
}

// holding is servers before which time passes while they are asked.
type holding struct {
	progress *progress
	told     atomic.Value // what was told last, a string

	mu     sync.Mutex
	asked  int
	silent []string // questions during which nothing was told, or something else
}

// server returns one before another.
func (h *holding) server(t *testing.T, behind string) string {
	t.Helper()
	to, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.told.Store("")
		h.progress.again()
		told := h.told.Load().(string)
		h.asked++
		ofCluster := strings.HasPrefix(r.URL.Path, "/api") && !strings.HasSuffix(r.URL.Path, "/api/v1/query")
		if told == "" || ofCluster && strings.Contains(told, "asking Prometheus for") {
			h.silent = append(h.silent, r.URL.Path+": "+told)
		}
		h.mu.Unlock()
		proxy.ServeHTTP(w, r)
	})
}

func (h *holding) result() (asked int, silent []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked, h.silent
}

// TestVerbsRepeat: every verb shows again what it said last.
func TestVerbsRepeat(t *testing.T) {
	ticks := make(chan time.Time)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // so that the server notices the end of the client
		for range 2 {               // the second is taken when the first has been worked on
			select {
			case ticks <- time.Time{}:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	var errs, told bytes.Buffer
	invokeAs(t.Context(), []string{"vicinity", "graph", "--source", "istio-sidecar", "--prometheus", url, "--timeout", "5s"},
		streams{out: io.Discard, err: &errs, progress: &progress{out: &told, now: steps(11 * time.Second), ticks: ticks}}, clock())
	if !strings.Contains(told.String(), "s ago)\n") || !strings.Contains(errs.String(), "503") {
		t.Errorf("told %q, stderr %s", &told, &errs)
	}
}

// serverOf returns the server that a kubeconfig names.
func serverOf(t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return config.Host
}

// TestProgressOfVerbs: whatever takes long says how far it is, as plain lines in a log.
func TestProgressOfVerbs(t *testing.T) {
	url := prometheus(t, traffic(t, placedTraffic))
	kubeconfig := apiServerOf(t, placed())
	telemetry := writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: "+url+"}\nsources: [{type: istio-sidecar}]\n")
	recorded := filepath.Join(t.TempDir(), "rec")
	for name, tc := range map[string]struct{ args, want string }{
		"graph":    {"graph --source istio-sidecar --prometheus " + url, "asking Prometheus for "},
		"finding":  {"graph --prometheus " + url, "looking for metrics that count bytes (query "},
		"a file":   {"graph --telemetry-config " + telemetry, "asking Prometheus for "},
		"locality": {"locality --source istio-sidecar --prometheus " + url + " --kubeconfig " + kubeconfig, "asking Prometheus for "},
		"detect":   {"sources detect --prometheus " + url, "looking for metrics that count bytes (query "},
		"explain":  {"explain workload web -n shop --source istio-sidecar --prometheus " + url + " --kubeconfig " + kubeconfig, "rebuilding the graph: refresh "},
		"record":   {"record --since 3m --source istio-sidecar --prometheus " + url + " --kubeconfig " + apiServer(t) + " " + recorded, "recorded 2 of 3 steps, "},
		"replay":   {"replay mesh:chain,size=3 --run default,latency --seeds 3 --parallel 1", "with today's routing: 2 of 6 replays, "},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs, told bytes.Buffer
			s := streams{out: &out, err: &errs, progress: &progress{out: &told, now: steps(11 * time.Second)}}
			if code := invokeAs(t.Context(), append([]string{"vicinity"}, strings.Fields(tc.args)...), s, clock()); code != exitOK || errs.Len() > 0 {
				t.Fatalf("exit code %d: %s", code, &errs)
			}
			if !strings.Contains("\n"+told.String(), "\n"+tc.want) || strings.ContainsAny(told.String(), "\r\x1b") {
				t.Errorf("it says\n%s\nwant a line that begins with %q", &told, tc.want)
			}
		})
	}
}

// TestWatchInterrupted: Ctrl-C ends --watch as it ends anything else.
func TestWatchInterrupted(t *testing.T) {
	url := prometheus(t, traffic(t, placedTraffic))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errs bytes.Buffer
	code := invokeAs(ctx, []string{"vicinity", "locality", "--prometheus", url, "--kubeconfig", apiServerOf(t, placed()), "--watch", "--every", "1s"},
		streams{out: writer(func(p []byte) { out.Write(p); interrupt() }), err: &errs}, clock())
	if code != exitInterrupted || errs.Len() > 0 || !strings.HasPrefix(out.String(), "TRAFFIC") {
		t.Errorf("exit code %d, want %d: %s%s", code, exitInterrupted, &out, &errs)
	}
}

// TestOutputAfterProgress shows both on one terminal: the line of progress is taken away
// before the output begins.
func TestOutputAfterProgress(t *testing.T) {
	for _, verb := range [][]string{{"graph"}, {"sources", "detect"}} {
		var screen bytes.Buffer
		s := streams{out: &screen, err: &screen, progress: onTerminal(&screen)}
		args := append(append([]string{"vicinity"}, verb...), "--prometheus", prometheus(t, traffic(t, placedTraffic)))
		if code := invokeAs(t.Context(), args, s, clock()); code != exitOK {
			t.Fatalf("%v: exit code %d:\n%s", verb, code, screen.String())
		}
		first, _, _ := strings.Cut(screen.String(), "\n")
		if shown := first[strings.LastIndex(first, eraseLine)+len(eraseLine):]; strings.Contains(shown, "...") {
			t.Errorf("%v: the output begins behind the progress: %q", verb, shown)
		}
	}
}
