package sources_test

import (
	"maps"

	test "github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
)

// linkerd is what Linkerd's proxies expose: at each end what they exchange with the peer and
// with the container beside them, as it flows. The client's names the called pod. relabelled
// says that the scrape adds the owners of the pods that are scraped.
func linkerd(relabelled bool) test.Mesh {
	return test.Mesh{
		Report: func(c test.Call) []test.Counter {
			p := linkerdProxies{c, relabelled}
			var all []test.Counter
			if c.Client.Meshed {
				all = append(all, p.client()...)
			}
			if c.Server.Meshed {
				all = append(all, p.server()...)
			}
			return all
		},
		Names:     func(c test.Call) bool { return c.Client.Meshed },
		Optional:  []string{"dst_service", "authority", "dst_deployment", "client_id", "server_id", "srv_kind", "target_port", "deployment"},
		Tolerance: func(test.Protocol) float64 { return 0.01 },
	}
}

// linkerdProxies are the proxies at the ends of a call.
type linkerdProxies struct {
	test.Call
	relabelled bool
}

func (p linkerdProxies) labels(of test.Pod, direction, peer string, more ...string) map[string]string {
	all := map[string]string{"direction": direction, "peer": peer}
	if p.relabelled {
		all["deployment"] = of.Workload
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// transport is the bytes that a proxy writes to and reads from a peer.
func transport(target test.Target, labels map[string]string, wrote, read func(test.Step) float64) []test.Counter {
	return []test.Counter{
		{Target: target, Name: "tcp_write_bytes_total", Labels: labels, Add: wrote},
		{Target: target, Name: "tcp_read_bytes_total", Labels: labels, Add: read},
	}
}

// What flows between the two proxies, attempts included, and between a client and its proxy.
func sentWith(s test.Step) float64     { return s.Moved.Sent + s.Retried.Sent }
func receivedWith(s test.Step) float64 { return s.Moved.Received + s.Retried.Received }
func sentOnce(s test.Step) float64     { return s.Moved.Sent }
func receivedOnce(s test.Step) float64 { return s.Moved.Received }

func (p linkerdProxies) client() []test.Counter {
	target := p.Client.Target()
	dst := map[string]string{
		"target_port": "8080", "tls": "no_identity", "dst_namespace": p.Server.Namespace, "dst_service": p.Server.Workload,
		"dst_pod": p.Server.Name, "dst_deployment": p.Server.Workload,
		"authority": p.Server.Workload + "." + p.Server.Namespace + ".svc.cluster.local:80",
	}
	if p.Server.Meshed {
		dst["tls"], dst["server_id"] = "true", "default."+p.Server.Namespace
	}
	outbound := p.labels(p.Client, "outbound", "dst")
	maps.Copy(outbound, dst)
	all := transport(target, outbound, sentWith, receivedWith)
	all = append(all, transport(target, p.labels(p.Client, "outbound", "src", "target_port", "8080", "tls", "no_identity"), receivedOnce, sentOnce)...)
	if p.Protocol == test.HTTP {
		requests := maps.Clone(outbound)
		delete(requests, "peer")
		all = append(all, test.Counter{Target: target, Name: "request_total", Labels: requests, Add: func(s test.Step) float64 { return s.Ended.Requests }})
	}
	return all
}

func (p linkerdProxies) server() []test.Counter {
	target := p.Server.Target()
	src := p.labels(p.Server, "inbound", "src", "target_port", "8080", "tls", "no_identity", "srv_kind", "default")
	if p.Client.Meshed {
		src["tls"], src["client_id"] = "true", "default."+p.Client.Namespace
	}
	all := transport(target, src, receivedWith, sentWith)
	return append(all, transport(target, p.labels(p.Server, "inbound", "dst", "tls", "no_identity"), sentWith, receivedWith)...)
}
