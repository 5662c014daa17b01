package istio

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
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
)

// severalClusters is the mark of a pair that occurs under several clusters.
const severalClusters = 1<<16 - 1

// maxClusters is how many names of clusters are told apart. Those beyond it are taken for
// one.
const maxClusters = 1000

// noteClusters notes which clusters an end of an included pair names.
func (t *tally) noteClusters(r *report, end int, l telemetry.Labels) {
	if t.cluster == "" {
		for _, label := range clusterLabels() {
			if name := l.Get(label); isNamed(name) && !t.named[name] && len(t.named) < maxClusters {
				t.named[name] = true
			}
		}
	}
	note(&r.cluster[end], t.labelled, l.Get(clusterLabel))
	if t.trust.Identifies() {
		if own := l.Get(clusterLabels()[end]); isNamed(own) {
			note(&r.mesh[end], t.meshes, own)
		}
	}
}

// note notes a value in the number of the value that was there before.
func note(number *uint16, numbers map[string]uint16, value string) {
	n, known := numbers[value]
	if !known {
		n = uint16(len(numbers) + 1)
		if len(numbers) < maxClusters {
			numbers[value] = n
		}
	}
	switch *number {
	case 0:
		*number = n
	case n:
	default:
		*number = severalClusters
	}
}

// findings returns the conditions that the answers themselves show.
func (s *Sidecar) findings(t *tally, o telemetry.Observation) []telemetry.Finding {
	found := condition.MeshClusters(t.named)
	values, same := map[string]bool{}, 0
	for value := range t.labelled {
		values[value] = true
	}
	http, tcp := newLacks(t, requestBytes, responseBytes), newLacks(t, tcpReceived, tcpSent)
	for k, i := range t.sums {
		if k.reason() != telemetry.Included {
			continue
		}
		r := t.reports.at(i)
		if r.cluster[0] == severalClusters || r.cluster[1] == severalClusters {
			same++
		}
		http.countHTTP(r)
		tcp.countTCP(r)
	}
	found = append(found, condition.ClusterLabel(clusterLabel, values, same, s.selector)...)
	if s.trust.Identifies() {
		tolerate(found)
	}
	found = append(found, condition.Bytes("requests", http.of, http.lacks, findBytes)...)
	found = append(found, condition.Bytes("TCP traffic", tcp.of, tcp.lacks, findTCPBytes)...)
	found = append(found, condition.Services(t.toUnknown, t.fromUnknown, total(o), callByName)...)
	return append(found, s.missingLabels(t, o)...)
}

// tolerate makes findings of several clusters such as do not stop the refresh. Where
// targets speak for themselves, only those that name several clusters are not believed:
// one of them must not silence all others.
func tolerate(found []telemetry.Finding) {
	for i := range found {
		found[i].Stops = false
		found[i].Why = "what an end reports of a pair under several clusters is left out (other-cluster)"
	}
}

// total is all traffic of an observation in bytes per second.
func total(o telemetry.Observation) float64 {
	all := 0.0
	for _, f := range o.Flows {
		all += f.BytesPerSecond()
	}
	for _, l := range o.LeftOut {
		all += l.BytesPerSecond
	}
	return all
}

func (s *Sidecar) missingLabels(t *tally, o telemetry.Observation) []telemetry.Finding {
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
	if all := total(o); all > 0 {
		share = missing / all
	}
	found := condition.Labels(labels, t.series, missing, share, findLabels)
	if t.cluster == "" {
		return found // nobody asks for one cluster
	}
	return append(found, condition.ClusterNames(clusters, t.series, findLabels)...)
}

// lacks counts the pairs that lack one of two metrics of bytes, by direction.
type lacks struct {
	metrics [2]int
	lacks   []condition.Lack
	of      int // pairs that have traffic of the kind
}

func newLacks(t *tally, sent, received int) *lacks {
	l := &lacks{metrics: [2]int{sent, received}}
	for _, m := range l.metrics {
		l.lacks = append(l.lacks, condition.Lack{Metric: t.metrics[m].name, Series: t.answered[m]})
	}
	return l
}

// countHTTP looks at a pair that exchanges requests. A reporter that has only TCP
// metrics (ztunnel) has the bytes of the same requests in them.
func (l *lacks) countHTTP(r *report) {
	if max(r.bySource.RequestsPerSecond, r.byDestination.RequestsPerSecond) == 0 {
		return
	}
	l.of++
	for direction, m := range l.metrics {
		known := false
		for _, has := range r.has {
			onlyTCP := has&(1<<requestCount) == 0 && has&(1<<[2]int{tcpReceived, tcpSent}[direction]) != 0
			known = known || has&(1<<m) != 0 || onlyTCP
		}
		if !known {
			l.lacks[direction].Pairs++
		}
	}
}

// countTCP looks at a pair with bytes in one direction: proxies write both.
func (l *lacks) countTCP(r *report) {
	has := r.has[0] | r.has[1]
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

// unseenClients returns how many pairs there are, and of how many the client has no
// flow to anyone.
func unseenClients(pairs map[[2]flowgraph.WorkloadID]bool, flows []flowgraph.Flow) (all, unseen int) {
	clients := map[flowgraph.WorkloadID]bool{}
	for _, f := range flows {
		clients[f.From] = true
	}
	for pair := range pairs {
		if !clients[pair[0]] {
			unseen++
		}
	}
	return len(pairs), unseen
}
