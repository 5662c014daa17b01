package main

import "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

const (
	leaseName       = "vicinity-scheduler"
	leaseNameFlag   = "leader-elect-resource-name"
	leaderElectFlag = "leader election"
)

// useOwnLease elects the leader by a lease of our own where neither the file
// nor a flag names one: with kube-scheduler's we would stand by for ever behind
// it.
func useOwnLease(opts *options.Options, inFile string) error {
	flags := opts.Flags.FlagSet(leaderElectFlag)
	if inFile != "" || flags.Lookup(leaseNameFlag).Changed {
		return nil
	}
	return flags.Set(leaseNameFlag, leaseName)
}
