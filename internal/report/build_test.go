package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// outcome has 100 bytes/s, of which local stay on the node under every model.
func outcome(local float64, headroom int64) *cut.Outcome {
	o := &cut.Outcome{Total: 100, Hotspot: cut.Hotspot{Workload: cut.Outside, Node: cut.Outside}}
	o.Headroom = headroom
	l := cut.LevelOutcome{Level: locality.Node}
	for m := range l.Local {
		l.Local[m] = local
	}
	o.Levels = append(o.Levels, l)
	return o
}

func run(name string, locals ...float64) Run {
	var samples []Sample
	for _, local := range locals {
		samples = append(samples, Sample{Outcome: outcome(local, int64(local)), Took: []time.Duration{1}})
	}
	return NewRun(name, "", samples, nil, false)
}

func TestDifferencesArePairedBySeed(t *testing.T) {
	cases := map[string]struct {
		run, base []float64
		want      sim.Estimate
	}{
		// The seeds differ by more than the runs do.
		"same seeds":         {[]float64{11, 52, 93}, []float64{10, 50, 90}, sim.Estimate{Mean: 2, Interval: 2.484338, Runs: 3}},
		"one baseline":       {[]float64{11, 13}, []float64{10}, sim.Estimate{Mean: 2, Interval: 12.706, Runs: 2}},
		"one run":            {[]float64{10}, []float64{11, 13}, sim.Estimate{Mean: -2, Interval: 12.706, Runs: 2}},
		"one of each":        {[]float64{10}, []float64{11}, sim.Estimate{Mean: -1, Runs: 1}},
		"a seed more in one": {[]float64{11, 13, 99}, []float64{10, 10}, sim.Estimate{Mean: 2, Interval: 12.706, Runs: 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Draft{Baseline: "base", Runs: []Run{run("run", c.run...), run("base", c.base...)}}
			f := New(d)
			got := f.Runs[0].Difference
			if diff := cmp.Diff(c.want, got.Node.Uniform.Local, cmpopts.EquateApprox(0, 1e-4)); diff != "" {
				t.Errorf("local (-want +got):\n%s", diff)
			}
			if got.Node.Uniform.Crossing.Mean != -c.want.Mean || got.Headroom.Mean != c.want.Mean {
				t.Errorf("crossing differs by %v, headroom by %v", got.Node.Uniform.Crossing.Mean, got.Headroom.Mean)
			}
			if got.Zone != nil || got.CrossZonePerMonth != nil {
				t.Error("there is a difference of what neither run has")
			}
			if f.Runs[1].Difference != nil || d.Runs[0].Difference != nil {
				t.Error("the baseline differs from itself, or the draft was changed")
			}
		})
	}
}

func TestSeedsAreNumbered(t *testing.T) {
	d := Draft{FirstSeed: 7, Runs: []Run{run("replayed", 1, 2), NewRun("given", "", []Sample{{Outcome: outcome(1, 1)}}, nil, false)}}
	f := New(d)
	if a, b := f.Runs[0].PerSeed[0].Seed, f.Runs[0].PerSeed[1].Seed; a == nil || b == nil || *a != 7 || *b != 8 {
		t.Errorf("seeds %v and %v, want 7 and 8", a, b)
	}
	if d.Runs[0].PerSeed[0].Seed != nil {
		t.Error("the draft was changed")
	}
	if f.Runs[1].Replayed || f.Runs[1].PerSeed[0].Seed != nil {
		t.Error("an assignment that was not replayed has a seed")
	}
}

func TestMoney(t *testing.T) {
	o := outcome(40, 1)
	o.External = 10
	o.Levels = append(o.Levels, cut.LevelOutcome{Level: locality.Zone})
	o.Levels[1].Local[cut.Configured] = 60
	o.Levels[1].Local[cut.Uniform] = 1 // is not what is paid for
	got := NewRun("x", "", []Sample{{Outcome: o}}, priceOf(0.5), false).Summary.CrossZonePerMonth
	// 100 - 60 - 10 bytes/s for 2,592,000 s at 0.5 per 1e9 bytes.
	if want := 30 * 2_592_000 * 0.5 / 1e9; got == nil || math.Abs(got.Mean-want) > 1e-9 {
		t.Errorf("money %v, want %v", got, want)
	}
	for name, r := range map[string]Run{
		"no price": NewRun("x", "", []Sample{{Outcome: o}}, nil, false),
		"no zones": NewRun("x", "", []Sample{{Outcome: outcome(1, 1)}}, priceOf(0.5), false),
	} {
		if r.Summary.CrossZonePerMonth != nil {
			t.Errorf("%s: there is a price", name)
		}
	}
}

func TestTiming(t *testing.T) {
	var first, second []time.Duration
	for i := range 100 {
		first = append(first, time.Duration(2*i+1)*time.Millisecond)
		second = append(second, time.Duration(2*i+2)*time.Millisecond)
	}
	samples := []Sample{{Outcome: outcome(1, 1), Took: first}, {Outcome: outcome(1, 1), Took: second}}
	got := NewRun("x", "", samples, nil, true).Timing
	if diff := cmp.Diff(&Timing{Decisions: 200, Mean: 0.1005, P50: 0.1, P99: 0.198}, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("timing (-want +got):\n%s", diff)
	}
	if NewRun("x", "", samples, nil, false).Timing != nil {
		t.Error("there is a timing that nobody asked for")
	}
	if NewRun("x", "", []Sample{{Outcome: outcome(1, 1)}}, nil, true).Timing != nil {
		t.Error("there is a timing without decisions")
	}
}

// TestJSONDependsOnNoDuration replays at another speed.
func TestJSONDependsOnNoDuration(t *testing.T) {
	write := func(took time.Duration, timing bool) string {
		samples := []Sample{{Outcome: outcome(3, 1), Took: []time.Duration{took}}}
		var out bytes.Buffer
		if err := New(Draft{Runs: []Run{NewRun("x", "", samples, priceOf(1), timing)}}).WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if diff := cmp.Diff(write(1, false), write(time.Hour, false)); diff != "" {
		t.Errorf("JSON of two speeds:\n%s", diff)
	}
	if write(1, true) == write(time.Hour, true) {
		t.Error("the timing that was asked for is missing")
	}
}

func TestWarnings(t *testing.T) {
	hot := func(load float64) Run {
		o := outcome(1, 1)
		o.Hotspot.Load = load
		return NewRun(fmt.Sprintf("hot-%g", load), "", []Sample{{Outcome: o}}, nil, false)
	}
	lost := func(missing, unschedulable int) Run {
		o := outcome(1, 1)
		o.Missing = missing
		return NewRun("lost", "", []Sample{{Outcome: o, Unschedulable: unschedulable}}, nil, false)
	}
	cases := map[string]struct {
		draft Draft
		want  []string
	}{
		"nothing":               {Draft{}, nil},
		"of the caller":         {Draft{Warnings: []string{"line 3"}}, []string{"line 3"}},
		"no zones":              {Draft{Runs: []Run{hot(1)}}, []string{"no node has a zone"}},
		"outside, little":       {Draft{Input: Input{BytesPerSecond: 1000, ExternalBytesPerSecond: 9}}, nil},
		"outside, much":         {Draft{Input: Input{BytesPerSecond: 1000, ExternalBytesPerSecond: 250}}, []string{"25.0 % of the traffic has an end outside"}},
		"unknown baseline":      {Draft{Baseline: "x"}, []string{`no run "x"`}},
		"one seed":              {Draft{Seeds: 1, Runs: []Run{run("a", 1)}}, []string{"zone", "one seed"}},
		"one assignment":        {Draft{Seeds: 1, Runs: []Run{hot(1)}}, []string{"zone"}},
		"two seeds":             {Draft{Seeds: 2, Runs: []Run{run("a", 1, 2)}}, []string{"zone"}},
		"missing":               {Draft{Runs: []Run{lost(2, 2)}}, []string{"zone", "lost: 2 pods without a node"}},
		"unschedulable":         {Draft{Runs: []Run{lost(0, 1)}}, []string{"zone", "lost: 1 pod fitted nowhere"}},
		"hotter than before":    {Draft{Baseline: "hot-2", Runs: []Run{hot(2), hot(3.25)}}, []string{"zone", "hot-3.25: where calls prefer the same node, one pod gets 3.2 times"}},
		"as hot as before":      {Draft{Baseline: "hot-4", Runs: []Run{hot(4), hot(3)}}, []string{"zone"}},
		"hotter, but not hot":   {Draft{Baseline: "hot-1", Runs: []Run{hot(1), hot(1.9)}}, []string{"zone"}},
		"hot, and no baseline":  {Draft{Runs: []Run{hot(4)}}, []string{"zone"}},
		"the order of warnings": {Draft{Warnings: []string{"mine"}, Baseline: "x"}, []string{"mine", `no run "x"`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := New(c.draft).Warnings
			ok := len(got) == len(c.want)
			for i := range min(len(got), len(c.want)) {
				ok = ok && strings.Contains(got[i], c.want[i])
			}
			if !ok {
				t.Errorf("warnings %q, want %q", got, c.want)
			}
		})
	}
}

func TestNewChanges(t *testing.T) {
	var all []cut.Change
	for i := range 15 {
		all = append(all, cut.Change{Total: 100, Before: float64(i), After: 50})
	}
	got := NewChanges(all)
	if len(got) != 10 || got[0].Before != 0 || got[9].Before != 9 || got[0].To != nil {
		t.Errorf("%d changes %+v, want the first ten", len(got), got)
	}
	if got := NewChanges([]cut.Change{{Total: 100, Before: 10, After: 10 + 1e-8}, {Total: 100}}); len(got) != 0 {
		t.Errorf("what does not change is shown: %+v", got)
	}
}

// TestRowsAddUp reads the JSON of random assignments.
func TestRowsAddUp(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := shop()
		rng.Shuffle(len(c.Assigned), func(i, j int) { c.Assigned[i], c.Assigned[j] = c.Assigned[j], c.Assigned[i] })
		var out bytes.Buffer
		if err := reportOf(c, 1+rng.IntN(3), 0.1, false).WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		var got Report
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(math.Abs(a), math.Abs(b)) }
		for _, run := range got.Runs {
			for _, m := range cut.Models() {
				var narrower float64
				for _, l := range locality.Levels() {
					local := (*run.Summary.level(l)).model(m).Local.Mean
					crossing := (*run.Summary.level(l)).model(m).Crossing.Mean
					share := (*run.Summary.level(l)).model(m).LocalShare.Mean
					if !near(local+crossing, got.Input.BytesPerSecond) || !near(share*got.Input.BytesPerSecond, local) || local < narrower-1e-3 {
						t.Errorf("seed %d, %s, %v, %v: %v local, %v crossing, share %v, %v at the level within", seed, run.Name, l, m, local, crossing, share, narrower)
					}
					narrower = local
				}
			}
		}
	}
}

func TestFormats(t *testing.T) {
	cases := map[string][2]string{
		"one run":            {number(sim.Estimate{Mean: 1.26, Runs: 1}, 1), "1.3"},
		"runs":               {number(sim.Estimate{Mean: 1.26, Interval: 0.14, Runs: 3}, 1), "1.3 ±0.1"},
		"too few runs":       {number(sim.Estimate{Mean: 1.26, Interval: 0.14, Runs: 2}, 1), "1.3"},
		"runs that agree":    {number(sim.Estimate{Mean: 1.26, Runs: 3}, 2), "1.26 ±0.00"},
		"share":              {share(sim.Estimate{Mean: 0.5, Interval: 0.01, Runs: 3}), "50.0 ±1.0"},
		"whole count":        {countOf(sim.Estimate{Mean: 12, Runs: 5}), "12"},
		"count":              {countOf(sim.Estimate{Mean: 12.25, Interval: 3, Runs: 5}), "12.2 ±3.0"},
		"microseconds":       {milliseconds(0.0000421), "42 µs"},
		"milliseconds":       {milliseconds(0.00071), "0.71 ms"},
		"rounded to 9":       {fmt.Sprint(rounded(11534336.000000007), rounded(-1.0/3)), "1.1534336e+07 -0.333333333"},
		"a share in percent": {show.Percent(0.0391), "3.9 %"},
	}
	for name, c := range cases {
		if c[0] != c[1] {
			t.Errorf("%s: %q, want %q", name, c[0], c[1])
		}
	}
}

func TestChangesAreOfTheFirstSeeds(t *testing.T) {
	r := reportOf(shop(), 2, 0, false)
	gain := r.run("gain")
	edges, workloads := cut.Changes(shop(), randomly(shop(), 1), shop(), together(shop(), 1), locality.Node, cut.Configured)
	if diff := cmp.Diff(NewChanges(edges), gain.Edges); diff != "" || len(gain.Edges) == 0 {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(NewChanges(workloads), gain.WorkloadChanges); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	if base := r.run("default"); len(base.Edges)+len(base.WorkloadChanges) > 0 {
		t.Error("the baseline changes against itself")
	}
	for _, s := range gain.PerSeed {
		if s.BusiestWorkload == nil || !slices.Contains([]string{"cart", "db", "web"}, s.BusiestWorkload.Name) || s.BusiestNode == "" {
			t.Errorf("the busiest endpoint is %v on %q", s.BusiestWorkload, s.BusiestNode)
		}
	}
}
