package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vicinity-sched/vicinity/internal/doctor"
	"github.com/vicinity-sched/vicinity/plugins/config"
)

// doctorJSON is what the tests read of the JSON output.
type doctorJSON struct {
	Schema, Worst string
	Counts        map[string]int
	Results       []struct{ Check, Group, Severity, What, Why, Next string }
}

// has returns the severity of a check's first result, "" where there is none.
func (d doctorJSON) has(check string) string {
	for _, r := range d.Results {
		if r.Check == check {
			return r.Severity
		}
	}
	return ""
}

// nobodysKubeconfig names a server that is not there.
const nobodysKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`

// TestDoctor looks at telemetry with and without faults, with and without a cluster.
func TestDoctor(t *testing.T) {
	url, kubeconfig := prometheus(t, traffic(t, shop)), apiServer(t)
	refused := serve(t, status(401))
	cases := map[string]struct {
		args []string
		code int
		want map[string]string
	}{
		"no cluster and no Prometheus": {nil, exitFailure, map[string]string{"prometheus-reachable": "unchecked", "scheduler-installed": "unchecked"}},
		"nobody answers":               {[]string{"--kubeconfig", writeFile(t, nobodysKubeconfig)}, exitFailure, map[string]string{"prometheus-reachable": "unchecked", "scheduler-installed": "unchecked", "memory-limit": "unchecked"}},
		"no cluster": {[]string{"--prometheus", url}, 5, map[string]string{
			"prometheus-reachable": "ok", "source-read": "ok", "bytes-outside": "warning", "pods-covered": "unchecked", "scheduler-installed": "unchecked",
		}},
		"credentials are refused": {[]string{"--prometheus", refused}, 6, map[string]string{"prometheus-allowed": "error", "source-found": "unchecked"}},
		"flags": {[]string{
			"--prometheus", url, "--source", "istio-sidecar", "--window", "5m", "--timeout", "20s", "--mesh-cluster", "west", "--selector", `reporter!="waypoint"`,
		}, 2, nil},
		"one source": {[]string{"--prometheus", url, "--source", "istio-sidecar", "--window", "2m", "--timeout", "20s", "--mesh-cluster", "Kubernetes", "--selector", `destination_service_name!="x"`}, 5,
			map[string]string{"source-configured": "ok", "source-read": "ok"}},
		"a cluster": {[]string{"--prometheus", url, "--kubeconfig", kubeconfig, "--context", "here"}, 6, map[string]string{"pods-covered": "ok"}},
		"a cluster without a Prometheus": {[]string{"--kubeconfig", kubeconfig, "--namespace", "monitoring"}, 6, map[string]string{
			"prometheus-reachable": "unchecked", "topology-labels": "note",
		}},
		"a scheduler's configuration": {[]string{"--kubeconfig", kubeconfig, "--prometheus", url, "--scheduler-config", writeFile(t, "{}")}, 6, map[string]string{"config-scheduler": "error"}},
		"a mistake in the configuration": {[]string{"--telemetry-config", writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {urll: x}\n")}, 6,
			map[string]string{"telemetry-configuration": "error", "prometheus-reachable": "unchecked"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, errs := invoke(t, append([]string{"doctor", "-o", "json"}, tc.args...)...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d: %s%s", code, tc.code, errs, out)
			}
			if tc.want == nil {
				return
			}
			var got doctorJSON
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v: %s%s", err, out, errs)
			}
			if want := map[int]string{5: "warning", 6: "error"}[code]; got.Schema != doctor.Schema || want != "" && got.Worst != want {
				t.Errorf("schema %s, worst %s", got.Schema, got.Worst)
			}
			for check, want := range tc.want {
				if got.has(check) != want {
					t.Errorf("%s is %q, want %q", check, got.has(check), want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// TestDoctorTable is readable at 100 columns, and its last line counts.
func TestDoctorTable(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	_, short, _ := invoke(t, "doctor", "--prometheus", url)
	code, long, errs := invoke(t, "doctor", "--prometheus", url, "--all")
	if code != exitWarnings || errs != "" {
		t.Errorf("exit code %d, stderr %s", code, errs)
	}
	for line := range strings.Lines(short + long) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 100 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	lines := strings.Split(strings.TrimSpace(short), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, " 1 warning, ") || !strings.HasSuffix(last, " ok.") {
		t.Errorf("the last line is %s", last)
	}
	for _, want := range []string{"Prometheus\n", "\nSources\n", "[bytes-outside]", "Why: ", "Next: ", "ok        prometheus-reachable, "} {
		if !strings.Contains(short, want) {
			t.Errorf("%q is missing in\n%s", want, short)
		}
	}
	if !strings.Contains(long, "ok        "+url+" answers in") {
		t.Errorf("--all does not show what is as it should be:\n%s", long)
	}
}

// TestDoctorSuggests a configuration that loads.
func TestDoctorSuggests(t *testing.T) {
	out := succeed(t, "doctor", "--prometheus", prometheus(t, traffic(t, shop)), "--suggest")
	if _, err := config.LoadTelemetry(writeFile(t, out)); err != nil {
		t.Errorf("%v in\n%s", err, out)
	}
	if code, out, errs := invoke(t, "doctor", "--prometheus", prometheus(t, "load 30s\n  up 1x20\n"), "--suggest"); code != exitFailure || out != "" || !strings.Contains(errs, "nothing to suggest") {
		t.Errorf("exit code %d, stdout %s, stderr %s", code, out, errs)
	}
}

// TestAskingDoesNotWaitForEver for an API server that never answers.
func TestAskingDoesNotWaitForEver(t *testing.T) {
	o := doctorOptions{trafficOptions: trafficOptions{clusterOptions: clusterOptions{kubeconfig: writeFile(t, nobodysKubeconfig)}}}
	if config, err := o.askingConfig("vicinity"); err != nil || config.Timeout != answerTimeout {
		t.Errorf("it waits for %v, error %v", config.Timeout, err)
	}
}

// TestDoctorMistakes are found before anything is asked.
func TestDoctorMistakes(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"another output":     {[]string{"-o", "yaml"}, `--output "yaml": must be table or json`},
		"an output, suggest": {[]string{"--suggest", "-o", "json"}, "--suggest prints YAML"},
		"all, suggest":       {[]string{"--suggest", "--all"}, "--all, --scheduler and --scheduler-config do not go with it"},
		"scheduler, suggest": {[]string{"--suggest", "--scheduler", "a/b"}, "--all, --scheduler and --scheduler-config do not go with it"},
		"profiles, suggest":  {[]string{"--suggest", "--scheduler-config", "s.yaml"}, "--all, --scheduler and --scheduler-config do not go with it"},
		"all, as JSON":       {[]string{"--all", "-o", "json"}, "--all goes with -o table only"},
		"no full name":       {[]string{"--scheduler", "vicinity-system"}, `--scheduler "vicinity-system": must be NAMESPACE/NAME`},
		"too full a name":    {[]string{"--scheduler", "a/b/c"}, `--scheduler "a/b/c": must be NAMESPACE/NAME`},
		"an unknown type":    {[]string{"--source", "istio"}, "no type of sources called"},
		"both":               {[]string{"--prometheus", "http://p", "--telemetry-config", "t.yaml"}, "exclude each other"},
		"an argument":        {[]string{"shop"}, `doctor takes no argument "shop"`},
		"no such file":       {[]string{"--scheduler-config", "/nowhere.yaml"}, "--scheduler-config /nowhere.yaml: no such file or directory"},
		"no such context":    {[]string{"--kubeconfig", writeFile(t, nobodysKubeconfig), "--context", "prod"}, `--context "prod": there is no such context`},
		"no such kubeconfig": {[]string{"--kubeconfig", "/nowhere", "--prometheus", "http://127.0.0.1:1"}, "--kubeconfig /nowhere: no such file or directory"},
		"a context, a URL":   {[]string{"--kubeconfig", writeFile(t, nobodysKubeconfig), "--context", "prod", "--prometheus", "http://127.0.0.1:1"}, `--context "prod": there is no such context`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if code, _, errs := invoke(t, append([]string{"doctor"}, tc.args...)...); code != exitUsage || !strings.Contains(errs, tc.want) {
				t.Errorf("exit code %d, stderr %s", code, errs)
			}
		})
	}
}
