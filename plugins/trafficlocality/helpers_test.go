package trafficlocality

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

const (
	namespace    = "shop"
	templateHash = "6f7d9"
	olderHash    = "5b8c4"
)

// allOfIt are arguments under which the plugin's say does not depend on the
// rate, and only bytes count.
const allOfIt = "significantRate: 0, requestBytes: 0, maxShare: {node: 1, zone: 1}"

// rackLabel and hallLabel are node labels for levels of their own.
const (
	rackLabel = "example.com/rack"
	hallLabel = "example.com/hall"
)

// rackAndHall are arguments with a level between node and zone, and one between
// zone and region.
const rackAndHall = "levels: [{label: " + rackLabel + ", closeness: 0.75}, {label: " + hallLabel + ", closeness: 0.25}]"

var dataTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// cluster is a plugin over the scheduler's own cache and snapshot.
type cluster struct {
	testing.TB
	cache     cache.Cache
	snapshot  *cache.Snapshot
	informers informers.SharedInformerFactory
	desired   *kube.DesiredStates
	rules     *routing.DestinationRules
	store     *flowgraph.Store
	networks  *flowgraph.NodeNetworkStore
	registry  metrics.KubeRegistry
	metrics   *Metrics
	now       time.Time
	plugin    *Plugin
	pods      int // made so far
	profiles  int // made so far
}

// newCluster returns a cluster without nodes whose plugin has the given
// arguments, the fields of a YAML map.
func newCluster(t testing.TB, args string) *cluster {
	t.Helper()
	c := &cluster{
		TB:        t,
		cache:     cache.New(t.Context(), nil, false, false),
		snapshot:  cache.NewEmptySnapshot(),
		informers: informers.NewSharedInformerFactory(nil, 0),
		desired:   &kube.DesiredStates{},
		store:     flowgraph.NewStore(),
		networks:  &flowgraph.NodeNetworkStore{},
		registry:  metrics.NewKubeRegistry(),
		now:       dataTime,
	}
	c.metrics = NewMetrics(c.registry.MustRegister)
	if err := c.informers.Core().V1().Namespaces().Informer().GetIndexer().Add(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	c.plugin = c.newPlugin(args)
	return c
}

func (c *cluster) dependencies() Dependencies {
	return Dependencies{Store: c.store, Networks: c.networks, Desired: c.desired, Rules: c.rules, Now: func() time.Time { return c.now }, Metrics: c.metrics}
}

// newPlugin returns one more plugin over the same cluster.
func (c *cluster) newPlugin(args string) *Plugin {
	c.Helper()
	p, err := Factory(c.dependencies())(c.Context(), rawArgs(args), handle{informers: c.informers, lister: c.snapshot})
	if err != nil {
		c.Fatal(err)
	}
	return p.(*Plugin)
}

// newKeeper returns a keeper of an empty Board for the levels of the plugin.
func (c *cluster) newKeeper() *keeper {
	return newKeeper(score.NewBoard(c.plugin.options.Scale), c.plugin.options)
}

// add adds an object to the informers, which are not started, and to what is followed.
func (c *cluster) add(rs *appsv1.ReplicaSet) {
	c.Helper()
	if err := c.informers.Apps().V1().ReplicaSets().Informer().GetIndexer().Add(rs); err != nil {
		c.Fatal(err)
	}
	c.desired.Put(rs)
}

func rawArgs(fields string) runtime.Object {
	return &runtime.Unknown{Raw: []byte("{" + fields + "}")}
}

// handle is what the factory asks of the framework.
type handle struct {
	fwk.Handle
	informers informers.SharedInformerFactory
	lister    fwk.SharedLister
	recorder  events.EventRecorderLogger
}

func (h handle) SharedInformerFactory() informers.SharedInformerFactory { return h.informers }
func (h handle) SnapshotSharedLister() fwk.SharedLister                 { return h.lister }
func (h handle) EventRecorder() events.EventRecorderLogger              { return h.recorder }

// traffic publishes the graph of e.g. "web -> db 10MiB/s back 1KiB/s; a -> b 5req/s".
func (c *cluster) traffic(text string) {
	c.Helper()
	c.store.Publish(flowgraph.NewSnapshot(c.store.Load().Generation()+1, dataTime, parseEdges(c, text)))
}

func parseEdges(t testing.TB, text string) []flowgraph.Edge {
	t.Helper()
	var edges []flowgraph.Edge
	for _, part := range split(text, ";") {
		from, rest, ok := strings.Cut(part, "->")
		words := strings.Fields(rest)
		if !ok || len(words) == 0 {
			t.Fatalf("not an edge: %q", part)
		}
		e := flowgraph.Edge{From: workload(strings.TrimSpace(from)), To: workload(words[0]), ObservedAt: dataTime}
		bytes := &e.SentBytesPerSecond
		for _, word := range words[1:] {
			if word == "back" {
				bytes = &e.ReceivedBytesPerSecond
			} else if n, ok := strings.CutSuffix(word, "req/s"); ok {
				e.RequestsPerSecond = quantity(t, n)
			} else {
				*bytes = quantity(t, strings.TrimSuffix(word, "B/s"))
			}
		}
		edges = append(edges, e)
	}
	return edges
}

func quantity(t testing.TB, text string) float64 {
	t.Helper()
	q, err := resource.ParseQuantity(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return q.AsApproximateFloat64()
}

func split(text, separator string) []string {
	return slices.DeleteFunc(strings.Split(text, separator), func(s string) bool { return strings.TrimSpace(s) == "" })
}

func workload(name string) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: namespace, Name: name}
}

// assign adds the nodes and pods of e.g. "n1@r/a: web db*2 old(terminating); n2@r/a/1:; n3:":
// node name, region, zone and rack, then workloads with the number of their pods.
func (c *cluster) assign(text string) {
	c.Helper()
	for _, part := range split(text, ";") {
		position, pods, ok := strings.Cut(part, ":")
		if !ok {
			c.Fatalf("not a node: %q", part)
		}
		name, place, _ := strings.Cut(strings.TrimSpace(position), "@")
		region, place, _ := strings.Cut(place, "/")
		zone, rack, _ := strings.Cut(place, "/")
		n := node(name, region, zone)
		if rack != "" {
			n.Labels[rackLabel] = rack
		}
		c.cache.AddNode(klog.Background(), n)
		for _, word := range strings.Fields(pods) {
			for _, pod := range c.parsePods(word) {
				c.place(pod, name)
			}
		}
	}
	c.update()
}

func node(name, region, zone string) *v1.Node {
	n := st.MakeNode().Name(name).Capacity(map[v1.ResourceName]string{"cpu": "64", "memory": "256Gi", "pods": "250"})
	if region != "" {
		n.Label(v1.LabelTopologyRegion, region)
	}
	if zone != "" {
		n.Label(v1.LabelTopologyZone, zone)
	}
	return n.Obj()
}

// label gives a node random values of the labels that the plugin knows, or none.
func (c *cluster) label(n *v1.Node, random *rand.Rand) {
	for _, label := range c.plugin.options.Scale {
		if value := []string{"", "1", "2"}[random.IntN(3)]; value != "" {
			metav1.SetMetaDataLabel(&n.ObjectMeta, label.Key, value)
		}
	}
}

// outdate makes a pod one of its Deployment's ReplicaSet before the last rollout.
func outdate(pod *v1.Pod) {
	pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = olderHash
	owner := &pod.OwnerReferences[0]
	owner.Name = strings.TrimSuffix(owner.Name, templateHash) + olderHash
}

// parsePods reads "db", "db*3" or "db*3(terminating)".
func (c *cluster) parsePods(word string) []*v1.Pod {
	word, state, _ := strings.Cut(word, "(")
	name, times, ok := strings.Cut(word, "*")
	n := 1
	if ok {
		n, _ = strconv.Atoi(times)
	}
	pods := make([]*v1.Pod, n)
	for i := range pods {
		pods[i] = c.pod(name)
		switch state {
		case "terminating)":
			pods[i].DeletionTimestamp = &metav1.Time{Time: dataTime}
		case "succeeded)":
			pods[i].Status.Phase = v1.PodSucceeded
		case "failed)":
			pods[i].Status.Phase = v1.PodFailed
		case "old)":
			outdate(pods[i])
		case "unready)":
			pods[i].Status.Phase = v1.PodRunning
			pods[i].Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionFalse}}
		case "pending)":
			pods[i].Status.Phase = v1.PodPending
		case "unknown)":
			pods[i].Status.Phase = v1.PodUnknown
		case "crashing)":
			pods[i].Status.ContainerStatuses = []v1.ContainerStatus{{State: v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
		case "":
		default:
			c.Fatalf("unknown state %q", state)
		}
	}
	return pods
}

// pod returns a new pod of the Deployment of that name.
func (c *cluster) pod(name string) *v1.Pod {
	c.pods++
	id := fmt.Sprintf("%s-%s-%d", name, templateHash, c.pods)
	return st.MakePod().Namespace(namespace).Name(id).UID(id).
		Label(appsv1.DefaultDeploymentUniqueLabelKey, templateHash).Label("app", name).
		OwnerReference(name+"-"+templateHash, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")).Obj()
}

// route gives a workload a Service with a trafficDistribution.
func (c *cluster) route(name, distribution string) {
	c.Helper()
	err := c.informers.Core().V1().Services().Informer().GetIndexer().Add(&v1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1.ServiceSpec{Selector: map[string]string{"app": name}, TrafficDistribution: &distribution},
	})
	if err != nil {
		c.Fatal(err)
	}
}

// place puts a copy of a pod on a node.
func (c *cluster) place(pod *v1.Pod, nodeName string) *v1.Pod {
	c.Helper()
	placed := pod.DeepCopy()
	placed.Spec.NodeName = nodeName
	if err := c.cache.AddPod(klog.Background(), placed); err != nil {
		c.Fatal(err)
	}
	return placed
}

// desire says how many pods the Deployments of e.g. "web=3 db=1" want.
func (c *cluster) desire(text string) {
	c.Helper()
	for _, word := range strings.Fields(text) {
		name, n, _ := strings.Cut(word, "=")
		replicas := int32(quantity(c, n))
		rs := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: name + "-" + templateHash,
				Annotations: map[string]string{"deployment.kubernetes.io/desired-replicas": n},
			},
			Spec: appsv1.ReplicaSetSpec{
				Replicas: &replicas,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: templateHash, "app": name}},
			},
		}
		c.add(rs)
	}
}

// update brings the snapshot to the state of the cache, as each cycle does.
func (c *cluster) update() {
	c.Helper()
	if err := c.cache.UpdateSnapshot(klog.Background(), c.snapshot); err != nil {
		c.Fatal(err)
	}
}

// nodes returns the nodes of the given names, all when there are none.
func (c *cluster) nodes(names ...string) []fwk.NodeInfo {
	c.Helper()
	all, err := c.snapshot.List()
	if err != nil {
		c.Fatal(err)
	}
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(n fwk.NodeInfo) bool { return !slices.Contains(names, n.Node().Name) })
}

// scores runs PreScore and Score over the nodes. It returns nil when PreScore
// answers Skip.
func (c *cluster) scores(pod *v1.Pod, nodes []fwk.NodeInfo) map[string]int64 {
	c.Helper()
	ctx, state := context.Background(), framework.NewCycleState()
	if status := c.plugin.PreScore(ctx, state, pod, nodes); status.IsSkip() {
		return nil
	} else if !status.IsSuccess() {
		c.Fatalf("PreScore: %v", status)
	}
	scores := map[string]int64{}
	for _, n := range nodes {
		score, status := c.plugin.Score(ctx, state, pod, n)
		if !status.IsSuccess() {
			c.Fatalf("Score of %s: %v", n.Node().Name, status)
		}
		if score < fwk.MinScore || score > fwk.MaxScore {
			c.Errorf("Score of %s is %d", n.Node().Name, score)
		}
		scores[n.Node().Name] = score
	}
	return scores
}

// scoreText is scores as text: "n1=100 n2=0", or "skip".
func (c *cluster) scoreText(pod *v1.Pod, candidates ...string) string {
	c.Helper()
	scores := c.scores(pod, c.nodes(candidates...))
	if scores == nil {
		return "skip"
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(scores)) {
		words = append(words, fmt.Sprintf("%s=%d", name, scores[name]))
	}
	return strings.Join(words, " ")
}

// count reads a counter.
func count(t testing.TB, m metrics.CounterMetric) int {
	t.Helper()
	v, err := testutil.GetCounterMetricValue(m)
	if err != nil {
		t.Fatal(err)
	}
	return int(v)
}
