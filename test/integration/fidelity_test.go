package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// decisionsVariable in the environment is how many decisions TestFidelity
// compares; "make fidelity" sets it to 10,000.
const decisionsVariable = "VICINITY_FIDELITY_DECISIONS"

// TestFidelity lets the whole scheduler place pods of many kinds, one after the
// other, and compares each decision with the nodes that replay calls the best.
func TestFidelity(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	decisions := 500
	if text := os.Getenv(decisionsVariable); text != "" {
		var err error
		if decisions, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", decisionsVariable, err)
		}
	}
	client, kubeconfig, token := r.ownBox(t, "--zones=3", "--nodes-per-zone=10", "--node-pods="+strconv.Itoa(decisions/10+10), "--node-cpu=64", "--node-memory=256Gi")
	rng := rand.New(rand.NewPCG(1, 2))
	pods, edges := manyPods(rng, decisions)
	services := makeServices(t, client)
	o := shippedOptions(t, "fidelity", kubeconfig)
	o.prometheusURL, o.token = constantPrometheus(t, edges), token
	scheduler := r.start(t, o)
	eventually(t, "the graph is there", func() error {
		n, err := scheduler.metric("vicinity_graph_edges")
		if err == nil {
			err = want("the number of edges", int(n), len(edges))
		}
		return err
	})
	replica := newReplica(t, client, o, services, pods, edges)
	byTraffic := 0
	for i, pod := range pods {
		best := replica.best(t, i)
		chosen := schedule(t, client, pod)
		replica.place(t, i, chosen)
		if !slices.Contains(best, chosen) {
			t.Errorf("pod %d is placed on %s; replay has %v", i, chosen, best)
		}
		if len(best) == 1 {
			byTraffic++
		}
	}
	t.Logf("%d decisions, in %d of them only one node is the best", decisions, byTraffic)
	if byTraffic < decisions/4 {
		t.Errorf("only %d of %d decisions have one best node: the comparison says little", byTraffic, decisions)
	}
}

const services = 5

// manyPods returns pods without controllers, each a workload of its own, of many
// kinds, and the traffic between them.
func manyPods(rng *rand.Rand, n int) ([]*corev1.Pod, []flowgraph.Edge) {
	pods := make([]*corev1.Pod, n)
	var edges []flowgraph.Edge
	name := func(i int) string { return fmt.Sprintf("pod-%05d", i) }
	for i := range pods {
		w := workload{
			scheduler: "vicinity", cpu: fmt.Sprint(10+rng.IntN(100), "m"), memory: fmt.Sprint(16+rng.IntN(400), "Mi"),
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name(i), Labels: map[string]string{"group": strconv.Itoa(rng.IntN(2 * services))}}, Spec: w.podSpec()}
		switch rng.IntN(8) {
		case 0:
			pod.Spec.NodeSelector = map[string]string{corev1.LabelTopologyZone: "zone-b"}
		case 1:
			pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway,
				LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels},
			}}
		case 2:
			pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
				Weight:          int32(1 + rng.IntN(100)),
				PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels}},
			}}}}
		case 3:
			pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m")}
		}
		pods[i] = pod
		for range rng.IntN(4) {
			if i == 0 {
				break
			}
			edges = append(edges, flowgraph.Edge{
				From:  flowgraph.WorkloadID{Namespace: "default", Name: name(i)},
				To:    flowgraph.WorkloadID{Namespace: "default", Name: name(rng.IntN(i))},
				Rates: flowgraph.Rates{SentBytesPerSecond: float64(1 + int(rng.ExpFloat64()*1e5))},
			})
		}
	}
	slices.SortFunc(edges, func(a, b flowgraph.Edge) int { return a.From.Compare(b.From)*2 + a.To.Compare(b.To) })
	return pods, slices.CompactFunc(edges, func(a, b flowgraph.Edge) bool { return a.From == b.From && a.To == b.To })
}

func makeServices(t *testing.T, client kubernetes.Interface) []*corev1.Service {
	t.Helper()
	var made []*corev1.Service
	for i := range services {
		service, err := client.CoreV1().Services("default").Create(t.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("group-", i)},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"group": strconv.Itoa(i)}, Ports: []corev1.ServicePort{{Port: 80}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, service)
	}
	return made
}

// constantPrometheus answers the source's queries with the same traffic at all
// times, so that the scheduler's graph and the replica's are equal.
func constantPrometheus(t *testing.T, edges []flowgraph.Edge) (url string) {
	t.Helper()
	type series struct {
		Metric map[string]string `json:"metric"`
		Value  [2]any            `json:"value"`
	}
	traffic := []series{}
	for _, e := range edges {
		traffic = append(traffic, series{map[string]string{
			"reporter":                  "source",
			"source_workload_namespace": e.From.Namespace, "source_workload": e.From.Name,
			"destination_workload_namespace": e.To.Namespace, "destination_workload": e.To.Name,
		}, [2]any{1, strconv.FormatFloat(e.SentBytesPerSecond, 'g', -1, 64)}})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := []series{}
		if strings.Contains(r.FormValue("query"), "istio_request_bytes_sum") {
			result = traffic
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// replica is replay's view of the same cluster.
type replica struct {
	input    *history.Replayable
	placer   *kubesim.Placer
	position map[string]int32 // of a node, by name
}

// newReplica reads the cluster as "vicinity replay" does, with the pods that do
// not exist yet: each is its own workload, at the position of its number.
func newReplica(t *testing.T, client kubernetes.Interface, o startOptions, services []*corev1.Service, pods []*corev1.Pod, edges []flowgraph.Edge) *replica {
	t.Helper()
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := &objects.Objects{}
	for _, service := range services {
		all.Add(service)
	}
	for i := range nodes.Items {
		all.Add(&nodes.Items[i])
	}
	for _, pod := range pods {
		admitted, err := client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatal(err)
		}
		all.Add(admitted)
	}
	r := &replica{position: map[string]int32{}}
	if r.input, _, err = history.Translate(all); err != nil {
		t.Fatal(err)
	}
	for i, node := range r.input.Nodes {
		r.position[node.Name] = int32(i)
	}
	file, err := sandbox.WriteConfig(t.TempDir(), "scheduler.yaml", o.config)
	if err != nil {
		t.Fatal(err)
	}
	config, err := schedulerconfig.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if r.placer, err = kubesim.New(t.Context(), r.input, kubesim.Options{Config: config, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	r.placer.Observe(flowgraph.NewSnapshot(1, sim.Clock(), edges))
	return r
}

// best returns the nodes that replay calls the best for a pod.
func (r *replica) best(t *testing.T, i int) []string {
	t.Helper()
	infos, err := r.placer.Best(t.Context(), r.input.Templates[i])
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Node().Name
	}
	return names
}

// place puts a pod where the scheduler did.
func (r *replica) place(t *testing.T, i int, node string) {
	t.Helper()
	if _, err := r.placer.Place(t.Context(), sim.Pod{Workload: int32(i)}, r.position[node]); err != nil {
		t.Fatal(err)
	}
}

// schedule creates a pod and returns the node that it is given.
func schedule(t *testing.T, client kubernetes.Interface, pod *corev1.Pod) string {
	t.Helper()
	pods := client.CoreV1().Pods(cmp.Or(pod.Namespace, "default"))
	events, err := pods.Watch(t.Context(), metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", pod.Name).String()})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute) // only a defect takes this long
	for {
		select {
		case event, open := <-events.ResultChan():
			if !open {
				t.Fatalf("the watch of pod %s has ended", pod.Name)
			}
			if changed, ok := event.Object.(*corev1.Pod); ok && changed.Spec.NodeName != "" {
				return changed.Spec.NodeName
			}
		case <-deadline:
			t.Fatalf("pod %s gets no node", pod.Name)
		}
	}
}
