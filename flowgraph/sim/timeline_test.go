package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

var epoch = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// at is so many seconds after the beginning.
func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// fewest places pods on the node with the fewest, up to room on each, and checks
// that it is told nothing that cannot be.
type fewest struct {
	t    *testing.T
	room int
	up   map[int32]bool
	at   map[Pod]int32
	now  time.Time
	// seen is the traffic of the last decision, decided how many there were.
	store   *flowgraph.Snapshot
	decided []Pod
	fresh   []time.Time
}

func newFewest(t *testing.T, room int) *fewest {
	return &fewest{t: t, room: room, up: map[int32]bool{}, at: map[Pod]int32{}}
}

func (f *fewest) on(node int32) (n int) {
	for _, at := range f.at {
		if at == node {
			n++
		}
	}
	return n
}

func (f *fewest) Place(_ context.Context, pod Pod, node int32) (Decision, error) {
	if _, placed := f.at[pod]; placed {
		f.t.Errorf("pod %v is placed twice", pod)
	}
	if node == Anywhere {
		f.decided = append(f.decided, pod)
		if f.store != nil {
			f.fresh = append(f.fresh, f.store.At())
		}
		for n := range f.up {
			if f.on(n) < f.room && (node == Anywhere || f.on(n) < f.on(node) || f.on(n) == f.on(node) && n < node) {
				node = n
			}
		}
	}
	if node == Anywhere {
		return Decision{Node: Anywhere}, nil
	}
	if !f.up[node] {
		f.t.Errorf("pod %v is placed on node %d, which is down", pod, node)
	}
	f.at[pod] = node
	return Decision{Node: node}, nil
}

func (f *fewest) Remove(pod Pod) error {
	if _, placed := f.at[pod]; !placed {
		return errors.New("it is not placed")
	}
	delete(f.at, pod)
	return nil
}

func (f *fewest) Observe(s *flowgraph.Snapshot) { f.store = s }

func (f *fewest) SetNode(node int32) error {
	f.up[node] = true
	return nil
}

func (f *fewest) RemoveNode(node int32) error {
	if !f.up[node] || f.on(node) > 0 {
		return fmt.Errorf("node %d is down or has %d pods", node, f.on(node))
	}
	delete(f.up, node)
	return nil
}

func (f *fewest) Advance(now time.Time) {
	if now.Before(f.now) {
		f.t.Errorf("the clock goes back from %s to %s", f.now, now)
	}
	f.now = now
}

// universe has two zones of two nodes, and a workload for each name.
func universe(workloads ...string) *cluster.Cluster {
	c := &cluster.Cluster{}
	for i, zone := range []string{"a", "a", "b", "b"} {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprint("n", i), Zone: zone},
			Allocatable: cluster.Resources{MilliCPU: 4000, Memory: 1 << 30}, MaxPods: 10,
		})
	}
	for _, name := range workloads {
		c.Workloads = append(c.Workloads, cluster.Workload{ID: flowgraph.WorkloadID{Namespace: "x", Name: name}, Replicas: 1})
	}
	return c
}

func flowOf(from, to string, rate float64) flowgraph.Edge {
	return flowgraph.Edge{
		From: flowgraph.WorkloadID{Namespace: "x", Name: from}, To: flowgraph.WorkloadID{Namespace: "x", Name: to},
		Rates: flowgraph.Rates{SentBytesPerSecond: rate},
	}
}

// up says that all four nodes are there at the beginning.
func up() (events []Event) {
	for n := range int32(4) {
		events = append(events, Event{Kind: NodeUp, At: epoch, Node: n})
	}
	return events
}

func arrive(seconds float64, workload, ordinal, node int32) Event {
	return Event{Kind: Arrive, At: at(seconds), Pod: Pod{workload, ordinal}, Node: node}
}

func leave(seconds float64, workload, ordinal int32) Event {
	return Event{Kind: Leave, At: at(seconds), Pod: Pod{workload, ordinal}}
}

// follow runs steps of 10 s.
func follow(t *testing.T, o TimelineOptions, steps []Step) *Course {
	t.Helper()
	timeline, observer := NewTimeline(o), NewObserver(flowgraph.Options{})
	var traffic *flowgraph.Snapshot
	for i := range steps {
		s := &steps[i]
		s.At, s.Length, s.Traffic = at(10*float64(i+1)), 10*time.Second, traffic
		if err := timeline.Step(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		traffic = observer.Observe(s, o.Cluster)
	}
	return timeline.Course()
}

// TestTimelineByHand has sums that can be followed with a pencil.
func TestTimelineByHand(t *testing.T) {
	edges := []flowgraph.Edge{flowOf("web", "db", 100), flowOf("web", "mail.example", 7)}
	steps := []Step{
		// Both on n0 for 10 s. This is the warm-up.
		{Events: append(up(), arrive(0, 0, 0, 0), arrive(0, 1, 0, 0)), Edges: edges},
		// After 4 s a second db starts on n2: half of the calls go there for 6 s.
		{Events: []Event{arrive(14, 1, 1, 2)}, Edges: edges},
		// Nothing is observed.
		{Gap: true},
		// After 5 s the db on n0 is not ready and after 8 s gone, so that all calls
		// leave the zone. The rate is another.
		{
			Events: []Event{{Kind: Unready, At: at(35), Pod: Pod{1, 0}}, leave(38, 1, 0)},
			Edges:  []flowgraph.Edge{flowOf("web", "db", 40)},
		},
	}
	c := follow(t, TimelineOptions{Cluster: universe("web", "db"), WarmUp: at(10)}, steps)
	// Step 2: 4 s x 100 + 6 s x 50 = 700 of 1000 bytes, and 70 outside.
	// Step 4: 5 s x 20 = 100 of 400.
	want := map[locality.Level]float64{locality.Node: 800 / 20.0, locality.Zone: 800 / 20.0}
	if c.Total != 1470/20.0 || c.External != 70/20.0 || c.Observed != 20*time.Second {
		t.Errorf("total %v, external %v in %v; want 73.5 and 3.5 in 20 s", c.Total, c.External, c.Observed)
	}
	if len(c.Levels) != len(want) {
		t.Errorf("levels %v", c.Levels)
	}
	for _, l := range c.Levels {
		if math.Abs(l.Local[cut.Configured]-want[l.Level]) > 1e-9 || math.Abs(l.Local[cut.Uniform]-want[l.Level]) > 1e-9 {
			t.Errorf("%s: %v stays, want %v", l.Level, l.Local, want[l.Level])
		}
	}
	// Same node: a local endpoint gets all of it, 1000 and then 200 of 400.
	if got := c.Levels[0].Local[cut.SameNode]; math.Abs(got-1200/20.0) > 1e-9 {
		t.Errorf("under the same node %v stays, want 60", got)
	}
	moments := []Moment{
		{At: at(10), BytesPerSecond: 107, CrossNode: 7, CrossZone: 7, Pods: 2, Nodes: 4},
		{At: at(20), BytesPerSecond: 107, CrossNode: 37, CrossZone: 37, Pods: 3, Nodes: 4},
		{At: at(40), BytesPerSecond: 40, CrossNode: 30, CrossZone: 30, Pods: 2, Nodes: 4},
	}
	if !slices.Equal(c.Moments, moments) {
		t.Errorf("moments %v, want %v", c.Moments, moments)
	}
	if want := (cluster.Assignment{{0}, {2}}); !slices.EqualFunc(c.Assigned, want, slices.Equal) || !c.From.Equal(at(10)) || !c.To.Equal(at(40)) {
		t.Errorf("assigned %v from %s to %s, want %v", c.Assigned, c.From, c.To, want)
	}
}

// TestTimelineOrders takes over four pods on one node at the end of the warm-up.
func TestTimelineOrders(t *testing.T) {
	steps := func() []Step {
		return []Step{
			{Events: append(up(), arrive(0, 0, 0, 0), arrive(0, 0, 1, 0), arrive(0, 1, 0, 0), arrive(0, 1, 1, 0), arrive(0, 2, 0, 0))},
			{Events: []Event{arrive(12, 0, 2, 3), leave(13, 0, 0)}},
		}
	}
	cases := map[Order]struct {
		decisions int
		want      cluster.Assignment // sorted
	}{
		Recorded:   {1, cluster.Assignment{{0, 1}, {0, 0}, {0}}}, // n1 is the first with the fewest
		Rollout:    {5, nil},
		Random:     {5, nil},
		ByWorkload: {5, nil},
	}
	for order, want := range cases {
		t.Run(order.String(), func(t *testing.T) {
			run := func(seed uint64) *Course {
				c := universe("web", "db", "agent")
				c.Workloads[2].Fixed = true
				return follow(t, TimelineOptions{
					Cluster: c, Placer: newFewest(t, 10), Order: order, Rand: rand.New(rand.NewPCG(seed, 0)), WarmUp: at(10),
				}, steps())
			}
			got := run(1)
			if got.Decisions != want.decisions || len(got.Assigned[0]) != 2 || len(got.Assigned[1]) != 2 || !slices.Equal(got.Assigned[2], []int32{0}) {
				t.Errorf("%d decisions, assigned %v", got.Decisions, got.Assigned)
			}
			if want.want != nil && !slices.EqualFunc(got.Assigned, want.want, slices.Equal) {
				t.Errorf("assigned %v, want %v", got.Assigned, want.want)
			}
			if again := run(1); !slices.EqualFunc(got.Assigned, again.Assigned, slices.Equal) {
				t.Errorf("the same seed gives %v and %v", got.Assigned, again.Assigned)
			}
		})
	}
}

// TestTimelineNodes lets nodes vanish under their pods.
func TestTimelineNodes(t *testing.T) {
	steps := func() []Step {
		return []Step{
			// A pod on a node that is not there, whose node comes later.
			{Events: []Event{{Kind: NodeUp, At: epoch, Node: 0}, arrive(0, 0, 0, 0), arrive(0, 0, 1, 1), arrive(0, 1, 0, Anywhere)}},
			{Events: []Event{{Kind: NodeUp, At: at(11), Node: 1}, {Kind: Bind, At: at(12), Pod: Pod{1, 0}, Node: 1}}},
			{Events: []Event{{Kind: NodeDown, At: at(21), Node: 1}, {Kind: NodeDown, At: at(22), Node: 1}}},
			{Events: []Event{leave(31, 0, 1), arrive(32, 0, 2, 0)}},
		}
	}
	t.Run("recorded", func(t *testing.T) {
		c := follow(t, TimelineOptions{Cluster: universe("web", "agent"), WarmUp: epoch}, steps())
		if want := (cluster.Assignment{{0, 0}, nil}); !slices.EqualFunc(c.Assigned, want, slices.Equal) || c.Lost != 0 {
			t.Errorf("assigned %v with %d lost, want %v", c.Assigned, c.Lost, want)
		}
	})
	t.Run("replayed", func(t *testing.T) {
		placer := newFewest(t, 2)
		c := follow(t, TimelineOptions{Cluster: universe("web", "agent"), Placer: placer, Order: Recorded, WarmUp: at(10)}, steps())
		// At 10 s n0 has a pod, web 1 waits for n1 in the recording and gets n0, agent
		// fits nowhere before n1 comes. When n1 goes it fits nowhere again, until web 1
		// has left; but web 2 arrives before.
		if want := (cluster.Assignment{{0, 0}, nil}); !slices.EqualFunc(c.Assigned, want, slices.Equal) || c.Lost != 1 || c.Unschedulable != 2 {
			t.Errorf("assigned %v with %d lost and %d unschedulable, want %v, 1 and 2", c.Assigned, c.Lost, c.Unschedulable, want)
		}
	})
}

// TestTimelineSeesThePast asks at every decision how new the traffic is that it
// rests on.
func TestTimelineSeesThePast(t *testing.T) {
	placer := newFewest(t, 10)
	edges := []flowgraph.Edge{flowOf("web", "db", 1)}
	follow(t, TimelineOptions{Cluster: universe("web", "db"), Placer: placer, Order: Recorded, WarmUp: at(10)}, []Step{
		{Events: append(up(), arrive(0, 0, 0, 0)), Edges: edges},
		{Events: []Event{arrive(20, 0, 1, 0)}, Edges: edges},
		{Events: []Event{arrive(21, 0, 2, 0)}, Edges: edges},
		{Events: []Event{arrive(31, 0, 3, 0)}, Gap: true},
		{Events: []Event{arrive(41, 0, 4, 0)}, Edges: edges},
	})
	if want := []time.Time{at(10), at(20), at(30), at(30)}; !slices.Equal(placer.fresh, want) {
		t.Errorf("decisions rest on traffic of %v, want %v", placer.fresh, want)
	}
	if !placer.now.Equal(at(40)) {
		t.Errorf("the last decision is at %s, want %s", placer.now, at(40))
	}
}

// TestTimelineErrors are events that no recording has.
func TestTimelineErrors(t *testing.T) {
	for name, events := range map[string][]Event{
		"leaves unknown":  {leave(1, 0, 0)},
		"binds unknown":   {{Kind: Bind, At: at(1)}},
		"unknown is idle": {{Kind: Unready, At: at(1)}},
		"arrives twice":   {arrive(1, 0, 0, 0), arrive(1, 0, 0, 0)},
		"restarts":        {{Kind: Restart, At: at(1)}},
		"observes itself": {{Kind: Observe, At: at(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			timeline := NewTimeline(TimelineOptions{Cluster: universe("web")})
			if err := timeline.Step(t.Context(), &Step{At: at(10), Length: 10 * time.Second, Events: events}); err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestObserver smooths, and knows of edges without traffic.
func TestObserver(t *testing.T) {
	c := universe("web", "db")
	o := NewObserver(flowgraph.Options{HalfLife: 10 * time.Second, RetainFor: time.Hour})
	rate := func(s *flowgraph.Snapshot) float64 {
		for e := range s.Edges() {
			return e.BytesPerSecond()
		}
		return 0
	}
	steps := []struct {
		step Step
		want float64
	}{
		{Step{Events: []Event{arrive(0, 0, 0, 0), arrive(0, 1, 0, 0)}, Edges: []flowgraph.Edge{flowOf("web", "db", 64)}}, 64},
		{Step{}, 32},
		{Step{Gap: true}, 32},
		{Step{}, 8}, // two half-lives after the last observation
		{Step{Events: []Event{leave(41, 1, 0)}}, 8},
		{Step{Edges: []flowgraph.Edge{flowOf("web", "db", 80)}}, 62},
	}
	for i, s := range steps {
		s.step.At, s.step.Length = at(10*float64(i+1)), 10*time.Second
		if got := rate(o.Observe(&s.step, c)); math.Abs(got-s.want) > 1e-4 {
			t.Errorf("after step %d the rate is %v, want %v", i+1, got, s.want)
		}
		if i > 0 {
			o.Measure(&s.step)
		}
	}
	if mean := o.Mean(); len(mean) != 1 || mean[0].SentBytesPerSecond != 80/4.0 {
		t.Errorf("the mean is %v, want 20 over four steps", mean)
	}
}

// TestCurve is the longer the coarser, and keeps the sum.
func TestCurve(t *testing.T) {
	for _, steps := range []int{1, 299, 300, 301, 1440, 100_000} {
		var c curve
		var bytes float64
		for i := range steps {
			s := &Step{At: at(float64(i + 1)), Length: time.Second}
			c.add(s, sums{observed: time.Second, total: float64(i % 7)}, 1, 1, true)
			bytes += float64(i % 7)
		}
		moments := c.moments()
		if len(moments) > maxMoments || len(moments) < min(steps, maxMoments/2) {
			t.Errorf("%d steps make %d moments", steps, len(moments))
		}
		last := epoch
		for _, m := range moments {
			bytes -= m.BytesPerSecond * m.At.Sub(last).Seconds()
			last = m.At
		}
		if math.Abs(bytes) > 1e-6 || !last.Equal(at(float64(steps))) {
			t.Errorf("%d steps: %v bytes are missing, the last moment is at %s", steps, bytes, last)
		}
	}
}
