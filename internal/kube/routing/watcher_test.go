package routing

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// server is an API server as the Watcher sees it.
type server struct {
	mu      sync.Mutex
	version string // of the kind; "" is none
	allowed bool
	err     error
	panics  bool
}

func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *server) ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.panics:
		panic("broken")
	case s.err != nil:
		return nil, s.err
	case groupVersion != group+"/"+s.version:
		return nil, apierrors.NewNotFound(schema.GroupResource{}, groupVersion)
	}
	return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "gateways"}, {Name: resource}}}, nil
}

func (s *server) review(action clienttesting.Action) (bool, runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
	a := review.Spec.ResourceAttributes
	review.Status.Allowed = s.allowed && a.Group == group && a.Resource == resource
	return true, review, nil
}

func unread(version, host string, priority ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/" + version, "kind": "DestinationRule",
		"metadata": map[string]any{"namespace": "shop", "name": host},
		"spec": map[string]any{"host": host, "trafficPolicy": map[string]any{
			"outlierDetection": map[string]any{"interval": "1s"},
			"loadBalancer":     map[string]any{"localityLbSetting": map[string]any{"failoverPriority": priority}},
		}},
	}}
}

// TestWatcher follows a cluster in which the rules come and go.
func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		reviews := fake.NewClientset()
		reviews.PrependReactor("create", "selfsubjectaccessreviews", s.review)
		gvr := schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}
		beta := schema.GroupVersionResource{Group: group, Version: "v1beta1", Resource: resource}
		client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
			map[schema.GroupVersionResource]string{gvr: "DestinationRuleList", beta: "DestinationRuleList"},
			unread("v1", "web", corev1.LabelHostname))
		rules := &DestinationRules{}
		var log strings.Builder
		logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log), textlogger.Verbosity(2)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			NewWatcher(logger, rules, s, reviews.AuthorizationV1().SelfSubjectAccessReviews(), client).Run(ctx)
		}()
		change := func(spec *unstructured.Unstructured) func(*server) {
			return func(*server) {
				if _, err := client.Resource(gvr).Namespace("shop").Update(ctx, spec, metav1.UpdateOptions{}); err != nil {
					t.Error(err)
				}
			}
		}
		steps := []struct {
			name   string
			change func(*server)
			want   affinity.Routing
			line   string // stands once in the log
		}{
			{"no such kind", func(*server) {}, affinity.Uniform, "the cluster has none"},
			{"no permission", func(s *server) { s.version = "v1" }, affinity.Uniform, "manifests/components/istio"},
			{"allowed", func(s *server) { s.allowed = true }, affinity.SameNodeOrAny, `"DestinationRules are read" version="v1"`},
			{"a rule changes", change(unread("v1", "web", corev1.LabelTopologyZone)), affinity.SameZone, "DestinationRules are read"},
			{"a rule of another form", change(unread("v1", "web", int64(5))), affinity.Uniform, `are left out" count=1`},
			{"and back", change(unread("v1", "web", corev1.LabelTopologyZone)), affinity.SameZone, `are left out" count=0`},
			{"the API server is away", func(s *server) { s.err = errors.New("no connection") }, affinity.SameZone, "no connection"},
			{"a panic", func(s *server) { s.panics = true }, affinity.SameZone, "panic: broken"},
			{"the kind is gone", func(s *server) { s.version, s.err, s.panics = "", nil, false }, affinity.Uniform, "manifests/components/istio"},
			{"an older Istio", func(s *server) { s.version = "v1beta1" }, affinity.Uniform, `version="v1beta1"`},
		}
		for _, step := range steps {
			s.set(step.change)
			time.Sleep(time.Minute + time.Second) // an informer takes a moment to be complete
			synctest.Wait()
			if got := watched(t, rules); got != step.want {
				t.Errorf("%s: calls are divided by %v, want %v", step.name, got, step.want)
			}
			if n := strings.Count(log.String(), step.line); n != 1 {
				t.Errorf("%s: %q stands %d times in the log:\n%s", step.name, step.line, n, log.String())
			}
		}
		cancel()
		<-done
		if got := watched(t, rules); got != affinity.Uniform {
			t.Errorf("after the end calls are divided by %v", got)
		}
	})
}

// watched is how calls to a pod of the Service shop/web are divided.
func watched(t *testing.T, rules *DestinationRules) affinity.Routing {
	t.Helper()
	core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
	labels := map[string]string{"app": "web"}
	err := core.Services().Informer().GetIndexer().Add(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Selector: labels},
	})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := NewRoutes(core, rules, AllPolicies())
	if err != nil {
		t.Fatal(err)
	}
	return routes.ByCaller(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: labels}}).From("shop").Routing
}
