package mesh

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// cluster is a mesh over listers that the test fills: its informers do not run.
type cluster struct {
	*Mesh
	t    testing.TB
	pods map[string]int // of each workload so far
}

// newCluster returns a cluster of e.g.
//
//	assign:   "n1@a: web db*2; n2@b: db(terminating); n3:"
//	services: "web db=PreferSameNode"
//	calls:    "web -> db tcp; external -> web; web -> external:example.com"
//
// where n1 is in zone a and n3 in none. All is in namespace shop. The pods of
// web are web-1, web-2 and so on. A Service selects the workload of its name,
// and a Service api also the workloads api-v1 and api-v2.
func newCluster(t testing.TB, assign, services, calls string) *cluster {
	t.Helper()
	return newClusterWith(t, Istio(), assign, services, calls)
}

// newClusterWith returns a cluster with a mesh of another kind.
func newClusterWith(t testing.TB, kind Type, assign, services, calls string) *cluster {
	t.Helper()
	c := &cluster{Mesh: New(nil, kind, parse(t, calls), nil), t: t, pods: map[string]int{}}
	for _, part := range fields(assign, ";") {
		at, pods, _ := strings.Cut(part, ":")
		name, zone, _ := strings.Cut(at, "@")
		c.add(node(name, zone))
		for _, word := range strings.Fields(pods) {
			for _, pod := range c.newPods(name, word) {
				c.add(pod)
			}
		}
	}
	for _, word := range strings.Fields(services) {
		name, distribution, _ := strings.Cut(word, "=")
		c.add(service(name, distribution))
	}
	return c
}

func node(name, zone string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	if zone != "" {
		n.Labels[corev1.LabelTopologyZone] = zone
	}
	return n
}

func service(name, distribution string) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}},
	}
	if distribution != "" {
		s.Spec.TrafficDistribution = &distribution
	}
	return s
}

// newPods returns the pods that a word such as "db*2(terminating)" stands for.
func (c *cluster) newPods(node, word string) (pods []*corev1.Pod) {
	c.t.Helper()
	word, state, _ := strings.Cut(strings.TrimSuffix(word, ")"), "(")
	workload, times, several := strings.Cut(word, "*")
	n := 1
	if several {
		if _, err := fmt.Sscan(times, &n); err != nil {
			c.t.Fatalf("pods %q: %v", word, err)
		}
	}
	for range n {
		c.pods[workload]++
		pods = append(pods, c.pod(fmt.Sprint(workload, "-", c.pods[workload]), workload, node, state))
	}
	return pods
}

func (c *cluster) pod(name, workload, node, state string) *corev1.Pod {
	app, version, _ := strings.Cut(workload, "-")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name,
			Labels:          map[string]string{"app": app, "pod-template-hash": "6f7d9"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: workload + "-6f7d9", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue},
		}},
	}
	if version != "" {
		pod.Labels["version"] = version
	}
	switch state {
	case "":
	case "terminating":
		pod.DeletionTimestamp = new(metav1.Now())
	case "unready":
		pod.Status.Conditions[1].Status = corev1.ConditionFalse
	case "starting":
		pod.Status.Conditions = pod.Status.Conditions[:1]
	case "pending":
		pod.Spec.NodeName = ""
	default:
		c.t.Fatalf("pod state %q", state)
	}
	return pod
}

// add puts an object where the listers find it, in place of its namesake.
func (c *cluster) add(o runtime.Object) {
	c.t.Helper()
	core := c.factory.Core().V1()
	var err error
	switch o.(type) {
	case *corev1.Pod:
		err = core.Pods().Informer().GetIndexer().Update(o)
	case *corev1.Service:
		err = core.Services().Informer().GetIndexer().Update(o)
	case *corev1.Node:
		err = core.Nodes().Informer().GetIndexer().Update(o)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) deletePod(name string) {
	c.t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	if err := c.factory.Core().V1().Pods().Informer().GetIndexer().Delete(pod); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) deleteNode(name string) {
	c.t.Helper()
	if err := c.factory.Core().V1().Nodes().Informer().GetIndexer().Delete(node(name, "")); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) flow(dt time.Duration) {
	c.t.Helper()
	if err := c.advance(dt); err != nil {
		c.t.Fatal(err)
	}
}

// parse reads e.g. "web -> db tcp; external -> web": each 10 requests/s of 100
// bytes, answered with 2000.
func parse(t testing.TB, text string) (calls []Call) {
	t.Helper()
	for _, part := range fields(text, ";") {
		from, rest, ok := strings.Cut(part, " -> ")
		to, protocol, _ := strings.Cut(rest, " ")
		if !ok {
			t.Fatalf("not a call: %q", part)
		}
		if from != External {
			from = "shop/" + from
		}
		if !strings.HasPrefix(to, External) {
			to = "shop/" + to
		}
		c := Call{From: from, To: to, RequestsPerSecond: 10, RequestBytes: 100, ResponseBytes: 2000, Protocol: protocol}
		if err := c.complete(); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	return calls
}

func fields(text, sep string) (parts []string) {
	for part := range strings.SplitSeq(text, sep) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// scrape returns the samples that a mesh serves, ordered by name and labels.
func scrape(t testing.TB, m *Mesh) model.Vector {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", answer.Code, answer.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(samples, func(a, b *model.Sample) int { return cmp.Compare(a.Metric.String(), b.Metric.String()) })
	return samples
}

// amounts are what a reporter says of two workloads in one protocol.
type amounts struct{ requests, sent, received float64 }

func (a amounts) String() string {
	return fmt.Sprintf("%.6gx %.6gB %.6gB", a.requests, a.sent, a.received)
}

// reported adds up the proxies' metrics to e.g. "source web -> db http": 10
// requests, bytes to the server, bytes to the client. It fails the test when a
// protocol has the metrics of another.
func reported(t testing.TB, samples model.Vector) map[string]amounts {
	t.Helper()
	tcp := map[model.LabelValue]func(*amounts) *float64{
		"istio_tcp_connections_opened_total": func(a *amounts) *float64 { return &a.requests },
		"istio_tcp_received_bytes_total":     func(a *amounts) *float64 { return &a.sent },
		"istio_tcp_sent_bytes_total":         func(a *amounts) *float64 { return &a.received },
	}
	requests := map[model.LabelValue]func(*amounts) *float64{
		"istio_requests_total":     func(a *amounts) *float64 { return &a.requests },
		"istio_request_bytes_sum":  func(a *amounts) *float64 { return &a.sent },
		"istio_response_bytes_sum": func(a *amounts) *float64 { return &a.received },
	}
	sums := map[string]amounts{}
	for _, s := range samples {
		name := s.Metric[model.MetricNameLabel]
		if name == "sandbox_traffic_bytes_total" || strings.HasSuffix(string(name), "_bucket") || strings.HasSuffix(string(name), "_count") {
			continue
		}
		columns := requests
		if s.Metric["request_protocol"] == "tcp" {
			columns = tcp
		}
		column := columns[name]
		if column == nil {
			t.Errorf("%s of protocol %s", name, s.Metric["request_protocol"])
			continue
		}
		key := fmt.Sprintf("%s %s -> %s %s", s.Metric["reporter"], s.Metric["source_workload"],
			s.Metric["destination_workload"], s.Metric["request_protocol"])
		sum := sums[key]
		*column(&sum) += float64(s.Value)
		sums[key] = sum
	}
	return sums
}

// reportedLines are the lines of reported, in order.
func reportedLines(t testing.TB, samples model.Vector) (lines []string) {
	t.Helper()
	for key, sum := range reported(t, samples) {
		lines = append(lines, key+" "+sum.String())
	}
	slices.Sort(lines)
	return lines
}

// actualLines are the counters of where bytes really went, in order.
func actualLines(samples model.Vector) (lines []string) {
	for _, s := range samples {
		if s.Metric[model.MetricNameLabel] != "sandbox_traffic_bytes_total" {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s on %s -> %s on %s %.6gB same_node=%s same_zone=%s",
			s.Metric["source_workload"], s.Metric["source_node"], s.Metric["destination_workload"], s.Metric["destination_node"],
			float64(s.Value), s.Metric["same_node"], s.Metric["same_zone"]))
	}
	slices.Sort(lines)
	return lines
}
