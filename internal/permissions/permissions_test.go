package permissions

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2/textlogger"
)

// server answers reviews.
type server struct {
	mu     sync.Mutex
	denied string // the permission that is missing
	err    error
}

func (s *server) set(denied string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied, s.err = denied, err
}

func (s *server) review(action clienttesting.Action) (bool, runtime.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
	a := review.Spec.ResourceAttributes
	asked := Permission{Verb: a.Verb, Group: a.Group, Resource: a.Resource, Namespace: a.Namespace, Name: a.Name}
	review.Status.Allowed = asked.String() != s.denied
	return true, review, s.err
}

func TestMissingPermissionIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := New(textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log))), Lease("vicinity-system", "mine"))
		registry := metrics.NewKubeRegistry()
		c.Register(registry.MustRegister)
		s := &server{denied: "update leases.coordination.k8s.io vicinity-system/mine"}
		client := fake.NewClientset()
		client.PrependReactor("create", "selfsubjectaccessreviews", s.review)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx, client.AuthorizationV1().SelfSubjectAccessReviews())
		}()
		steps := []struct {
			change func()
			update string // value of the metric
			line   string // stands once in the log
			lines  int
		}{
			{func() {}, "1", `permission="update leases.coordination.k8s.io vicinity-system/mine"`, 1},
			{func() {}, "1", `"Permission missing"`, 1},
			{func() { s.set("", errors.New("no connection")) }, "1", "no connection", 2},
			{func() { s.set("", nil) }, "0", `"Permission granted"`, 3},
		}
		for i, step := range steps {
			step.change()
			synctest.Wait()
			if i > 0 {
				time.Sleep(interval)
				synctest.Wait()
			}
			want := `
# HELP vicinity_permission_missing [ALPHA] 1 when the API server does not allow something that the scheduler needs, 0 when it does.
# TYPE vicinity_permission_missing gauge
vicinity_permission_missing{permission="create:leases.coordination.k8s.io"} 0
vicinity_permission_missing{permission="get:leases.coordination.k8s.io"} 0
vicinity_permission_missing{permission="update:leases.coordination.k8s.io"} ` + step.update + "\n"
			if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
				t.Errorf("step %d: %v", i, err)
			}
			if n := strings.Count(log.String(), step.line); n != 1 || strings.Count(log.String(), "\n") != step.lines {
				t.Errorf("step %d: %s stands %d times in the log, want once in %d lines:\n%s", i, step.line, n, step.lines, log.String())
			}
		}
		cancel()
		<-done
	})
}

func TestPermissionString(t *testing.T) {
	for want, p := range map[string]Permission{
		"get leases.coordination.k8s.io ns/n": {Verb: "get", Group: "coordination.k8s.io", Resource: "leases", Namespace: "ns", Name: "n"},
		"list pods in ns":                     {Verb: "list", Resource: "pods", Namespace: "ns"},
		"get nodes n":                         {Verb: "get", Resource: "nodes", Name: "n"},
		"list replicasets.apps":               {Verb: "list", Group: "apps", Resource: "replicasets"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// With a lease that exists, a scheduler leads without the permission to create one.
func TestLeaseSaysWhenEachVerbIsNeeded(t *testing.T) {
	for _, p := range Lease("vicinity-system", "mine") {
		if conditional := strings.Contains(p.Without, "if there is no lease yet"); conditional != (p.Verb == "create") {
			t.Errorf("without %q: %s", p, p.Without)
		}
	}
}
