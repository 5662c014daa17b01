package istio

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// numEnds is how many labels name the two ends.
const numEnds = 4

// workloadLabels name the two ends.
func workloadLabels() [numEnds]string {
	return [...]string{"source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload"}
}

// clusterLabels have the mesh's name of the cluster of either end.
func clusterLabels() [2]string { return [...]string{"source_cluster", "destination_cluster"} }

// ends reads from the labels between whom the traffic of a report is, and why it becomes
// no flow. It returns the labels that the series lacks, as bits.
func (a *answers) ends(r *tally.Report, l telemetry.Labels) (lacks uint8) {
	var names [numEnds]string
	for i, label := range workloadLabels() {
		if names[i] = l.Get(label); names[i] == "" {
			lacks |= 1 << i
		}
	}
	absent := lacks != 0
	r.From, r.To = telemetry.EndpointOf(workload(names[0], names[1])), telemetry.EndpointOf(workload(names[2], names[3]))
	if own := names[2*r.End]; own != unknown {
		r.Claimed = own
	}
	for i, label := range clusterLabels() {
		switch cluster := l.Get(label); cluster {
		case "":
			lacks |= 1 << (numEnds + i)
		case unknown:
		default:
			r.Clusters[i] = cluster
		}
	}
	service := l.Get("destination_service_name")
	if r.Reason = a.reasonOf(r, service, absent); r.Reason != telemetry.Included {
		a.findSite(r, l.Get(hostLabel), service)
	}
	if r.From.IsZero() || r.To.IsZero() {
		r.Group = groupOf(service)
	}
	return lacks
}

// findSite replaces an end that the client's proxy knows no workload of by the site that it
// called: by the host of a ServiceEntry, or where it was let through by what it wrote.
func (a *answers) findSite(r *tally.Report, host, service string) {
	if r.From.IsZero() || !r.To.IsZero() || r.End != tally.Client {
		return
	}
	switch r.Reason {
	case telemetry.External, telemetry.Passthrough, telemetry.UnknownWorkload:
	default:
		return
	}
	for _, name := range [...]string{host, service} {
		if site, ok := a.sites.OfHost(name); ok {
			r.To, r.Reason = telemetry.SiteEndpointOf(site), telemetry.Included
			return
		}
	}
}

// reasonOf says why traffic becomes no flow.
func (a *answers) reasonOf(r *tally.Report, service string, absent bool) telemetry.Reason {
	switch {
	case service == "BlackHoleCluster":
		return telemetry.BlackHole
	case a.Elsewhere(r.Clusters[0], r.Clusters[1]):
		return telemetry.OtherCluster
	case !r.From.IsZero() && !r.To.IsZero():
		return telemetry.Included // calls to pod addresses also go through passthrough
	case absent:
		return telemetry.MissingLabel
	case r.From.IsZero() && r.To.IsZero():
		return telemetry.UnknownWorkload
	case r.From.IsZero():
		return telemetry.External // a client without a proxy, or an ingress
	case isPassthrough(service):
		return telemetry.Passthrough
	case service == "" || service == unknown:
		return telemetry.UnknownWorkload
	}
	return telemetry.External // the host of a ServiceEntry
}

// groupOf returns the service by which traffic with an end that is not known is told
// apart. The two ends of a connection have different names for one that is let through.
func groupOf(service string) string {
	switch {
	case isPassthrough(service):
		return "PassthroughCluster"
	case service == unknown:
		return ""
	}
	return service
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
