package mesh

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

type podKey struct{ namespace, name string }

// series is one proxy's view of one kind of traffic. As in Istio, the peer is
// known as a workload, not as a pod.
type series struct {
	proxy    podKey
	reporter string
	from, to peer
	service  string // host that was called
	name     string // destination_service_name
	protocol string
}

// peer is a workload with the labels that Istio gives it.
type peer struct {
	id               flowgraph.WorkloadID // zero: unknown
	app, version     string
	serviceAccount   string
	serviceNamespace string
}

// traffic is an amount: requests, bytes to the server, bytes to the client.
type traffic struct{ requests, sent, received float64 }

func (t *traffic) add(o traffic) {
	t.requests += o.requests
	t.sent += o.sent
	t.received += o.received
}

// path is where traffic really went: what no proxy knows.
type path struct {
	from, to     flowgraph.WorkloadID
	source, dest locality.Locality
}

type counters struct {
	reported map[series]*traffic
	truth    map[path]float64 // bytes in both directions
}

func newCounters() counters {
	return counters{reported: map[series]*traffic{}, truth: map[path]float64{}}
}

// keep drops the series of proxies that are gone.
func (c *counters) keep(live map[podKey]bool) {
	for s := range c.reported {
		if !live[s.proxy] {
			delete(c.reported, s)
		}
	}
}

func (c *counters) report(s series, t traffic) {
	sum := c.reported[s]
	if sum == nil {
		sum = &traffic{}
		c.reported[s] = sum
	}
	sum.add(t)
}

// between counts what a client pod and a server pod exchange: both report it.
func (c *counters) between(client, server endpoint, service flowgraph.WorkloadID, protocol string, t traffic) {
	s := series{
		from: peerOf(client), to: peerOf(server), protocol: protocol,
		service: hostOf(service), name: service.Name,
	}
	s.reporter, s.proxy = "source", keyOf(client)
	c.report(s, t)
	s.reporter, s.proxy = "destination", keyOf(server)
	c.report(s, t)
	c.truth[path{client.workload, server.workload, client.at, server.at}] += t.sent + t.received
}

// outbound counts what a client pod exchanges with a host outside the mesh.
func (c *counters) outbound(client endpoint, host, protocol string, t traffic) {
	c.report(series{
		proxy: keyOf(client), reporter: "source", from: peerOf(client),
		service: host, name: "PassthroughCluster", protocol: protocol,
	}, t)
}

// inbound counts what a server pod exchanges with a client outside the mesh.
func (c *counters) inbound(server endpoint, service flowgraph.WorkloadID, protocol string, t traffic) {
	c.report(series{
		proxy: keyOf(server), reporter: "destination", to: peerOf(server),
		service: hostOf(service), name: service.Name, protocol: protocol,
	}, t)
}

func keyOf(e endpoint) podKey { return podKey{e.pod.Namespace, e.pod.Name} }

func hostOf(service flowgraph.WorkloadID) string {
	return service.Name + "." + service.Namespace + ".svc.cluster.local"
}

func peerOf(e endpoint) peer {
	app, version := e.pod.Labels["app"], e.pod.Labels["version"]
	if app == "" {
		app = e.workload.Name
	}
	if version == "" {
		version = "latest"
	}
	account := e.pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	return peer{id: e.workload, app: app, version: version, serviceAccount: account, serviceNamespace: e.pod.Namespace}
}
