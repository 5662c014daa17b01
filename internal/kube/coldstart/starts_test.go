package coldstart

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2/textlogger"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/internal/kube/optional"
)

// served is the API server's answer to who asks for kinds.
type served map[string]string // resources by group and version

func (s served) ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error) {
	if resource, ok := s[groupVersion]; ok {
		return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: resource}}}, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, groupVersion)
}

// live is Starts on an API server.
type live struct {
	*Starts
	client  *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	log     *strings.Builder
}

// follow starts Starts that follow an empty cluster with AppGroups and Sidecars, until the
// context ends.
func follow(ctx context.Context, t *testing.T, observed, merged *flowgraph.Store) *live {
	t.Helper()
	l := &live{client: fake.NewClientset(), log: &strings.Builder{}}
	l.client.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		review.Status.Allowed = true
		return true, review, nil
	})
	l.dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: AppGroupGroup, Version: AppGroupVersion, Resource: AppGroupResource}: "AppGroupList",
		{Group: SidecarGroup, Version: "v1beta1", Resource: SidecarResource}:         "SidecarList",
	})
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(l.log)))
	l.Starts = NewStarts(logger, Options{Origins: flowgraph.DeclaredOrigins(), Window: time.Hour}, declared.Options{Window: time.Hour, DefaultRate: 100}, observed, merged, time.Now)
	factory := informers.NewSharedInformerFactory(l.client, 0)
	if err := l.Follow(factory); err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx, optional.Cluster{
			Discovery: served{AppGroupGroup + "/" + AppGroupVersion: AppGroupResource, SidecarGroup + "/v1beta1": SidecarResource},
			Reviews:   l.client.AuthorizationV1().SelfSubjectAccessReviews(), Client: l.dynamic,
		})
	}()
	t.Cleanup(func() {
		<-done
		factory.Shutdown()
	})
	return l
}

// put creates an object in YAML.
func (l *live) put(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	now := time.Now().UTC().Format("15:04")
	var err error
	switch object := read(t, strings.ReplaceAll(text, "NOW", now)).(type) {
	case *appsv1.ReplicaSet:
		object.CreationTimestamp = metav1.Now()
		_, err = l.client.AppsV1().ReplicaSets(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
	case *corev1.Pod:
		object.CreationTimestamp = metav1.Now()
		_, err = l.client.CoreV1().Pods(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
	case *corev1.Service:
		_, err = l.client.CoreV1().Services(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
	case *AppGroup:
		err = l.putUntyped(ctx, text, schema.GroupVersionResource{Group: AppGroupGroup, Version: AppGroupVersion, Resource: AppGroupResource})
	case *Sidecar:
		err = l.putUntyped(ctx, text, schema.GroupVersionResource{Group: SidecarGroup, Version: "v1beta1", Resource: SidecarResource})
	default:
		t.Fatalf("a %T", object)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (l *live) putUntyped(ctx context.Context, text string, of schema.GroupVersionResource) error {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		return err
	}
	u.SetAPIVersion(of.GroupVersion().String())
	_, err := l.dynamic.Resource(of).Namespace(u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{})
	return err
}

// edges are the declared edges of a store.
func edges(s *flowgraph.Store) string {
	var all []string
	for e := range s.Load().Edges() {
		if e.Origin != flowgraph.Observed {
			all = append(all, fmt.Sprintf("%s->%s %s", e.From.Name, e.To.Name, e.Origin))
		}
	}
	return strings.Join(all, ", ")
}

// TestStarts follows a cluster in which what is declared comes and goes.
func TestStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observed, merged := flowgraph.NewStore(), flowgraph.NewStore()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := follow(ctx, t, observed, merged)
		settle := func() {
			time.Sleep(2 * pace) // the pace of merging
			synctest.Wait()
		}
		settle()
		refresh := func() {
			observed.Publish(flowgraph.NewSnapshot(1, time.Now(), []flowgraph.Edge{{
				From: flowgraph.WorkloadID{Namespace: "shop", Name: "a"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: "b"},
				Rates: flowgraph.Rates{SentBytesPerSecond: 10}, ObservedAt: time.Now(),
			}}))
			l.Update()
		}
		refresh()
		l.put(ctx, t, replicaSet("plain", "a", "00:00", ", service.istio.io/canonical-name: plain", ""))
		settle()
		if merged.Load() != observed.Load() {
			t.Error("nothing is declared, but the plugins have another snapshot than the telemetry")
		}
		steps := []struct{ name, text, want string }{
			{"an annotation", replicaSet("web", "a", "00:00", "", annotated("db=1")), "web->db annotation"},
			{"a broken one", replicaSet("ads", "a", "00:00", "", annotated("db=fast")), "web->db annotation"},
			{"a pod", `{kind: Pod, metadata: {namespace: shop, name: probe, annotations: {vicinity.dev/peers: web=3}}}`, "probe->web annotation, web->db annotation"},
			{"an AppGroup", group, "probe->web annotation, web->db annotation"},
			{"its member", replicaSet("cart", "a", "00:00", grouped("c"), ""), "probe->web annotation, web->cart appgroup, web->db annotation"},
			{"a Service", service("db", "plain"), "probe->web annotation, web->cart appgroup, web->plain annotation"},
			{"a Sidecar", `{kind: Sidecar, metadata: {namespace: shop, name: ads}, spec: {workloadSelector: {labels: {app: ads}}, egress: [{hosts: [./db.shop.svc.cluster.local]}]}}`,
				"ads->plain sidecar, probe->web annotation, web->cart appgroup, web->plain annotation"},
			{"a version", replicaSet("b-v2", "a", "00:00", ", service.istio.io/canonical-name: b", ""),
				"ads->plain sidecar, probe->web annotation, web->cart appgroup, web->plain annotation"},
		}
		for _, step := range steps {
			l.put(ctx, t, step.text)
			settle()
			refresh() // of what changes without declaring anything, such as Services
			if got := edges(merged); got != step.want {
				t.Errorf("%s: declared are %q, want %q", step.name, got, step.want)
			}
		}
		if n := strings.Count(l.log.String(), "Deployment shop/ads: annotation"); n != 1 {
			t.Errorf("what is wrong stands %d times in the log:\n%s", n, l.log)
		}
		time.Sleep(time.Hour + pause)
		synctest.Wait()
		if merged.Load() != observed.Load() {
			t.Errorf("an hour later %q is declared", edges(merged))
		}
		cancel()
	})
}

// TestRunEndsByAPanic: who runs it is told, and may run it again.
func TestRunEndsByAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := true
		clock := func() time.Time {
			if panics {
				panic("broken")
			}
			return time.Now()
		}
		s := NewStarts(textlogger.NewLogger(textlogger.NewConfig()), Options{Origins: flowgraph.DeclaredOrigins(), Window: time.Hour},
			declared.Options{}, flowgraph.NewStore(), flowgraph.NewStore(), clock)
		run := func(ctx context.Context) (cause any) {
			defer func() { cause = recover() }()
			s.Run(ctx, optional.Cluster{Discovery: served{}})
			return nil
		}
		if cause := run(t.Context()); cause != "broken" {
			t.Errorf("it has ended by %v", cause)
		}
		panics = false
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if cause := run(ctx); cause != nil {
			t.Errorf("it has ended by %v again", cause)
		}
	})
}

// TestHasNews asks without waiting, and has somebody else merge.
func TestHasNews(t *testing.T) {
	observed, merged := flowgraph.NewStore(), flowgraph.NewStore()
	observed.Publish(flowgraph.NewSnapshot(1, now, nil))
	s := NewStarts(textlogger.NewLogger(textlogger.NewConfig()), Options{Origins: flowgraph.DeclaredOrigins(), Window: time.Hour}, declared.Options{Window: time.Hour},
		observed, merged, func() time.Time { return now })
	pod := read(t, `{kind: Pod, metadata: {namespace: shop, name: p, TIME(10:30), annotations: {vicinity.dev/peers: db=1}}}`).(*corev1.Pod)
	if !s.HasNews(pod) || merged.Load().Generation() != 0 {
		t.Errorf("news: %v, merged already: %v", s.HasNews(pod), merged.Load().Generation())
	}
	select {
	case <-s.changed:
	default:
		t.Error("nobody is told to merge")
	}
	s.Update()
	if s.HasNews(pod) || len(s.changed) > 0 {
		t.Error("what is merged is news")
	}
}

// TestMeetIsBounded has merging take a second each time: pods then wait for it at most a
// tenth of the time.
func TestMeetIsBounded(t *testing.T) {
	observed, merged := flowgraph.NewStore(), flowgraph.NewStore()
	observed.Publish(flowgraph.NewSnapshot(1, now, nil))
	at := now
	slow := true
	s := NewStarts(textlogger.NewLogger(textlogger.NewConfig()), Options{Origins: flowgraph.DeclaredOrigins(), Window: time.Hour}, declared.Options{Window: time.Hour}, observed, merged, func() time.Time {
		if slow {
			at = at.Add(time.Second)
		}
		return at
	})
	meet := func(n int) string {
		s.Meet(read(t, fmt.Sprintf(`{kind: Pod, metadata: {namespace: shop, name: p%d, TIME(10:30), annotations: {vicinity.dev/peers: db=1}}}`, n)).(*corev1.Pod))
		return edges(merged)
	}
	if got := meet(1); got != "p1->db annotation" {
		t.Errorf("declared are %q", got)
	}
	if got := meet(2); got != "p1->db annotation" {
		t.Errorf("a pod has waited again: %q", got)
	}
	at = at.Add(mergingPart * time.Second)
	if got := meet(3); got != "p1->db annotation, p2->db annotation, p3->db annotation" {
		t.Errorf("declared are %q", got)
	}
}
