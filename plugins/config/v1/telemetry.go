package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// several see the same traffic, the largest rate counts.
	Sources []TelemetrySource `json:"sources,omitempty"`
	// NodeNetworks says what the networks of nodes take, for profiles that bound what
	// is drawn to a node by it (networkCapacity of TrafficLocalityArgs). It is not asked
	// unless it is set.
	NodeNetworks *NodeNetworks `json:"nodeNetworks,omitempty"`
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

// SourceIstioSidecar reads the metrics of Istio's sidecar proxies.
const SourceIstioSidecar SourceType = "istio-sidecar"

// SourceTypes returns every supported type.
func SourceTypes() []SourceType { return []SourceType{SourceIstioSidecar} }

// TelemetrySource is one source.
type TelemetrySource struct {
	// Type selects the metrics and how they are read.
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
}
