package mesh

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// collector hands the counters to Prometheus' exposition library. It is
// unchecked (Describe yields nothing): its label sets come and go.
type collector struct {
	mesh    *Mesh
	metrics []*prometheus.Desc // of the mesh's Type, in its order
	actual  *prometheus.Desc
}

// Handler serves all proxies' metrics as one endpoint in the Prometheus text
// format. Scrape it with honor_labels: the labels namespace and pod are those
// of the proxies. Beside the mesh's metrics it has sandbox_traffic_bytes_total,
// which says between which nodes and zones the bytes really went.
func (m *Mesh) Handler() http.Handler {
	c := collector{
		mesh: m,
		actual: prometheus.NewDesc("sandbox_traffic_bytes_total", "Bytes in both directions, by where both ends really run.", []string{
			"source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload",
			"source_node", "destination_node", "source_zone", "destination_zone", "source_region", "destination_region",
			"same_node", "same_zone",
		}, nil),
	}
	kind := m.counters.kind
	for _, metric := range kind.metrics {
		c.metrics = append(c.metrics, prometheus.NewDesc(metric.name, metric.help, kind.labels, nil))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// Describe yields nothing.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect yields every counter as it stands.
func (c collector) Collect(out chan<- prometheus.Metric) {
	c.mesh.mu.Lock()
	defer c.mesh.mu.Unlock()
	kind := c.mesh.counters.kind
	for i, metric := range kind.metrics {
		for _, of := range metric.exposed(kind, c.mesh.counters.reported) {
			if metric.histogram {
				out <- prometheus.MustNewConstHistogram(c.metrics[i], uint64(of.requests), metric.of(of.traffic), nil, of.values...)
				continue
			}
			out <- prometheus.MustNewConstMetric(c.metrics[i], prometheus.CounterValue, metric.of(of.traffic), of.values...)
		}
	}
	for p, bytes := range c.mesh.counters.truth {
		out <- prometheus.MustNewConstMetric(c.actual, prometheus.CounterValue, bytes, p.labelValues()...)
	}
}

// exposed is the traffic of all series with the same values.
type exposed struct {
	values []string
	traffic
}

// exposed adds up the series by what a metric says of them.
func (m metric) exposed(kind Type, reported map[series]*counted) map[string]*exposed {
	all := map[string]*exposed{}
	for s, of := range reported {
		if !m.applies(s) {
			continue
		}
		values := kind.values(s, m.view)
		key := strings.Join(values, "\x00")
		if all[key] == nil {
			all[key] = &exposed{values: values}
		}
		all[key].add(of.traffic)
	}
	return all
}

func (p path) labelValues() []string {
	pair := func(a, b flowgraph.WorkloadID) []string { return []string{a.Namespace, a.Name, b.Namespace, b.Name} }
	level := locality.LevelOf(p.source, p.dest)
	return append(pair(p.from, p.to),
		p.source.Node, p.dest.Node, p.source.Zone, p.dest.Zone, p.source.Region, p.dest.Region,
		strconv.FormatBool(level == locality.Node),
		strconv.FormatBool(level == locality.Node || level == locality.Zone))
}
