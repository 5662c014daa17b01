package schedulerconfig

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scheduler.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// stub is a plugin that is not Silent.
type stub struct{ fwk.Plugin }

type handle struct {
	fwk.Handle
	profile string
}

func (h handle) ProfileName() string { return h.profile }

func TestWeightZeroSwitchesOff(t *testing.T) {
	cases := map[string]struct {
		profiles string
		wantOff  string // the profile that is asked about, when it is off
	}{
		"multiPoint": {"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 0}]}}}", "a"},
		"score": {"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 3}]}, " +
			"score: {enabled: [{name: TrafficLocality, weight: 0}]}}}", "a"},
		"score overrides multiPoint": {"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 0}]}, " +
			"score: {enabled: [{name: TrafficLocality, weight: 3}]}}}", ""},
		"another plugin":      {"- {schedulerName: a, plugins: {score: {enabled: [{name: NodeAffinity, weight: 0}]}}}", ""},
		"no weight":           {"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality}]}}}", ""},
		"the default profile": {"- plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 0}]}}", "default-scheduler"},
		"no plugins":          {"- {schedulerName: a}", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config, err := Load(write(t, header+"profiles:\n"+c.profiles+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			factory := config.Honour(func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) { return stub{}, nil })
			for _, profile := range []string{"a", "default-scheduler"} {
				plugin, err := factory(t.Context(), nil, handle{profile: profile})
				if err != nil {
					t.Fatal(err)
				}
				if _, off := plugin.(trafficlocality.Silent); off != (profile == c.wantOff) {
					t.Errorf("profile %s is off: %v", profile, off)
				}
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"negative weight":          {header + "profiles: [{plugins: {score: {enabled: [{name: NodeAffinity, weight: -2}]}}}]", "profiles[0].plugins.score.enabled[0].weight: Invalid value: -2: must not be negative"},
		"unknown field":            {header + "colour: red", `unknown field "colour"`},
		"another kind":             {"apiVersion: v1\nkind: Pod", "no kind"},
		"not YAML":                 {"{", "yaml"},
		"not of the right version": {strings.Replace(header, "/v1", "/v9", 1), "v9"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := Load(path)
			if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want it to name the file and %q", err, c.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("error of a missing file: %v", err)
	}
}

func TestScoreNeedsPreScore(t *testing.T) {
	const enabled, other = "enabled: [{name: TrafficLocality}]", "enabled: [{name: NodeAffinity}]"
	for plugins, refused := range map[string]bool{
		"multiPoint: {" + enabled + "}":                                                                        false,
		"score: {" + enabled + "}":                                                                             true,
		"score: {" + other + "}":                                                                               false,
		"preScore: {" + enabled + "}, score: {" + enabled + "}":                                                false,
		"multiPoint: {" + enabled + "}, preScore: {disabled: [{name: TrafficLocality}]}":                       true,
		"multiPoint: {" + enabled + "}, preScore: {disabled: [{name: '*'}]}":                                   true,
		"multiPoint: {" + enabled + "}, preScore: {disabled: [{name: '*'}], " + enabled + "}":                  false,
		"multiPoint: {" + enabled + "}, preScore: {disabled: [{name: NodeAffinity}]}":                          false,
		"multiPoint: {" + enabled + "}, preScore: {disabled: [{name: '*'}]}, score: {disabled: [{name: '*'}]}": false,
	} {
		_, err := Parse("scheduler.yaml", []byte(header+"profiles:\n- {schedulerName: a}\n- {schedulerName: b, plugins: {"+plugins+"}}\n"))
		switch want := "profiles[1].plugins.score: Invalid value: TrafficLocality"; {
		case !refused && err != nil:
			t.Errorf("%s: %v", plugins, err)
		case refused && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "multiPoint")):
			t.Errorf("%s: error %v, want %q", plugins, err, want)
		}
	}
}

func TestLoadReadsTheLease(t *testing.T) {
	for text, want := range map[string]string{header: "", header + "leaderElection: {resourceName: mine}\n": "mine"} {
		config, err := Load(write(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if config.LeaseName != want {
			t.Errorf("lease %q, want %q", config.LeaseName, want)
		}
	}
	config, err := Load("")
	if err != nil || len(config.Scheduler.Profiles) != 1 || config.LeaseName != "" {
		t.Errorf("the default configuration: %+v, %v", config, err)
	}
}
