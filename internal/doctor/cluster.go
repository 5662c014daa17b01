package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// Querier answers PromQL. The API of prometheus/client_golang is one.
type Querier interface {
	Query(ctx context.Context, query string, at time.Time, options ...promv1.Option) (model.Value, promv1.Warnings, error)
}

// Cluster is a cluster and how it is reached. Only Client, Inventory and Now are required.
type Cluster struct {
	// Client is of the API server. Nothing is written through it, except
	// SubjectAccessReviews.
	Client kubernetes.Interface
	// Inventory is what was read of the same server with ReadInventory.
	Inventory *Inventory
	// Metrics is the Prometheus that should scrape the scheduler; nil is none.
	Metrics Querier
	// Traffic returns what workloads exchange; nil, or a nil result, is not known.
	Traffic func() *flowgraph.Snapshot
	// Namespace and Name are those of the scheduler's Deployment; "" is to take the one with
	// most ready pods.
	Namespace, Name string
	// SchedulerConfig and TelemetryConfig are files to check instead of the ones in the
	// scheduler's ConfigMap; "" is those.
	SchedulerConfig, TelemetryConfig string
	// Version is this program's, such as v0.1.0; "" is unknown.
	Version string
	Now     func() time.Time
}

// ClusterChecks returns the checks of the scheduler's installation, of its data, its
// permissions and its configuration, and of the workloads that it places. They share what they
// read of the cluster, so they must run one after the other.
func ClusterChecks(c Cluster) []Check {
	s := &clusterState{Cluster: c, names: map[*appsv1.Deployment]*memo[[]string]{}}
	var checks []Check
	for _, check := range clusterChecks() {
		checks = append(checks, func(ctx context.Context) []Result { return named(check.Check, check.look(ctx, s)) })
	}
	return checks
}

// ClusterDocs returns what the reference says of the checks, in their order.
func ClusterDocs() []Doc {
	var docs []Doc
	for _, check := range clusterChecks() {
		docs = append(docs, check.Doc)
	}
	return docs
}

// clusterCheck is a check with what the reference says of it.
type clusterCheck struct {
	Doc
	look func(context.Context, *clusterState) []Result
}

// clusterChecks returns all of them, in the order in which they run.
func clusterChecks() []clusterCheck {
	return slices.Concat(
		installationChecks(), networkChecks(), metricsChecks(), permissionChecks(),
		fileChecks(), profileChecks(), schedulerNameChecks(),
		workloadChecks(), placementChecks(), memoryChecks(),
	)
}

// clusterState is what the checks have read so far.
type clusterState struct {
	Cluster
	found     memo[*installation]
	leases    memo[[]coordinationv1.Lease]
	files     memo[configFiles]
	scheduler memo[*parsedScheduler]
	scraped   memo[bool]
	// names are the schedulerNames of Deployments by their configurations.
	names map[*appsv1.Deployment]*memo[[]string]
	// conditions are those of alerts, as PromQL by name.
	conditions memo[map[string]string]
}

// memo keeps what was read once.
type memo[T any] struct {
	isRead bool
	value  T
	err    error
}

func (m *memo[T]) get(read func() (T, error)) (T, error) {
	if !m.isRead {
		m.isRead = true
		m.value, m.err = read()
	}
	return m.value, m.err
}

// named sets the name of the check in its results.
func named(check string, results []Result) []Result {
	for i := range results {
		results[i].Check = check
	}
	return results
}

// allRight is the result of a check that found nothing wrong.
func allRight(format string, args ...any) []Result {
	return []Result{{Severity: Fine, What: fmt.Sprintf(format, args...)}}
}

// doesNotApply is the result of a check that has nothing to look at.
func doesNotApply(why string) []Result { return allRight("Does not apply: %s.", why) }

// finding is a single result.
func finding(severity Severity, what, why, next string) []Result {
	return []Result{{Severity: severity, What: what, Why: why, Next: next}}
}

// or returns the results, or says that all is fine where there are none.
func or(results []Result, format string, args ...any) []Result {
	if len(results) == 0 {
		return allRight(format, args...)
	}
	return results
}

// notAllowed is an error of reading that tells which permission it takes.
type notAllowed struct {
	permissions.Permission
	err error
}

func (e *notAllowed) Error() string { return fmt.Sprintf("reading %s: %v", e.Resource, e.err) }
func (e *notAllowed) Unwrap() error { return e.err }

// needs adds the permission to an error, so that a result can name it.
func needs(err error, verb, group, resource, namespace string) error {
	if err == nil {
		return nil
	}
	return &notAllowed{permissions.Permission{Verb: verb, Group: group, Resource: resource, Namespace: namespace}, err}
}

// unlooked begins what results say that something could not be looked at.
const unlooked = "Not checked: "

// notChecked says that something could not be looked at, and why.
func notChecked(err error) []Result {
	missing, denied := deniedBy(err)
	if !denied {
		return finding(Unchecked, unlooked+whyNot(err)+".", "Doctor cannot tell whether something is wrong here.",
			"Run vicinity doctor again; if it persists, check the connection with: kubectl get --raw /readyz")
	}
	next := "kubectl auth can-i " + missing.Verb + " " + missing.GroupResource()
	if missing.Namespace == "" {
		next += " --all-namespaces"
	} else {
		next += " -n " + missing.Namespace
	}
	return finding(Unchecked, unlooked+whyNot(err)+".", "Without this permission, doctor cannot tell whether something is wrong here.",
		"Ask for the permission (docs/doctor.md#permissions), then check with: "+next)
}

// whyNot words an error of reading.
func whyNot(err error) string {
	if missing, denied := deniedBy(err); denied {
		return "you may not " + missing.String()
	}
	return show.Printable(err.Error())
}

// deniedBy returns the permission whose lack is the reason of an error.
func deniedBy(err error) (missing *notAllowed, denied bool) {
	denied = errors.As(err, &missing) && apierrors.IsForbidden(err)
	return missing, denied
}
