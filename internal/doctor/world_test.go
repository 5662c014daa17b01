package doctor

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// worldTime is the time in the world.
var worldTime = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a cluster with a healthy installation, for a test to break.
type world struct {
	objects []runtime.Object
	// rules are objects that only the dynamic client has.
	rules []runtime.Object
	// denied are permissions that the scheduler lacks, and hidden what this program may not
	// read, "list pods" or "list deployments everywhere".
	denied, hidden []string
	broken         error // of every question about the cluster
	server         version.Info
	// answers are those of Prometheus by a part of the query.
	answers map[string]model.Vector
	noProm  bool
	isNew   bool // Prometheus has no samples of the past
	edges   []flowgraph.Edge
	change  func(*Cluster)
}

// of returns the object of a type and a name.
func of[T metav1.Object](w *world, name string) T {
	for _, o := range w.objects {
		if typed, ok := o.(T); ok && typed.GetName() == name {
			return typed
		}
	}
	panic("the world has no " + name)
}

// remove removes the object of a type and a name.
func remove[T metav1.Object](w *world, name string) {
	w.objects = slices.DeleteFunc(w.objects, func(o runtime.Object) bool {
		typed, ok := o.(T)
		return ok && typed.GetName() == name
	})
}

func (w *world) add(all ...runtime.Object) { w.objects = append(w.objects, all...) }

func fromFile[T any](t *testing.T, file string) *T {
	t.Helper()
	text, err := os.ReadFile("../../manifests/base/" + file)
	if err != nil {
		t.Fatal(err)
	}
	into := new(T)
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func textOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../manifests/base/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ours := map[string]string{nameLabel: schedulerName}
	d := fromFile[appsv1.Deployment](t, "deployment.yaml")
	d.Labels, d.Spec.Template.Labels, d.Spec.Selector = ours, ours, &metav1.LabelSelector{MatchLabels: ours}
	d.Spec.Template.Spec.Containers[0].Image = "registry.example.com/vicinity-sched/vicinity-scheduler:v0.1.0"
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "vicinity-system", Name: schedulerName}}
	holder, renewed, lasts := "vicinity-scheduler-0_abc", metav1.NewMicroTime(worldTime.Add(-5*time.Second)), int32(15)
	lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &holder, &renewed, &lasts
	w := &world{
		server: version.Info{Major: "1", Minor: "36+"},
		answers: map[string]model.Vector{
			"vicinity_graph_generation": {sampleOf(3)}, "kubernetes_build_info": {sampleOf(1, "git_version", "v0.0.0-master+$Format:%H$")}, "increase(vicinity_cycles_skipped_total[1h])": {sampleOf(5, "reason", "no-traffic")}, "increase(vicinity_score_spread_points_count[1h])": {sampleOf(50)},
		},
		edges: []flowgraph.Edge{{From: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: "db"}, Rates: flowgraph.Rates{SentBytesPerSecond: 1 << 20}}},
	}
	w.add(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vicinity-system"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		d, fromFile[policyv1.PodDisruptionBudget](t, "poddisruptionbudget.yaml"), fromFile[networkingv1.NetworkPolicy](t, "networkpolicy.yaml"), lease,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "vicinity-system", Name: "vicinity-config"}, Data: map[string]string{
			"scheduler.yaml": textOf(t, "config/scheduler.yaml"), "telemetry.yaml": textOf(t, "config/telemetry.yaml"),
		}},
	)
	for i, zone := range []string{"a", "b", "c"} {
		w.add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-" + zone, Labels: map[string]string{corev1.LabelTopologyZone: zone, corev1.LabelTopologyRegion: "r", corev1.LabelHostname: "node-" + zone}}})
		if i < 2 {
			w.add(podOf("vicinity-system", "vicinity-scheduler", i, "node-"+zone, "default-scheduler", ours))
		}
	}
	prometheus := podOf("monitoring", "prometheus", 0, "node-a", "default-scheduler", nil)
	prometheus.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "web", ContainerPort: 9090}}
	w.add(prometheus, serviceFor("monitoring", "prometheus", 9090), serviceFor("shop", "web", 80), serviceFor("shop", "db", 80))
	of[*corev1.Service](w, "prometheus").Spec.Ports[0].TargetPort = intstr.FromString("web")
	for i, node := range []string{"node-a", "node-b"} {
		w.add(podOf("shop", "web", i, node, "vicinity", nil), podOf("shop", "db", i, node, "vicinity", nil))
	}
	return w
}

func serviceFor(namespace, name string, port int32) *corev1.Service {
	nearest := corev1.ServiceTrafficDistributionPreferSameNode
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: port}}, TrafficDistribution: &nearest,
	}}
}

// podOf returns a pod that runs, of a StatefulSet.
func podOf(namespace, owner string, i int, node, scheduler string, labels map[string]string) *corev1.Pod {
	if labels == nil {
		labels = map[string]string{"app": owner}
	}
	controller := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: owner + "-" + string(rune('0'+i)), Labels: labels, CreationTimestamp: metav1.NewTime(worldTime.Add(-time.Hour)),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: owner, Controller: &controller}},
		},
		Spec: corev1.PodSpec{SchedulerName: scheduler, NodeName: node, Containers: []corev1.Container{{Name: "app", Image: "example.com/" + owner + ":1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.1",
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func sampleOf(v float64, labels ...string) *model.Sample {
	m := model.Metric{}
	for i := 0; i+1 < len(labels); i += 2 {
		m[model.LabelName(labels[i])] = model.LabelValue(labels[i+1])
	}
	return &model.Sample{Metric: m, Value: model.SampleValue(v)}
}

// Query answers as the world says: the longest part that a query has decides.
func (w *world) Query(_ context.Context, query string, at time.Time, _ ...promv1.Option) (model.Value, promv1.Warnings, error) {
	if w.isNew && at.Before(worldTime) {
		return model.Vector{}, nil, nil
	}
	var best string
	for part := range w.answers {
		if strings.Contains(query, part) && len(part) > len(best) && (part != "vicinity_graph_generation" || query == part) {
			best = part
		}
	}
	return w.answers[best], nil, nil
}

// clients returns clients of the world's API server.
func (w *world) clients() (*clientset.Clientset, *dynamicfake.FakeDynamicClient) {
	typed := clientset.NewClientset(w.objects...)
	typed.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &w.server
	lists := map[schema.GroupVersionResource]string{}
	known := map[string]bool{}
	for _, k := range objects.NewTable().Kinds() {
		lists[k.GroupVersionResource()] = k.Kind + "List"
		known[k.Kind] = true
	}
	held := slices.Clone(w.rules)
	for _, o := range w.objects {
		if kinds, _, err := scheme.Scheme.ObjectKinds(o); err == nil && known[kinds[0].Kind] {
			copied := o.DeepCopyObject()
			copied.GetObjectKind().SetGroupVersionKind(kinds[0])
			held = append(held, copied)
		}
	}
	dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(scheme.Scheme, lists, held...)
	for _, fake := range []*clienttesting.Fake{&typed.Fake, &dynamic.Fake} {
		fake.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if w.broken != nil {
				return true, nil, w.broken
			}
			what := a.GetVerb() + " " + a.GetResource().Resource
			if slices.Contains(w.hidden, what) || a.GetNamespace() == "" && slices.Contains(w.hidden, what+" everywhere") {
				return true, nil, apierrors.NewForbidden(a.GetResource().GroupResource(), "", nil)
			}
			return false, nil, nil
		})
	}
	typed.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if slices.Contains(w.hidden, "create subjectaccessreviews") {
			return false, nil, nil
		}
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		about := review.Spec.ResourceAttributes
		review.Status.Allowed = review.Spec.User == "system:serviceaccount:vicinity-system:vicinity-scheduler" && !slices.Contains(w.denied, about.Verb+" "+about.Resource)
		return true, review, nil
	})
	return typed, dynamic
}

// examine runs all checks.
func (w *world) examine(t *testing.T) (Report, *clientset.Clientset, *dynamicfake.FakeDynamicClient) {
	t.Helper()
	typed, dynamic := w.clients()
	c := Cluster{
		Client: typed, Inventory: ReadInventory(t.Context(), dynamic), Metrics: w, Version: "v0.1.0", Now: func() time.Time { return worldTime },
		Traffic: func() *flowgraph.Snapshot { return flowgraph.NewSnapshot(1, worldTime, w.edges) },
	}
	if w.noProm {
		c.Metrics = nil
	}
	if w.change != nil {
		w.change(&c)
	}
	return Run(t.Context(), ClusterChecks(c), nil), typed, dynamic
}
