package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
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
		return "one end is outside the mesh, such as a client without a proxy or an external API. Nothing to do, unless it is one of your pods: give it a proxy."
	case telemetry.Passthrough:
		return "the mesh let it through to an address it does not know. Where this is a pod or a Service of yours, call it by its Service name."
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
			fmt.Fprintf(w, "%s: only waypoints report, see the warning above.\n", show.Printable(s.Name))
		case s.Series == 0:
			writeNoSeries(w, s)
		case s.Flows == 0:
			fmt.Fprintf(w, "%s: all %d series were left out, for the reasons above.\n", show.Printable(s.Name), s.Series)
		default:
			fmt.Fprintf(w, "%s: every rate is zero: no traffic in the last %s. Send some, or take a longer window.\n", show.Printable(s.Name), show.Duration(s.window))
		}
	}
}

func writeNoSeries(w io.Writer, s sourceReport) {
	fmt.Fprintf(w, "%s: no query returned a series. Likely causes, the most likely first:\n", show.Printable(s.Name))
	var causes []string
	if s.recorded {
		causes = append(causes, "the recording rules are not loaded, or are of another window (see manifests/recording-rules).")
	}
	causes = append(causes,
		"Prometheus does not scrape the mesh's proxies. Try in its UI: "+tryQuery(s),
		fmt.Sprintf("the window (%s) holds less than two scrapes. It should be at least four scrape intervals.", show.Duration(s.window)))
	if s.sourceType == v1.SourceIstioSidecar {
		causes = append(causes, "a relabelling drops the label reporter, which must be source or destination.")
	}
	if s.selector != "" {
		causes = append(causes, fmt.Sprintf("the selector %s matches nothing. Try it without.", show.Printable(s.selector)))
	}
	for i, cause := range causes {
		fmt.Fprintf(w, "  %d. %s\n", i+1, cause)
	}
	fmt.Fprintf(w, "The first query (%s) was:\n  %s\n", show.Printable(s.firstQuery.Name), show.Printable(s.firstQuery.PromQL))
}

// tryQuery returns PromQL that shows whether the metrics are there at all.
func tryQuery(s sourceReport) string {
	if s.sourceType == v1.SourceIstioSidecar {
		return "count by (reporter) (istio_requests_total)"
	}
	return "the query below"
}
