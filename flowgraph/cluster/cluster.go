// Package cluster describes a cluster as a scheduler sees it: nodes with their
// localities and room, workloads with the pods that they want, the traffic between
// them, and an [Assignment] of pods to nodes. It describes; measuring is the
// business of package cut, and placing that of package sim.
package cluster

import (
	"errors"
	"fmt"
	"maps"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Resources is an amount of what pods ask for and nodes have.
type Resources struct {
	// MilliCPU is thousandths of a core.
	MilliCPU int64
	// Memory is bytes.
	Memory int64
}

// Node is a machine.
type Node struct {
	locality.Locality
	// Labels are its values of the labels of Cluster.Scale, by their position
	// there, "" where it has none. They are replaced, never written.
	Labels []string
	// Allocatable is what pods can have of it; a node without any takes no pod.
	Allocatable Resources
	// MaxPods is how many pods it takes.
	MaxPods int32
	// Bandwidth is what its network takes in each direction, in bytes per second; 0
	// when that is not known.
	Bandwidth float64
	// ControlPlane says that the node runs the cluster's control plane.
	ControlPlane bool
	// Dedicated says that the node takes pods of Tolerant workloads only. Clusters that are
	// read say that by the taints of their nodes instead.
	Dedicated bool
	// Gone says that the node has left the cluster: no pod is on it, it has no room,
	// and its topology domains do not count unless other nodes are in them.
	Gone bool
}

// Workload is a controller and the pods that it wants.
type Workload struct {
	ID flowgraph.WorkloadID
	// Replicas is how many pods it wants, at least 1.
	Replicas int32
	// Requests is what each of its pods asks for.
	Requests Resources
	// Route is how calls to it are divided over its pods.
	Route
	// Exceptions are the routes of calls from some namespaces, where rules that
	// stand there, or are exported to there only, say otherwise; nil without any.
	Exceptions map[string]Route
	// Headless says that no proxy divides calls to it: it has no Service, or only
	// headless ones. Its pods call each other by name and never themselves.
	Headless bool
	// Fixed workloads are not placed anew: their pods stay where the cluster
	// has them (DaemonSets, for example).
	Fixed bool
	// Tolerant says that its pods may run on Dedicated nodes, and Spread that a rule
	// spreads them over the zones. Clusters that are read say that by their pods instead.
	Tolerant, Spread bool
	// Bare says that its pods have no controller: once deleted, they are not made
	// anew. Static pods are not bare.
	Bare bool
}

// Route is how calls are divided over the pods of a workload.
type Route struct {
	// Routing is as a Service, or a rule about it, says.
	Routing affinity.Routing
	// Shares says by zone what a Routing that is a ZoneShare sums up; nil where the
	// Routing holds for all zones alike.
	Shares Shares
}

// Equal reports whether both divide all calls alike.
func (r Route) Equal(other Route) bool {
	return r.Routing == other.Routing && r.Shares.Equal(other.Shares)
}

// RouteFrom is how calls from workloads of a namespace are divided.
func (w *Workload) RouteFrom(namespace string) Route {
	if r, ok := w.Exceptions[namespace]; ok {
		return r
	}
	return w.Route
}

// RoutesEqual reports whether calls to both are divided alike, wherever they come
// from.
func (w *Workload) RoutesEqual(other *Workload) bool {
	return w.Headless == other.Headless && w.Equal(other.Route) && maps.EqualFunc(w.Exceptions, other.Exceptions, Route.Equal)
}

// Cluster is what a replay starts from.
type Cluster struct {
	// Scale is the levels at which traffic is measured.
	Scale     locality.Scale
	Nodes     []Node
	Workloads []Workload
	// Assigned is the assignment that was found; nil when none is known. It may
	// have more pods than a workload wants (a rollout), or fewer.
	Assigned Assignment
	// Idle is where pods are that take room and do not serve: they are not ready,
	// for example. Nil when there are none.
	Idle Assignment
	// Edges is the traffic: with one entry for each pair of workloads at most in
	// each direction. An end that is neither among Workloads nor a site counts as
	// traffic with the outside, which no assignment can keep local.
	Edges []flowgraph.Edge
}

// Validate reports every contradiction in the cluster, each with the name of
// what is wrong.
func (c *Cluster) Validate() error {
	var errs []error
	report := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Nodes) == 0 {
		report("the cluster has no nodes")
	}
	nodes := map[string]bool{}
	for _, n := range c.Nodes {
		switch {
		case n.Node == "":
			report("a node has no name")
		case nodes[n.Node]:
			report("two nodes are called %s", n.Node)
		case n.Allocatable.MilliCPU < 0 || n.Allocatable.Memory < 0 || n.MaxPods < 0:
			report("node %s has less than no room: %d millicores, %d bytes, %d pods", n.Node, n.Allocatable.MilliCPU, n.Allocatable.Memory, n.MaxPods)
		}
		nodes[n.Node] = true
	}
	workloads := map[flowgraph.WorkloadID]bool{}
	for i, w := range c.Workloads {
		switch {
		case w.ID.IsZero():
			report("workload %d has no name", i)
		case workloads[w.ID]:
			report("two workloads are called %s", w.ID)
		case w.Replicas < 1:
			report("workload %s wants %d pods, must be at least 1", w.ID, w.Replicas)
		case w.Requests.MilliCPU < 0 || w.Requests.Memory < 0:
			report("workload %s asks for less than nothing", w.ID)
		}
		workloads[w.ID] = true
	}
	type pair struct{ from, to flowgraph.WorkloadID }
	pairs := map[pair]bool{}
	for _, e := range c.Edges {
		switch {
		case e.From.IsZero() || e.To.IsZero():
			report("an edge has no name at one end: %q to %q", e.From, e.To)
		case !e.Valid():
			report("edge %s to %s: a rate is negative, above 1e12 or no number", e.From, e.To)
		case pairs[pair{e.From, e.To}]:
			report("edge %s to %s: is there twice", e.From, e.To)
		}
		pairs[pair{e.From, e.To}] = true
	}
	if c.Assigned != nil {
		errs = append(errs, c.Assigned.Validate(c))
	}
	if c.Idle != nil {
		errs = append(errs, c.Idle.Validate(c))
	}
	return errors.Join(errs...)
}

// Traffic returns the traffic of all edges, in bytes per second in both directions,
// the part of it that workloads exchange with sites, and that which has an end elsewhere
// outside the cluster.
func (c *Cluster) Traffic() (total, withSites, external float64) {
	inside := make(map[flowgraph.WorkloadID]bool, len(c.Workloads))
	for _, w := range c.Workloads {
		inside[w.ID] = true
	}
	for _, e := range c.Edges {
		total += e.BytesPerSecond()
		switch {
		case inside[e.From] && inside[e.To]:
		case inside[e.From] && e.To.IsSite(), inside[e.To] && e.From.IsSite():
			withSites += e.BytesPerSecond()
		default:
			external += e.BytesPerSecond()
		}
	}
	return total, withSites, external
}
