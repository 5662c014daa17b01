package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// prediction compares, on one application, what replay says of an assignment with
// what Prometheus measures.
type prediction struct {
	*app
	calls   []mesh.Call
	dynamic dynamic.Interface
	prom    promv1.API
	live    routing.Routes // as the plugin has them
	places  *livelocality.Follower
}

// TestPrediction sets one routing policy after the other for all Services of an
// application, predicts the local share, and lets the simulated mesh follow the
// policy. The mesh has routing of its own (internal/sandbox/mesh); what they have
// in common is the objects of the API server.
func TestPrediction(t *testing.T) {
	s := newScene(t)
	p := s.newPrediction(t)
	p.schedulerReadsRules(t)
	const setting = `"outlierDetection": {"interval": "1s"}, "loadBalancer": {"localityLbSetting": `
	policies := []struct{ name, service, rule string }{
		{"uniform", `null`, ``},
		{"Istio's annotation", annotated + `"PreferSameNode"`, ``},
		{"PreferClose", `"PreferClose"`, ``},
		{"PreferSameZone", `"PreferSameZone"`, ``},
		{"PreferSameNode", `"PreferSameNode"`, ``},
		{"a DestinationRule against it", `"PreferSameNode"`, setting + `{"enabled": false}}`},
		{"outlierDetection", `null`, `"outlierDetection": {"interval": "1s"}`},
		{"failoverPriority of the node", `null`, setting + `{"failoverPriority": ["kubernetes.io/hostname"]}}`},
		{"failoverPriority of zone and node", `null`, setting + `{"failoverPriority": ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]}}`},
		{"distribute, 80 % in the zone", `null`, setting + distribute([]int{80, 10, 10}, []int{10, 80, 10}, []int{10, 10, 80}) + `}`},
		{"distribute, another share for each zone", `"PreferSameZone"`, setting + distribute([]int{90, 5, 5}, []int{30, 40, 30}) + `}`},
		{"distribute without outlierDetection", `"PreferSameZone"`, `"loadBalancer": {"localityLbSetting": ` + distribute([]int{20, 40, 40}, []int{40, 20, 40}, []int{40, 40, 20}) + `}`},
		{"zone-aware", `"PreferSameNode"`, `"loadBalancer": {"zoneAwareLbSetting": {"minClusterSize": 1}}`},
		{"zone-aware with 6 endpoints", `null`, `"loadBalancer": {"zoneAwareLbSetting": {"enabled": true}}`},
	}
	least, most := 1.0, 0.0
	for _, policy := range policies {
		p.set(t, policy.service, policy.rule)
		predicted := p.predict(t)
		live := p.follow(t)
		measured := p.measure(t)
		for _, level := range []locality.Level{locality.Node, locality.Zone} {
			const points = 0.01
			t.Logf("%s: %v-local %.1f %% predicted, %.1f %% by live locality, %.1f %% measured", policy.name, level, 100*predicted[level], 100*live[level], 100*measured[level])
			if math.Abs(predicted[level]-measured[level]) > points || math.Abs(live[level]-measured[level]) > points {
				t.Errorf("%s: predicted, live and measured differ by more than %v points at the level %v", policy.name, 100*points, level)
			}
		}
		least, most = min(least, measured[locality.Node]), max(most, measured[locality.Node])
	}
	if most-least < 0.2 {
		t.Errorf("the policies keep %.1f to %.1f %% local: the comparison says little", 100*least, 100*most)
	}
}

// distribute says by the sandbox's zones, in their order, in percent where the calls
// from one zone after the other go.
func distribute(shares ...[]int) string {
	zones := []string{"region-1/zone-a/*", "region-1/zone-b/*", "region-1/zone-c"}
	var entries []string
	for from := range shares {
		var to []string
		for i, percent := range shares[from] {
			to = append(to, fmt.Sprintf("%q: %d", zones[i], percent))
		}
		entries = append(entries, fmt.Sprintf(`{"from": %q, "to": {%s}}`, zones[from], strings.Join(to, ", ")))
	}
	return `{"distribute": [` + strings.Join(entries, ", ") + `]}`
}

// newPrediction deploys an application of a front end, a fan-out behind it and
// stores, and brings the kind DestinationRule into the cluster.
func (s *scene) newPrediction(t *testing.T) *prediction {
	t.Helper()
	p := &prediction{app: s.newApp(t)}
	config, err := clientcmd.BuildConfigFromFlags("", s.cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if p.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(api.Config{Address: s.Metrics.URL()})
	if err != nil {
		t.Fatal(err)
	}
	p.prom = promv1.NewAPI(client)
	p.installRules(t)
	p.watch(t)
	workloads := []workload{
		{name: "frontend", replicas: 3}, {name: "cart", replicas: 3}, {name: "catalog", replicas: 4},
		{name: "search", replicas: 2}, {name: "cart-store", replicas: 2}, {name: "catalog-store", replicas: 3},
	}
	for _, w := range workloads {
		p.submit(t, w)
	}
	for _, w := range workloads {
		p.rolledOut(t, w)
	}
	for _, edge := range []struct {
		from, to string
		kib      float64 // of a response
	}{
		{"frontend", "cart", 6}, {"frontend", "catalog", 24}, {"frontend", "search", 40}, {"search", "catalog", 30},
		{"search", "catalog-store", 80}, {"catalog", "catalog-store", 32}, {"cart", "cart-store", 8},
	} {
		call := p.call(edge.from, edge.to)
		call.ResponseBytes = edge.kib * (1 << 10)
		p.calls = append(p.calls, call)
	}
	p.Mesh.SetCalls(p.calls)
	return p
}

// rules is the kind DestinationRule as a resource.
func rules() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "destinationrules"}
}

// installRules creates the kind.
func (p *prediction) installRules(t *testing.T) {
	t.Helper()
	install(t, p.dynamic, rules(), "DestinationRule")
}

// watch has the routing read as a scheduler reads it.
func (p *prediction) watch(t *testing.T) {
	t.Helper()
	var err error
	factory := informers.NewSharedInformerFactory(p.client, 0)
	read := &routing.DestinationRules{}
	if p.live, err = routing.NewRoutes(factory.Core().V1(), read, routing.AllPolicies()); err != nil {
		t.Fatal(err)
	}
	if p.places, err = livelocality.NewFollower(factory.Core().V1(), p.live,
		func(w *cluster.Workload, pod *corev1.Pod) { p.live.Fill(w, pod) }, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	watcher := routing.NewWatcher(klog.Background(), read, p.client.Discovery(), p.client.AuthorizationV1().SelfSubjectAccessReviews(), p.dynamic)
	var running sync.WaitGroup
	running.Go(func() { watcher.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		factory.Shutdown()
	})
}

// schedulerReadsRules starts a scheduler, which finds the kind and the permission.
func (p *prediction) schedulerReadsRules(t *testing.T) {
	t.Helper()
	o := p.options(t, "prediction")
	o.args = []string{"-v=2"}
	scheduler := p.start(t, o)
	eventually(t, "the scheduler reads DestinationRules", func() error {
		return want("the lines in its log", countLines(scheduler.log(t), "DestinationRules are read"), 1)
	})
	scheduler.process.Stop()
}

// annotated stands before a trafficDistribution that Istio's annotation has, in the
// place of the field.
const annotated = "annotation: "

// set gives all Services a trafficDistribution, in JSON, and a DestinationRule with
// a traffic policy, "" for none.
func (p *prediction) set(t *testing.T, distribution, policy string) {
	t.Helper()
	services, err := p.client.CoreV1().Services(p.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	field, annotation := distribution, "null"
	if value, ok := strings.CutPrefix(distribution, annotated); ok {
		field, annotation = "null", value
	}
	patch := fmt.Sprintf(`{"metadata": {"annotations": {"networking.istio.io/traffic-distribution": %s}}, "spec": {"trafficDistribution": %s}}`, annotation, field)
	all := p.dynamic.Resource(rules()).Namespace(p.namespace)
	if err := all.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, service := range services.Items {
		_, err := p.client.CoreV1().Services(p.namespace).Patch(t.Context(), service.Name, types.MergePatchType,
			[]byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if policy == "" {
			continue
		}
		rule := &unstructured.Unstructured{}
		if err := rule.UnmarshalJSON([]byte(fmt.Sprintf(
			`{"apiVersion": %q, "kind": "DestinationRule", "metadata": {"name": %q}, "spec": {"host": %q, "trafficPolicy": {%s}}}`,
			rules().GroupVersion(), service.Name, service.Name, policy))); err != nil {
			t.Fatal(err)
		}
		if _, err := all.Create(t.Context(), rule, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// predict reads the cluster as "vicinity replay" does, and measures the assignment
// as it is with the traffic of the call graph.
func (p *prediction) predict(t *testing.T) map[locality.Level]float64 {
	t.Helper()
	read, unread, err := objects.ReadObjects(p.kubectlGet(t), "the cluster")
	if err != nil || len(unread) > 0 {
		t.Fatalf("reading the cluster: %v, %v", err, unread)
	}
	replayable, warnings, err := history.Translate(read)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("reading the cluster: %v, %v", err, warnings)
	}
	c := replayable.Cluster
	eventually(t, "the plugin's routing is that of replay", func() error {
		var errs []error
		for i, w := range c.Workloads {
			live := p.live.ByCaller(replayable.Templates[i]).From(p.namespace)
			errs = append(errs, want("the routing of "+w.ID.Name, live.Routing, w.RouteFrom(p.namespace).Routing))
		}
		return errors.Join(errs...)
	})
	c.Edges = p.edges()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	o := cut.Measure(c, c.Assigned, nil)
	return map[locality.Level]float64{
		locality.Node: o.LocalShare(locality.Node, cut.Configured), locality.Zone: o.LocalShare(locality.Zone, cut.Configured),
	}
}

// edges are the traffic of the call graph.
func (p *prediction) edges() []flowgraph.Edge {
	var all []flowgraph.Edge
	for _, call := range p.calls {
		all = append(all, flowgraph.Edge{
			From: p.workload(call.From), To: p.workload(call.To),
			Rates: flowgraph.Rates{
				SentBytesPerSecond:     call.RequestsPerSecond * call.RequestBytes,
				ReceivedBytesPerSecond: call.RequestsPerSecond * call.ResponseBytes,
			},
		})
	}
	return all
}

// follow says how far that traffic goes as the scheduler measures it: by informers, which
// have read the routing when predict returns.
func (p *prediction) follow(t *testing.T) map[locality.Level]float64 {
	t.Helper()
	eventually(t, "the pods and nodes are read", func() error { return want("synced", p.places.HasSynced(), true) })
	d := &p.places.Measure(flowgraph.NewSnapshot(1, time.Now(), p.edges())).Distances[livelocality.All]
	node := d.Within[0]
	return map[locality.Level]float64{locality.Node: node / d.Total(), locality.Zone: (node + d.Within[1]) / d.Total()}
}

// workload is what the call graph names.
func (p *prediction) workload(name string) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: p.namespace, Name: strings.TrimPrefix(name, p.namespace+"/")}
}

// kubectlGet returns the nodes, and the objects of the namespace that a replay
// looks at, as kubectl get -o json writes them.
func (p *prediction) kubectlGet(t *testing.T) io.Reader {
	t.Helper()
	apps := schema.GroupVersion{Group: "apps", Version: "v1"}
	var list struct {
		APIVersion string                      `json:"apiVersion"`
		Kind       string                      `json:"kind"`
		Items      []unstructured.Unstructured `json:"items"`
	}
	list.APIVersion, list.Kind = "v1", "List"
	for _, resource := range []schema.GroupVersionResource{
		corev1.SchemeGroupVersion.WithResource("nodes"), corev1.SchemeGroupVersion.WithResource("pods"),
		corev1.SchemeGroupVersion.WithResource("services"), apps.WithResource("deployments"), apps.WithResource("replicasets"), rules(),
	} {
		var from dynamic.ResourceInterface = p.dynamic.Resource(resource)
		if resource.Resource != "nodes" {
			from = p.dynamic.Resource(resource).Namespace(p.namespace)
		}
		found, err := from.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list.Items = append(list.Items, found.Items...)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(text)
}

// measure returns the local shares that Prometheus measures once they have become
// steady: of two stretches of traffic, one after the other, that agree. What flows
// at first may still follow the policy before.
func (p *prediction) measure(t *testing.T) map[locality.Level]float64 {
	t.Helper()
	const seconds = 2 // of traffic, in a stretch
	var rate float64
	for _, call := range p.calls {
		rate += call.RequestsPerSecond * (call.RequestBytes + call.ResponseBytes)
	}
	stretch := func() map[locality.Level]float64 {
		before := p.counted(t)
		after := before
		eventually(t, "Prometheus has counted more traffic", func() error {
			if after = p.counted(t); after[locality.Remote]-before[locality.Remote] < seconds*rate {
				return errors.New("not yet")
			}
			return nil
		})
		shares := map[locality.Level]float64{}
		for _, level := range []locality.Level{locality.Node, locality.Zone} {
			shares[level] = (after[level] - before[level]) / (after[locality.Remote] - before[locality.Remote])
		}
		return shares
	}
	stretch()
	last := stretch()
	for range 10 {
		now := stretch()
		if math.Abs(now[locality.Node]-last[locality.Node])+math.Abs(now[locality.Zone]-last[locality.Zone]) < 0.01 {
			return now
		}
		last = now
	}
	t.Fatal("the local share does not become steady")
	return nil
}

// counted returns the bytes that stayed within a level so far, and under Remote all
// of them, by one scrape.
func (p *prediction) counted(t *testing.T) map[locality.Level]float64 {
	t.Helper()
	query := fmt.Sprintf("sum by (same_node, same_zone) (sandbox_traffic_bytes_total{source_workload_namespace=%q})", p.namespace)
	value, _, err := p.prom.Query(t.Context(), query, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	counted := map[locality.Level]float64{}
	for _, sample := range value.(model.Vector) {
		n := float64(sample.Value)
		counted[locality.Remote] += n
		if sample.Metric["same_node"] == "true" {
			counted[locality.Node] += n
		}
		if sample.Metric["same_zone"] == "true" {
			counted[locality.Zone] += n
		}
	}
	return counted
}
