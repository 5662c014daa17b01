package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	configv1 "k8s.io/kube-scheduler/config/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

const (
	leaseName       = "vicinity-scheduler"
	leaseNameFlag   = "leader-elect-resource-name"
	leaderElectFlag = "leader election"
)

// switchedOff holds the names of the profiles that give TrafficLocality the
// weight 0. kube-scheduler reads a weight of 0 as 1, which is the opposite of
// what the line says.
type switchedOff map[string]bool

// honour makes the factory return a plugin that has no say in the profiles that
// are switched off. Their arguments are checked all the same.
func (off switchedOff) honour(factory pluginFactory) pluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		plugin, err := factory(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		if off[handle.ProfileName()] {
			return trafficlocality.Silent{}, nil
		}
		return plugin, nil
	}
}

// checkConfig reads the scheduler's own configuration strictly and refuses what
// kube-scheduler would let pass. An empty path is kube-scheduler's default
// configuration.
func checkConfig(path string) (switchedOff, error) {
	if path == "" {
		return nil, nil
	}
	if _, err := options.LoadConfigFromFile(klog.Background(), path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the scheduler's configuration: %w", err)
	}
	var cfg configv1.KubeSchedulerConfiguration
	if err := yaml.Unmarshal(data, &cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	off := switchedOff{}
	for i, profile := range cfg.Profiles {
		if profile.Plugins == nil {
			continue
		}
		for _, set := range []struct {
			name    string
			plugins []configv1.Plugin
		}{
			{"multiPoint", profile.Plugins.MultiPoint.Enabled},
			{"score", profile.Plugins.Score.Enabled},
		} {
			for j, plugin := range set.plugins {
				if plugin.Weight == nil {
					continue
				}
				field := fmt.Sprintf("profiles[%d].plugins.%s.enabled[%d].weight", i, set.name, j)
				if *plugin.Weight < 0 {
					return nil, fmt.Errorf("%s: %s: Invalid value: %d: must not be negative (plugin %s)", path, field, *plugin.Weight, plugin.Name)
				}
				if plugin.Name == trafficlocality.Name {
					// score stands after multiPoint and takes precedence over it.
					off[profileName(profile)] = *plugin.Weight == 0
				}
			}
		}
	}
	return off, nil
}

func profileName(p configv1.KubeSchedulerProfile) string {
	if p.SchedulerName == nil {
		return "default-scheduler"
	}
	return *p.SchedulerName
}

// useOwnLease elects the leader by a lease of our own where neither the file
// nor a flag names one: with kube-scheduler's we would stand by for ever behind
// it.
func useOwnLease(opts *options.Options) error {
	flag := opts.Flags.FlagSet(leaderElectFlag).Lookup(leaseNameFlag)
	if flag.Changed {
		return nil
	}
	if opts.ConfigFile != "" {
		data, err := os.ReadFile(opts.ConfigFile)
		if err != nil {
			return fmt.Errorf("reading the scheduler's configuration: %w", err)
		}
		var cfg configv1.KubeSchedulerConfiguration
		if err := yaml.Unmarshal(data, &cfg); err != nil {
			return fmt.Errorf("%s: %w", opts.ConfigFile, err)
		}
		if name := strings.TrimSpace(cfg.LeaderElection.ResourceName); name != "" {
			return nil
		}
	}
	return opts.Flags.FlagSet(leaderElectFlag).Set(leaseNameFlag, leaseName)
}
