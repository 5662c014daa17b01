package sources_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// agentMeshes are clusters without a mesh, in which agents on nodes see the traffic.
func agentMeshes() map[v1.SourceType]telemetrytest.Mesh {
	return map[v1.SourceType]telemetrytest.Mesh{
		"obi": packetAgents("obi"), "beyla": packetAgents("beyla"), "netobserv": netObserv(), "retina": retina(), "coroot": coroot(),
	}
}

// TestAgentsConform: the types for agents pass the suite.
func TestAgentsConform(t *testing.T) {
	for kind, mesh := range agentMeshes() {
		t.Run(string(kind), func(t *testing.T) {
			if kind != "coroot" {
				telemetrytest.Run(t, promtest.Engine, data(t, kind, mesh))
				return
			}
			// An address that is nobody's any more may have been somebody else's.
			fails := []string{"pods crash", "pods are replaced"}
			for _, property := range telemetrytest.Properties() {
				err := telemetrytest.Check(t, promtest.Engine, data(t, kind, mesh), property)
				if want := slices.Contains(fails, property); (err != nil) != want {
					t.Errorf("%s: %v, want an error: %v", property, err, want)
				}
			}
		})
	}
}

// TestPacketAgentsWithoutNodes: where labels do not say which nodes traffic is between, no
// edge counts too much, and none less than half. The sum over agents may be twice as much.
func TestPacketAgentsWithoutNodes(t *testing.T) {
	whole := packetAgents("obi")
	without := whole
	without.Report = func(c telemetrytest.Call) []telemetrytest.Counter {
		counters := whole.Report(c)
		for _, counter := range counters {
			delete(counter.Labels, "k8s_src_node_name")
			delete(counter.Labels, "k8s_dst_node_name")
		}
		return counters
	}
	kind, _, err := sources.Named("obi")
	if err != nil {
		t.Fatal(err)
	}
	sum := *kind.Definition
	sum.Queries = []promql.Query{{
		Query:    `sum by ($labels) (rate(obi_network_flow_bytes_total{direction="request",k8s_dst_owner_type!="Service"}[$window]) >= 0)`,
		Measures: promql.Sent,
	}}
	if found := findingsOf(t, *kind.Definition, whole); len(found) > 0 {
		t.Errorf("all is well, but it finds %v", found)
	}
	if found := findingsOf(t, *kind.Definition, without); len(found) != 1 || found[0].Condition != telemetry.MissingLabels || !strings.Contains(found[0].Do, "k8s.src.node.name") {
		t.Errorf("it does not say so, but finds %v", found)
	}
	want := sentOf(t, *kind.Definition, whole)
	got, all := sentOf(t, *kind.Definition, without), sentOf(t, sum, without)
	if len(want) < 5 {
		t.Fatalf("there are the edges %v", want)
	}
	tooMuch := 0
	for edge, truth := range want {
		if share := got[edge] / truth; share < 0.499 || share > 1.001 {
			t.Errorf("%s is %.3f of what it is", edge, share)
		}
		if all[edge] > 1.3*truth {
			tooMuch++
		}
	}
	if tooMuch < len(want)/2 {
		t.Errorf("the sum over agents is too much of %d edges only, of %d: the test shows nothing", tooMuch, len(want))
	}
}

// findingsOf is what a definition finds in a steady mesh.
func findingsOf(t *testing.T, d promql.Definition, m telemetrytest.Mesh) []telemetry.Finding {
	t.Helper()
	source, err := promql.New(promql.Options{Name: "it", Definition: d, Window: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	q, at := telemetrytest.Steady(t, promtest.Engine, m)
	o, err := source.Collect(t.Context(), q, at)
	if err != nil {
		t.Fatal(err)
	}
	found, err := source.Check(t.Context(), q, at, o)
	if err != nil {
		t.Fatal(err)
	}
	return append(found, o.Findings...)
}

// sentOf is what a definition reads of a steady mesh, by edge.
func sentOf(t *testing.T, d promql.Definition, m telemetrytest.Mesh) map[string]float64 {
	t.Helper()
	source, err := promql.New(promql.Options{Name: "it", Definition: d, Window: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	q, at := telemetrytest.Steady(t, promtest.Engine, m)
	o, err := source.Collect(t.Context(), q, at)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range o.Flows {
		all[f.From.String()+" -> "+f.To.String()] = f.SentBytesPerSecond
	}
	return all
}

// agentOn is the target of the agent of a node.
func agentOn(program, node string) telemetrytest.Target {
	return telemetrytest.Target{Namespace: program, Pod: program + "-" + node, Address: "192.168.0." + node[len(node)-1:]}
}

// moved says what a step adds: all that crosses the network in a direction.
func moved(of func(telemetrytest.Traffic) float64) func(telemetrytest.Step) float64 {
	return func(s telemetrytest.Step) float64 { return of(s.Moved) + of(s.Retried) }
}

func sent(t telemetrytest.Traffic) float64     { return t.Sent }
func received(t telemetrytest.Traffic) float64 { return t.Received }

// everywhere is true of agents, which see all pods.
func everywhere(telemetrytest.Call) bool { return true }

func onePercent(telemetrytest.Protocol) float64 { return 0.01 }

// ends returns labels of both ends, which have the prefixes src and dst.
func ends(labels map[string]string, src, dst map[string]string, prefixes [2]string) map[string]string {
	all := maps.Clone(labels)
	for label, value := range src {
		all[strings.ReplaceAll(label, "*", prefixes[0])] = value
	}
	for label, value := range dst {
		all[strings.ReplaceAll(label, "*", prefixes[1])] = value
	}
	return all
}

// packetAgents is what OBI and Beyla count on the interfaces of nodes: each packet on the
// node of the client and, unless that is the same, on the node of the server. Before its
// address is translated, a packet to a Service has the Service's, on the client's node alone.
func packetAgents(program string) telemetrytest.Mesh {
	of := func(p telemetrytest.Pod, kind, node string) map[string]string {
		return map[string]string{"k8s_*_owner_type": kind, "k8s_*_namespace": p.Namespace, "k8s_*_owner_name": p.Workload, "k8s_*_node_name": node}
	}
	return telemetrytest.Mesh{
		Report: func(c telemetrytest.Call) []telemetrytest.Counter {
			client, server := of(c.Client, "Deployment", c.Client.Node), of(c.Server, "Deployment", c.Server.Node)
			service := of(c.Server, "Service", "")
			report := func(node, direction string, from, to map[string]string, traffic func(telemetrytest.Traffic) float64) telemetrytest.Counter {
				labels := map[string]string{"direction": direction, "k8s_cluster_name": "sandbox"}
				return telemetrytest.Counter{
					Target: agentOn(program, node), Name: program + "_network_flow_bytes_total",
					Labels: ends(labels, from, to, [2]string{"src", "dst"}), Add: moved(traffic),
				}
			}
			all := []telemetrytest.Counter{
				report(c.Client.Node, "request", client, service, sent),
				report(c.Client.Node, "response", service, client, received),
				report(c.Client.Node, "request", client, server, sent),
				report(c.Client.Node, "response", server, client, received),
			}
			if c.Server.Node != c.Client.Node {
				all = append(all, report(c.Server.Node, "request", client, server, sent), report(c.Server.Node, "response", server, client, received))
			}
			return all
		},
		Names: everywhere, Tolerance: onePercent,
		Distinct: []string{"k8s_src_owner_type", "k8s_dst_owner_type"},
		Optional: []string{"k8s_cluster_name", "k8s_src_node_name"},
	}
}

// netObserv is what the flows say that come in to a node, and those that go out of one. Where
// a Service is called, the client's end has its flows under the Service too.
func netObserv() telemetrytest.Mesh {
	of := func(p telemetrytest.Pod, kind string) map[string]string {
		object := "Pod"
		if kind == "Service" {
			object = kind
		}
		return map[string]string{"*K8S_Namespace": p.Namespace, "*K8S_OwnerName": p.Workload, "*K8S_OwnerType": kind, "*K8S_Type": object}
	}
	return telemetrytest.Mesh{
		Report: func(c telemetrytest.Call) []telemetrytest.Counter {
			client, server, service := of(c.Client, "Deployment"), of(c.Server, "Deployment"), of(c.Server, "Service")
			report := func(node, way string, from, to map[string]string, traffic func(telemetrytest.Traffic) float64) telemetrytest.Counter {
				return telemetrytest.Counter{
					Target: agentOn("netobserv", node), Name: "netobserv_workload_" + way + "_bytes_total",
					Labels: ends(map[string]string{"K8S_FlowLayer": "app"}, from, to, [2]string{"Src", "Dst"}), Add: moved(traffic),
				}
			}
			return []telemetrytest.Counter{
				report(c.Server.Node, "ingress", client, server, sent),
				report(c.Client.Node, "ingress", server, client, received),
				report(c.Client.Node, "ingress", service, client, received),
				report(c.Client.Node, "egress", client, server, sent),
				report(c.Client.Node, "egress", client, service, sent),
				report(c.Server.Node, "egress", server, client, received),
			}
		},
		Names: everywhere, Tolerance: onePercent, OneWay: true,
		Distinct: []string{"SrcK8S_OwnerType", "DstK8S_OwnerType"},
		Optional: []string{"K8S_FlowLayer", "SrcK8S_Type", "DstK8S_Type"},
	}
}

// retina is what agents count on the interfaces of pods. At the client's, the server has the
// address of the Service, behind which no workload is known.
func retina() telemetrytest.Mesh {
	of := func(p telemetrytest.Pod, kind, name string) map[string]string {
		if kind == "" {
			return map[string]string{"*_namespace": "unknown", "*_workload_kind": "unknown", "*_workload_name": "unknown"}
		}
		return map[string]string{"*_namespace": p.Namespace, "*_workload_kind": kind, "*_workload_name": name}
	}
	return telemetrytest.Mesh{
		Report: func(c telemetrytest.Call) []telemetrytest.Counter {
			client, server := of(c.Client, "ReplicaSet", c.Client.Workload+"-6b5d"), of(c.Server, "StatefulSet", c.Server.Workload)
			service := of(c.Server, "", "")
			report := func(node, direction, reply string, from, to map[string]string, traffic func(telemetrytest.Traffic) float64) telemetrytest.Counter {
				labels := map[string]string{"direction": direction, "is_reply": reply}
				return telemetrytest.Counter{
					Target: agentOn("retina", node), Name: "networkobservability_adv_forward_bytes",
					Labels: ends(labels, from, to, [2]string{"source", "destination"}), Add: moved(traffic),
				}
			}
			return []telemetrytest.Counter{
				report(c.Client.Node, "EGRESS", "false", client, service, sent),
				report(c.Server.Node, "INGRESS", "false", client, server, sent),
				report(c.Server.Node, "EGRESS", "true", server, client, received),
				report(c.Client.Node, "INGRESS", "true", service, client, received),
			}
		},
		Names: everywhere, Tolerance: onePercent,
	}
}

// coroot is what agents count of the connections that containers on their node have opened.
func coroot() telemetrytest.Mesh {
	return telemetrytest.Mesh{
		Report: func(c telemetrytest.Call) []telemetrytest.Counter {
			counter := func(name string, traffic func(telemetrytest.Traffic) float64) telemetrytest.Counter {
				return telemetrytest.Counter{
					Target: agentOn("coroot", c.Client.Node), Name: name, Add: moved(traffic),
					Labels: map[string]string{
						"container_id": "/k8s/" + c.Client.Namespace + "/" + c.Client.Name + "/app", "machine_id": "m-" + c.Client.Node,
						"destination": "10.96.0.1:8080", "actual_destination": c.Server.Address + ":8080",
					},
				}
			}
			return []telemetrytest.Counter{
				counter("container_net_tcp_bytes_sent_total", sent), counter("container_net_tcp_bytes_received_total", received),
			}
		},
		Names: everywhere, Tolerance: onePercent,
		Optional: []string{"destination", "machine_id"},
	}
}
