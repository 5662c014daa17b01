package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// explainReason says in plain words what was left out and, where something can
// be done, what.
func explainReason(r telemetry.Reason) string {
	switch r {
	case telemetry.MissingLabel:
		return "the series lack a label that names a workload; proxies write \"unknown\" where they do not know one. See the warning above."
	case telemetry.UnknownWorkload:
		return "the telemetry does not name the workload at one end. Check that both ends run the mesh's proxy and that no relabelling drops the workload labels."
	case telemetry.External:
		return "one end is outside the mesh, such as a client without a proxy or an external API. If it is one of your pods, give it a proxy. If it is a database or the like in a zone or region that you know, name it in sites of the telemetry configuration."
	case telemetry.Passthrough:
		return "the mesh let it through to an address it does not know. Where this is a pod or a Service of yours, call it by its Service name; where it is outside, sites can say in which zone."
	case telemetry.BlackHole:
		return "the mesh refused it. Where the calls are meant, declare their destination to the mesh."
	case telemetry.OtherCluster:
		return "one end is in another cluster. If it is not, check the cluster name of the source against the cluster labels of the metrics."
	case telemetry.UnknownReporter:
		return "the series lack the label that trust.reporterNamespaceLabel names. Let the scrape attach it, and recording rules keep it."
	case telemetry.ForeignReporter:
		return "a target reports for a namespace that is not its own. If it is an agent of yours, add its namespace to trust.trustedReporterNamespaces; if not, somebody forges traffic: find the target in Prometheus by its labels."
	case telemetry.OneSided:
		return "only one end of traffic between namespaces reports it, and trust.agreement is agreed. Give both ends a proxy, and let Prometheus scrape both."
	case telemetry.NoObjects:
		return "the telemetry names pods, Services or addresses, and no Kubernetes objects are read that say which workloads these are. This is a bug of Vicinity: report it."
	case telemetry.UnknownObject:
		return "the telemetry names a pod, a ReplicaSet or a Service that is not in the cluster, or not any more. Some is normal where pods come and go; if it is much, check that the metrics are of this cluster."
	case telemetry.UnknownAddress:
		return "the telemetry names an IP address that is neither a pod's nor a Service's: something outside the cluster, which sites can place by its address, a node, or a pod that has gone."
	case telemetry.NotServing:
		return "the telemetry names a Service, or pods by a label, none of which is ready. A Service without a selector has no pods of its own."
	case telemetry.Ambiguous:
		return "several objects have the name or the address, such as pods on the network of one node. Use a source that names workloads or pods."
	case telemetry.Surplus:
		return "there is more traffic than trust.limits allow. Find the namespace with the most edges; if they are real, raise the limits."
	case telemetry.Invalid:
		return "the value is no rate (NaN or negative) or the labels make no sense, such as names that Kubernetes would refuse. Look for recording rules or relabelling that write to these metrics."
	}
	return "no explanation is known."
}

// writeWhyEmpty names the likely causes of a graph without edges and the next
// step, for each source.
func writeWhyEmpty(w io.Writer, r viewed) {
	fmt.Fprint(w, "\nThe graph is empty: the scheduler would place pods without regard to traffic.\n")
	for _, s := range r.sources {
		switch {
		case s.Err != nil:
		case s.Series == 0 && slices.ContainsFunc(s.Findings, func(f telemetry.Finding) bool { return f.Condition == telemetry.OnlyWaypoints }):
			fmt.Fprintf(w, "%s: the warning above says why there is no traffic.\n", show.Printable(s.Name))
		case s.Series == 0:
			writeNoSeries(w, s)
		case s.Flows == 0:
			fmt.Fprintf(w, "%s: all %d series were left out, for the reasons above.\n", show.Printable(s.Name), s.Series)
		default:
			fmt.Fprintf(w, "%s: every rate is zero: no traffic in the last %s. Send some, or take a longer window.\n", show.Printable(s.Name), show.Duration(s.about.Window))
		}
	}
}

func writeNoSeries(w io.Writer, s sourceReport) {
	fmt.Fprintf(w, "%s: no query returned a series. Likely causes, the most likely first:\n", show.Printable(s.Name))
	for i, cause := range s.about.WhyNone {
		fmt.Fprintf(w, "  %d. %s\n", i+1, cause)
	}
	fmt.Fprintf(w, "The first query (%s) was:\n  %s\n", show.Printable(s.firstQuery.Name), show.Printable(strings.Join(strings.Fields(s.firstQuery.PromQL), " ")))
}
