package main

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

const (
	leaderElectFlag    = "leader election"
	leaseNameFlag      = "leader-elect-resource-name"
	leaseNamespaceFlag = "leader-elect-resource-namespace"

	leaseName = "vicinity-scheduler"
	// The lease of the stock scheduler, and the name of its profile.
	stockLeaseName   = "kube-scheduler"
	stockProfileName = "default-scheduler"
)

// useOwnLease elects the leader by a lease of our own where neither the file
// nor a flag names one. It refuses the stock scheduler's: we would stand by for
// ever behind it. Only a scheduler that also places the stock scheduler's pods,
// and so stands in its place, may have it.
func useOwnLease(opts *options.Options, c *schedulerconfig.Config) error {
	flags := opts.Flags.FlagSet(leaderElectFlag)
	name, namespace := c.LeaseName, c.Scheduler.LeaderElection.ResourceNamespace
	if flag := flags.Lookup(leaseNameFlag); flag.Changed {
		name = flag.Value.String()
	}
	if flag := flags.Lookup(leaseNamespaceFlag); flag.Changed {
		namespace = flag.Value.String()
	}
	if name == "" {
		return flags.Set(leaseNameFlag, leaseName)
	}
	elects := c.Scheduler.LeaderElection.LeaderElect
	replaces := slices.ContainsFunc(c.Scheduler.Profiles, func(p config.KubeSchedulerProfile) bool { return p.SchedulerName == stockProfileName })
	if elects && !replaces && name == stockLeaseName && namespace == metav1.NamespaceSystem {
		return fmt.Errorf("leaderElection.resourceName: Forbidden: lease %s/%s is kube-scheduler's, behind which this scheduler would wait for ever; use another name, e.g. %s",
			namespace, name, leaseName)
	}
	return nil
}
