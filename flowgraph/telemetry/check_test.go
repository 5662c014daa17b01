package telemetry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// checked is a source whose checks say what they are told to.
type checked struct {
	fakeSource
	own    []Finding // of the answers
	found  []Finding
	fails  error
	panics bool
	asked  []time.Duration // since the beginning
}

var checkStart = time.Unix(1_000_000, 0)

func (c *checked) Collect(ctx context.Context, q Querier, at time.Time) (Observation, error) {
	o, err := c.fakeSource.Collect(ctx, q, at)
	o.Findings = c.own
	return o, err
}

func (c *checked) Check(_ context.Context, _ Querier, at time.Time, _ Observation) ([]Finding, error) {
	c.asked = append(c.asked, at.Sub(checkStart))
	if c.panics {
		panic("index out of range")
	}
	return c.found, c.fails
}

func findings(fs []Finding) string {
	var all []string
	for _, f := range fs {
		all = append(all, f.Condition.String()+":"+f.What)
	}
	return strings.Join(all, " ")
}

// TestChecksAreRareWhileAllIsWell runs a day of refreshes and looks at when the
// server was asked more than Collect asks.
func TestChecksAreRareWhileAllIsWell(t *testing.T) {
	twice := []Finding{{Condition: ScrapedTwice, What: "x"}}
	young := []Finding{{Condition: YoungData, What: "y", Until: checkStart.Add(3 * time.Minute)}}
	cases := map[string]struct {
		change func(c *checked, at time.Duration) // before each refresh
		until  time.Duration
		want   []time.Duration
		// wantAt are the findings by minute, where they change.
		wantAt map[int]string
	}{
		"well": {func(*checked, time.Duration) {}, 150 * time.Minute, []time.Duration{0, time.Hour, 2 * time.Hour}, map[int]string{0: "", 150: ""}},
		"an hour until it is noticed, five minutes until the cure shows": {func(c *checked, at time.Duration) {
			c.found = nil
			if at > 10*time.Minute && at < 72*time.Minute {
				c.found = twice
			}
		}, 80 * time.Minute, []time.Duration{0, 60 * time.Minute, 65 * time.Minute, 70 * time.Minute, 75 * time.Minute},
			map[int]string{59: "", 60: "scraped-twice:x", 74: "scraped-twice:x", 75: ""}},
		"what passes by itself needs no check": {func(c *checked, at time.Duration) {
			c.found = nil
			if at == 0 {
				c.found = young
			}
		}, 4 * time.Minute, []time.Duration{0}, map[int]string{0: "young-data:y", 2: "young-data:y", 3: ""}},
		"at once after a failure": {func(c *checked, at time.Duration) {
			c.err = nil
			if at > 2*time.Minute && at < 10*time.Minute {
				c.err = errDown
			}
		}, 20 * time.Minute, []time.Duration{0, 10 * time.Minute}, nil},
		"now and then while there is nothing": {func(c *checked, at time.Duration) {
			c.flows = []flowgraph.Flow{flow(web, db, 1, 1)}
			if at > 0 && at < 11*time.Minute {
				c.flows = nil
			}
		}, 20 * time.Minute, []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 11 * time.Minute}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &checked{fakeSource: fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, db, 1, 1)}}}
			asker := &checked{fakeSource: fakeSource{name: "a", flows: c.flows}}
			now := &clock{checkStart}
			m, _ := newManager(t, now.now, &c.fakeSource)
			follow(m, c)
			steps := NewAsker([]Source{asker}, nil, nobody{})
			for at := time.Duration(0); at <= tc.until; at += time.Minute {
				now.t = checkStart.Add(at)
				tc.change(c, at)
				tc.change(asker, at)
				_ = m.Refresh(t.Context())
				seen, _ := steps.Observe(t.Context(), now.t)
				want, there := tc.wantAt[int(at.Minutes())]
				if !there {
					continue
				}
				if got := findings(m.Status().Sources[0].Findings); got != want {
					t.Errorf("the manager after %v: %q, want %q", at, got, want)
				}
				if got := findings(seen.Sources[0].Findings); got != want {
					t.Errorf("step by step after %v: %q, want %q", at, got, want)
				}
			}
			if !slices.Equal(c.asked, tc.want) || !slices.Equal(asker.asked, tc.want) {
				t.Errorf("checked at %v and %v, want %v", c.asked, asker.asked, tc.want)
			}
		})
	}
}

func TestFailedChecksFailNoRefresh(t *testing.T) {
	cases := map[string]*checked{
		"an error": {fails: errors.New("query check-reach: no answer in time"), found: []Finding{{Condition: YoungData, What: "y"}}},
		"a panic":  {panics: true},
	}
	want := map[string]string{
		"an error": "missing-bytes:b young-data:y unchecked:the checks of the telemetry had no answer",
		"a panic":  "missing-bytes:b unchecked:the checks of the telemetry had no answer",
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.fakeSource = fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, db, 1, 1)}}
			c.own = []Finding{{Condition: MissingBytes, What: "b"}}
			seen, err := NewAsker([]Source{c}, nil, nobody{}).Observe(t.Context(), checkStart)
			if got := findings(seen.Sources[0].Findings); err != nil || got != want[name] || len(seen.Flows) != 1 {
				t.Errorf("error %v, findings %q, want %q", err, got, want[name])
			}
		})
	}
}

// TestMixedClustersStop: a finding that stops fails the refresh, and says itself.
func TestMixedClustersStop(t *testing.T) {
	c := &checked{fakeSource: fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, db, 1, 1)}}}
	c.own = []Finding{{Condition: SeveralClusters, What: "pairs name 2 clusters", Names: []string{"east", "west"}, Why: "they would be added up", Stops: true}}
	now := &clock{checkStart}
	m, store := newManager(t, now.now, &c.fakeSource)
	follow(m, c)
	err := m.Refresh(t.Context())
	const text = "source a: pairs name 2 clusters (east, west): they would be added up"
	if FailureOf(err) != Mixed || err.Error() != text || store.Load().Generation() != 0 {
		t.Errorf("error %v of kind %v, generation %d; want %s", err, FailureOf(err), store.Load().Generation(), text)
	}
	if s := m.Status().Sources[0]; s.Failures != 1 || findings(s.Findings) != "several-clusters:pairs name 2 clusters" {
		t.Errorf("the status is %+v", s)
	}
	if _, err := NewAsker([]Source{c}, nil, nobody{}).Observe(t.Context(), checkStart); FailureOf(err) != Mixed {
		t.Errorf("step by step the error is %v", err)
	}
}

func TestNext(t *testing.T) {
	set := SetInFile("telemetry.yaml", "mesh")
	cases := map[string]struct {
		finding Finding
		want    string
	}{
		"a setting":      {Finding{Setting: "selector", Value: `job="it's"`}, `set selector: 'job="it''s"' for the source mesh in telemetry.yaml`},
		"something else": {Finding{Do: "look there"}, "look there"},
		"both":           {Finding{Setting: "window", Value: "1m", Do: "wait"}, "set window: '1m' for the source mesh in telemetry.yaml, or wait"},
	}
	for name, tc := range cases {
		if got := tc.finding.Next(set); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestAccount(t *testing.T) {
	var a Account
	if a.LeftOut() != nil || a.Findings() != nil {
		t.Error("an empty account says something")
	}
	observed := func(bytes float64, what string) Observed {
		s := SourceObserved{Name: "mesh", LeftOut: map[Reason]LeftOut{External: {Series: 1, BytesPerSecond: bytes}, Invalid: {Series: 2}}}
		if what != "" {
			s.Findings = []Finding{{Condition: ScrapedTwice, About: "job", What: what, Names: []string{"envoy", "pods"}, Why: "it counts twice"}}
		}
		return Observed{Sources: []SourceObserved{s}}
	}
	a.Add(observed(100, "2 proxies"), time.Minute)
	a.Add(Observed{}, time.Minute) // a gap
	a.Add(observed(40, "3 proxies"), time.Minute)
	a.Add(observed(10, ""), time.Minute)
	want := []LeftOutBytes{{"mesh", "external", 9000, 50}, {"mesh", "invalid", 0, 0}}
	if diff := cmp.Diff(want, a.LeftOut()); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	var notes []string
	for _, f := range a.Findings() {
		notes = append(notes, f.Note())
	}
	if diff := cmp.Diff([]string{"mesh: 3 proxies (envoy, pods) in 2 of 3 steps: it counts twice"}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// follow has the Manager ask another source instead of its first one.
func follow(m *Manager, source Source) {
	m.states[0].source = source
	m.states[0].ask = func(ctx context.Context, at time.Time) (Observation, error) {
		return ask(ctx, source, m.options.Querier, at)
	}
}
