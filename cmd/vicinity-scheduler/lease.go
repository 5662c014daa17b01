package main

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	componentbaseconfig "k8s.io/component-base/config"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

const (
	leaderElectFlag    = "leader election"
	leaderElects       = "leader-elect"
	leaseNameFlag      = "leader-elect-resource-name"
	leaseNamespaceFlag = "leader-elect-resource-namespace"

	leaseName = "vicinity-scheduler"
	// The lease of the stock scheduler, and the name of its profile.
	stockLeaseName   = "kube-scheduler"
	stockProfileName = "default-scheduler"
)

// chooseLease names the lease of the leader election where neither the file nor
// a flag does. It is one of our own; but a scheduler that has a profile named
// default-scheduler, as every profile without a name is, stands in the stock
// scheduler's place: it takes that one's lease, so that the two never place the
// same pods at once. Any other scheduler is refused the stock scheduler's lease:
// it would stand by for ever behind it.
func chooseLease(opts *options.Options, c *schedulerconfig.Config) error {
	flags := opts.Flags.FlagSet(leaderElectFlag)
	election := c.Scheduler.LeaderElection
	elects, name, namespace := election.LeaderElect, c.LeaseName, election.ResourceNamespace
	if flag := flags.Lookup(leaderElects); flag.Changed {
		elects = flag.Value.String() == "true"
	}
	if flag := flags.Lookup(leaseNameFlag); flag.Changed {
		name = flag.Value.String()
	}
	if flag := flags.Lookup(leaseNamespaceFlag); flag.Changed {
		namespace = flag.Value.String()
	}
	replaces := slices.ContainsFunc(c.Scheduler.Profiles, func(p config.KubeSchedulerProfile) bool { return p.SchedulerName == stockProfileName })
	switch {
	case name == "" && replaces:
		return nil // the default is the stock scheduler's
	case name == "":
		return flags.Set(leaseNameFlag, leaseName)
	case elects && !replaces && name == stockLeaseName && namespace == metav1.NamespaceSystem:
		return fmt.Errorf("leaderElection.resourceName: Forbidden: lease %s/%s is kube-scheduler's, behind which this scheduler would wait for ever; use another name, e.g. %s",
			namespace, name, leaseName)
	}
	return nil
}

// neededPermissions returns what the scheduler may not do without its roles.
func neededPermissions(election componentbaseconfig.LeaderElectionConfiguration) []permissions.Permission {
	needed := permissions.StockRoles()
	if election.LeaderElect {
		needed = append(needed, permissions.Lease(election.ResourceNamespace, election.ResourceName)...)
	}
	return needed
}
