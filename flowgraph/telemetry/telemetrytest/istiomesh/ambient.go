package istiomesh

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	test "github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
)

// mode is how a pod is in the mesh.
type mode int

const (
	sidecarMode mode = iota
	ambientMode
	waypointMode // ambient, and calls to its workload go through a waypoint
)

// modes says how pods are in the mesh.
type modes struct {
	of func(test.Pod) mode
	// sidecarsKnowAmbient says that sidecars know the workloads of clients that have none.
	sidecarsKnowAmbient bool
}

// Ambient is a mesh in ambient mode without waypoints.
func Ambient() test.Mesh {
	return mesh(func(test.Pod) mode { return ambientMode }, true)
}

// Waypoints is a mesh in ambient mode. Calls within the namespaces shop and data, and to
// them, go through a waypoint.
func Waypoints() test.Mesh {
	return mesh(func(p test.Pod) mode {
		if p.Namespace == "pay" {
			return ambientMode
		}
		return waypointMode
	}, true)
}

// Mixed is a mesh with sidecars in the namespace shop, a waypoint in data and ztunnel alone in
// pay. Sidecars call past waypoints.
func Mixed() test.Mesh {
	return mesh(func(p test.Pod) mode {
		return map[string]mode{"shop": sidecarMode, "data": waypointMode, "pay": ambientMode}[p.Namespace]
	}, true)
}

// Migrating is a mesh in which one pod of each workload has a sidecar and the other is in
// ambient mode. sidecarsKnowAmbient says that sidecars know the workloads of clients in
// ambient mode.
func Migrating(sidecarsKnowAmbient bool) test.Mesh {
	return mesh(func(p test.Pod) mode {
		if p.Index%2 == 0 {
			return sidecarMode
		}
		return ambientMode
	}, sidecarsKnowAmbient)
}

func mesh(of func(test.Pod) mode, sidecarsKnowAmbient bool) test.Mesh {
	m := modes{of, sidecarsKnowAmbient}
	var optional []string
	for label := range ztunnelLabels(test.Call{}, "source", test.Pod{}, test.Pod{}) {
		switch label {
		case "reporter", "source_workload", "source_workload_namespace", "destination_workload", "destination_workload_namespace":
		default:
			optional = append(optional, label)
		}
	}
	slices.Sort(optional)
	return test.Mesh{
		Report: func(c test.Call) []test.Counter {
			return slices.Concat(m.sidecars(c), m.ztunnels(c), waypoint(c))
		},
		// The client's proxy knows all workloads, and so does ztunnel. A sidecar does not know
		// clients that have no proxy.
		Names:    func(c test.Call) bool { return c.Client.Meshed || c.Server.Meshed && m.isAmbient(c.Server) },
		Waypoint: m.waypoint,
		Optional: append(optional, "response_code", "grpc_response_status"),
		Tolerance: func(p test.Protocol) float64 {
			return map[test.Protocol]float64{test.TCP: 0.01, test.HTTP: 0.05}[p]
		},
	}
}

func (m modes) isAmbient(p test.Pod) bool { return m.of(p) != sidecarMode }

func (m modes) waypoint(client test.Pod, server flowgraph.WorkloadID) string {
	if m.isAmbient(client) && m.of(test.Pod{Namespace: server.Namespace, Workload: server.Name}) == waypointMode {
		return "waypoint"
	}
	return ""
}

// ztunnels is what the ztunnels of the nodes at both ends report. To a waypoint and from it
// there is one: that is neither a client nor a server of ztunnel's.
func (m modes) ztunnels(c test.Call) []test.Counter {
	var all []test.Counter
	to, from := c.Server, c.Client
	if c.Waypoint != (test.Pod{}) {
		to, from = c.Waypoint, c.Waypoint
	}
	if c.Client.Meshed && m.isAmbient(c.Client) {
		traffic := attempted
		if c.Waypoint != (test.Pod{}) {
			traffic = moved
		}
		all = append(all, tcp(ztunnelLabels(c, "source", c.Client, to), ztunnel(c.Client.Node), traffic)...)
	}
	if c.Server.Meshed && m.isAmbient(c.Server) {
		all = append(all, tcp(ztunnelLabels(c, "destination", from, c.Server), ztunnel(c.Server.Node), attempted)...)
	}
	return all
}

// ztunnel is the target of a node.
func ztunnel(node string) test.Target {
	return test.Target{Namespace: "istio-system", Pod: "ztunnel-" + node, Address: "192.168.0." + node[max(0, len(node)-1):]}
}

// attempted is all that crossed the network.
func attempted(s test.Step) test.Traffic {
	return test.Traffic{
		Requests: s.Moved.Requests + s.Retried.Requests, Sent: s.Moved.Sent + s.Retried.Sent, Received: s.Moved.Received + s.Retried.Received,
	}
}

// ztunnelLabels are those that ztunnel gives to a connection of two pods.
func ztunnelLabels(c test.Call, reporter string, from, to test.Pod) map[string]string {
	leg := c
	leg.Client = from
	of := labels(leg, reporter, "tcp", true)
	end(of, "destination", to, true)
	of["connection_security_policy"] = "mutual_tls"
	of["source_region"], of["source_zone"], of["destination_region"], of["destination_zone"] = "r", "z", "r", "z"
	return of
}

// waypoint is what a waypoint reports: the same bytes once more.
func waypoint(c test.Call) []test.Counter {
	if c.Waypoint == (test.Pod{}) {
		return nil
	}
	target := c.Waypoint.Target()
	if c.Protocol == test.TCP {
		return tcp(labels(c, "waypoint", "tcp", true), target, moved)
	}
	return http(labels(c, "waypoint", "http", true), target, func(s test.Step) []test.Traffic { return []test.Traffic{s.Ended} })
}
