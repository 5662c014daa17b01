package integration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func countLines(text, containing string) int {
	n := 0
	for line := range strings.Lines(text) {
		if strings.Contains(line, containing) {
			n++
		}
	}
	return n
}

const goodTelemetry = `apiVersion: config.vicinity.dev/v1
kind: TelemetryConfiguration
prometheus: {url: "http://127.0.0.1:9"}
`

// TestConfiguration starts the binary with files that are wrong: it must stop
// at once and say in one line which file, which field and which rule.
func TestConfiguration(t *testing.T) {
	r := newRunner(t)
	kubeconfig := fakeServer(t, "1.37")
	scheduler := func(profile string) string {
		return "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" +
			"clientConnection: {kubeconfig: " + kubeconfig + "}\nleaderElection: {leaderElect: false}\n" +
			"profiles:\n- schedulerName: vicinity\n" + profile
	}
	enabled := func(weight, args string) string {
		return scheduler("  plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: " + weight + "}]}}\n" +
			"  pluginConfig: [{name: TrafficLocality, args: {" + args + "}}]\n")
	}
	cases := map[string]struct {
		scheduler, telemetry string // the wrong one decides which file is named
		want                 []string
	}{
		"unknown field of the arguments": {enabled("5", "colour: red"), "", []string{"scheduler.yaml", "vicinity", "colour", "unknown field"}},
		"bad duration in the arguments":  {enabled("5", "staleAfter: soon"), "", []string{"scheduler.yaml", "staleAfter", "must be a duration such as"}},
		"unknown strategy":               {enabled("5", "strategy: Magic"), "", []string{"scheduler.yaml", "strategy", "Magic", "supported values", "Gain"}},
		"negative weight":                {enabled("-1", ""), "", []string{"scheduler.yaml", "profiles[0].plugins.multiPoint.enabled[0].weight", "-1", "must not be negative"}},
		"unknown field of the scheduler": {scheduler("  colour: red\n"), "", []string{"scheduler.yaml", "profiles[0].colour", "unknown field"}},
		"unknown plugin":                 {scheduler("  plugins: {score: {enabled: [{name: Magic}]}}\n"), "", []string{"scheduler.yaml", "Magic"}},
		"the lease of kube-scheduler": {strings.Replace(enabled("5", ""), "leaderElect: false", "leaderElect: true, resourceName: kube-scheduler", 1), "",
			[]string{"scheduler.yaml", "leaderElection.resourceName", "kube-system/kube-scheduler", "use another name"}},
		"unknown field of the telemetry": {enabled("5", ""), goodTelemetry + "colour: red\n", []string{"telemetry.yaml", "colour", "unknown field"}},
		"bad duration in the telemetry":  {enabled("5", ""), goodTelemetry + "interval: soon\n", []string{"telemetry.yaml", "interval", "must be a duration such as"}},
		"too short an interval":          {enabled("5", ""), goodTelemetry + "interval: 1ms\n", []string{"telemetry.yaml", "interval", "must be at least 1s"}},
		"unknown source":                 {enabled("5", ""), goodTelemetry + "sources: [{type: crystal-ball}]\n", []string{"telemetry.yaml", "sources[0].type", "crystal-ball", "istio-sidecar"}},
		"not YAML":                       {enabled("5", ""), "{", []string{"telemetry.yaml", "yaml"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"scheduler.yaml": c.scheduler, "telemetry.yaml": c.telemetry}
			if c.telemetry == "" {
				files["telemetry.yaml"] = goodTelemetry
			}
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			said, code := r.runScheduler(t, "--config="+filepath.Join(dir, "scheduler.yaml"), "--telemetry-config="+filepath.Join(dir, "telemetry.yaml"), "--secure-port=0")
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if strings.Count(said, "\n") != 1 {
				t.Errorf("it says more or less than one line:\n%s", said)
			}
			for _, part := range c.want {
				if !strings.Contains(said, part) {
					t.Errorf("%q is not in: %s", part, said)
				}
			}
		})
	}
	t.Run("a file that is not there", func(t *testing.T) {
		said, code := r.runScheduler(t, "--telemetry-config="+filepath.Join(t.TempDir(), "telemetry.yaml"), "--secure-port=0")
		if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "telemetry.yaml: no such file") {
			t.Errorf("exit code %d: %s", code, said)
		}
	})
}

// runScheduler runs the binary to its end and returns what it wrote to stderr.
func (r *runner) runScheduler(t *testing.T, args ...string) (stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, r.program(t, "vicinity-scheduler"), args...)
	cmd.Stderr = &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said.String(), cmd.ProcessState.ExitCode()
}
