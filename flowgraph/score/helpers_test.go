package score

import (
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

var dataTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// byNode are options under which only what stays on the node counts, and all of it.
func byNode() Options {
	return Options{Closeness: []float64{1, 0, 0}, MaxNodeShare: 1, MaxZoneShare: 1}
}

// everyLevel are options with the default closeness.
func everyLevel() Options {
	return Options{Closeness: []float64{1, 0.5, 0.1}, MaxNodeShare: 1, MaxZoneShare: 1}
}

func workload(name string) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: "shop", Name: name}
}

// served is a pod that serves.
func served(name string) Pod { return Pod{Workload: workload(name), Serves: true} }

// router divides all calls in one way, except those from some namespaces.
type router struct {
	routing affinity.Routing
	from    map[string]affinity.Routing
}

func (r router) Routing(_ int32, callerNamespace string) affinity.Routing {
	if routing, ok := r.from[callerNamespace]; ok {
		return routing
	}
	return r.routing
}

// scene is a Board that is built by hand.
type scene struct {
	testing.TB
	board  *Board
	engine *Engine
	snap   *flowgraph.Snapshot
	router router
	nodes  map[string]int32
}

func newScene(t testing.TB, o Options) *scene {
	b := NewBoard(o.Scale)
	s := &scene{TB: t, board: b, nodes: map[string]int32{}}
	s.engine = NewEngine(o, b, s)
	return s
}

// Routing implements Router.
func (s *scene) Routing(callee int32, callerNamespace string) affinity.Routing {
	return s.router.Routing(callee, callerNamespace)
}

// large is more than any pod asks for.
var large = Room{MilliCPU: 64_000, Memory: 256 << 30, Pods: 250}

// node adds a node with pods, and room for many more.
func (s *scene) node(name, zone string, pods ...string) int32 {
	n := s.board.AddNode(Node{Locality: locality.Locality{Node: name, Zone: zone, Region: "r"}})
	s.board.SetRoom(n, large, large)
	s.nodes[name] = n
	for _, pod := range pods {
		s.board.AddPod(n, served(pod))
	}
	return n
}

// calls is an edge with so many bytes per second.
func calls(from, to string, bytes float64) flowgraph.Edge {
	return flowgraph.Edge{From: workload(from), To: workload(to), ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: bytes}}
}

func (s *scene) traffic(edges ...flowgraph.Edge) {
	s.snap = flowgraph.NewSnapshot(1, dataTime, edges)
}

// request asks for one more pod of a workload, on any node.
func (s *scene) request(name string, desired int32) *Request {
	r := &Request{
		Snapshot: s.snap, Influence: 1, Workload: workload(name), Desired: desired, Requests: Room{MilliCPU: 1000, Pods: 1},
		Routing: func(namespace string) affinity.Routing { return s.router.Routing(Absent, namespace) },
	}
	for n := range int32(s.board.Len()) {
		r.Candidates = append(r.Candidates, n)
	}
	return r
}

// points are the scores by name.
func (s *scene) points(r *Result) map[string]int {
	if r.Basis == ByNothing {
		return nil
	}
	points := map[string]int{}
	for name, n := range s.nodes {
		points[name] = int(r.Points.Of(n))
	}
	return points
}
