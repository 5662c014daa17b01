//go:build linux

package realmeshes

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// calls are what the application web sends to each of the others, by the name of the Service.
func calls() map[string]traffic {
	return map[string]traffic{
		"cart":    {protocol: http1, requests: 200, request: 500, respond: 5000},
		"flaky":   {protocol: http1, requests: 100, request: 500, respond: 5000, failures: 1},
		"brief":   {protocol: http1, requests: 100, request: 500, respond: 5000, perRequest: true},
		"catalog": {protocol: http2, requests: 200, request: 500, respond: 5000},
		"pay":     {protocol: grpcs, requests: 200, request: 500, respond: 5000},
		"feed":    {protocol: grpcs, requests: 200, request: 500, respond: 5000, stream: true},
		"db":      {protocol: tcp, requests: 20, request: 10_000, respond: 50_000},
		"queue":   {protocol: tcp, requests: 100, request: 500, respond: 5000, perRequest: true},
	}
}

// elsewhere is what web sends to each that is no workload of this cluster.
var elsewhere = traffic{protocol: tcp, requests: 10, request: 10_000, respond: 10_000}

// town is a mesh's sidecars at work: one of the application web on the client's node, and
// one of each Service that it calls on the server's.
type town struct {
	*lab
	mesh    *mesh
	objects *endpoints.Store
	targets []metrics.Target
	web     *envoy
	entries map[string]string // where web calls a Service, or a cluster elsewhere
	ports   map[string]uint16 // of each on the wire
	exposed string            // where web's sidecar exposes its metrics
}

// security is what both ends need for mutual TLS, nil without.
type security struct {
	authority *authority
	client    identity
}

// newTown starts the sidecars.
func newTown(t *testing.T, m *mesh, withTLS bool) *town {
	t.Helper()
	tn := &town{lab: newLab(t), mesh: m, objects: endpoints.NewStore(), entries: map[string]string{}, ports: map[string]uint16{}}
	var s *security
	if withTLS {
		s = &security{authority: newAuthority(t)}
		s.client = s.authority.issue(t, "web")
	}
	var clusters []*cluster
	var listeners []*listener
	route := func(name, upstream, address string, is traffic, tls *tlsEnd) {
		clusters = append(clusters, &cluster{name: upstream, address: address, http2: is.protocol.isHTTP2(), perRequest: is.perRequest, tls: tls})
		tn.entries[name], tn.ports[name] = at("127.0.0.1", tn.port()), portOf(address)
		listeners = append(listeners, &listener{
			address: tn.entries[name], cluster: upstream, statPrefix: "upstream-" + fmt.Sprint(len(listeners)), http: is.protocol.isHTTP(), retries: is.failures,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(calls())) {
		address, tls := tn.addServer(t, name, calls()[name], s)
		route(name, m.upstream(name), address, calls()[name], tls)
	}
	for _, name := range slices.Sorted(maps.Keys(tn.others())) {
		address := at(tn.server.address, tn.port())
		serve(t, tn.server, address, elsewhere, nil)
		route(name, name, address, elsewhere, nil)
	}
	tn.web, tn.exposed = tn.addSidecar(t, tn.client, "web", clusters, listeners)
	return tn
}

// others are the upstreams that are no workload, with the reason to leave them out; Included
// where the source does not see them.
func (tn *town) others() map[string]telemetry.Reason {
	all := maps.Clone(tn.mesh.elsewhere)
	for name := range tn.mesh.unseen {
		all[name] = telemetry.Included
	}
	return all
}

// addServer starts an application with its sidecar, and returns where and how other sidecars
// reach it.
func (tn *town) addServer(t *testing.T, name string, is traffic, s *security) (address string, tls *tlsEnd) {
	t.Helper()
	behind := at("127.0.0.1", tn.port())
	serve(t, tn.server, behind, is, nil)
	address = at(tn.server.address, tn.port())
	inbound := &cluster{name: tn.mesh.inbound(name), address: behind, http2: is.protocol.isHTTP2()}
	public := &listener{address: address, cluster: inbound.name, statPrefix: "public_listener", http: is.protocol.isHTTP()}
	if s != nil {
		alpn := []string{is.protocol.alpn()}
		public.tls = &tlsEnd{s.authority.issue(t, name), s.authority.pem, name, alpn}
		tls = &tlsEnd{s.client, s.authority.pem, name, alpn}
	}
	tn.addSidecar(t, tn.server, name, []*cluster{inbound}, []*listener{public})
	tn.put(t, newService(name))
	return address, tls
}

// addSidecar starts an Envoy that is scraped through a listener of its own.
func (tn *town) addSidecar(t *testing.T, n *node, app string, clusters []*cluster, listeners []*listener) (e *envoy, exposed string) {
	t.Helper()
	admin, scraped := at("127.0.0.1", tn.port()), at("127.0.0.1", tn.port())
	config := bootstrap(append(clusters, &cluster{name: tn.mesh.admin, address: admin}), append(listeners, &listener{
		address: scraped, statPrefix: "metrics", http: true,
		routes: list{object{"match": object{"path": "/metrics"}, "route": object{"cluster": tn.mesh.admin, "prefix_rewrite": "/stats/prometheus"}}},
	}))
	config["admin"] = admin
	if tn.mesh.stats != nil {
		config["stats_config"] = tn.mesh.stats(app)
	}
	e = tn.start(t, n, app, config)
	pod := tn.mesh.newPod(app, n.address)
	tn.put(t, pod)
	exposed = n.forward(t, scraped)
	target := exposed
	if tn.mesh.rewrite != nil {
		target = serveRewritten(t, exposed, tn.mesh.rewrite)
	}
	tn.targets = append(tn.targets, metrics.Target{
		Job: pod.Name, Address: target, MetricsPath: "/metrics", Discovered: tn.mesh.meta(pod), Relabelling: tn.mesh.relabelling,
	})
	return e, exposed
}

func (tn *town) put(t *testing.T, object runtime.Object) {
	t.Helper()
	if err := tn.objects.Put(kube.ObjectChange{Object: object}); err != nil {
		t.Fatal(err)
	}
}

// TestSources sends traffic through the sidecars of each mesh, scrapes them, and compares
// what the mesh's source says with what was sent.
func TestSources(t *testing.T) {
	table := [][]string{{"mesh", "mTLS", "the source says", "TCP carries", "on the wire"}}
	for _, m := range meshes() {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, mTLS: %s", m.name, yes(tls)), func(t *testing.T) {
				tn := newTown(t, &m, tls)
				prometheus, client := tn.scrape(t)
				tn.send(t)
				at := tn.scraped(t, client)
				sum := tn.compare(t, tn.ask(t, client, at), tls)
				for cluster, query := range m.unseen {
					if got := value(t, client, query, at); int(got) != elsewhere.requests*elsewhere.request {
						t.Errorf("to %s %.0f bytes were sent, according to %s", cluster, got, query)
					}
				}
				table = append(table, []string{m.name, yes(tls), of(sum.envoy, sum.payload), of(sum.tcp, sum.payload), of(sum.frames, sum.payload)})
				tn.checkNames(t, prometheus)
			})
		}
	}
	t.Logf("bytes in both directions for 100 bytes of payload\n%s", markdown(table))
}

const (
	scrapeInterval = 500 * time.Millisecond
	window         = 5 * time.Minute // longer than all that is scraped
)

// scrape starts a Prometheus, and waits until it knows all sidecars.
func (tn *town) scrape(t *testing.T) (url string, client *promapi.Client) {
	t.Helper()
	prometheus, err := metrics.Start(metrics.Options{Dir: t.TempDir(), ScrapeInterval: scrapeInterval, Targets: tn.targets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := prometheus.Stop(); err != nil {
			t.Errorf("stopping Prometheus: %v", err)
		}
	})
	if client, err = promapi.New(promapi.Config{URL: prometheus.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	eventually(t, func() error {
		if n := value(t, client, `sum(up)`, time.Now()); int(n) != len(tn.targets) {
			return fmt.Errorf("%v of %d sidecars are scraped", n, len(tn.targets))
		}
		return nil
	})
	return prometheus.URL(), client
}

// value is the only value of an answer, 0 without one.
func value(t *testing.T, client *promapi.Client, query string, at time.Time) (v float64) {
	t.Helper()
	if err := client.Query(t.Context(), query, at, func(s telemetry.Series) error { v = s.Value; return nil }); err != nil {
		t.Fatal(err)
	}
	return v
}

// send sends all traffic.
func (tn *town) send(t *testing.T) {
	t.Helper()
	for name, address := range tn.entries {
		is, ok := calls()[name]
		if !ok {
			is = elsewhere
		}
		if err := is.send(t.Context(), tn.client, address); err != nil {
			t.Fatalf("calling %s: %v", name, err)
		}
	}
}

// scraped waits until the counters rest and have been scraped, and returns when web's were.
// At this time a rate over all samples, the first of which is 0, is what was counted.
func (tn *town) scraped(t *testing.T, client *promapi.Client) time.Time {
	t.Helper()
	const last = `max(timestamp(envoy_cluster_upstream_cx_tx_bytes_total{%s}))`
	selector := fmt.Sprintf("job=%q", tn.mesh.newPod("web", "").Name)
	before := -1
	var since, at float64
	eventually(t, func() error {
		sum := 0
		for name := range calls() {
			sent, received, err := tn.web.upstreamBytes(t.Context(), tn.mesh.upstream(name))
			if err != nil {
				return err
			}
			sum += sent + received
		}
		now := float64(time.Now().UnixMilli()) / 1000
		if sum != before {
			before, since = sum, now
		}
		if at = value(t, client, fmt.Sprintf(last, selector), time.Now()); at <= since+1 {
			return fmt.Errorf("the newest sample is of %.3f; the counters rest since %.3f", at, since)
		}
		return nil
	})
	return time.UnixMilli(int64(at*1000 + 0.5))
}

// ask has Vicinity's source read what was scraped, and checks that it finds nothing wrong and
// that it says the same where sidecars are believed what they report of themselves alone.
func (tn *town) ask(t *testing.T, client *promapi.Client, at time.Time) telemetry.Observation {
	t.Helper()
	collect := func(trust telemetry.Trust) (telemetry.Source, telemetry.Observation) {
		source, err := sources.New(v1.TelemetrySource{
			Type: v1.SourceType(tn.mesh.product), Name: tn.mesh.product, Window: &metav1.Duration{Duration: window},
		}, trust, tn.objects)
		if err != nil {
			t.Fatal(err)
		}
		o, err := source.Collect(t.Context(), client, at)
		if err != nil {
			t.Fatal(err)
		}
		return source, o
	}
	source, o := collect(telemetry.Trust{})
	found, err := source.(telemetry.Checker).Check(t.Context(), client, at, o)
	if err != nil {
		t.Error(err)
	}
	for _, f := range append(found, o.Findings...) {
		if f.Condition != telemetry.YoungData {
			t.Errorf("the source finds %v: %s", f.Condition, f.What)
		}
	}
	_, believed := collect(telemetry.Trust{ReporterLabel: "namespace"})
	if diff := cmp.Diff(o.Flows, believed.Flows); diff != "" {
		t.Errorf("edges where sidecars are believed what they report of themselves (-everybody +themselves):\n%s", diff)
	}
	return o
}

// compare checks each edge, and returns their sum.
func (tn *town) compare(t *testing.T, o telemetry.Observation, tls bool) (sum counted) {
	t.Helper()
	edges := map[string]flowgraph.Flow{}
	for _, f := range o.Flows {
		edges[fmt.Sprintf("%v -> %v", f.From, f.To)] = f
	}
	for _, name := range slices.Sorted(maps.Keys(calls())) {
		edge := fmt.Sprintf("shop/web -> shop/%s", name)
		f, ok := edges[edge]
		if !ok {
			t.Errorf("%s: the source does not see it", edge)
			continue
		}
		delete(edges, edge)
		one := tn.compareEdge(t, name, f, tls)
		sum = counted{sum.payload + one.payload, sum.envoy + one.envoy, sum.tcp + one.tcp, sum.frames + one.frames}
	}
	for edge, f := range edges {
		t.Errorf("%s: %.0f bytes that nobody sent", edge, f.BytesPerSecond()*window.Seconds())
	}
	leftOut := map[telemetry.Reason]int{}
	for _, reason := range tn.others() {
		if reason != telemetry.Included {
			leftOut[reason] += elsewhere.requests * (elsewhere.request + elsewhere.respond)
		}
	}
	got := map[telemetry.Reason]int{}
	for reason, left := range o.LeftOut {
		got[reason] = int(math.Round(left.BytesPerSecond * window.Seconds()))
	}
	if diff := cmp.Diff(leftOut, got); diff != "" {
		t.Errorf("bytes left out (-want +got):\n%s", diff)
	}
	return sum
}

// compareEdge compares what the source says of an edge with what was sent, what Envoy has
// counted, and what was on the wire between the two sidecars.
func (tn *town) compareEdge(t *testing.T, name string, f flowgraph.Flow, tls bool) (all counted) {
	t.Helper()
	is := calls()[name]
	sent, received, err := tn.web.upstreamBytes(t.Context(), tn.mesh.upstream(name))
	if err != nil {
		t.Fatal(err)
	}
	if requests := int(math.Round(f.RequestsPerSecond * window.Seconds())); requests != is.streams() {
		t.Errorf("%s: the source says %d requests, want %d", name, requests, is.streams())
	}
	on := tn.wire.of(tn.ports[name])
	for _, d := range []struct {
		direction      string
		said           float64
		envoy, payload int
		wire           onWire
	}{
		{"to", f.SentBytesPerSecond * window.Seconds(), sent, is.requests * (is.failures + 1) * is.request, on.toServer},
		{"from", f.ReceivedBytesPerSecond * window.Seconds(), received, is.requests * is.respond, on.toClient},
	} {
		if off := d.said/float64(d.envoy) - 1; off < -0.0001 || off > 0.0001 {
			t.Errorf("%s %s: the source says %.1f bytes; Envoy has counted %d", d.direction, name, d.said, d.envoy)
		}
		if over := float64(d.envoy) / float64(d.payload); over < 1 || over > 2 || is.protocol == tcp && over != 1 {
			t.Errorf("%s %s: Envoy has counted %d bytes for %d of payload", d.direction, name, d.envoy, d.payload)
		}
		if tn.wire != nil && (d.wire.payload < d.envoy || !tls && d.wire.payload > d.envoy+sentTwice(d.envoy)) {
			t.Errorf("%s %s: Envoy has counted %d bytes, and TCP carried %d", d.direction, name, d.envoy, d.wire.payload)
		}
		all = counted{all.payload + d.payload, all.envoy + int(d.said+0.5), all.tcp + d.wire.payload, all.frames + d.wire.frames}
	}
	return all
}
