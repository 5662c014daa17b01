// Package telemetrytest is the conformance suite of telemetry sources. It simulates a
// cluster whose traffic is known and the proxies that count it, feeds a PromQL engine with
// what a scrape would find, and compares what a source makes of it with the truth: the bytes
// of both directions of each edge, no edge more and none less, whatever happens to counters,
// pods, proxies, scrapes and labels.
//
// A source joins the suite with a Mesh. All targets are scraped at the same time, every 5
// seconds, and windows are 10 minutes long: a rate does not see what a proxy counts between
// its last scrape and its end, and this must stay below the tolerance.
//
// The package links no engine: tests bring one. Only tests may import it.
package telemetrytest

import (
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Mesh is a mesh as the suite needs to know it.
type Mesh struct {
	// New returns the source under test.
	New func(Options) (telemetry.Source, error)
	// Report returns the counters to which a call adds, of all proxies that see it. It is
	// asked once for each kind of call.
	Report func(Call) []Counter
	// Names reports whether some proxy that sees a call knows the workloads at both ends, so
	// that the call belongs to an edge. It must be true where both pods are in the mesh.
	Names func(Call) bool
	// Waypoint returns the workload in the server's namespace through whose pods the mesh
	// leads the calls of a client, "" for none. Edges are what crosses the network: one to
	// the waypoint and one from it. It may be nil.
	Waypoint func(client Pod, server flowgraph.WorkloadID) string
	// OneWay says that reports do not tell who called: what the server sends back is an
	// edge of its own, from the server to the client.
	OneWay bool
	// Distinct are the labels without which reports of the same traffic cannot be told
	// apart, so that without one of them what is left out may count several times.
	Distinct []string
	// Optional are the labels of counters that may be missing without any loss.
	Optional []string
	// Tolerance is how far off the bytes of a protocol may be, e.g. 0.01.
	Tolerance func(Protocol) float64
}

// Options configures the source under test.
type Options struct {
	// Window is the range of the rates.
	Window time.Duration
	// Selector is what a finding says it should be; "" before.
	Selector string
	// Resolver knows the pods and Services of the simulated cluster.
	Resolver telemetry.Resolver
}

// Protocol is what proxies take traffic for.
type Protocol int

// The protocols.
const (
	TCP Protocol = iota
	HTTP
)

// Pod is a pod of the simulated cluster. It is one of two pods of its workload, which is a
// Deployment with a Service of the same name.
type Pod struct {
	Namespace, Name, Workload, Node, Address string
	// Meshed says that a proxy of the mesh handles its traffic. It is false only in the
	// properties about missing proxies.
	Meshed bool
	// Index numbers the pods of a workload from 0 on; a pod that replaces another has a new one.
	Index int
}

// Call is traffic between two pods, through a Service that has the name of the server's
// workload.
type Call struct {
	Client, Server Pod
	// Waypoint is the pod through which the call goes; zero when there is none.
	Waypoint Pod
	Protocol Protocol
}

// Traffic is an amount of traffic.
type Traffic struct {
	Requests float64
	// Sent and Received are bytes, from the client to the server and back.
	Sent, Received float64
}

// Step is what a call exchanges within some seconds.
type Step struct {
	// Moved is what crossed the network.
	Moved Traffic
	// Ended is what belongs to requests and streams that ended, since these began.
	Ended Traffic
	// Retried is what further attempts at requests exchanged with the server. The client's
	// proxy or the waypoint sends them. It is not part of Moved or Ended.
	Retried Traffic
}

// Counter is a counter of a target to which a call adds.
type Counter struct {
	Target Target
	// Name and Labels are those that the target exposes.
	Name   string
	Labels map[string]string
	// Add is what a step adds.
	Add func(Step) float64
}

// Target is what is scraped. The scrape adds its labels: namespace, pod, job and instance.
type Target struct{ Namespace, Pod, Address string }

// Target returns the target of a proxy within the pod.
func (p Pod) Target() Target { return Target{p.Namespace, p.Name, p.Address} }
