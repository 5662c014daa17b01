// Package schedulerconfig reads a KubeSchedulerConfiguration as
// vicinity-scheduler does: with upstream's own code, and with the checks that
// upstream leaves out. It starts nothing.
package schedulerconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	configlatest "k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/decodeerror"
	"github.com/vicinity-sched/vicinity/internal/filekind"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// PluginFactory makes a plugin for a profile.
type PluginFactory = func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error)

// Config is a configuration as it was read.
type Config struct {
	// Scheduler is the configuration with upstream's defaults.
	Scheduler *config.KubeSchedulerConfiguration
	// LeaseName is the name of the leader election's lease in the file, "" when
	// it names none.
	LeaseName string

	// off holds the names of the profiles that give TrafficLocality the weight
	// 0. kube-scheduler reads a weight of 0 as 1, which is the opposite of what
	// the line says.
	off map[string]bool
}

// schedulerConfiguration is what errors say that is wanted.
const schedulerConfiguration = "a KubeSchedulerConfiguration"

// Load reads the file at path strictly. Its errors are one line that begins with
// the path. An empty path is kube-scheduler's default configuration.
func Load(path string) (*Config, error) {
	if path == "" {
		defaults, err := configlatest.Default()
		if err != nil {
			return nil, fmt.Errorf("kube-scheduler's default configuration: %w", err)
		}
		return &Config{Scheduler: defaults}, nil
	}
	data, err := filekind.Read(path, schedulerConfiguration, filekind.SchedulerConfiguration)
	if err != nil {
		return nil, fmt.Errorf("reading the scheduler's configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a configuration that came from the named file.
func Parse(file string, data []byte) (*Config, error) {
	if err := filekind.Of(data).Refuse(file, schedulerConfiguration, filekind.SchedulerConfiguration); err != nil {
		return nil, err
	}
	// As upstream does (cmd/kube-scheduler/app/options.LoadConfigFromFile).
	object, kind, err := scheme.Codecs.UniversalDecoder().Decode(data, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, worded(err, data))
	}
	scheduler, ok := object.(*config.KubeSchedulerConfiguration)
	if !ok {
		return nil, fmt.Errorf("%s: the file is a %s, not a KubeSchedulerConfiguration", file, kind.Kind)
	}
	scheduler.APIVersion = kind.GroupVersion().String()
	// Once more as it was written: upstream's defaults hide a weight of 0.
	var written schedulerv1.KubeSchedulerConfiguration
	if err := yaml.Unmarshal(data, &written); err != nil {
		return nil, fmt.Errorf("%s: %w", file, decodeerror.Plain(err))
	}
	off, err := checkWeights(&written)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := checkPoints(&written); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Config{Scheduler: scheduler, LeaseName: strings.TrimSpace(written.LeaderElection.ResourceName), off: off}, nil
}

// worded says what upstream's decoder refused in the words of the file.
func worded(err error, data []byte) error {
	want := "must be apiVersion: " + schedulerv1.SchemeGroupVersion.String() + ", kind: KubeSchedulerConfiguration"
	var written metav1.TypeMeta
	_ = yaml.Unmarshal(data, &written) // what is malformed has another error
	switch {
	case written.APIVersion == "" || written.Kind == "":
		yamlErr := decodeerror.Plain(yaml.Unmarshal(data, &map[string]any{}))
		switch {
		case yamlErr != nil && filekind.Of(data).Kind == filekind.SchedulerConfiguration:
			return yamlErr
		case yamlErr != nil:
			return fmt.Errorf("the file is no KubeSchedulerConfiguration: %w", yamlErr)
		}
		return errors.New("the file has no apiVersion or no kind; " + want)
	case runtime.IsStrictDecodingError(err):
		return errors.New(strings.TrimPrefix(err.Error(), "strict decoding error: "))
	case runtime.IsNotRegisteredError(err):
		return fmt.Errorf("%s %s is not read by this version of kube-scheduler; %s", written.APIVersion, written.Kind, want)
	}
	return decodeerror.Plain(err)
}

// Warnings says what of the configuration a replay leaves out.
func (c *Config) Warnings() []string {
	var warnings []string
	switch n := len(c.Scheduler.Extenders); n {
	case 0:
	case 1:
		warnings = append(warnings, "1 extender of the configuration is not called: a replay places pods as if it did not exist")
	default:
		warnings = append(warnings, fmt.Sprintf("%d extenders of the configuration are not called: a replay places pods as if they did not exist", n))
	}
	for _, name := range c.shadows() {
		warnings = append(warnings, fmt.Sprintf("profile %s is in shadow mode: %s has no say there; to see what it would do, take shadow: true away", name, trafficlocality.Name))
	}
	return warnings
}

// shadows returns the profiles in shadow mode, by name. One whose arguments are wrong is none:
// somebody else says so.
func (c *Config) shadows() (names []string) {
	for _, profile := range c.Scheduler.Profiles {
		for _, plugin := range profile.PluginConfig {
			if plugin.Name != trafficlocality.Name {
				continue
			}
			if args, err := trafficlocality.DecodeArgs(plugin.Args); err == nil && args.Shadow {
				names = append(names, profile.SchedulerName)
			}
		}
	}
	return names
}

// Scale returns the levels that node labels tell in any profile of any of the
// configurations. It is an error when these are too many, or differ in their order.
func Scale(configs ...*Config) (locality.Scale, error) {
	var scales []locality.Scale
	for _, c := range configs {
		profiles, err := c.TrafficLocality()
		if err != nil {
			return nil, err
		}
		for _, args := range profiles {
			scales = append(scales, trafficlocality.ScaleOf(args))
		}
	}
	return locality.Merge(scales...)
}

// TrafficLocality returns the plugin's arguments in each profile that has any, with
// defaults. Its errors name the field and the rule.
func (c *Config) TrafficLocality() ([]*configv1.TrafficLocalityArgs, error) {
	var all []*configv1.TrafficLocalityArgs
	for _, profile := range c.Scheduler.Profiles {
		for _, plugin := range profile.PluginConfig {
			if plugin.Name != trafficlocality.Name {
				continue
			}
			args, err := trafficlocality.DecodeArgs(plugin.Args)
			if err != nil {
				return nil, fmt.Errorf("profile %s: %s: %w", profile.SchedulerName, configv1.TrafficLocalityArgsKind, err)
			}
			all = append(all, args)
		}
	}
	return all, nil
}

// IsShadow reports whether a profile is in shadow mode, by its name.
func (c *Config) IsShadow(profile string) bool { return slices.Contains(c.shadows(), profile) }

// checkWeights refuses negative weights, which kube-scheduler lets pass, and
// returns the profiles that switch TrafficLocality off.
func checkWeights(c *schedulerv1.KubeSchedulerConfiguration) (off map[string]bool, err error) {
	off = map[string]bool{}
	for i, profile := range c.Profiles {
		if profile.Plugins == nil {
			continue
		}
		for _, set := range []struct {
			name    string
			plugins []schedulerv1.Plugin
		}{
			{"multiPoint", profile.Plugins.MultiPoint.Enabled},
			{"score", profile.Plugins.Score.Enabled},
		} {
			for j, plugin := range set.plugins {
				if plugin.Weight == nil {
					continue
				}
				if *plugin.Weight < 0 {
					return nil, fmt.Errorf("profiles[%d].plugins.%s.enabled[%d].weight: Invalid value: %d: must not be negative (plugin %s)",
						i, set.name, j, *plugin.Weight, plugin.Name)
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

// checkPoints refuses profiles in which TrafficLocality scores but has not
// looked at the nodes before, where it would silently score all of them 0.
func checkPoints(c *schedulerv1.KubeSchedulerConfiguration) error {
	for i, profile := range c.Profiles {
		if profile.Plugins == nil {
			continue
		}
		everywhere := names(profile.Plugins.MultiPoint.Enabled)
		if runs(profile.Plugins.Score, everywhere) && !runs(profile.Plugins.PreScore, everywhere) {
			return fmt.Errorf("profiles[%d].plugins.score: Invalid value: %s: without preScore it has no effect; enable it under multiPoint instead",
				i, trafficlocality.Name)
		}
	}
	return nil
}

// runs reports whether TrafficLocality runs at an extension point, given
// whether multiPoint enables it everywhere.
func runs(point schedulerv1.PluginSet, everywhere bool) bool {
	disabled := slices.ContainsFunc(point.Disabled, func(p schedulerv1.Plugin) bool { return p.Name == trafficlocality.Name || p.Name == "*" })
	return names(point.Enabled) || everywhere && !disabled
}

// Scores reports whether TrafficLocality has a say in any of the profiles.
func (c *Config) Scores() bool { return len(c.Scoring()) > 0 }

// Scoring returns the profiles in which TrafficLocality has a say, by the names that pods
// ask for them.
func (c *Config) Scoring() []string {
	var scoring []string
	shadows := c.shadows()
	for _, profile := range c.Scheduler.Profiles {
		if profile.Plugins == nil || c.off[profile.SchedulerName] || slices.Contains(shadows, profile.SchedulerName) {
			continue
		}
		enabled := slices.Concat(profile.Plugins.MultiPoint.Enabled, profile.Plugins.Score.Enabled)
		if slices.ContainsFunc(enabled, func(p config.Plugin) bool { return p.Name == trafficlocality.Name }) {
			scoring = append(scoring, profile.SchedulerName)
		}
	}
	return scoring
}

// names reports whether TrafficLocality is one of the plugins.
func names(plugins []schedulerv1.Plugin) bool {
	return slices.ContainsFunc(plugins, func(p schedulerv1.Plugin) bool { return p.Name == trafficlocality.Name })
}

func profileName(p schedulerv1.KubeSchedulerProfile) string {
	if p.SchedulerName == nil {
		return "default-scheduler"
	}
	return *p.SchedulerName
}

// Honour makes the factory of TrafficLocality return a plugin that has no say in
// the profiles that are switched off. Their arguments are checked all the same.
func (c *Config) Honour(factory PluginFactory) PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		plugin, err := factory(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		if c.off[handle.ProfileName()] {
			return trafficlocality.Silent{}, nil
		}
		return plugin, nil
	}
}
