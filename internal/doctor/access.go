package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/show"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

const groupPermissions = "The scheduler's permissions"

func permissionChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"permissions-scheduling", groupPermissions,
			"Asks the API server by SubjectAccessReviews whether the scheduler's ServiceAccount may do what kube-scheduler's stock roles allow.",
			"error: pods wait without it; warning: it can do without"}, onDeployment(lookStockRoles)},
		{Doc{"permissions-lease", groupPermissions,
			"Whether the ServiceAccount may read and update the scheduler's lease.", "error: it may not"}, onDeployment(lookLeaseAccess)},
		{Doc{"permissions-routing", groupPermissions,
			"Whether the ServiceAccount may read DestinationRules, where there are any and the configuration counts on them.", "warning: it may not"}, onDeployment(lookRuleAccess)},
		{Doc{"permissions-declared", groupPermissions,
			"Whether the ServiceAccount may read AppGroups and Sidecars, where there are any and the configuration counts on them.", "note: it may not"}, onDeployment(lookDeclaredAccess)},
	}
}

// lacking returns those of the permissions that the scheduler's ServiceAccount does not have.
func (s *clusterState) lacking(ctx context.Context, in *installation, needed []permissions.Permission) (missing []permissions.Permission, err error) {
	reviews := s.Client.AuthorizationV1().SubjectAccessReviews()
	for _, p := range needed {
		allowed, err := permissions.AllowedTo(ctx, reviews, in.deployment.Namespace, in.account(), p)
		if err != nil {
			return nil, needs(err, "create", "authorization.k8s.io", "subjectaccessreviews", "")
		}
		if !allowed {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// accountName is how results call the ServiceAccount.
func (in *installation) accountName() string {
	return "ServiceAccount " + kube.FullName(in.deployment.Namespace, in.account())
}

// unasked is the result where nobody may be asked; the scheduler itself says in a metric what
// it lacks.
func unasked(err error, in *installation, p permissions.Permission) []Result {
	results := notChecked(err)
	results[0].Next = fmt.Sprintf("Ask for the permission, or check as an administrator with: kubectl auth can-i %s %s --as=system:serviceaccount:%s:%s. The scheduler itself reports what it lacks in the metric vicinity_permission_missing.",
		p.Verb, p.GroupResource(), in.deployment.Namespace, in.account())
	return results
}

func lookStockRoles(ctx context.Context, s *clusterState, in *installation) []Result {
	needed := permissions.StockRoles()
	missing, err := s.lacking(ctx, in, needed)
	if err != nil {
		return unasked(err, in, needed[0])
	}
	account := " --serviceaccount=" + in.deployment.Namespace + ":" + in.account()
	grants := map[string]string{
		"nodes":          "kubectl create clusterrolebinding vicinity:kube-scheduler --clusterrole=system:kube-scheduler" + account,
		"storageclasses": "kubectl create clusterrolebinding vicinity:volume-scheduler --clusterrole=system:volume-scheduler" + account,
		"configmaps":     "kubectl -n kube-system create rolebinding vicinity:authentication-reader --role=extension-apiserver-authentication-reader" + account,
	}
	var results []Result
	for _, p := range missing {
		severity := Error
		if p.Resource == "configmaps" {
			severity = Warning
		}
		results = append(results, Result{Severity: severity, What: fmt.Sprintf("%s may not %s.", in.accountName(), p), Why: p.Without,
			Next: "Apply the manifests or the chart again, or: " + grants[p.Resource]})
	}
	return or(results, "%s has what kube-scheduler has.", in.accountName())
}

func lookLeaseAccess(ctx context.Context, s *clusterState, in *installation) []Result {
	if parsed, err := s.parsedScheduler(ctx); err == nil && !parsed.config.Scheduler.LeaderElection.LeaderElect {
		return doesNotApply("leader election is off")
	}
	namespace, name := in.deployment.Namespace, schedulerName
	if parsed, err := s.parsedScheduler(ctx); err == nil {
		namespace = parsed.config.Scheduler.LeaderElection.ResourceNamespace
		if parsed.config.LeaseName != "" {
			name = parsed.config.LeaseName
		}
	}
	needed := permissions.Lease(namespace, name)
	missing, err := s.lacking(ctx, in, needed)
	if err != nil {
		return unasked(err, in, needed[1])
	}
	var results []Result
	for _, p := range missing {
		next := fmt.Sprintf("kubectl -n %[1]s create role vicinity:leader-election --verb=get,update --resource=leases.coordination.k8s.io --resource-name=%[2]s && kubectl -n %[1]s create rolebinding vicinity:leader-election --role=vicinity:leader-election --serviceaccount=%[3]s:%[4]s",
			namespace, name, in.deployment.Namespace, in.account())
		if p.Verb == "create" {
			next = "kubectl create clusterrolebinding vicinity:kube-scheduler --clusterrole=system:kube-scheduler --serviceaccount=" + in.deployment.Namespace + ":" + in.account()
		}
		results = append(results, Result{Severity: Error, What: fmt.Sprintf("%s may not %s.", in.accountName(), p), Why: p.Without, Next: "Apply the manifests or the chart again, or: " + next})
	}
	return or(results, "%s may use lease %s.", in.accountName(), kube.FullName(namespace, name))
}

func lookRuleAccess(ctx context.Context, s *clusterState, in *installation) []Result {
	o := s.Inventory
	if parsed, err := s.parsedScheduler(ctx); err == nil && !slices.ContainsFunc(parsed.profiles, countsRules) {
		return doesNotApply("no profile counts on DestinationRules")
	}
	rules := len(objects.Of[*routing.DestinationRule](o.all))
	switch err := o.without(kindRule); {
	case err != nil:
		return notChecked(err)
	case rules == 0:
		return doesNotApply("there are no DestinationRules")
	}
	return s.lookOptional(ctx, in, "networking.istio.io", "destinationrules", Warning,
		fmt.Sprintf("The cluster has %s, and %%s may not %%s.", show.Plural(rules, "DestinationRule")),
		"The scheduler takes calls to be divided as the Services alone say, which may differ from what Istio's proxies do.",
		"Add manifests/components/istio to your kustomization, or the chart's permission for Istio (docs/install.md, \"What it may do\").")
}

func lookDeclaredAccess(ctx context.Context, s *clusterState, in *installation) []Result {
	o := s.Inventory
	read, err := s.telemetry(ctx)
	if err != nil {
		return withoutTelemetry(err)
	}
	var results []Result
	for _, k := range []struct {
		kind            configv1.DeclaredKind
		group, resource string
		count           int
	}{
		{configv1.DeclaredAppGroup, coldstart.AppGroupGroup, coldstart.AppGroupResource, len(objects.Of[*coldstart.AppGroup](o.all))},
		{configv1.DeclaredSidecar, "networking.istio.io", "sidecars", len(objects.Of[*coldstart.Sidecar](o.all))},
	} {
		if !slices.Contains(read.Declared.Kinds, k.kind) {
			continue
		}
		if err := o.without(string(k.kind)); err != nil {
			results = append(results, notChecked(err)...)
			continue
		}
		if k.count == 0 {
			continue
		}
		found := s.lookOptional(ctx, in, k.group, k.resource, Note,
			fmt.Sprintf("The cluster has %s, and %%s may not %%s.", show.Plural(k.count, string(k.kind))),
			"What they declare of new workloads does not count until the telemetry has seen their traffic.",
			"Add manifests/components/cold-starts to your kustomization, or take the kind out of declared.kinds of the TelemetryConfiguration.")
		if found[0].Severity != Fine {
			results = append(results, found...)
		}
	}
	return or(results, "What the configuration counts on can be read.")
}

// countsRules reports whether a profile divides calls by DestinationRules.
func countsRules(p schedulerconfig.Profile) bool {
	return p.Weight() > 0 && p.Args.Routing == configv1.RoutingAuto && p.Args.Strategy == configv1.StrategyGain &&
		slices.Contains(p.Args.RoutingPolicies, configv1.RoutingPolicyDestinationRules)
}

// lookOptional asks for a permission that the scheduler can do without.
func (s *clusterState) lookOptional(ctx context.Context, in *installation, group, resource string, severity Severity, what, why, next string) []Result {
	var needed []permissions.Permission
	for _, verb := range []string{"list", "watch"} {
		needed = append(needed, permissions.Permission{Verb: verb, Group: group, Resource: resource})
	}
	missing, err := s.lacking(ctx, in, needed)
	switch {
	case err != nil:
		return unasked(err, in, needed[0])
	case len(missing) > 0:
		return finding(severity, fmt.Sprintf(what, in.accountName(), missing[0]), why, next)
	}
	return allRight("%s may read %s.", in.accountName(), needed[0].GroupResource())
}
