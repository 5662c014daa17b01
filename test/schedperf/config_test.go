package schedperf

import (
	"encoding/json"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"

	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
	"github.com/vicinity-sched/vicinity/test/schedperf/observe"
)

func TestSchedulerConfig(t *testing.T) {
	for _, c := range measure.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			data, err := json.Marshal(schedulerConfig(c))
			if err != nil {
				t.Fatal(err)
			}
			obj, _, err := scheme.Codecs.UniversalDecoder().Decode(data, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			parsed := obj.(*config.KubeSchedulerConfiguration)
			if err := validation.ValidateKubeSchedulerConfiguration(parsed); err != nil {
				t.Error(err)
			}
			plugins := 0
			for _, p := range parsed.Profiles {
				if all := p.PercentageOfNodesToScore; (all != nil) != (c.AllNodes && p.SchedulerName != fillProfile) || all != nil && *all != 100 {
					t.Errorf("profile %s scores %v %% of the nodes", p.SchedulerName, all)
				}
				for _, args := range p.PluginConfig {
					if args.Name != trafficlocality.Name && args.Name != observe.WatchedName {
						continue
					}
					plugins++
					if _, err := trafficlocality.DecodeArgs(args.Args.(*runtime.Unknown)); err != nil {
						t.Error(err)
					}
				}
			}
			if want := map[bool]int{false: 3, true: 0}[c.ByHand]; plugins != want {
				t.Errorf("%d profiles have the plugin, want %d", plugins, want)
			}
		})
	}
}

func TestWriteConfigNamesEachTestOnce(t *testing.T) {
	o, err := measure.ParseOptions("full,bare", "20,100", "")
	if err != nil {
		t.Fatal(err)
	}
	path, err := writeConfig(t.TempDir(), o.Runs)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var tests []struct {
		Name      string
		Workloads []struct{ Name string }
	}
	if err := json.Unmarshal(data, &tests); err != nil {
		t.Fatal(err)
	}
	if len(tests) != 4 {
		t.Errorf("%d tests, want one for each run", len(tests))
	}
	seen := map[string]bool{}
	for _, test := range tests {
		if seen[test.Name] {
			t.Errorf("two tests are named %s", test.Name)
		}
		seen[test.Name] = true
	}
}
