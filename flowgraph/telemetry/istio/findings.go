package istio

import (
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// clusterLabel is what metrics servers call a cluster by convention.
const clusterLabel = "cluster"

// What to do about conditions that no setting of ours mends.
const (
	findBytes = "look for overrides that disable REQUEST_SIZE, RESPONSE_SIZE or ALL_METRICS (kubectl get telemetries.telemetry.istio.io -A -o yaml) " +
		"and for metric_relabel_configs that drop the metric (in Prometheus: count by (__name__) ({__name__=~\"istio_(request|response)_bytes.*\"}))"
	findTCPBytes = "look for overrides that disable TCP_SENT_BYTES, TCP_RECEIVED_BYTES or ALL_METRICS (kubectl get telemetries.telemetry.istio.io -A -o yaml) " +
		"and for metric_relabel_configs that drop the metric (in Prometheus: count by (__name__) ({__name__=~\"istio_tcp_.*_total\"}))"
	findLabels = "look for tagOverrides with REMOVE (kubectl get telemetries.telemetry.istio.io -A -o yaml) and for labeldrop in metric_relabel_configs"
	callByName = "look for clients that call a Service by an ExternalName or by an alias (kubectl get services -A, type ExternalName), and let them call the Service itself"
	addZtunnel = "have Prometheus scrape ztunnel (pods with app=ztunnel in istio-system, port 15020), whose istio_tcp_* metrics are read; " +
		"in Prometheus, count by (reporter) (istio_tcp_sent_bytes_total) then shows source and destination"
	trustZtunnel = "name ztunnel's namespace (istio-system) in trust.trustedReporterNamespaces, if ztunnel is scraped: what targets report for other namespaces is left out (foreign-reporter)"
)

// findings returns the conditions that the answers themselves show.
func (s *Sidecar) findings(t *answers, o telemetry.Observation) []telemetry.Finding {
	found := t.ClusterFindings(clusterLabel, s.selector)
	http, tcp := newLacks(t, requestBytes, responseBytes), newLacks(t, tcpReceived, tcpSent)
	for pair := range t.Pairs() {
		http.countHTTP(&pair)
		tcp.countTCP(&pair)
	}
	found = append(found, condition.Bytes("requests", http.of, http.lacks, findBytes)...)
	found = append(found, condition.Bytes("TCP traffic", tcp.of, tcp.lacks, findTCPBytes)...)
	// Names of hosts outside, which have dots, and what is let through have no server that
	// reports them.
	toUnknown, fromUnknown := t.Unmatched(func(service string) bool {
		return service != "" && !isPassthrough(service) && !strings.Contains(service, ".")
	})
	found = append(found, condition.Services(toUnknown, fromUnknown, o.BytesPerSecond(), callByName)...)
	return append(found, s.missingLabels(t, o)...)
}

func (s *Sidecar) missingLabels(t *answers, o telemetry.Observation) []telemetry.Finding {
	var labels []condition.Label
	for i, name := range workloadLabels() {
		labels = append(labels, condition.Label{Name: name, Series: t.absent[i]})
	}
	var clusters []condition.Label
	for i, name := range clusterLabels() {
		clusters = append(clusters, condition.Label{Name: name, Series: t.nameless[i]})
	}
	missing := o.LeftOut[telemetry.MissingLabel].BytesPerSecond
	share := 0.0
	if all := o.BytesPerSecond(); all > 0 {
		share = missing / all
	}
	found := condition.Labels(labels, t.Series(), missing, share, findLabels)
	if s.cluster == "" {
		return found // nobody asks for one cluster
	}
	return append(found, condition.ClusterNames(clusters, t.Series(), findLabels)...)
}

// lacks counts the pairs that lack one of two metrics of bytes, by direction.
type lacks struct {
	metrics [2]int
	lacks   []condition.Lack
	of      int // pairs that have traffic of the kind
}

func newLacks(t *answers, sent, received int) *lacks {
	l := &lacks{metrics: [2]int{sent, received}}
	for _, m := range l.metrics {
		l.lacks = append(l.lacks, condition.Lack{Metric: metrics()[m].name, Series: t.Answered(m)})
	}
	return l
}

// countHTTP looks at a pair that exchanges requests. A reporter that has only TCP
// metrics (ztunnel) has the bytes of the same requests in them.
func (l *lacks) countHTTP(p *tally.Pair) {
	if p.By[tally.Client].Max(p.By[tally.Server]).RequestsPerSecond == 0 {
		return
	}
	l.of++
	for direction, m := range l.metrics {
		known := false
		for _, has := range p.Has {
			onlyTCP := has&(1<<requestCount) == 0 && has&(1<<[2]int{tcpReceived, tcpSent}[direction]) != 0
			known = known || has&(1<<m) != 0 || onlyTCP
		}
		if !known {
			l.lacks[direction].Pairs++
		}
	}
}

// countTCP looks at a pair with bytes in one direction: proxies write both.
func (l *lacks) countTCP(p *tally.Pair) {
	has := p.Has[tally.Client] | p.Has[tally.Server]
	if has&(1<<tcpReceived|1<<tcpSent) == 0 {
		return
	}
	l.of++
	for direction, m := range l.metrics {
		if has&(1<<m) == 0 {
			l.lacks[direction].Pairs++
		}
	}
}

// unseenPairs returns how many pairs there are, and of how many the client has no flow to
// anyone or the server none from anyone: either has one with the waypoint.
func unseenPairs(pairs map[[2]flowgraph.WorkloadID]bool, flows []flowgraph.Flow) (all, unseen int) {
	clients, servers := map[flowgraph.WorkloadID]bool{}, map[flowgraph.WorkloadID]bool{}
	for _, f := range flows {
		clients[f.From], servers[f.To] = true, true
	}
	for pair := range pairs {
		if !clients[pair[0]] || !servers[pair[1]] {
			unseen++
		}
	}
	return len(pairs), unseen
}
