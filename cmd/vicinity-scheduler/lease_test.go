package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

func TestChooseLease(t *testing.T) {
	const (
		header   = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
		vicinity = "profiles: [{schedulerName: vicinity}]\n"
		both     = "profiles: [{schedulerName: default-scheduler}, {schedulerName: vicinity}]\n"
		refused  = "kube-scheduler's, behind which this scheduler would wait for ever"
	)
	for name, c := range map[string]struct {
		file    string // "" for none
		flags   []string
		want    string
		wantErr string
	}{
		"our profile":                        {file: vicinity, want: "vicinity-scheduler"},
		"no file":                            {want: "kube-scheduler"},
		"a profile without a name":           {file: "profiles: [{percentageOfNodesToScore: 100}]\n", want: "kube-scheduler"},
		"both profiles":                      {file: both, want: "kube-scheduler"},
		"both profiles, a lease named":       {file: both + "leaderElection: {resourceName: mine}\n", want: "mine"},
		"named in the file":                  {file: vicinity + "leaderElection: {resourceName: mine}\n", want: "mine"},
		"named by a flag":                    {file: vicinity, flags: []string{"--leader-elect-resource-name=mine"}, want: "mine"},
		"kube-scheduler's in the file":       {file: vicinity + "leaderElection: {resourceName: kube-scheduler}\n", wantErr: refused},
		"kube-scheduler's by a flag":         {file: vicinity, flags: []string{"--leader-elect-resource-name=kube-scheduler"}, wantErr: refused},
		"that name in another namespace":     {file: vicinity + "leaderElection: {resourceName: kube-scheduler, resourceNamespace: vicinity-system}\n", want: "kube-scheduler"},
		"that namespace by a flag":           {file: vicinity + "leaderElection: {resourceName: kube-scheduler}\n", flags: []string{"--leader-elect-resource-namespace=vicinity-system"}, want: "kube-scheduler"},
		"no election in the file":            {file: vicinity + "leaderElection: {leaderElect: false, resourceName: kube-scheduler}\n", want: "kube-scheduler"},
		"no election but by a flag":          {file: vicinity + "leaderElection: {leaderElect: false, resourceName: kube-scheduler}\n", flags: []string{"--leader-elect=true"}, wantErr: refused},
		"kube-scheduler's, with its profile": {file: both + "leaderElection: {resourceName: kube-scheduler}\n", want: "kube-scheduler"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options.NewOptions()
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			flags.AddFlagSet(opts.Flags.FlagSet(leaderElectFlag))
			if err := flags.Parse(c.flags); err != nil {
				t.Fatal(err)
			}
			config, err := schedulerconfig.Load("")
			if c.file != "" {
				config, err = schedulerconfig.Parse("scheduler.yaml", []byte(header+c.file))
			}
			if err != nil {
				t.Fatal(err)
			}
			err = chooseLease(opts, config)
			switch {
			case err != nil && (c.wantErr == "" || !strings.Contains(err.Error(), c.wantErr)):
				t.Errorf("error %v, want %q", err, c.wantErr)
			case err == nil && c.wantErr != "":
				t.Errorf("no error, want %q", c.wantErr)
			}
			if c.want == "" {
				return
			}
			got := config.Scheduler.LeaderElection.ResourceName
			if flag := opts.Flags.FlagSet(leaderElectFlag).Lookup(leaseNameFlag); flag.Changed {
				got = flag.Value.String()
			}
			if got != c.want {
				t.Errorf("lease %s, want %s", got, c.want)
			}
		})
	}
}
