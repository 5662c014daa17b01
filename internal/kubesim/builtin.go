package kubesim

import (
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/manifests"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// DefaultRun is the name of the run with kube-scheduler's default configuration.
const DefaultRun = "default"

// builtIns are the runs that need no file. The profiles of all but the default
// one are the shipped profile with these arguments of TrafficLocality.
func builtIns() []builtIn {
	return []builtIn{
		{DefaultRun, "kube-scheduler's default configuration", nil},
		{"netmarks", "the shipped profile, strategy NetMARKS", map[string]any{"strategy": "NetMARKS"}},
		{"gain", "the shipped profile, strategy Gain for the routing that is configured", map[string]any{"strategy": "Gain"}},
		{"gain-fair-load", "the shipped profile, strategy Gain for fair-load routing", map[string]any{"strategy": "Gain", "routing": "FairLoad"}},
	}
}

type builtIn struct {
	name, from string
	args       map[string]any
}

// BuiltInNames lists the runs that BuiltIn knows.
func BuiltInNames() []string {
	var names []string
	for _, b := range builtIns() {
		names = append(names, b.name)
	}
	return names
}

// BuiltIn returns a run that needs no file; ok is false when there is none of
// that name.
func BuiltIn(name string) (run Run, ok bool, err error) {
	for _, b := range builtIns() {
		if b.name != name {
			continue
		}
		run = Run{Name: name, From: b.from}
		if b.args == nil {
			run.Config, err = schedulerconfig.Load("")
		} else {
			run.Config, err = Shipped(b.args)
		}
		return run, true, err
	}
	return Run{}, false, nil
}

// Shipped returns the shipped configuration with these arguments of TrafficLocality.
func Shipped(args map[string]any) (*schedulerconfig.Config, error) {
	data, err := manifests.Base.ReadFile("base/config/scheduler.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the shipped configuration: %w", err)
	}
	return WithArgs("the shipped configuration", data, args)
}

// WithArgs returns the configuration of the named file with these arguments of
// TrafficLocality in its first profile, in place of those of the same names there.
func WithArgs(file string, data []byte, args map[string]any) (*schedulerconfig.Config, error) {
	var whole map[string]any
	if err := yaml.Unmarshal(data, &whole); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	profiles, _ := whole["profiles"].([]any)
	if len(profiles) == 0 {
		return nil, fmt.Errorf("%s: there is no profile", file)
	}
	profile, ok := profiles[0].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: profiles[0]: is no map", file)
	}
	full := map[string]any{"apiVersion": "config.vicinity.dev/v1", "kind": "TrafficLocalityArgs"}
	plugins, _ := profile["pluginConfig"].([]any)
	isOurs := func(config any) bool {
		plugin, ok := config.(map[string]any)
		return ok && plugin["name"] == trafficlocality.Name
	}
	if i := slices.IndexFunc(plugins, isOurs); i >= 0 {
		if own, ok := plugins[i].(map[string]any)["args"].(map[string]any); ok {
			maps.Copy(full, own)
		}
	}
	maps.Copy(full, args)
	profile["pluginConfig"] = append(slices.DeleteFunc(plugins, isOurs), map[string]any{"name": trafficlocality.Name, "args": full})
	data, err := yaml.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("changing %s: %w", file, err)
	}
	return schedulerconfig.Parse(file, data)
}
