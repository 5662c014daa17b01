package mesh

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// objectKey names a pod, or a node, which has no namespace.
type objectKey struct{ namespace, name string }

// series is one proxy's view of one kind of traffic.
type series struct {
	proxy    objectKey // the pod or the node that it belongs to
	reporter string    // "source" or "destination": the end at which the proxy is
	exchange
}

// exchange is what proxies tell apart.
type exchange struct {
	from, to peer
	service  flowgraph.WorkloadID // that is called, zero for a host
	host     string               // outside the mesh
	protocol string
}

// peer is a workload with the attributes of its pods, and the pod.
type peer struct {
	id             flowgraph.WorkloadID // zero: outside the mesh
	app, version   string
	serviceAccount string
	at             locality.Locality
	pod            podPeer
}

// podPeer is what a pod does not share with all others of its workload.
type podPeer struct {
	name, address string
	owner         owner
	hash          string // of its template
}

// owner is what a pod is controlled by, "" for a pod that nothing controls. The kind is in
// lower case.
type owner struct{ kind, name string }

// traffic is an amount: requests, bytes to the server, bytes to the client.
type traffic struct{ requests, sent, received float64 }

func requests(t traffic) float64 { return t.requests }
func sent(t traffic) float64     { return t.sent }
func received(t traffic) float64 { return t.received }

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
	kind     Type
	age      time.Duration // of the mesh
	reported map[series]*counted
	truth    map[path]float64 // bytes in both directions
}

// counted is the traffic of a series, and when it last rose.
type counted struct {
	traffic
	at time.Duration
}

func newCounters(kind Type) counters {
	return counters{kind: kind, reported: map[series]*counted{}, truth: map[path]float64{}}
}

// keep lets time pass. It drops the series of proxies whose pods and nodes are gone, and
// those that proxies drop because they are idle.
func (c *counters) keep(dt time.Duration, live map[objectKey]bool) {
	c.age += dt
	for s, of := range c.reported {
		if idle := c.age - of.at; !live[s.proxy] || c.kind.keepsIdle > 0 && idle > c.kind.keepsIdle {
			delete(c.reported, s)
		}
	}
}

func (c *counters) report(reporter string, at endpoint, e exchange, t traffic) {
	s := series{proxy: objectKey{at.pod.Namespace, at.pod.Name}, reporter: reporter, exchange: c.kind.sees(e)}
	if c.kind.perNode {
		s.proxy = objectKey{name: at.pod.Spec.NodeName}
	}
	sum := c.reported[s]
	if sum == nil {
		sum = &counted{}
		c.reported[s] = sum
	}
	sum.add(t)
	if t != (traffic{}) {
		sum.at = c.age
	}
}

// between counts what a client pod and a server pod exchange: both ends report it.
func (c *counters) between(client, server endpoint, service flowgraph.WorkloadID, protocol string, t traffic) {
	e := exchange{from: peerOf(client), to: peerOf(server), service: service, protocol: protocol}
	c.report("source", client, e, t)
	c.report("destination", server, e, t)
	c.truth[path{client.workload, server.workload, client.at, server.at}] += t.sent + t.received
}

// outbound counts what a client pod exchanges with a host outside the mesh.
func (c *counters) outbound(client endpoint, host, protocol string, t traffic) {
	c.report("source", client, exchange{from: peerOf(client), host: host, protocol: protocol}, t)
}

// inbound counts what a server pod exchanges with a client outside the mesh.
func (c *counters) inbound(server endpoint, service flowgraph.WorkloadID, protocol string, t traffic) {
	c.report("destination", server, exchange{to: peerOf(server), service: service, protocol: protocol}, t)
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
	return peer{
		id: e.workload, app: app, version: version, serviceAccount: account, at: e.at,
		pod: podPeer{e.pod.Name, e.pod.Status.PodIP, ownerOf(e.pod), e.pod.Labels["pod-template-hash"]},
	}
}

// ownerOf returns the top-level controller of a pod.
func ownerOf(pod *corev1.Pod) owner {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return owner{}
	}
	above := map[string]string{"ReplicaSet": "deployment", "Job": "cronjob"}[ref.Kind]
	if name := kube.ControllerOf(pod); above != "" && name != ref.Name && name != pod.Name {
		return owner{above, name}
	}
	return owner{strings.ToLower(ref.Kind), ref.Name}
}
