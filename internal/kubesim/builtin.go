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

// The names of the runs that BuiltIn knows.
const (
	// DefaultRun is kube-scheduler's default configuration.
	DefaultRun = "default"
	// NetMARKSRun is the published algorithm, without a bound on what one node attracts.
	NetMARKSRun = "netmarks"
	// LatencyRun, CostRun and AvailabilityRun are the profiles of package manifests.
	LatencyRun      = "latency"
	CostRun         = "cost"
	AvailabilityRun = "availability"
	// FairLoadRun is the latency profile for fair-load routing, whatever Services say.
	FairLoadRun = "fair-load"
)

type builtIn struct {
	name, title, from string
	// profile is a file of manifests.Profiles; "" is kube-scheduler's default
	// configuration.
	profile string
	args    map[string]any // in place of those of the profile
}

func builtIns() []builtIn {
	const latency = "profiles/latency.yaml"
	return []builtIn{
		{DefaultRun, "kube-scheduler (default configuration)", "kube-scheduler's default configuration", "", nil},
		{NetMARKSRun, "NetMARKS, as published (no availability bound)", "manifests/" + latency + ", strategy NetMARKS", latency,
			map[string]any{"strategy": "NetMARKS", "maxShare": map[string]any{"node": 1, "zone": 1}}},
		{LatencyRun, "Vicinity (latency profile)", "manifests/" + latency, latency, nil},
		{CostRun, "Vicinity (cost profile)", "manifests/profiles/cost.yaml", "profiles/cost.yaml", nil},
		{AvailabilityRun, "Vicinity (availability profile)", "manifests/profiles/availability.yaml", "profiles/availability.yaml", nil},
		{FairLoadRun, "Vicinity (latency profile, fair-load routing assumed)", "manifests/" + latency + ", routing FairLoad", latency,
			map[string]any{"routing": "FairLoad"}},
	}
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
		run = Run{Name: name, Title: b.title, From: b.from}
		if b.profile == "" {
			run.Config, err = schedulerconfig.Load("")
			return run, true, err
		}
		data, err := manifests.Profiles.ReadFile(b.profile)
		if err != nil {
			return Run{}, false, fmt.Errorf("reading the profile of run %s: %w", name, err)
		}
		run.Config, err = WithArgs("manifests/"+b.profile, data, b.args)
		return run, true, err
	}
	return Run{}, false, nil
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
