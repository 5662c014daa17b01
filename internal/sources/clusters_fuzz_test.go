package sources_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// one is a querier that answers the query of what is sent with one series.
type one map[string]string

func (o one) Query(_ context.Context, query string, _ time.Time, yield func(telemetry.Series) error) error {
	if !strings.Contains(query, "(rate(envoy_cluster_upstream_cx_tx_bytes_total{") || strings.Contains(query, `proxy="ingress"`) {
		return nil
	}
	return yield(telemetry.Series{Labels: o, Value: 1})
}

func (o one) Get(name string) string { return o[name] }

// asked finds a workload behind each endpoint: of its namespace, called as its kind and name.
type asked struct{}

func (asked) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		all = append(all, telemetry.Resolution{Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: e.Namespace, Name: e.Kind.String() + "." + e.Name}, Part: 1}}})
	}
	return all
}

// outcomeOf returns a function that says what becomes of a series with some labels: the server's
// namespace and "kind.name", or a reason.
func outcomeOf(f *testing.F, name v1.SourceType) func(testing.TB, map[string]string) string {
	source, err := sources.New(v1.TelemetrySource{Type: name, Name: "it", Window: &metav1.Duration{Duration: time.Minute}}, telemetry.Trust{}, asked{})
	if err != nil {
		f.Fatal(err)
	}
	return func(t testing.TB, labels map[string]string) string {
		o, err := source.Collect(t.Context(), one(labels), time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Flows) > 0 {
			if f := o.Flows[0]; len(o.Flows) > 1 || !f.To.IsValid() || f.From.String() != "shop/pod.client-1" {
				t.Fatalf("flows %v", o.Flows)
			}
			return o.Flows[0].To.Namespace + "/" + o.Flows[0].To.Name
		}
		for reason := range o.LeftOut {
			return reason.String()
		}
		return "nothing"
	}
}

// serviceNamed is the outcome of a name that is a Service's, if Kubernetes may have such a one.
func serviceNamed(kind, namespace, name string) string {
	if !flowgraph.ValidNamespace(namespace) || !flowgraph.ValidName(name) {
		return telemetry.Invalid.String()
	}
	return namespace + "/" + kind + "." + name
}

// digits reports whether a text has nothing but digits.
func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// FuzzKumaClusters reads any name of a cluster, and compares with a reading by its parts.
func FuzzKumaClusters(f *testing.F) {
	for _, seed := range []string{
		"web_shop_svc_80", "a_b_c_svc_80", "web_shop_svc_80-0382aaf295add2eb", "default_web_shop_east_msvc_80", "default_backend___msvc_80",
		"kri_msvc_default_east_shop_web_http", "kri_msvc_default_west_shop_web_", "kri_mzsvc_default__a_b_80", "x_mzsvc_1", "kri_extsvc_default___p_443",
		"outbound_passthrough_ipv4", "_svc_80", "__svc_80", "a_b_svc_", "A_b_svc_1", "kri_msvc_svc_80", "a\nb_c_svc_80",
	} {
		f.Add(seed)
	}
	outcome := outcomeOf(f, "kuma")
	f.Fuzz(func(t *testing.T, cluster string) {
		got := outcome(t, map[string]string{"namespace": "shop", "pod": "client-1", "kuma_io_zone": "east", "envoy_cluster_name": cluster})
		if want := kumaCluster(cluster); cluster != "" && got != want {
			t.Errorf("%q is %s, want %s", cluster, got, want)
		}
	})
}

// kumaCluster says what the name of a cluster means, without regular expressions.
func kumaCluster(cluster string) string {
	isName := func(parts ...string) bool { return !slices.Contains(parts, "") && !slices.Contains(parts, "unknown") }
	if parts := strings.Split(cluster, "_"); len(parts) == 7 && strings.HasPrefix(cluster, "kri_msvc_") && isName(parts[4], parts[5]) {
		return kumaService(parts[3], parts[4], parts[5])
	}
	name := cluster
	if i := strings.LastIndex(name, "-"); i >= 0 && len(name)-i == 17 && strings.Trim(name[i+1:], "0123456789abcdef") == "" {
		name = name[:i]
	}
	parts := strings.Split(name, "_")
	n := len(parts)
	kind := ""
	if n >= 3 && digits(parts[n-1]) {
		kind = parts[n-2]
	}
	isMultiZone := kind == "msvc" || kind == "mzsvc" || strings.HasPrefix(cluster, "kri_msvc_") || strings.HasPrefix(cluster, "kri_mzsvc_")
	switch {
	case kind == "msvc" && n == 6 && parts[0] != "" && isName(parts[1], parts[2]):
		return kumaService(parts[3], parts[2], parts[1])
	case kind == "svc" && n == 4 && isName(parts[0], parts[1]):
		return kumaService("", parts[1], parts[0])
	case kind == "svc":
		return telemetry.Ambiguous.String()
	case isMultiZone:
		return telemetry.UnknownWorkload.String()
	case strings.Contains(cluster, "passthrough"):
		return telemetry.Passthrough.String()
	}
	return telemetry.External.String()
}

// kumaService is a Service in a zone. The name unknown is what meshes write for what they do
// not know, so that another reading counts.
func kumaService(zone, namespace, name string) string {
	outcome := serviceNamed("service", namespace, name)
	if outcome != telemetry.Invalid.String() && zone != "" && zone != "east" && zone != "unknown" {
		return telemetry.OtherCluster.String()
	}
	return outcome
}

// FuzzOSMClusters reads any name of a cluster, and compares with a reading by its parts.
func FuzzOSMClusters(f *testing.F) {
	for _, seed := range []string{"shop/web|80", "shop/db-0.db|80", "shop/a.b.c|80", "shop/.b|1", "/a|1", "a/b|", "a|1", "a/b|1|local", "passthrough-outbound", "a/b/c|1", "unknown/a|1"} {
		f.Add(seed)
	}
	outcome := outcomeOf(f, "osm")
	f.Fuzz(func(t *testing.T, cluster string) {
		got := outcome(t, map[string]string{"namespace": "shop", "pod": "client-1", "envoy_cluster_name": cluster})
		if want := osmCluster(cluster); cluster != "" && got != want {
			t.Errorf("%q is %s, want %s", cluster, got, want)
		}
	})
}

// osmCluster says what the name of a cluster means, without regular expressions.
func osmCluster(cluster string) string {
	namespace, rest, hasSlash := strings.Cut(cluster, "/")
	name, port, hasBar := strings.Cut(rest, "|")
	switch {
	case cluster == "passthrough-outbound":
		return telemetry.Passthrough.String()
	case !hasSlash || !hasBar || namespace == "" || name == "" || strings.ContainsAny(namespace, "|") || strings.Contains(name, "/") || !digits(port):
		return telemetry.External.String()
	}
	pod, service, isHeadless := strings.Cut(name, ".")
	if !isHeadless {
		service = name
	}
	if isHeadless && (pod == "" || service == "" || strings.Contains(service, ".")) || namespace == "unknown" || service == "unknown" {
		return telemetry.Ambiguous.String()
	}
	return serviceNamed("service", namespace, service)
}

// FuzzConsulTargets reads any target of a cluster, and compares with a reading by its parts.
func FuzzConsulTargets(f *testing.F) {
	for _, seed := range []string{
		"web.default.dc1.internal.d", "v1.web.default.dc1.internal.d", "h~web.default.dc1.internal.d", "web.default.dc2.internal.d", "web.default.west.dc1.internal-v1.d",
		"v1.web.default.west.dc1.internal-v1.d", "web.default.p.external.d", "a.b.c.d.e.f.g", ".....", "web..dc1.internal.d", "a~b~web.x.dc1.internal.d", "west.dc1.internal-v1.d",
	} {
		f.Add(seed, "default")
		f.Add(seed, "west")
		f.Add(seed, "")
	}
	outcome := outcomeOf(f, "consul")
	f.Fuzz(func(t *testing.T, target, partition string) {
		got := outcome(t, map[string]string{
			"namespace": "shop", "pod": "client-1", "consul_source_datacenter": "dc1", "consul_source_partition": partition,
			"envoy_cluster_name": "x", "consul_destination_full_target": target,
		})
		if want := consulTarget(target, partition); target != "" && got != want {
			t.Errorf("%q from %q is %s, want %s", target, partition, got, want)
		}
	})
}

// consulTarget says what a target means, without regular expressions.
func consulTarget(target, partition string) string {
	home := "dc1"
	if partition != "" && partition != "default" {
		home = partition
	}
	parts := strings.Split(target, ".")
	n := len(parts)
	if n < 2 || parts[n-1] == "" {
		return telemetry.OtherCluster.String()
	}
	at := n - 3 // of the cluster: the datacenter, or the partition in front of one
	switch parts[n-2] {
	case "internal":
	case "internal-v1":
		at--
		if n < 4 || parts[n-3] == "" {
			return telemetry.OtherCluster.String()
		}
	default:
		return telemetry.OtherCluster.String()
	}
	if at < 2 || at > 3 {
		return telemetry.OtherCluster.String()
	}
	name, namespace, cluster := parts[at-2], parts[at-1], parts[at]
	first := parts[0]
	if i := strings.LastIndex(first, "~"); i > 0 {
		if first = first[i+1:]; at == 2 {
			name = first
		}
	}
	outcome := serviceNamed("consul-service", namespace, name)
	switch {
	case first == "" || name == "" || namespace == "" || cluster == "" || name == "unknown" || namespace == "unknown":
		return telemetry.OtherCluster.String()
	case outcome != telemetry.Invalid.String() && cluster != home && cluster != "unknown" && home != "unknown":
		return telemetry.OtherCluster.String()
	}
	return outcome
}
