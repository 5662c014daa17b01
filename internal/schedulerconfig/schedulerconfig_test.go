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
		"unknown field below":      {header + "profiles: [{colour: red}]", `unknown field "profiles[0].colour"`},
		"objects":                  {"apiVersion: v1\nkind: Pod", "the file is a list of Kubernetes objects, not a KubeSchedulerConfiguration; give it with --cluster"},
		"telemetry":                {"apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\n", "the file is a TelemetryConfiguration, not a KubeSchedulerConfiguration; give it with --telemetry-config"},
		"log lines":                {"W1128 10:00:00.123456   12345 a.go:1] deprecated\n" + header, "the file begins with a message of the program that wrote it"},
		"not YAML":                 {"{", "the file is no KubeSchedulerConfiguration: line 1: did not find expected node content"},
		"not YAML below":           {header + "a: b: c", "line 3: mapping values are not allowed in this context"},
		"text":                     {"hello", "the file is no KubeSchedulerConfiguration: must be a map, not a string"},
		"no kind":                  {"apiVersion: kubescheduler.config.k8s.io/v1\n", "the file has no apiVersion or no kind; must be apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration"},
		"not of the right version": {strings.Replace(header, "/v1", "/v1beta3", 1), "kubescheduler.config.k8s.io/v1beta3 KubeSchedulerConfiguration is not read by this version of kube-scheduler; must be apiVersion: kubescheduler.config.k8s.io/v1,"},
		"wrong type":               {header + "parallelism: many", "parallelism: must be an integer (int32), not a string"},
		"wrong type of a plugin's": {
			header + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: 5}}]}]",
			"decoding .profiles[0].pluginConfig[0]: decoding args for plugin NodeResourcesFit: scoringStrategy: must be a map, not a number",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := Load(path)
			if err == nil || !strings.HasPrefix(err.Error(), path+":") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v\nwant it to name the file and %q", err, c.want)
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

// TestWarnings counts what a replay does not call.
func TestWarnings(t *testing.T) {
	extender := "- {urlPrefix: 'http://127.0.0.1:9/x', filterVerb: filter, prioritizeVerb: prioritize, weight: 1}\n"
	for text, want := range map[string]string{
		header:                             "",
		header + "extenders:\n" + extender: "1 extender of the configuration is not called: ",
		header + "extenders:\n" + extender + extender: "2 extenders of the configuration are not called: ",
	} {
		config, err := Parse("scheduler.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(config.Warnings(), "\n"); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("warned of %q, want %q", got, want)
		}
	}
}

// TestShadowHasNoSay: a profile in shadow mode scores nothing, and is warned of.
func TestShadowHasNoSay(t *testing.T) {
	const plugins = "plugins: {multiPoint: {enabled: [{name: TrafficLocality}]}}, pluginConfig: [{name: TrafficLocality, args: {shadow: "
	config, err := Parse("scheduler.yaml", []byte(header+"profiles:\n- {schedulerName: a, "+plugins+"true}}]}\n- {schedulerName: b, "+plugins+"false}}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(config.Scoring(), ","); got != "b" {
		t.Errorf("%s score, want b", got)
	}
	if got := config.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0], "profile a is in shadow mode: ") {
		t.Errorf("warned of %q", got)
	}
}
