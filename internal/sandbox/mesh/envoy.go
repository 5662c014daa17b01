package mesh

import "github.com/vicinity-sched/vicinity/flowgraph/locality"

// envoyPort is the port of all Services, where names of clusters have one.
const envoyPort = "80"

// envoy is a mesh in which each pod has an Envoy, which counts by clusters: by the service
// that it calls, and by the application behind it. Neither says anything of the other end.
// Calls are divided evenly, whatever Services prefer.
// own returns the labels of the scrape and of all series of a proxy, cluster those of what it
// calls, local the name of the application behind it.
func envoy(name string, labels []string, own func(series) map[string]string, cluster func(series) map[string]string, local func(series) string) Type {
	all := func(series) bool { return true }
	return Type{
		Name: name, Source: name,
		sees: func(e exchange) exchange {
			e.from.at, e.to.at = locality.Locality{}, locality.Locality{}
			return e
		},
		metrics: []metric{
			{name: "envoy_cluster_upstream_cx_tx_bytes_total", help: "Bytes to the cluster.", of: sent, applies: all},
			{name: "envoy_cluster_upstream_cx_rx_bytes_total", help: "Bytes from the cluster.", of: received, applies: all},
			{name: "envoy_cluster_upstream_rq_total", help: "Requests to the cluster.", of: requests, applies: all},
		},
		labels: labels,
		values: func(s series, _ string) []string {
			of := own(s)
			if s.reporter == "source" {
				for label, value := range cluster(s) {
					of[label] = value
				}
			} else {
				of["envoy_cluster_name"] = local(s)
			}
			return inOrder(labels, of)
		},
	}
}

// inOrder returns the values of labels, "" for those that there are none of.
func inOrder(labels []string, values map[string]string) []string {
	var all []string
	for _, label := range labels {
		all = append(all, values[label])
	}
	return all
}

// self is the end at which the proxy is.
func (s series) self() peer {
	if s.reporter == "source" {
		return s.from
	}
	return s.to
}
