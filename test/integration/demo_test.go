package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// TestDemo runs the demo to its end, with and without effect.
func TestDemo(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	with := r.runDemo(t, "--settle=8s")
	if !(with.node[1] < with.node[0]-10 && with.node[2] < with.node[1]) {
		t.Errorf("cross-node traffic goes %v %%, want it to fall by more than 10 points, and again", with.node)
	}
	if !(with.zone[1] < with.zone[0] && with.zone[2] < with.zone[1]) {
		t.Errorf("cross-zone traffic goes %v %%, want it to fall", with.zone)
	}
	without := r.runDemo(t, "--settle=8s", "--weight=0")
	if without.node[1] < with.node[1]+10 {
		t.Errorf("with weight 0 cross-node traffic goes %v %%, want no effect as %v %% has it", without.node, with.node)
	}
}

// TestDemoAmbient runs the demo on a mesh whose agents are on the nodes.
func TestDemoAmbient(t *testing.T) {
	t.Parallel()
	got := newRunner(t).runDemo(t, "--mesh=istio-ambient", "--settle=8s")
	if !(got.node[1] < got.node[0]-10 && got.node[2] < got.node[1]) {
		t.Errorf("cross-node traffic goes %v %%, want it to fall by more than 10 points, and again", got.node)
	}
}

// TestMeshNames asks for what the shell completes, and for a mesh that does not exist.
func TestMeshNames(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	names := mesh.Names()
	for _, command := range []string{"run", "demo"} {
		help, err := exec.CommandContext(t.Context(), r.program(t, "vicinity-sandbox"), command, "--help").Output()
		if err != nil || !strings.Contains(string(help), "(default istio)") {
			t.Errorf("%s has %v, and no mesh by default:\n%s", command, err, help)
		}
		out, err := exec.CommandContext(t.Context(), r.program(t, "vicinity-sandbox"), "__complete", command, "--mesh", "").Output()
		if err != nil || !strings.HasPrefix(string(out), strings.Join(names, "\n")+"\n:") {
			t.Errorf("%s --mesh completes to %q, %v", command, out, err)
		}
		said, err := exec.CommandContext(t.Context(), r.program(t, "vicinity-sandbox"), command, "--mesh=none").CombinedOutput()
		if err == nil || !strings.Contains(string(said), `"none" for "--mesh" flag: must be one of `+strings.Join(names, ", ")) {
			t.Errorf("%s --mesh=none says %q, %v", command, said, err)
		}
	}
}

// TestMissingProgram names a program that is not there.
func TestMissingProgram(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	said, err := exec.CommandContext(t.Context(), r.program(t, "vicinity-sandbox"), "run", "--vicinity-scheduler=no-such-file").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "--vicinity-scheduler: stat no-such-file") {
		t.Errorf("it says %q, %v", said, err)
	}
}

// demoShares are the percentages of the demo's last line.
type demoShares struct{ node, zone [3]float64 }

func (r *runner) runDemo(t *testing.T, args ...string) demoShares {
	t.Helper()
	temp := t.TempDir()
	var out, said bytes.Buffer
	r.program(t, "vicinity-scheduler") // the program below starts it
	cmd := exec.CommandContext(t.Context(), r.program(t, "vicinity-sandbox"), append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), said.String())
	}
	if said.Len() > 0 {
		t.Errorf("it warns:\n%s", said.String())
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind: %v", left, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var got demoShares
	_, err := fmt.Sscanf(lines[len(lines)-1], "demo: cross-node %f %% -> %f %% -> %f %%, cross-zone %f %% -> %f %% -> %f %%",
		&got.node[0], &got.node[1], &got.node[2], &got.zone[0], &got.zone[1], &got.zone[2])
	if err != nil {
		t.Fatalf("the last line is %q: %v", lines[len(lines)-1], err)
	}
	t.Log(lines[len(lines)-1])
	return got
}

// TestSandbox starts what the quickstart begins with, on the mesh that is not the
// default, and compares what it says to type with what is written there.
func TestSandbox(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), r.program(t, "vicinity-sandbox"), "demo", "--mesh=istio-ambient", "--until=A", "--keep", "--settle=4s",
		"--scheduler="+r.program(t, "vicinity-scheduler"))
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, &bytes.Buffer{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said string
	eventually(t, "it says what to type", func() error {
		content, err := os.ReadFile(out.Name())
		said = string(content)
		if err == nil && !strings.Contains(said, "\ndemo: ") {
			err = fmt.Errorf("it says %s%s", said, cmd.Stderr)
		}
		return err
	})
	text, err := os.ReadFile("../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	typed := 0
	for line := range strings.Lines(said) {
		if command, ok := strings.CutPrefix(line, "  "+filepath.Dir(cmd.Path)+"/"); ok && strings.HasPrefix(command, "vicinity re") { // record, replay
			typed++
			if !strings.Contains(string(text), "\n    bin/"+command) {
				t.Errorf("docs/quickstart.md does not say %s", command)
			}
		}
	}
	if typed != 3 || !strings.Contains(said, "\n  export KUBECONFIG="+temp) || !strings.Contains(said, "\n  export PROMETHEUS=http://127.0.0.1:") {
		t.Errorf("it says to type %d commands of the quickstart, want 3, after export KUBECONFIG and PROMETHEUS:\n%s", typed, said)
	}
	_, prometheus, _ := strings.Cut(said, "export PROMETHEUS=")
	prometheus, _, _ = strings.Cut(prometheus, "\n")
	reporting, err := podsReporting(t, prometheus)
	if err != nil || len(reporting) == 0 || slices.ContainsFunc(reporting, func(pod string) bool { return !strings.HasPrefix(pod, "ztunnel-") }) {
		t.Errorf("%v report in ambient mode, %v, want ztunnels alone", reporting, err)
	}
	interrupt(t, cmd)
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind: %v", left, err)
	}
}

// podsReporting returns the pods of which a Prometheus has metrics of Istio's.
func podsReporting(t *testing.T, prometheus string) ([]string, error) {
	client, err := api.NewClient(api.Config{Address: prometheus})
	if err != nil {
		return nil, err
	}
	values, _, err := promv1.NewAPI(client).LabelValues(t.Context(), "pod", []string{`{__name__=~"istio_.*"}`}, time.Time{}, time.Time{})
	var pods []string
	for _, v := range values {
		pods = append(pods, string(v))
	}
	return pods, err
}
