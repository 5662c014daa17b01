package istio

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// key is a pair of workloads and whether their traffic becomes a flow. Clusters
// are not part of it: an end that does not know the cluster writes "unknown"
// where the other writes its name.
type key struct {
	from, to uint32
	// service tells apart what has an unresolved end; 0 for all other pairs.
	service uint32
	why     uint32 // a telemetry.Reason in less memory
}

func (k key) reason() telemetry.Reason { return telemetry.Reason(k.why) }

// because returns the key with a reason.
func (k key) because(r telemetry.Reason) key {
	k.why = uint32(r)
	return k
}

// numEnds is how many labels name the two ends.
const numEnds = 4

// workloadLabels name the two ends.
func workloadLabels() [numEnds]string {
	return [...]string{"source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload"}
}

// clusterLabels have the mesh's name of the cluster of either end.
func clusterLabels() [2]string { return [...]string{"source_cluster", "destination_cluster"} }

// keyOf returns the key of a series and why it becomes no flow. Where there are too many
// keys of the latter kind, or the names are invalid, the key is not of this reason.
func (t *tally) keyOf(l telemetry.Labels) (key, telemetry.Reason) {
	var ends [numEnds]string
	absent := false
	for i, label := range workloadLabels() {
		if ends[i] = l.Get(label); ends[i] == "" {
			t.absent[i]++
			absent = true
		}
	}
	from, to := workload(ends[0], ends[1]), workload(ends[2], ends[3])
	service := l.Get("destination_service_name")
	var clusters [2]string
	for i, label := range clusterLabels() {
		if clusters[i] = l.Get(label); clusters[i] == "" {
			t.nameless[i]++
		}
	}
	reason := t.reasonOf(from, to, service, absent, clusters)
	if reason != telemetry.Included && t.isFull() {
		return key{}, reason
	}
	var k key
	var validFrom, validTo bool
	k.from, validFrom = t.index(from)
	k.to, validTo = t.index(to)
	if !validFrom || !validTo {
		return key{}, telemetry.Invalid
	}
	if k.from == 0 || k.to == 0 {
		switch reason {
		case telemetry.BlackHole, telemetry.OtherCluster: // both ends know what these are
		default:
			k.service = t.service(service)
		}
	}
	return k.because(reason), reason
}

// reasonOf says why traffic becomes no flow.
func (t *tally) reasonOf(from, to flowgraph.WorkloadID, service string, absent bool, clusters [2]string) telemetry.Reason {
	switch {
	case service == "BlackHoleCluster":
		return telemetry.BlackHole
	case t.elsewhere(clusters[0], clusters[1]):
		return telemetry.OtherCluster
	case !from.IsZero() && !to.IsZero():
		return telemetry.Included // calls to pod addresses also go through passthrough
	case absent:
		return telemetry.MissingLabel
	case from.IsZero() && to.IsZero():
		return telemetry.UnknownWorkload
	case from.IsZero():
		return telemetry.External // a client without a proxy, or an ingress
	case isPassthrough(service):
		return telemetry.Passthrough
	case service == "" || service == unknown:
		return telemetry.UnknownWorkload
	}
	return telemetry.External // the host of a ServiceEntry
}

// What is kept of services, which are only looked at to tell apart what is left out. Those
// beyond it are taken for one.
const (
	maxServices     = 20_000
	maxServiceBytes = 253
)

// service numbers services. The two ends of a connection have different names for
// one that is let through.
func (t *tally) service(name string) uint32 {
	switch {
	case isPassthrough(name):
		name = "PassthroughCluster"
	case name == unknown, len(name) > maxServiceBytes:
		name = ""
	}
	i, known := t.services[name]
	if !known && len(t.services) >= maxServices {
		name = ""
		i, known = t.services[name]
	}
	if !known {
		i = uint32(len(t.services)) + 1
		t.services[name] = i
	}
	return i
}

// workload returns the zero id unless both parts are known.
func workload(namespace, name string) flowgraph.WorkloadID {
	if namespace == "" || namespace == unknown || name == "" || name == unknown {
		return flowgraph.WorkloadID{}
	}
	return flowgraph.WorkloadID{Namespace: namespace, Name: name}
}

func isPassthrough(service string) bool {
	switch service {
	case "PassthroughCluster", "InboundPassthroughCluster",
		"InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv6":
		return true
	}
	return false
}

// isNamed reports whether c is the name of a cluster.
func isNamed(c string) bool { return c != "" && c != unknown }

// elsewhere reports whether an end is known to be in another cluster.
func (t *tally) elsewhere(from, to string) bool {
	if t.cluster == "" {
		return isNamed(from) && isNamed(to) && from != to
	}
	return isNamed(from) && from != t.cluster || isNamed(to) && to != t.cluster
}
