package doctor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "  ; ": "", "look at the log": "Look at the log.", "done.": "Done.", "überlast": "Überlast.",
		"http://p:9090: no answer": "http://p:9090: no answer.", "istio-sidecar: 2 clusters": "istio-sidecar: 2 clusters.", "trust.limits are low": "trust.limits are low.",
	} {
		if got := sentence(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestLeastWindow holds four scrapes, and is a round time.
func TestLeastWindow(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		time.Second: 5 * time.Second, 5 * time.Second: 20 * time.Second, 10 * time.Second: time.Minute, 15 * time.Second: time.Minute,
		30 * time.Second: 2 * time.Minute, time.Minute: 4 * time.Minute, 2 * time.Minute: 8 * time.Minute,
	} {
		if got := leastWindow(interval); got != want || got < 4*interval {
			t.Errorf("scraped every %v: %v, want %v", interval, got, want)
		}
	}
}

func TestScrapeOf(t *testing.T) {
	at := time.Unix(1000, 0)
	cases := map[string]struct {
		seconds       []int64
		interval, age time.Duration
	}{
		"one sample":        {[]int64{990}, 0, 10 * time.Second},
		"regular":           {[]int64{955, 970, 985}, 15 * time.Second, 15 * time.Second},
		"one is missing":    {[]int64{940, 955, 985, 1000}, 15 * time.Second, 0},
		"from the future":   {[]int64{1000, 1010}, 10 * time.Second, 0},
		"a pause of a lot ": {[]int64{100, 970, 985, 1000}, 15 * time.Second, 0},
	}
	for name, tc := range cases {
		var samples []model.SamplePair
		for _, s := range tc.seconds {
			samples = append(samples, model.SamplePair{Timestamp: model.TimeFromUnix(s)})
		}
		if got := scrapeOf(samples, at); got.interval != tc.interval || got.age != tc.age {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestFresh judges the newest samples of one job.
func TestFresh(t *testing.T) {
	cases := map[string]struct {
		interval, age time.Duration
		want          Severity
	}{
		"on time":                    {15 * time.Second, 20 * time.Second, Fine},
		"late":                       {15 * time.Second, 50 * time.Second, Warning},
		"older than the window":      {15 * time.Second, 6 * time.Minute, Error},
		"one sample, which is young": {0, 40 * time.Second, Fine},
		"one sample, which is old":   {0, 4 * time.Minute, Warning},
	}
	for name, tc := range cases {
		l := look{cfg: &v1.TelemetryConfiguration{}, scrapes: []scrape{{job: "proxies", interval: tc.interval, age: tc.age}}}
		l.cfg.SetDefaults() // of one source, whose window is 5m
		if got := l.fresh(); len(got) != 1 || got[0].Severity != tc.want {
			t.Errorf("%s: %+v, want %v", name, got, tc.want)
		}
	}
}

// TestApplyToNothing changes a source of which the file says nothing at all.
func TestApplyToNothing(t *testing.T) {
	l := look{cfg: &v1.TelemetryConfiguration{}}
	l.cfg.SetDefaults()
	whole := map[string]any{"sources": []any{nil}}
	l.apply(whole, change{source: l.cfg.Sources[0].Name, field: "window", value: "8m", why: "slow"}, map[string][]string{})
	if got := fmt.Sprint(whole); got != "map[sources:[map[window:8m]]]" {
		t.Errorf("it is %s", got)
	}
}

// TestSelectorOf selects series of any labels, as servers of any version take them.
func TestSelectorOf(t *testing.T) {
	for want, m := range map[string]model.Metric{
		`up{}`:             {"__name__": "up"},
		`m{a="x\"y",b=""}`: {"__name__": "m", "b": "", "a": `x"y`},
		`{"k8s.pod"="p"}`:  {"k8s.pod": "p"},
		`{"a=b"="p"}`:      {"a=b": "p"},
	} {
		if got := selectorOf(m); got != want {
			t.Errorf("%v: %s, want %s", m, got, want)
		}
	}
}

func TestGroupedBy(t *testing.T) {
	for query, want := range map[string]string{
		"up": "", "sum by (a, b) (rate(x[5m]))": "a b", "sum by(a)(x) or sum by (b,a) (y)": "a b", `sum by ("k8s.pod", a) (x)`: "k8s.pod a",
	} {
		if got := strings.Join(newSpy(nil, nil).groupedBy(query), " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// TestKeepsTheLargest of many series, in little memory.
func TestKeepsTheLargest(t *testing.T) {
	a := &asked{}
	for i := range 10_000 {
		a.keep(telemetry.Series{Labels: keptLabels{"n": strconv.Itoa(i)}, Value: float64(i * 7919 % 10_000)}, []string{"n", "other"})
	}
	a.keep(telemetry.Series{Labels: keptLabels{}, Value: math.NaN()}, nil)
	slices.SortFunc(a.largest, func(x, y kept) int { return -compareValues(x.value, y.value) })
	if len(a.largest) > 2*mostKept {
		t.Errorf("%d series are kept", len(a.largest))
	}
	for i, one := range a.largest[:mostKept] {
		if one.value != float64(9999-i) {
			t.Fatalf("the series %d from the top is %v", i, one.value)
		}
	}
}

// TestParagraph breaks lines between words, and makes what would steer a terminal harmless.
func TestParagraph(t *testing.T) {
	out := &strings.Builder{}
	long := strings.Repeat("x", width)
	paragraph(out, "note", strings.Repeat("word ", 40)+long+" \x1b[2J")
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSuffix(line, "\n"); len(line) > width && strings.TrimSpace(line) != long {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.HasPrefix(out.String(), "  note      word word") || strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "word") != 40 {
		t.Errorf("it is\n%s", out)
	}
}

// TestAnnotate puts comments where they belong.
func TestAnnotate(t *testing.T) {
	const text = "kind: X\nprometheus:\n  url: u\nsources:\n- type: a\n  window: 5m\n- type: b\n  window: 1m\ntrust:\n  agreement: agreed\n"
	const want = "kind: X\nprometheus:\n  # here\n  url: u\n# all\nsources:\n# one\n- type: a\n  window: 5m\n- type: b\n  # short\n  window: 1m\ntrust:\n  # both\n  agreement: agreed\n"
	out := &strings.Builder{}
	err := annotate(out, text, map[string][]string{
		"prometheus.url": {"here"}, "sources": {"all"}, "sources[0]": {"one"}, "sources[1].window": {"short"}, "trust.agreement": {"both"}, "nowhere": {"lost"},
	})
	if err != nil || out.String() != want {
		t.Errorf("error %v, it is\n%s", err, out)
	}
}
