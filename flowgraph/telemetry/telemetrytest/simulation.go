package telemetrytest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

const (
	window         = 10 * time.Minute
	interval       = 5 * time.Second // of scrapes
	tick           = interval / 2    // of the simulation
	streamLasts    = 2 * time.Minute
	streamsAtATime = 8 // of each call
)

// simulation is a cluster, its traffic and its proxies over time. What goes wrong in it is
// set between calls of run.
type simulation struct {
	cluster
	mesh   Mesh
	random *rand.Rand
	ticks  int

	long    bool                // requests are streams
	retried float64             // part of the HTTP traffic that is sent once more
	silent  map[int]bool        // indices of traffic() that do not flow
	without []string            // labels that counters lack
	twice   bool                // two jobs scrape all targets
	least   float64             // part of all rates that must be seen
	blind   []span              // when less may be seen
	outage  bool                // nobody scrapes
	down    map[Target]bool     // cannot be scraped
	planned []planned           // nil when pods or traffic have changed
	calls   map[callOf]*current // that have been made
	series  map[string]*series
	order   []*series
	books   books
	rosters []roster // at each scrape
}

// span is a time, its end included.
type span struct{ from, to time.Duration }

// callOf is a call of one of the streams of traffic.
type callOf struct {
	Call
	stream int
}

// planned is a call that is made in each tick.
type planned struct {
	Call
	*current
	perTick Traffic
}

// current is what the simulation keeps of a call.
type current struct {
	counts []count
	named  bool
	recent []Traffic // what moved in the last ticks, of a long stream
	phase  int       // in which ticks streams end
}

// count is a counter that a call adds to.
type count struct {
	*series
	add func(Step) float64
}

func newSimulation(m Mesh) *simulation {
	s := &simulation{
		cluster: cluster{pods: roster{}, started: map[flowgraph.WorkloadID]int{}},
		mesh:    m, least: 1, random: rand.New(rand.NewPCG(1, 2)),
		silent: map[int]bool{}, down: map[Target]bool{}, calls: map[callOf]*current{}, series: map[string]*series{}, books: newBooks(),
	}
	for range replicas {
		for _, id := range s.needed() {
			s.start(id)
		}
	}
	s.rosters = append(s.rosters, maps.Clone(s.pods))
	return s
}

// needed returns the workloads that have traffic, waypoints included.
func (s *simulation) needed() []flowgraph.WorkloadID {
	all := map[flowgraph.WorkloadID]bool{}
	for _, t := range traffic() {
		all[t.from], all[t.to] = true, true
		for i := range replicas {
			client := Pod{Namespace: t.from.Namespace, Workload: t.from.Name, Index: i, Meshed: true}
			if w := s.waypoint(client, t.to); !w.IsZero() {
				all[w] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), flowgraph.WorkloadID.Compare)
}

// waypoint returns the workload through which the calls of a client go, zero for none.
func (s *simulation) waypoint(client Pod, to flowgraph.WorkloadID) flowgraph.WorkloadID {
	if s.mesh.Waypoint == nil || !client.Meshed {
		return flowgraph.WorkloadID{}
	}
	name := s.mesh.Waypoint(client, to)
	if name == "" {
		return flowgraph.WorkloadID{}
	}
	return flowgraph.WorkloadID{Namespace: to.Namespace, Name: name}
}

// now is the time of the newest scrape, counted from that before the first.
func (s *simulation) now() time.Duration { return time.Duration(s.books.scrapes()-1) * interval }

// run lets time pass, whole scrape intervals.
func (s *simulation) run(d time.Duration) {
	s.planned = nil // pods and what flows may have changed since
	for range d / interval {
		for range interval / tick {
			s.advance()
		}
		s.scrape()
	}
}

// advance lets a tick's traffic flow.
func (s *simulation) advance() {
	s.ticks++
	if s.planned == nil {
		s.plan()
	}
	for _, p := range s.planned {
		s.flow(p)
	}
}

// plan divides the traffic over the pods that run.
func (s *simulation) plan() {
	for i, t := range traffic() {
		if s.silent[i] {
			continue
		}
		clients, servers := s.pods[t.from], s.pods[t.to]
		for _, client := range clients {
			waypoints := s.waypoints(client, t.to)
			part := tick.Seconds() / float64(len(clients)*len(servers)*len(waypoints))
			for _, server := range servers {
				for _, waypoint := range waypoints {
					c := callOf{Call{client, server, waypoint, t.protocol}, i}
					s.planned = append(s.planned, planned{c.Call, s.begin(c), t.times(part)})
				}
			}
		}
	}
}

// waypoints returns the pods through one of which a call goes; the zero one where it goes
// straight.
func (s *simulation) waypoints(client Pod, to flowgraph.WorkloadID) []Pod {
	if w := s.waypoint(client, to); !w.IsZero() {
		return s.pods[w]
	}
	return []Pod{{}}
}

// flow lets a call exchange about so much as is planned.
func (s *simulation) flow(p planned) {
	t := p.perTick
	t.Sent *= 0.8 + 0.4*s.random.Float64() // requests differ in size
	t.Received *= 0.8 + 0.4*s.random.Float64()
	step := Step{Moved: t, Ended: t}
	if p.Protocol == HTTP {
		step.Retried = t.times(s.retried)
		if s.long {
			step.Ended = p.ended(t, s.ticks)
		}
	}
	for _, counter := range p.counts {
		counter.value += counter.add(step)
		counter.exposed = true
	}
	s.books.add(p.Call, step, p.current, s.mesh.OneWay)
}

// begin returns what is kept of a call. When it is made for the first time, it asks the mesh
// what it reports of it.
func (s *simulation) begin(c callOf) *current {
	now, known := s.calls[c]
	if known {
		return now
	}
	now = &current{phase: len(s.calls)}
	s.calls[c] = now
	if !c.Client.Meshed && !c.Server.Meshed {
		return now
	}
	for _, counter := range s.mesh.Report(c.Call) {
		now.counts = append(now.counts, count{s.seriesOf(counter), counter.Add})
	}
	now.named = s.mesh.Names(c.Call)
	return now
}

// ended is what belongs to the streams that end in a tick: several flow at a time, of which
// one ends every now and then.
func (c *current) ended(moved Traffic, ticks int) Traffic {
	const lasts, every = int(streamLasts / tick), int(streamLasts / tick / streamsAtATime)
	if c.recent = append(c.recent, moved); len(c.recent) > lasts {
		c.recent = c.recent[1:]
	}
	if (ticks+c.phase)%every != 0 {
		return Traffic{}
	}
	all := Traffic{}
	for _, t := range c.recent {
		all.add(t)
	}
	all = all.times(1 / float64(streamsAtATime))
	all.Requests = 1
	return all
}

func (t Traffic) times(part float64) Traffic {
	return Traffic{t.Requests * part, t.Sent * part, t.Received * part}
}

func (t *Traffic) add(o Traffic) {
	t.Requests += o.Requests
	t.Sent += o.Sent
	t.Received += o.Received
}

// restart begins the counters of a target anew, as its process does.
func (s *simulation) restart(t Target) {
	for _, series := range s.order {
		if series.target == t {
			series.value, series.exposed = 0, false
		}
	}
}

// targets returns all that have been scraped and still run, in order.
func (s *simulation) targets() []Target {
	all := map[Target]bool{}
	for _, series := range s.order {
		if !s.down[series.target] {
			all[series.target] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b Target) int { return cmp.Compare(a.String(), b.String()) })
}

// replace starts a new pod of a workload, and then stops its oldest.
func (s *simulation) replace(id flowgraph.WorkloadID) {
	s.start(id)
	s.run(2 * interval)
	s.down[s.pods[id][0].Target()] = true
	s.stop(id)
}

// crash takes a pod of a workload away for some time. It comes back under its name.
func (s *simulation) crash(id flowgraph.WorkloadID, d time.Duration) {
	pod := s.pods[id][0]
	s.stop(id)
	s.down[pod.Target()] = true
	s.run(d)
	s.restart(pod.Target())
	delete(s.down, pod.Target())
	s.pods[id] = append(s.pods[id], pod)
}

// bare takes the proxies of the first pods of a workload away, before anything runs.
func (s *simulation) bare(namespace, name string, pods int) {
	id := flowgraph.WorkloadID{Namespace: namespace, Name: name}
	for i := range pods {
		s.pods[id][i].Meshed = false
	}
}

// String tells targets apart.
func (t Target) String() string { return fmt.Sprint(t.Namespace, "/", t.Pod, "/", t.Address) }
