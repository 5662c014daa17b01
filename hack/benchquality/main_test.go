package main

import (
	"path/filepath"
	"strings"
	"testing"

	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestConfigured looks at what each run makes of the arguments of a profile file.
func TestConfigured(t *testing.T) {
	runs, err := configured("../../manifests/profiles/availability.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type args struct {
		strategy   configv1.Strategy
		routing    configv1.Routing
		node, zone float64 // of maxShare
	}
	want := map[string]args{
		"netmarks":               {configv1.StrategyNetMARKS, configv1.RoutingAuto, 1, 1},
		"netmarks-bound":         {configv1.StrategyNetMARKS, configv1.RoutingAuto, 0.34, 0.5},
		"gain":                   {configv1.StrategyGain, configv1.RoutingAuto, 0.34, 0.5},
		"gain-fair-load":         {configv1.StrategyGain, configv1.RoutingFairLoad, 0.34, 0.5},
		"gain-same-node":         {configv1.StrategyGain, configv1.RoutingSameNode, 0.34, 0.5},
		"gain-same-node-unbound": {configv1.StrategyGain, configv1.RoutingSameNode, 1, 1},
		"gain-unbound":           {configv1.StrategyGain, configv1.RoutingAuto, 1, 1},
		"gain-fair-load-unbound": {configv1.StrategyGain, configv1.RoutingFairLoad, 1, 1},
	}
	if len(runs) != len(want)+1 || runs[0].Name != "default" {
		t.Errorf("there are %d runs, the first is %s", len(runs), runs[0].Name)
	}
	for _, run := range runs[1:] {
		all, err := run.Config.TrafficLocality()
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %d profiles with arguments, %v", run.Name, len(all), err)
		}
		a := all[0]
		if got := (args{a.Strategy, a.Routing, *a.MaxShare.Node, *a.MaxShare.Zone}); got != want[run.Name] {
			t.Errorf("%s: got %v, want %v", run.Name, got, want[run.Name])
		}
		weights := map[string]int32{}
		for _, plugin := range run.Config.Scheduler.Profiles[0].Plugins.MultiPoint.Enabled {
			weights[plugin.Name] = plugin.Weight
		}
		if weights["TrafficLocality"] != 2 {
			t.Errorf("%s: the weights are %v, want that of the profile, 2", run.Name, weights)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := configured(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a file that is not there: got %v, want its name", err)
	}
}
