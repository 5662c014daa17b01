package sim

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// churn makes up a recording: nodes that come and go and change their zone, pods
// that arrive with and without a node, also on one that is not there, workloads
// that are new, gaps. It keeps the state itself.
type churn struct {
	rng   *rand.Rand
	c     *cluster.Cluster
	edges *cluster.Cluster
	up    map[int32]bool
	pods  map[Pod]int32 // node in the recording
	idle  map[Pod]bool  // those that are not ready
	next  map[int32]int32
}

func newChurn(seed uint64) *churn {
	rng := rand.New(rand.NewPCG(seed, 7))
	all := cuttest.RandomCluster(rng, 2+rng.IntN(6), 2+rng.IntN(6), 12, 4)
	return &churn{
		rng: rng, c: &cluster.Cluster{Scale: all.Scale, Nodes: all.Nodes[:1], Workloads: all.Workloads[:1]}, edges: all,
		up: map[int32]bool{}, pods: map[Pod]int32{}, idle: map[Pod]bool{}, next: map[int32]int32{},
	}
}

func (c *churn) grow() {
	if n := len(c.c.Nodes); n < len(c.edges.Nodes) && c.rng.IntN(2) == 0 {
		c.c.Nodes = c.edges.Nodes[:n+1]
	}
	if n := len(c.c.Workloads); n < len(c.edges.Workloads) && c.rng.IntN(2) == 0 {
		c.c.Workloads = c.edges.Workloads[:n+1]
	}
	if c.rng.IntN(5) == 0 {
		c.c.Nodes[c.rng.IntN(len(c.c.Nodes))].Zone = fmt.Sprint("z", c.rng.IntN(3))
	}
	if n := &c.c.Nodes[c.rng.IntN(len(c.c.Nodes))]; c.rng.IntN(5) == 0 && len(n.Labels) > 0 {
		n.Labels = append([]string{fmt.Sprint(c.rng.IntN(3))}, n.Labels[1:]...)
	}
	if c.rng.IntN(5) == 0 {
		c.c.Workloads[c.rng.IntN(len(c.c.Workloads))].Routing = cuttest.RandomRouting(c.rng)
	}
	if c.rng.IntN(5) == 0 {
		c.c.Workloads[c.rng.IntN(len(c.c.Workloads))].Shares = cuttest.RandomShares(c.rng, 4)
	}
}

func (c *churn) event(at time.Time) (Event, bool) {
	node := int32(c.rng.IntN(len(c.c.Nodes)))
	e := Event{At: at, Node: node}
	pods := slices.SortedFunc(maps.Keys(c.pods), func(a, b Pod) int { return int(a.Workload-b.Workload)*1000 + int(a.Ordinal-b.Ordinal) })
	switch kind := c.rng.IntN(12); {
	case kind == 0:
		e.Kind = NodeDown
		delete(c.up, node)
	case kind < 3:
		e.Kind = NodeUp
		c.up[node] = true
	case kind < 5 && len(pods) > 0:
		e.Kind, e.Pod = Leave, pods[c.rng.IntN(len(pods))]
		delete(c.pods, e.Pod)
	case kind == 5 && len(pods) > 0:
		e.Kind, e.Pod = Bind, pods[c.rng.IntN(len(pods))]
		if c.pods[e.Pod] != Anywhere {
			return e, false
		}
		c.pods[e.Pod] = node
	case kind > 9 && len(pods) > 0:
		e.Kind, e.Pod = Ready, pods[c.rng.IntN(len(pods))]
		if c.idle[e.Pod] = c.rng.IntN(2) == 0; c.idle[e.Pod] {
			e.Kind = Unready
		}
	default:
		w := int32(c.rng.IntN(len(c.c.Workloads)))
		if c.rng.IntN(4) == 0 {
			e.Node = Anywhere
		}
		e.Pod = Pod{w, c.next[w]}
		c.next[w]++
		c.pods[e.Pod] = e.Node
	}
	return e, true
}

// measured is how the cluster is measured when what stands for the pods of the
// recording is placed like this.
func (c *churn) measured(placed map[Pod]int32) (*cluster.Cluster, cluster.Assignment) {
	m := &cluster.Cluster{Scale: c.c.Scale, Nodes: c.c.Nodes, Workloads: slices.Clone(c.c.Workloads), Edges: c.edges.Edges}
	assigned := make(cluster.Assignment, len(m.Workloads))
	for pod, node := range placed {
		if c.pods[pod] != Anywhere && !c.idle[pod] {
			assigned[pod.Workload] = append(assigned[pod.Workload], node)
		}
	}
	return m, assigned
}

// there are the pods that the recording has on a node that is there.
func (c *churn) there() map[Pod]int32 {
	there := map[Pod]int32{}
	for pod, node := range c.pods {
		if c.up[node] {
			there[pod] = node
		}
	}
	return there
}

// TestTimelineAgreesWithMeasure compares what is added up piece by piece with what
// Measure finds in the whole assignment at every moment, and the state with one
// that is kept apart.
func TestTimelineAgreesWithMeasure(t *testing.T) {
	for seed := range uint64(150) {
		c := newChurn(seed)
		recorded := NewTimeline(TimelineOptions{Cluster: c.c})
		placer := newFewest(t, 3)
		order := Orders()[seed%4]
		replayed := NewTimeline(TimelineOptions{Cluster: c.c, Placer: placer, Order: order, Rand: c.rng, WarmUp: at(40)})
		var byRecording, byPlacer reference
		for step := range 30 {
			c.grow()
			s := &Step{At: at(10 * float64(step+1)), Length: 10 * time.Second, Gap: c.rng.IntN(6) == 0, Edges: c.edges.Edges}
			last := 0.0
			for range c.rng.IntN(6) {
				// What the Placer has is known at the end of a step only: in every other
				// recording all happens at the beginning of the steps.
				offset := last
				if seed%2 == 0 {
					offset = last + c.rng.Float64()*(10-last)
				}
				byRecording.add(c, c.there(), s, offset-last)
				if e, ok := c.event(s.start().Add(time.Duration(offset * float64(time.Second)))); ok {
					s.Events = append(s.Events, e)
				}
				last = offset
			}
			byRecording.add(c, c.there(), s, 10-last)
			for _, timeline := range []*Timeline{recorded, replayed} {
				if err := timeline.Step(t.Context(), s); err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
			}
			if step >= 4 {
				byPlacer.add(c, standing(t, replayed, placer), s, 10)
			}
		}
		byRecording.check(t, fmt.Sprint("recorded, seed ", seed), recorded.Course(), c.there())
		if seed%2 == 1 {
			byPlacer.check(t, fmt.Sprint(order, ", seed ", seed), replayed.Course(), standing(t, replayed, placer))
		}
		if len(placer.at) > len(c.pods) {
			t.Errorf("%s, seed %d: %d pods are placed, but the recording has %d", order, seed, len(placer.at), len(c.pods))
		}
	}
}

// standing returns where the pods of a run are by the pods of the recording that
// they stand for, after a comparison with what the Placer has.
func standing(t *testing.T, timeline *Timeline, placer *fewest) map[Pod]int32 {
	t.Helper()
	stand, placed := map[Pod]int32{}, map[Pod]int32{}
	for w, pods := range timeline.pods.by {
		for ordinal, p := range pods {
			if p.at != Anywhere {
				stand[Pod{int32(w), ordinal}], placed[Pod{int32(w), p.as}] = p.at, p.at
			}
		}
	}
	if !maps.Equal(placed, placer.at) || timeline.pods.placed != len(placed) {
		t.Errorf("the run has %d pods, %v; the Placer %v", timeline.pods.placed, placed, placer.at)
	}
	return stand
}

// reference adds up Measure.
type reference struct {
	seconds, total, unserved float64
	kept                     [4]map[locality.Level]float64
}

func (r *reference) add(c *churn, placed map[Pod]int32, s *Step, seconds float64) {
	if s.Gap {
		return
	}
	m, assigned := c.measured(placed)
	o := cut.Measure(m, assigned, nil)
	r.seconds += seconds
	r.total += seconds * o.Total
	r.unserved += seconds * o.Unserved
	var l cut.LevelOutcome
	for _, level := range m.Scale.Levels() {
		// While no node has a domain there, what stays at the next nearer level does.
		if known, ok := o.Level(level); ok {
			l = known
		}
		for model, local := range l.Local {
			if r.kept[model] == nil {
				r.kept[model] = map[locality.Level]float64{}
			}
			r.kept[model][level] += seconds * local
		}
	}
}

func (r *reference) check(t *testing.T, name string, got *Course, placed map[Pod]int32) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(b)) }
	if !near(got.Observed.Seconds(), r.seconds) || !near(got.Total*got.Observed.Seconds(), r.total) {
		t.Errorf("%s: total %v over %v, want %v over %v s", name, got.Total, got.Observed, r.total/r.seconds, r.seconds)
	}
	if !near(got.Unserved*got.Observed.Seconds(), r.unserved) {
		t.Errorf("%s: %v unserved, want %v", name, got.Unserved, r.unserved/r.seconds)
	}
	for _, l := range got.Levels {
		for model, local := range l.Local {
			if want := r.kept[model][l.Level] / r.seconds; !near(local, want) {
				t.Errorf("%s: %s, %s: %v stays, want %v", name, l.Level, cut.Model(model), local, want)
			}
		}
	}
	if got.Idle != nil { // what serves is compared by what stays
		for w, nodes := range got.Idle {
			got.Assigned[w] = append(got.Assigned[w], nodes...)
		}
	}
	want := make(cluster.Assignment, len(got.Assigned))
	for pod, node := range placed {
		want[pod.Workload] = append(want[pod.Workload], node)
	}
	for w := range want {
		slices.Sort(want[w])
		slices.Sort(got.Assigned[w])
	}
	if !slices.EqualFunc(got.Assigned, want, slices.Equal) {
		t.Errorf("%s: assigned %v, want %v", name, got.Assigned, want)
	}
}
