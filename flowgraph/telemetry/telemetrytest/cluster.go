package telemetrytest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const (
	replicas = 2
	nodes    = 3
)

// stream is the traffic from one workload to another, a second.
type stream struct {
	from, to flowgraph.WorkloadID
	protocol Protocol
	Traffic
}

// traffic is the ground truth: rates of very different sizes, within a namespace and
// between several, in both directions between two workloads, of both protocols between two,
// and of a workload with itself.
func traffic() []stream {
	id := func(namespace, name string) flowgraph.WorkloadID {
		return flowgraph.WorkloadID{Namespace: namespace, Name: name}
	}
	web, api, cart, db, ledger := id("shop", "web"), id("shop", "api"), id("shop", "cart"), id("data", "db"), id("pay", "ledger")
	return []stream{
		{web, api, HTTP, Traffic{200, 100e3, 3e6}},
		{web, api, TCP, Traffic{1, 40e3, 20e3}},
		{api, web, HTTP, Traffic{2, 900, 4000}},
		{web, cart, HTTP, Traffic{40, 30e3, 8e3}},
		{api, db, TCP, Traffic{3, 70e3, 50e6}},
		{db, db, TCP, Traffic{1, 5e6, 2e3}},
		{api, ledger, HTTP, Traffic{10, 7e3, 5e3}},
		{ledger, db, TCP, Traffic{1, 300, 200}},
	}
}

// roster is the pods that run at a time, by workload, in the order of their start.
type roster map[flowgraph.WorkloadID][]Pod

// cluster is the pods that run.
type cluster struct {
	pods    roster
	started map[flowgraph.WorkloadID]int
	count   int
}

// start starts one more pod of a workload.
func (c *cluster) start(id flowgraph.WorkloadID) {
	n := c.started[id]
	c.pods[id] = append(c.pods[id], Pod{
		Namespace: id.Namespace, Name: fmt.Sprintf("%s-6b5d-%d", id.Name, n), Workload: id.Name,
		Node: fmt.Sprint("node-", c.count%nodes), Address: fmt.Sprintf("10.0.%d.%d", c.count/250, 1+c.count%250),
		Meshed: true, Index: n,
	})
	c.started[id]++
	c.count++
}

// stop stops the pod of a workload that has run longest.
func (c *cluster) stop(id flowgraph.WorkloadID) { c.pods[id] = c.pods[id][1:] }

// workloads returns the workloads that have pods, in order.
func (c *cluster) workloads() []flowgraph.WorkloadID {
	return slices.SortedFunc(maps.Keys(c.pods), flowgraph.WorkloadID.Compare)
}

// resolver answers for the pods of one time.
type resolver struct{ roster }

// Resolve implements telemetry.Resolver.
func (r *resolver) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		known := telemetry.Resolution{Reason: telemetry.UnknownObject}
		for id, pods := range r.roster {
			if slices.ContainsFunc(pods, func(p Pod) bool { return p.is(e) }) {
				known = telemetry.Resolution{Shares: []telemetry.Share{{Workload: id, Part: 1}}}
			}
		}
		all = append(all, known)
	}
	return all
}

// is reports whether an endpoint stands for the pod, alone or among others.
func (p Pod) is(e telemetry.Endpoint) bool {
	switch e.Kind {
	case telemetry.AddressEndpoint:
		return e.Name == p.Address
	case telemetry.ConsulServiceEndpoint: // whose community edition has one namespace
		return e.Name == p.Workload && e.Namespace == "default"
	}
	name := ""
	switch e.Kind {
	case telemetry.ServiceEndpoint:
		name = p.Workload
	case telemetry.PodEndpoint:
		name = p.Name
	case telemetry.ReplicaSetEndpoint:
		name = p.Workload + "-6b5d"
	case telemetry.AppEndpoint:
		name = "app=" + p.Workload
	}
	return e.Name == name && e.Namespace == p.Namespace
}
