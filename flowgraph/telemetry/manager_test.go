package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

var (
	web = flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	api = flowgraph.WorkloadID{Namespace: "shop", Name: "api"}
	db  = flowgraph.WorkloadID{Namespace: "shop", Name: "db"}
)

var errDown = errors.New("down")

// fakeSource returns what it is told to.
type fakeSource struct {
	name  string
	flows []flowgraph.Flow
	err   error
	until time.Time // err ends then, unless it is zero
	wait  bool      // until ctx ends
	panic any       // when not nil
	calls []time.Time
}

func (f *fakeSource) Name() string     { return f.name }
func (f *fakeSource) About() About     { return About{} }
func (f *fakeSource) Queries() []Query { return nil }

func (f *fakeSource) Collect(ctx context.Context, _ Querier, at time.Time) (Observation, error) {
	f.calls = append(f.calls, at)
	if f.panic != nil {
		panic(f.panic)
	}
	if f.wait {
		<-ctx.Done()
		return Observation{}, ctx.Err()
	}
	if f.err != nil && (f.until.IsZero() || at.Before(f.until)) {
		return Observation{Flows: f.flows}, f.err
	}
	flows := slices.Clone(f.flows)
	for i := range flows {
		flows[i].Source, flows[i].ObservedAt = f.name, at
	}
	return Observation{Flows: flows, Series: 7, LeftOut: map[Reason]LeftOut{External: {Series: 1, BytesPerSecond: 5}}}, nil
}

type nobody struct{}

func (nobody) Query(context.Context, string, time.Time, func(Series) error) error { return nil }

func flow(from, to flowgraph.WorkloadID, sent, received float64) flowgraph.Flow {
	return flowgraph.Flow{From: from, To: to, Rates: flowgraph.Rates{SentBytesPerSecond: sent, ReceivedBytesPerSecond: received}}
}

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newManager(t *testing.T, now func() time.Time, sources ...*fakeSource) (*Manager, *flowgraph.Store) {
	t.Helper()
	o := Options{
		Querier:  nobody{},
		Graph:    flowgraph.NewGraph(flowgraph.Options{}),
		Store:    flowgraph.NewStore(),
		Interval: time.Minute,
		Now:      now,
		Random:   func() float64 { return 0.5 }, // no jitter
	}
	for _, s := range sources {
		o.Sources = append(o.Sources, s)
	}
	m, err := NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	return m, o.Store
}

func edgeLines(s *flowgraph.Snapshot) []string {
	lines := []string{}
	for e := range s.Edges() {
		lines = append(lines, fmt.Sprintf("%s->%s %g %g age %v", e.From.Name, e.To.Name,
			e.SentBytesPerSecond, e.ReceivedBytesPerSecond, s.At().Sub(e.ObservedAt)))
	}
	return lines
}

func TestMergeTakesTheMaximum(t *testing.T) {
	a := &fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, api, 10, 100), flow(web, db, 1, 1)}}
	b := &fakeSource{name: "b", flows: []flowgraph.Flow{flow(web, api, 20, 50), flow(api, db, 2, 2)}}
	c := &clock{time.Unix(1000, 0)}
	m, store := newManager(t, c.now, a, b)
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"api->db 2 2 age 0s", "web->api 20 100 age 0s", "web->db 1 1 age 0s"}
	if diff := cmp.Diff(want, edgeLines(store.Load())); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestFailedSourceKeepsItsLastFlows(t *testing.T) {
	a := &fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, api, 100, 0), flow(web, db, 1, 0)}}
	b := &fakeSource{name: "b", flows: []flowgraph.Flow{flow(web, api, 10, 0)}}
	c := &clock{time.Unix(1000, 0)}
	m, store := newManager(t, c.now, a, b)
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.err, a.flows = errDown, nil
	c.t = c.t.Add(time.Minute)
	if err := m.Refresh(t.Context()); !errors.Is(err, errDown) || !strings.Contains(err.Error(), "source a") {
		t.Errorf("error = %v, want one of source a", err)
	}
	// What only a sees is kept but not renewed.
	want := []string{"web->api 100 0 age 0s", "web->db 1 0 age 1m0s"}
	if diff := cmp.Diff(want, edgeLines(store.Load())); diff != "" {
		t.Errorf("edges after a failure (-want +got):\n%s", diff)
	}
	// After holdIntervals, what b sees now counts.
	c.t = c.t.Add(holdIntervals * time.Minute)
	_ = m.Refresh(t.Context())
	want = []string{"web->api 10 0 age 0s", "web->db 1 0 age 6m0s"}
	if diff := cmp.Diff(want, edgeLines(store.Load())); diff != "" {
		t.Errorf("edges after a long failure (-want +got):\n%s", diff)
	}
}

func TestNothingIsPublishedWhenAllFail(t *testing.T) {
	a := &fakeSource{name: "a", err: errDown, flows: []flowgraph.Flow{flow(web, api, 1, 1)}}
	c := &clock{time.Unix(1000, 0)}
	m, store := newManager(t, c.now, a)
	empty := store.Load()
	if err := m.Refresh(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("error = %v, want %v", err, errDown)
	}
	if store.Load() != empty {
		t.Error("published although no source ever succeeded")
	}
	a.err = nil
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := store.Load()
	if good.EdgeCount() != 1 {
		t.Fatalf("%d edges, want 1", good.EdgeCount())
	}
	a.err = errDown
	c.t = c.t.Add(time.Minute)
	_ = m.Refresh(t.Context())
	if store.Load() != good {
		t.Error("published although every source failed")
	}
}

func TestStatus(t *testing.T) {
	a := &fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, api, 1, 1), flow(web, web, -1, 0)}}
	b := &fakeSource{name: "b", err: &QueryError{Failure: Partial, Err: errDown}}
	c := &clock{time.Unix(1000, 0)}
	m, _ := newManager(t, c.now, a, b)
	seen := &recorder{}
	m.options.Observer = seen
	_ = m.Refresh(t.Context())
	got := m.Status()
	same := cmp.Comparer(func(x, y error) bool { return x == y }) //nolint:errorlint // the very same errors, not some that say the same
	if diff := cmp.Diff([]Status{got}, seen.statuses, same); diff != "" {
		t.Errorf("what the observer saw (-status +observer):\n%s", diff)
	}
	if !got.At.Equal(c.t) || got.Generation != 1 || got.InvalidFlows != 1 {
		t.Errorf("status = %+v", got)
	}
	sa, sb := got.Sources[0], got.Sources[1]
	if sa.Name != "a" || !sa.LastSuccess.Equal(c.t) || sa.Err != nil || sa.Series != 7 || sa.Flows != 2 || sa.LeftOut[External].Series != 1 {
		t.Errorf("status of a = %+v", sa)
	}
	if sb.Name != "b" || !sb.LastSuccess.IsZero() || !sb.LastAttempt.Equal(c.t) || sb.Failures != 1 || FailureOf(sb.Err) != Partial {
		t.Errorf("status of b = %+v", sb)
	}
	got.Sources[0].LeftOut[External] = LeftOut{}
	if m.Status().Sources[0].LeftOut[External].Series != 1 {
		t.Error("a status shares its map with the manager")
	}
}

type recorder struct{ statuses []Status }

func (r *recorder) Refreshed(s Status) { r.statuses = append(r.statuses, s) }

func TestRunAsksAFailingSourceEveryRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		flaky := &fakeSource{name: "flaky", flows: []flowgraph.Flow{flow(web, api, 1, 1)}, err: errDown, until: start.Add(40 * time.Minute)}
		m, store := newManager(t, time.Now, flaky)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()

		time.Sleep(39*time.Minute + time.Second)
		if store.Load().Generation() != 0 {
			t.Error("published although no source ever succeeded")
		}
		time.Sleep(time.Minute)
		if store.Load().Generation() != 1 {
			t.Error("the round after the recovery publishes nothing")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if len(flaky.calls) != 41 {
			t.Errorf("the source was asked %d times in 40 minutes, want 41", len(flaky.calls))
		}
	})
}

// TestNoDataIsNotZeroTraffic loses the traffic from the answers: the graph keeps
// its edges and grows old.
func TestNoDataIsNotZeroTraffic(t *testing.T) {
	a := &fakeSource{name: "a", flows: []flowgraph.Flow{flow(web, api, 1, 1)}}
	c := &clock{time.Unix(1000, 0)}
	m, store := newManager(t, c.now, a)
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := store.Load()
	a.flows = nil
	c.t = c.t.Add(time.Minute)
	err := m.Refresh(t.Context())
	const want = "source a: there is no traffic between workloads in 7 series: 1 external"
	if FailureOf(err) != Empty || err.Error() != want {
		t.Errorf("error = %v, %v; want %s", FailureOf(err), err, want)
	}
	if store.Load() != good {
		t.Error("published an answer without traffic")
	}
	if s := m.Status().Sources[0]; s.Series != 7 || s.Flows != 0 || s.LeftOut[External].Series != 1 || !s.LastSuccess.Equal(time.Unix(1000, 0)) {
		t.Errorf("status = %+v", s)
	}
}

func TestPanickingSourceIsAFailedOne(t *testing.T) {
	broken := &fakeSource{name: "broken", panic: "index out of range"}
	works := &fakeSource{name: "works", flows: []flowgraph.Flow{flow(web, api, 100, 0)}}
	m, store := newManager(t, (&clock{time.Unix(1000, 0)}).now, broken, works)
	err := m.Refresh(t.Context())
	if FailureOf(err) != Panicked || !strings.Contains(err.Error(), "source broken: panic: index out of range") || !strings.Contains(err.Error(), "Collect") {
		t.Errorf("error %v, want the panic and where it was", err)
	}
	if n := store.Load().EdgeCount(); n != 1 {
		t.Errorf("%d edges, want that of the other source", n)
	}
	broken.panic, broken.flows = nil, []flowgraph.Flow{flow(api, db, 100, 0)}
	if err := m.Refresh(t.Context()); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}

// fakeCompanion fails with err, or panics.
type fakeCompanion struct {
	err   error
	panic any
	calls []time.Time
}

func (*fakeCompanion) Name() string { return "networks" }

func (f *fakeCompanion) Refresh(_ context.Context, _ Querier, at time.Time) (Refreshed, error) {
	f.calls = append(f.calls, at)
	if f.panic != nil {
		panic(f.panic)
	}
	return Refreshed{Series: 3, LeftOut: map[Reason]LeftOut{Invalid: {Series: 2}}}, f.err
}

// TestCompanions: a companion is polled in each round, and says nothing of how old the
// traffic is.
func TestCompanions(t *testing.T) {
	traffic := &fakeSource{name: "mesh", flows: []flowgraph.Flow{flow(web, api, 1, 0)}}
	networks := &fakeCompanion{}
	c := &clock{time.Unix(1000, 0)}
	store := flowgraph.NewStore()
	m, err := NewManager(Options{
		Sources: []Source{traffic}, Companions: []Companion{networks}, Querier: nobody{}, Graph: flowgraph.NewGraph(flowgraph.Options{}), Store: store,
		Interval: time.Minute, Now: c.now, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	empty := Refreshed{Series: 3, LeftOut: map[Reason]LeftOut{Invalid: {Series: 2}}}.EmptyError("capacity")
	steps := []struct {
		name              string
		traffic, networks error
		panic             any
		wantAt            int64 // of the store's traffic
		want              Failure
	}{
		{name: "both", wantAt: 1000},
		{name: "the networks fail", networks: errDown, wantAt: 1060, want: OtherFailure},
		{name: "the traffic fails", traffic: errDown, wantAt: 1060},
		{name: "nothing is known of networks", networks: empty, wantAt: 1180, want: Empty},
		{name: "a mistake of ours", panic: "no", wantAt: 1240, want: Panicked},
	}
	for i, step := range steps {
		traffic.err, networks.err, networks.panic = step.traffic, step.networks, step.panic
		err := m.Refresh(t.Context())
		if (err != nil) != (step.traffic != nil || step.want != NoFailure) {
			t.Errorf("%s: the error is %v", step.name, err)
		}
		if at := store.Load().At().Unix(); at != step.wantAt || len(networks.calls) != i+1 {
			t.Errorf("%s: the traffic is of %d, want %d; %d calls", step.name, at, step.wantAt, len(networks.calls))
		}
		sources := m.Status().Sources
		if len(sources) != 2 || sources[1].Name != "networks" || FailureOf(sources[1].Err) != step.want || sources[1].Series != 3 || sources[1].LeftOut[Invalid].Series != 2 {
			t.Errorf("%s: the status is %+v", step.name, sources)
		}
		c.t = c.t.Add(time.Minute)
	}
	if want := "there is no capacity in 3 series: 2 invalid"; empty.Error() != want {
		t.Errorf("the error of an empty answer is %q, want %q", empty, want)
	}
}

func TestRunJitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSource{name: "a"}
		m, _ := newManager(t, time.Now, s)
		random := []float64{0, 0.5, 0.999999}
		m.options.Random = func() float64 {
			r := random[0]
			random = append(random[1:], r)
			return r
		}
		ctx, cancel := context.WithTimeout(t.Context(), 181*time.Second)
		defer cancel()
		_ = m.Run(ctx)
		var pauses []time.Duration
		for i := range s.calls[1:] {
			pauses = append(pauses, s.calls[i+1].Sub(s.calls[i]).Round(time.Second))
		}
		want := []time.Duration{54 * time.Second, 60 * time.Second, 66 * time.Second}
		if diff := cmp.Diff(want, pauses); diff != "" {
			t.Errorf("pauses (-want +got):\n%s", diff)
		}
	})
}

func TestRunStopsDuringAQuery(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &fakeSource{name: "a", wait: true}
	m, store := newManager(t, time.Now, s)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := m.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if st := m.Status(); st.Sources[0].Failures != 0 {
		t.Errorf("the end of the context counts as a failure: %+v", st.Sources[0])
	}
	if store.Load().Generation() != 0 {
		t.Error("published")
	}
}

func TestNewManagerRefuses(t *testing.T) {
	ok := func() Options {
		return Options{
			Sources: []Source{&fakeSource{name: "a"}}, Querier: nobody{}, Graph: flowgraph.NewGraph(flowgraph.Options{}),
			Store: flowgraph.NewStore(), Interval: 1, Now: time.Now, Random: func() float64 { return 0 },
		}
	}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"no sources":  {func(o *Options) { o.Sources = nil }, "no sources"},
		"no clock":    {func(o *Options) { o.Now = nil }, "required"},
		"no interval": {func(o *Options) { o.Interval = 0 }, "interval"},
		"same names":  {func(o *Options) { o.Sources = append(o.Sources, o.Sources[0]) }, `"a"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := ok()
			if _, err := NewManager(o); err != nil {
				t.Fatal(err)
			}
			tc.change(&o)
			if _, err := NewManager(o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to say %q", err, tc.want)
			}
		})
	}
}
