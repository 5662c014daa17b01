// Package permissions asks the API server whether it allows what the scheduler
// needs, and says in the log, once, and in a metric what it does not. Without it
// a missing permission shows as errors that client-go repeats every few seconds,
// and that do not say what follows.
package permissions

import (
	"context"
	"fmt"
	"path"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// Permission is leave to do something with the objects of a resource, or with
// one of them.
type Permission struct {
	Verb, Group, Resource string
	// Namespace is "" for all of them, Name "" for any object.
	Namespace, Name string
	// Without says what does not work when it is missing.
	Without string
}

// StockRoles returns a sign of each role that the scheduler is bound to and that
// every cluster has, so that a binding which was forgotten is told from a scheduler
// that has nothing to do.
func StockRoles() []Permission {
	return []Permission{
		{Verb: "list", Resource: "nodes", Without: "No pod is scheduled. Part of ClusterRole system:kube-scheduler."},
		{Verb: "list", Group: "storage.k8s.io", Resource: "storageclasses", Without: "No pod is scheduled. Part of ClusterRole system:volume-scheduler."},
		{Verb: "get", Resource: "configmaps", Namespace: "kube-system", Name: "extension-apiserver-authentication",
			Without: "Nobody reads the metrics with a client certificate. Part of Role extension-apiserver-authentication-reader in kube-system."},
	}
}

// Lease returns what leader election needs of its lease.
func Lease(namespace, name string) []Permission {
	lease := Permission{Group: "coordination.k8s.io", Resource: "leases", Namespace: namespace}
	var all []Permission
	for _, verb := range []string{"create", "get", "update"} {
		lease.Verb = verb
		lease.Name, lease.Without = name, "No replica leads, so pods that ask for the scheduler wait."
		if verb == "create" {
			lease.Name = "" // RBAC knows no name of what does not exist yet
			lease.Without = "No replica leads if there is no lease yet, so pods that ask for the scheduler wait. Part of ClusterRole system:kube-scheduler."
		}
		all = append(all, lease)
	}
	return all
}

// label is the permission as a value of a metric's label, e.g.
// "get:leases.coordination.k8s.io". Objects have no place there.
func (p Permission) label() string { return p.Verb + ":" + p.GroupResource() }

// GroupResource returns the resource as kubectl takes it, e.g. "leases.coordination.k8s.io".
func (p Permission) GroupResource() string {
	return schema.GroupResource{Group: p.Group, Resource: p.Resource}.String()
}

// String returns the verb, the resource and the objects, e.g. "get
// leases.coordination.k8s.io vicinity-system/vicinity-scheduler".
func (p Permission) String() string {
	what := p.Verb + " " + p.GroupResource()
	switch {
	case p.Name != "":
		return what + " " + path.Join(p.Namespace, p.Name)
	case p.Namespace != "":
		return what + " in " + p.Namespace
	}
	return what
}

// Checker asks for permissions again and again.
type Checker struct {
	needed  []Permission
	logger  klog.Logger
	missing map[Permission]bool
	failing bool // the API server did not answer the last time

	set   metricdef.Set
	gauge metricdef.Family[metrics.GaugeMetric]
}

// interval is how often the Checker asks: seldom enough to be nothing, and often
// enough for somebody who waits for a change to show.
const interval = time.Minute

// New returns a Checker of the permissions that are needed.
func New(logger klog.Logger, needed []Permission) *Checker {
	c := &Checker{needed: needed, logger: logger, missing: map[Permission]bool{}}
	permission := metricdef.Label{Name: "permission"}
	for _, p := range needed {
		permission.Values = append(permission.Values, metricdef.Value{Name: p.label(), Meaning: p.Without})
	}
	c.gauge = c.set.Gauges(metricdef.Metric{
		Name:   "vicinity_permission_missing",
		Help:   "1 when the API server does not allow something that the scheduler needs, 0 when it does.",
		Labels: []metricdef.Label{permission},
		Alerts: []metricdef.Alert{{
			Name:    "VicinityPermissionMissing",
			PromQL:  `vicinity_permission_missing > 0`,
			Meaning: "The scheduler's log names the object. Apply `manifests/base` again, or upgrade the Helm release with `rbac.create`, or grant it as docs/install.md says.",
		}},
	})
	return c
}

// Register registers the metrics with the given function, e.g.
// legacyregistry.MustRegister.
func (c *Checker) Register(mustRegister func(...metrics.Registerable)) { c.set.Register(mustRegister) }

// Definitions returns what the metrics are.
func (c *Checker) Definitions() []metricdef.Metric { return c.set.Metrics() }

// Run asks at once and then every minute until ctx ends.
func (c *Checker) Run(ctx context.Context, reviews authorizationclient.SelfSubjectAccessReviewInterface) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		for _, p := range c.needed {
			allowed, err := Allowed(ctx, reviews, p)
			if ctx.Err() != nil {
				return
			}
			c.note(p, allowed, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Allowed asks for one permission.
func Allowed(ctx context.Context, reviews authorizationclient.SelfSubjectAccessReviewInterface, p Permission) (allowed bool, err error) {
	review, err := reviews.Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: p.attributes()},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether it may %s: %w", p, err)
	}
	return review.Status.Allowed, nil
}

// AllowedTo asks for one permission of a ServiceAccount.
func AllowedTo(ctx context.Context, reviews authorizationclient.SubjectAccessReviewInterface, namespace, account string, p Permission) (allowed bool, err error) {
	user := "system:serviceaccount:" + namespace + ":" + account
	review, err := reviews.Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			ResourceAttributes: p.attributes(), User: user,
			Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether %s may %s: %w", user, p, err)
	}
	return review.Status.Allowed, nil
}

func (p Permission) attributes() *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{Verb: p.Verb, Group: p.Group, Resource: p.Resource, Namespace: p.Namespace, Name: p.Name}
}

// note logs what has changed.
func (c *Checker) note(p Permission, allowed bool, err error) {
	if err != nil {
		if !c.failing {
			c.logger.Error(err, "The API server does not say what this scheduler may do")
		}
		c.failing = true
		return
	}
	c.failing = false
	if allowed != c.missing[p] {
		return
	}
	c.missing[p] = !allowed
	if allowed {
		c.gauge.With(p.label()).Set(0)
		c.logger.Info("Permission granted", "permission", p)
		return
	}
	c.gauge.With(p.label()).Set(1)
	c.logger.Error(nil, "Permission missing", "permission", p, "effect", p.Without)
}
