package doctor

import (
	"slices"
	"strings"
)

// The names of the checks of the telemetry.
const (
	nameReachable     = "prometheus-reachable"
	nameAllowed       = "prometheus-allowed"
	nameAPI           = "prometheus-api"
	nameComplete      = "prometheus-complete"
	nameClock         = "prometheus-clock"
	nameRetention     = "prometheus-retention"
	nameReload        = "prometheus-reload"
	nameCost          = "prometheus-cost"
	nameRules         = "recording-rules"
	nameLimits        = "graph-limits"
	nameFound         = "source-found"
	nameConfigured    = "source-configured"
	nameFresh         = "source-fresh"
	nameWindow        = "source-window"
	nameLookback      = "source-lookback"
	nameTargets       = "source-targets"
	nameRead          = "source-read"
	nameBytes         = "source-bytes"
	nameClusters      = "source-clusters"
	nameTwice         = "source-scraped-twice"
	nameLabels        = "source-labels"
	nameYoung         = "source-young"
	nameWaypoints     = "source-waypoints"
	nameServices      = "source-services"
	nameResolved      = "bytes-resolved"
	nameOutside       = "bytes-outside"
	namePods          = "pods-covered"
	nameKnown         = "workloads-known"
	nameReporters     = "trust-reporters"
	nameAgreement     = "trust-agreement"
	nameConfiguration = "telemetry-configuration"
)

// The groups of results that the telemetry has.
const (
	groupPrometheus = "Prometheus"
	groupSources    = "Sources"
	groupResolution = "Resolution"
	groupTrust      = "Trust and configuration"
)

// findingNames are the names of the checks that findings of sources belong to.
func findingNames() []string {
	var all []string
	for _, c := range conditions() {
		all = append(all, c.check)
	}
	return all
}

// Groups returns the groups of results in their order.
func Groups() []string {
	var all []string
	for _, d := range Docs() {
		if !slices.Contains(all, d.Group) {
			all = append(all, d.Group)
		}
	}
	return append(all, groupOther)
}

// groupOther has the results of checks that nobody has described.
const groupOther = "Other"

// GroupOf returns the group of a check.
func GroupOf(check string) string {
	for _, d := range Docs() {
		if d.Check == check {
			return d.Group
		}
	}
	return groupOther
}

// Docs returns what the reference says of all checks, in the order of the groups.
func Docs() []Doc { return slices.Concat(telemetryDocs(), ClusterDocs()) }

// telemetryDocs are those of the checks of the telemetry.
func telemetryDocs() []Doc {
	return slices.Concat(prometheusDocs(), sourceDocs(), resolutionDocs(), trustDocs())
}

// when says when a result has a severity.
type when struct {
	severity Severity
	is       string
}

// doc is what the reference says of a check.
func doc(check, group, meaning string, severities ...when) Doc {
	var all []string
	for _, w := range severities {
		all = append(all, w.severity.String()+": "+w.is)
	}
	return Doc{Check: check, Group: group, Meaning: meaning, Severities: strings.Join(all, "; ")}
}

func prometheusDocs() []Doc {
	return []Doc{
		doc(nameReachable, groupPrometheus, "Whether the server answers a query.", when{Error, "there is no connection, or no answer within `prometheus.timeout`"}),
		doc(nameAllowed, groupPrometheus, "Whether the server accepts the credentials.", when{Error, "it answers 401 or 403, or a file with a secret cannot be read"}),
		doc(nameAPI, groupPrometheus, "Whether the server has the query API of Prometheus, and which version it says it is.", when{Error, "something else answers, or the server refuses queries"}),
		doc(nameComplete, groupPrometheus, "Whether the server says that its answers are complete.", when{Error, "an answer has warnings, `isPartial` or a header of a limit: a store behind the server is missing"}),
		doc(nameClock, groupPrometheus, "Whether the clocks of the server and of this machine agree. If they do not, the other checks use the server's time.",
			when{Warning, "they differ by 5 s or more"}, when{Error, "they differ by the window of the rates or more"},
		),
		doc(nameRetention, groupPrometheus, "How long samples are kept, if the server says so.",
			when{Note, "less than `retainFor`, which `vicinity explain` reads back"}, when{Error, "less than the window of the rates"},
		),
		doc(nameReload, groupPrometheus, "Whether the server runs with its current configuration.", when{Warning, "the last reload failed"}),
		doc(nameCost, groupPrometheus, "How long the queries of the sources take and how many series they return.",
			when{Warning, "one needs half of `prometheus.timeout` or of `prometheus.maxSeries`, or a refresh takes longer than `interval`"}, when{Error, "one exceeds them"},
		),
		doc(nameRules, groupPrometheus, "Whether recording rules would pay off, and whether they exist if `recorded: true` reads them.",
			when{Note, "a refresh reads 100,000 series or is slow, and rules would leave a quarter of them or fewer"}, when{Error, "the rules that are read have no series"},
		),
		doc(nameLimits, groupPrometheus, "How near the graph is to `trust.limits`.",
			when{Warning, "it has four fifths of the edges or workloads that it may have"}, when{Error, "some of the traffic is beyond the limits"},
		),
	}
}

func sourceDocs() []Doc {
	return []Doc{
		doc(nameFound, groupSources, "Which types of sources have metrics.",
			when{Warning, "several have, and none is chosen"}, when{Error, "none has; the result names what exists instead, such as metrics whose labels have been removed or that count no bytes"},
		),
		doc(nameConfigured, groupSources, "Whether the configured sources have metrics.",
			when{Note, "a type that is not configured has metrics too"}, when{Error, "a configured one has none"},
		),
		doc(nameFresh, groupSources, "How old the newest sample of each scrape job is.",
			when{Warning, "older than three scrape intervals"}, when{Error, "older than the window, or there was one within the last hour only"},
		),
		doc(nameWindow, groupSources, "Whether the window of each source holds four scrapes. The scrape interval is measured.",
			when{Warning, "it holds fewer than four"}, when{Error, "it holds fewer than two, so there are no rates"},
		),
		doc(nameLookback, groupSources, "Whether queries see samples for longer than a scrape interval.", when{Warning, "they do not, so series vanish between two scrapes"}),
		doc(nameTargets, groupSources, "Whether the targets of the jobs that have the metrics are up.",
			when{Warning, "some are down"}, when{Error, "all targets of a job are down"},
		),
		doc(nameRead, groupSources, "Whether each source can be read as the scheduler reads it.", when{Error, "its queries fail or have no traffic"}),
		doc(nameBytes, groupSources, "Whether bytes are counted wherever requests or connections are.",
			when{Warning, "some pairs of workloads lack bytes"}, when{Error, "all do: the metrics are switched off"},
		),
		doc(nameClusters, groupSources, "Whether the traffic belongs to one cluster.",
			when{Note, "a label divides the series into groups, which may be clusters"}, when{Error, "workloads of several clusters would be added up"},
		),
		doc(nameTwice, groupSources, "Whether proxies are scraped twice, or replicas of Prometheus not deduplicated.", when{Error, "they are: rates are too high"}),
		doc(nameLabels, groupSources, "Whether series lack labels that name workloads.", when{Warning, "some do"}, when{Error, "they do, and no traffic is left"}),
		doc(nameYoung, groupSources, "Whether the data fills the window.", when{Warning, "it is younger, so rates are too low for some time"}),
		doc(nameWaypoints, groupSources, "Whether traffic is reported only by waypoints (Istio's ambient mode).", when{Warning, "some is"}, when{Error, "all is"}),
		doc(nameServices, groupSources, "Whether clients and servers call services by different names.", when{Note, "they do, so traffic that is left out may be counted twice"}),
	}
}

func resolutionDocs() []Doc {
	return []Doc{
		doc(nameResolved, groupResolution, "Which share of the bytes becomes edges between workloads, and why the rest does not, with examples.",
			when{Note, "1 % or more of the bytes is left out for one reason"}, when{Warning, "5 % or more, or series are not believed"}, when{Error, "60 % or more"},
		),
		doc(nameOutside, groupResolution, "Which share of the bytes is with peers outside the cluster that are not `sites`.",
			when{Note, "1 % or more"}, when{Warning, "20 % or more, and no site is configured"},
		),
		doc(namePods, groupResolution, "How many running pods belong to workloads that have traffic. Pods in system namespaces and on the host network are left out.",
			when{Note, "some have none"}, when{Warning, "half or more have none"},
		),
		doc(nameKnown, groupResolution, "How many workloads in the graph have pods in this cluster.",
			when{Warning, "fewer than half"}, when{Error, "fewer than a tenth: the metrics are of another cluster"},
		),
	}
}

func trustDocs() []Doc {
	return []Doc{
		doc(nameReporters, groupTrust, "Whether the scrape attaches a label with the namespace of the target, so that targets need to be believed only about themselves.",
			when{Note, "the label could be used but is not, or there is none"}, when{Warning, "targets report for other namespaces that are not trusted"}, when{Error, "`trust.reporterNamespaceLabel` is set and does not fit the series"},
		),
		doc(nameAgreement, groupTrust, "Whether both ends report the traffic between namespaces.",
			when{Note, "they do, and `trust.agreement` is `larger`"}, when{Warning, "they do not, and `trust.agreement` is `agreed`"},
		),
		doc(nameConfiguration, groupTrust, "Whether the TelemetryConfiguration fits the telemetry.",
			when{Note, "only settings of trust could be stricter, or none is given"}, when{Warning, "it should be changed"},
		),
	}
}
