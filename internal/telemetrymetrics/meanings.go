package telemetrymetrics

import "github.com/vicinity-sched/vicinity/flowgraph/telemetry"

func meaningOfFailure(f telemetry.Failure) string {
	switch f {
	case telemetry.NoFailure:
	case telemetry.OtherFailure:
		return "An error of no other kind."
	case telemetry.Timeout:
		return "Prometheus did not answer in time (`prometheus.timeout`)."
	case telemetry.Unreachable:
		return "There is no connection: refused, no such host, TLS."
	case telemetry.Denied:
		return "Prometheus did not accept the credentials."
	case telemetry.Rejected:
		return "Prometheus refused the query or failed to run it."
	case telemetry.Partial:
		return "Prometheus, or a server like it, marked its answer as incomplete."
	case telemetry.TooLarge:
		return "The answer exceeds a limit (`prometheus.maxBodyBytes`, `prometheus.maxSeries`)."
	case telemetry.Empty:
		return "The answers name no pair of workloads, not even one that exchanges nothing: nothing is scraped, Prometheus has lost its data, its clock differs, a selector or a recording rule is wrong. `vicinity graph` explains it. For the source `node-networks`: no node has a capacity."
	case telemetry.Mixed:
		return "The answers mix several clusters, whose workloads of the same name would be added up. Set `cluster` or `selector` of the source; the log names the clusters."
	case telemetry.BadAnswer:
		return "The answer is not one of Prometheus' API: another service, a redirect, broken JSON."
	case telemetry.Panicked:
		return "The source broke on the answer and was stopped. A bug in Vicinity: please report the line in the log."
	}
	return ""
}

func meaningOfReason(r telemetry.Reason) string {
	switch r {
	case telemetry.Included:
	case telemetry.MissingLabel:
		return "Series without a label that names a workload: something has removed it."
	case telemetry.UnknownWorkload:
		return "An endpoint inside the mesh that the telemetry does not name."
	case telemetry.External:
		return "Something outside the mesh."
	case telemetry.Passthrough:
		return "An address that the mesh does not know and lets through."
	case telemetry.BlackHole:
		return "Traffic that the mesh refused."
	case telemetry.OtherCluster:
		return "Traffic with or within another cluster."
	case telemetry.UnknownReporter:
		return "Series without the label `trust.reporterNamespaceLabel`: the scrape does not attach it, or a recording rule drops it."
	case telemetry.ForeignReporter:
		return "Series of a target that reports for a namespace which is not its own: a forgery, or an agent whose namespace is not in `trust.trustedReporterNamespaces`."
	case telemetry.OneSided:
		return "Traffic between namespaces that only one end reports, with `trust.agreement: agreed`."
	case telemetry.NoObjects:
		return "Pods, Services or addresses, while no Kubernetes objects are read that would say which workloads these are."
	case telemetry.UnknownObject:
		return "A pod, a ReplicaSet or a Service that is not, or no longer, in the cluster."
	case telemetry.UnknownAddress:
		return "An IP address that is neither a pod's nor a Service's."
	case telemetry.NotServing:
		return "A Service, or pods with a label, none of which is ready."
	case telemetry.Ambiguous:
		return "A name or an address that several objects have."
	case telemetry.Surplus:
		return "Traffic beyond `trust.limits`."
	case telemetry.Invalid:
		return "An invalid rate (NaN or negative), or invalid labels, such as names that Kubernetes would refuse."
	}
	return ""
}

func meaningOfCondition(c telemetry.Condition) string {
	switch c {
	case telemetry.NoCondition:
	case telemetry.MissingBytes:
		return "Requests or connections are counted, but not their bytes, which show as 0."
	case telemetry.SeveralClusters:
		return "The answers mix several clusters. Every refresh fails (`several-clusters`), unless each value of the label `cluster` has pairs of workloads of its own. With `trust.reporterNamespaceLabel` only such pairs are left out."
	case telemetry.ScrapedTwice:
		return "The server has the same proxies several times, from two scrape jobs or from two replicas that nothing deduplicates: rates are multiples of the true ones."
	case telemetry.MissingLabels:
		return "Series lack labels that name workloads; their traffic is left out."
	case telemetry.YoungData:
		return "The data does not fill the window of the rates yet, so the rates are too low."
	case telemetry.OnlyWaypoints:
		return "Some traffic is reported only by waypoints, whose reports are not read."
	case telemetry.UnmatchedServices:
		return "Clients and servers that do not know each other name different services, as with an ExternalName: part of what is left out may be counted twice. Edges are right."
	case telemetry.Unchecked:
		return "The server did not answer the checks for the other conditions."
	}
	return ""
}
