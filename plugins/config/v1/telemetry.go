package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
)

// TelemetryConfigurationKind is the kind of TelemetryConfiguration.
const TelemetryConfigurationKind = "TelemetryConfiguration"

// TelemetryConfiguration says where the traffic between workloads is read
// from. There is one for each process.
type TelemetryConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Interval is how often the sources are queried (default 30s, at least 1s).
	Interval *metav1.Duration `json:"interval,omitempty"`
	// HalfLife is the time after which an observation counts half as much as a
	// new one (default 2m; 0s takes every observation as it is).
	HalfLife *metav1.Duration `json:"halfLife,omitempty"`
	// RetainFor is how long traffic that is no longer observed is remembered
	// (default 1h; not less than interval).
	RetainFor *metav1.Duration `json:"retainFor,omitempty"`
	// Prometheus is the server that answers the queries of all sources.
	Prometheus Prometheus `json:"prometheus"`
	// Sources are what to query (default one of type istio-sidecar). Where
	// several see the same traffic, the largest rate counts, unless one is preferred.
	Sources []TelemetrySource `json:"sources,omitempty"`
	// NodeNetworks says what the networks of nodes take, for profiles that bound what
	// is drawn to a node by it (networkCapacity of TrafficLocalityArgs). It is not asked
	// unless it is set.
	NodeNetworks *NodeNetworks `json:"nodeNetworks,omitempty"`
	// Sites are endpoints outside the cluster whose zone or region is known, at most 1000.
	// Pods that exchange traffic with them are drawn there.
	Sites []Site `json:"sites,omitempty"`
	// Trust says what is believed of the telemetry, which tenants can forge.
	Trust Trust `json:"trust,omitzero"`
	// Declared says what counts of the traffic of new workloads before the telemetry has
	// seen it.
	Declared Declared `json:"declared,omitzero"`
}

// Prometheus is a server with the HTTP API of Prometheus: Prometheus itself,
// Thanos, Mimir, VictoriaMetrics. All files are read again when they are
// needed, so that credentials may be rotated.
type Prometheus struct {
	// URL is the base of the API without /api/v1, without credentials.
	URL string `json:"url"`
	// Timeout limits one query (default 30s).
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// TLS is for https.
	TLS *TLS `json:"tls,omitempty"`
	// BearerTokenFile holds a token; not together with basicAuth.
	BearerTokenFile string `json:"bearerTokenFile,omitempty"`
	// BasicAuth is a user name and a file that holds the password.
	BasicAuth *BasicAuth `json:"basicAuth,omitempty"`
	// Headers are added to every request, e.g. X-Scope-OrgID.
	Headers map[string]string `json:"headers,omitempty"`
	// MaxBodyBytes limits one answer (default 512Mi). Compressed answers are not
	// asked for, and refused.
	MaxBodyBytes *resource.Quantity `json:"maxBodyBytes,omitempty"`
	// MaxSeries limits the series of one answer (default 1000000).
	MaxSeries *int32 `json:"maxSeries,omitempty"`
}

// TLS says whom to trust and who we are. TLS before 1.2 is refused.
type TLS struct {
	// CAFile holds the PEM certificates to trust instead of the system's.
	CAFile string `json:"caFile,omitempty"`
	// CertFile and KeyFile are our certificate; both or none.
	CertFile string `json:"certFile,omitempty"`
	// KeyFile is the private key of CertFile.
	KeyFile string `json:"keyFile,omitempty"`
	// ServerName is the name that the server's certificate must have instead
	// of the URL's host.
	ServerName string `json:"serverName,omitempty"`
}

// BasicAuth is a user name and a file that holds the password.
type BasicAuth struct {
	Username     string `json:"username"`
	PasswordFile string `json:"passwordFile"`
}

// NodeNetworksName is what NodeNetworks is called in metrics and messages, beside the
// names of the sources.
const NodeNetworksName = "node-networks"

// NodeNetworks is a query for what the networks of nodes take.
type NodeNetworks struct {
	// Query is PromQL that yields an instant vector of bytes per second in each
	// direction. Of several values for a node the largest counts.
	Query string `json:"query"`
	// Label has the node's name (default "node").
	Label string `json:"label,omitempty"`
}

// SourceType names a kind of telemetry source.
type SourceType string

const (
	// SourceIstioSidecar reads the metrics of Istio's sidecar proxies and of ztunnel. It is
	// the default.
	SourceIstioSidecar SourceType = "istio-sidecar"
	// SourcePromQL reads what its field promql says.
	SourcePromQL SourceType = promql.Type
)

// TelemetrySource is one source.
type TelemetrySource struct {
	// Type selects the metrics and how they are read: "promql", or one that
	// vicinity sources list names.
	Type SourceType `json:"type"`
	// Name shows in metrics and messages and is unique (default: the type).
	Name string `json:"name,omitempty"`
	// Window is the range of the rates: whole seconds (default 5m; at least 5s,
	// and at least four scrape intervals for a missed scrape to do no harm).
	Window *metav1.Duration `json:"window,omitempty"`
	// Cluster is the mesh's name of the cluster that is scheduled. When it is
	// set, traffic that names another is left out.
	Cluster string `json:"cluster,omitempty"`
	// Selector is a list of further PromQL label matchers without braces.
	Selector string `json:"selector,omitempty"`
	// Recorded reads what the recording rules in manifests/recording-rules have
	// aggregated, instead of the mesh's own metrics.
	Recorded bool `json:"recorded,omitempty"`
	// PreferredIn are namespaces, "*" for all. Where this source sees traffic with an end in
	// one of them, what sources say that are not preferred there does not count.
	PreferredIn []string `json:"preferredIn,omitempty"`
	// PromQL says what to query and how to read the answers, for the type promql.
	PromQL *promql.Definition `json:"promql,omitempty"`
}

// Agreement says which of two reports of the same traffic counts.
type Agreement string

const (
	// AgreementLarger counts the larger of what the two ends report.
	AgreementLarger Agreement = "larger"
	// AgreementAgreed counts, of traffic between namespaces, the smaller of what the two
	// ends report, and nothing where one end alone reports it.
	AgreementAgreed Agreement = "agreed"
)

// Agreements returns every supported value.
func Agreements() []Agreement { return []Agreement{AgreementLarger, AgreementAgreed} }

// Trust says what is believed of the telemetry: who may report what, which namespaces
// may attract pods of which, and how much is kept.
type Trust struct {
	// ReporterNamespaceLabel is the label in which the scrape says which namespace a
	// target is of, e.g. "namespace". When it is set, a target is believed only what it
	// reports of its own namespace (default: everybody is believed).
	ReporterNamespaceLabel string `json:"reporterNamespaceLabel,omitempty"`
	// TrustedReporterNamespaces are those whose targets report for others, such as
	// agents on nodes. They need reporterNamespaceLabel.
	TrustedReporterNamespaces []string `json:"trustedReporterNamespaces,omitempty"`
	// Agreement says which of the two ends' reports counts (default "larger").
	Agreement Agreement `json:"agreement,omitempty"`
	// Namespaces says which namespaces may attract pods of which (default: all may).
	Namespaces []NamespaceRule `json:"namespaces,omitempty"`
	// MaxForeignShare is the share of a pod's best gain that the workloads of one other
	// namespace may contribute to its gain on a node (default 1, which is no bound).
	MaxForeignShare *float64 `json:"maxForeignShare,omitempty"`
	// Limits bound what is kept of the traffic.
	Limits Limits `json:"limits,omitzero"`
}

// NamespaceRule lets workloads of the namespaces From attract pods of the namespaces To;
// "*" is all of them.
type NamespaceRule struct {
	From []string `json:"from"`
	To   []string `json:"to"`
}

// Limits bound what is kept of the traffic, in each refresh and in the graph.
type Limits struct {
	// Edges is how many edges there may be in all (default 300000).
	Edges *int32 `json:"edges,omitempty"`
	// NamespaceEdges is how many may have an end in one namespace (default 250000,
	// at most edges).
	NamespaceEdges *int32 `json:"namespaceEdges,omitempty"`
	// Workloads is how many workloads there may be in all (default 30000).
	Workloads *int32 `json:"workloads,omitempty"`
	// NamespaceWorkloads is how many one namespace may have (default 20000,
	// at most workloads).
	NamespaceWorkloads *int32 `json:"namespaceWorkloads,omitempty"`
}
