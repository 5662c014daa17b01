package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
			lines := strings.Split(strings.TrimSuffix(told.String(), "\n"), "\n")
			if !strings.HasPrefix(lines[0], tc.want) || strings.ContainsAny(told.String(), "\r\x1b") {
				t.Errorf("it says\n%s\nwant lines that begin with %q", &told, tc.want)
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
