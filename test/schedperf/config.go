package schedperf

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
	"github.com/vicinity-sched/vicinity/test/schedperf/observe"
)

// The profiles of a cluster. scheduler_perf's own pod asks for the stock one by
// naming none.
const (
	stockProfile   = "default-scheduler"
	pluginProfile  = "vicinity"
	watchedProfile = "vicinity-watched"
	fillProfile    = "fill" // places the pods that are there before the first block
)

// object is a JSON object, which is YAML too.
type object = map[string]any

// schedulerConfig returns a case's KubeSchedulerConfiguration.
func schedulerConfig(c measure.Case) object {
	// Which nodes are scored makes no difference to the first pods but time.
	sampled := c
	sampled.AllNodes = false
	profiles := []object{profileOf(c, stockProfile, "")}
	if c.ByHand {
		profiles = append(profiles, profileOf(sampled, fillProfile, ""))
	} else {
		profiles = append(profiles,
			profileOf(sampled, fillProfile, trafficlocality.Name),
			profileOf(c, pluginProfile, trafficlocality.Name),
			profileOf(c, watchedProfile, observe.WatchedName))
	}
	return object{
		"apiVersion": "kubescheduler.config.k8s.io/v1",
		"kind":       "KubeSchedulerConfiguration",
		"profiles":   profiles,
	}
}

// profileOf returns a profile with one of our plugins at the shipped weight, or with
// none. Where pods are alike, no default constraints spread them: with those
// kube-scheduler shares no scores.
func profileOf(c measure.Case, name, plugin string) object {
	plugins := object{"postBind": object{"enabled": []object{{"name": observe.BoundName}}}}
	var config []object
	if plugin != "" {
		plugins["multiPoint"] = object{"enabled": []object{{"name": plugin, "weight": 5}}}
		config = append(config, object{"name": plugin, "args": pluginArgs(c)})
	}
	if c.Batches() {
		config = append(config, object{"name": "PodTopologySpread", "args": object{
			"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "PodTopologySpreadArgs", "defaultingType": "List",
		}})
	}
	p := object{"schedulerName": name, "plugins": plugins, "pluginConfig": config}
	if c.AllNodes {
		p["percentageOfNodesToScore"] = 100
	}
	return p
}

// pluginArgs returns the default arguments with those of the case. The graph does
// not age while a case runs, which would take the plugin's influence away.
func pluginArgs(c measure.Case) json.RawMessage {
	args := `{"apiVersion":"config.vicinity.dev/v1","kind":"TrafficLocalityArgs","staleAfter":"24h","expireAfter":"48h"`
	if c.Args != "" {
		args += "," + c.Args
	}
	return json.RawMessage(args + "}")
}

// writeConfig writes what scheduler_perf reads into dir: the runs, and a scheduler
// configuration for each. It returns the path of the former.
//
// An operation that creates no nodes hands over to the driver. Another follows,
// with one pod, because scheduler_perf refuses tests that measure nothing.
func writeConfig(dir string, runs []measure.Run) (string, error) {
	var tests []object
	for _, r := range runs {
		config := filepath.Join(dir, r.String()+".yaml")
		if err := writeJSON(config, schedulerConfig(r.Case)); err != nil {
			return "", err
		}
		tests = append(tests, object{
			"name":                r.String(),
			"schedulerConfigPath": config,
			"workloadTemplate": []object{
				{"opcode": "createNodes", "count": 0},
				{"opcode": "createPods", "count": 1, "collectMetrics": true},
			},
			"workloads": []object{{"name": r.String(), "labels": []string{"performance"}, "params": object{}}},
		})
	}
	path := filepath.Join(dir, "performance-config.yaml")
	return path, writeJSON(path, tests)
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("writing what scheduler_perf reads: %w", err)
	}
	return nil
}
