package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// What is recorded and compared in the round trip. The quickstart is for people, who
// have more time.
const (
	roundtripStep   = 2 * time.Second
	roundtripWindow = 10 * time.Second
	roundtripLength = 16 * time.Second
)

// TestRoundtrip goes the way of docs/quickstart.md, as it is written there, and
// compares the traffic between nodes in the replay of what was recorded with what
// Prometheus measured there over the same time. The mesh counts between which nodes
// bytes go; the recording knows workloads only, and the pods, Services and nodes.
func TestRoundtrip(t *testing.T) {
	s := newScene(t)
	a := s.deployShop(t)
	shell := s.newShell(t)
	commands := quickstart(t, "bin/vicinity record ", "bin/vicinity replay ")
	if len(commands) != 4 {
		t.Fatalf("docs/quickstart.md has the commands %q, want two of record and two of replay", commands)
	}
	for i, command := range commands { // the scene's Prometheus is no Service of the cluster
		commands[i] = strings.Replace(command, "vicinity record ", "vicinity record --prometheus $PROMETHEUS ", 1)
	}
	fast := strings.NewReplacer("--step 5s", "--step "+roundtripStep.String(), "--window 10s", "--window "+roundtripWindow.String())
	// Rates over a window that reaches back to before the traffic began would be too low.
	begun := time.Now().Add(roundtripWindow)
	eventually(t, "the mesh has been seen for a window", func() error { return s.scrapedSince(t, begun) })
	live := shell.record(t, fast.Replace(commands[0]))

	// What changes while it is recorded: pods go elsewhere, calls too.
	a.deploy(t, workload{name: "web", replicas: 3})
	a.prefer(t, "cart", "PreferSameNode")
	a.prefer(t, "catalog", "PreferSameZone")
	settled := time.Now().Add(roundtripWindow)
	eventually(t, "the mesh has seen enough since", func() error { return s.scrapedSince(t, settled.Add(roundtripLength)) })
	interrupt(t, live)

	t.Run("live", func(t *testing.T) {
		report := shell.replay(t, "bin/vicinity replay shop.tar.zst --run recorded -o json --warm-up 0s")
		warmUp := settled.Sub(report.Input.From).Truncate(roundtripStep) + roundtripStep
		report = shell.replay(t, fmt.Sprintf("bin/vicinity replay shop.tar.zst --run recorded -o json --warm-up %v", warmUp))
		report.routingMatters(t)
		s.sameAsMeasured(t, a, report)
	})
	t.Run("past", func(t *testing.T) {
		shell.run(t, fmt.Sprintf("bin/vicinity record --prometheus $PROMETHEUS --since %v --step %v --window %v past", roundtripLength, roundtripStep, roundtripWindow))
		report := shell.replay(t, "bin/vicinity replay past --run recorded -o json --warm-up 0s")
		report.routingMatters(t)
		s.sameAsMeasured(t, a, report)
	})
	t.Run("quickstart", func(t *testing.T) {
		short := s.newShell(t).record(t, commands[1])
		if err := errors.Join(short.Process.Signal(os.Interrupt), short.Wait()); err == nil || short.ProcessState.ExitCode() != 4 {
			t.Errorf("%s ended with %v before its first step, want exit code 4, no traffic: %s", short, err, short.Stderr)
		}
		for _, command := range commands[2:] {
			out := shell.run(t, command)
			if _, file, written := strings.Cut(command, " > "); written {
				content, err := os.ReadFile(filepath.Join(shell.dir, file))
				if err != nil {
					t.Fatal(err)
				}
				out = string(content)
			}
			for _, want := range []string{"recorded", "latency", "PreferSameNode"} {
				if !strings.Contains(out, want) {
					t.Errorf("%s prints no %q:\n%s", command, want, out)
				}
			}
			for line := range strings.Lines(out) {
				// With so few pods one may get many calls, in any run; that is no fault.
				if strings.Contains(line, "warning: ") && !strings.Contains(line, "where calls prefer the same node, one pod gets") {
					t.Errorf("%s: %s", command, line)
				}
			}
		}
	})
}

// deployShop deploys a small web shop, with pods on several nodes and cart on all of
// them, and lets traffic flow in it.
func (s *scene) deployShop(t *testing.T) *app {
	a := s.newApp(t)
	all := []workload{{name: "web", replicas: 3}, {name: "cart", replicas: 6}, {name: "catalog", replicas: 2}, {name: "store", replicas: 2}}
	for _, w := range all {
		a.submit(t, w)
	}
	for _, w := range all {
		a.rolledOut(t, w)
	}
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "cart"), a.call("web", "catalog"), a.call("catalog", "store"), a.call("cart", "store")})
	for _, call := range [][2]string{{"web", "cart"}, {"web", "catalog"}, {"catalog", "store"}, {"cart", "store"}} {
		s.hasTraffic(t, a, call[0], call[1])
	}
	return a
}

// prefer sets the trafficDistribution of a Service.
func (a *app) prefer(t *testing.T, service, distribution string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"trafficDistribution":%q}}`, distribution)
	if _, err := a.client.CoreV1().Services(a.namespace).Patch(t.Context(), service, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// scrapedSince is an error until Prometheus has read the mesh after a time.
func (s *scene) scrapedSince(t *testing.T, at time.Time) error {
	value, _, err := s.prometheus(t).Query(t.Context(), "max(timestamp(sandbox_traffic_bytes_total))", time.Now())
	if err != nil {
		return err
	}
	vector, ok := value.(model.Vector)
	if !ok || len(vector) != 1 {
		return fmt.Errorf("Prometheus answers %v", value)
	}
	if last := time.UnixMilli(int64(1000 * float64(vector[0].Value))); last.Before(at) {
		return fmt.Errorf("the last time was %v", last)
	}
	return nil
}

func (s *scene) prometheus(t *testing.T) promv1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: s.Metrics.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}

// replayed is what the JSON of vicinity replay says of one run.
type replayed struct {
	Input struct {
		From, To, WarmUpUntil time.Time
		BytesPerSecond        float64
		Gaps                  int
	}
	Runs []struct {
		Name    string
		Summary struct {
			Node, Zone struct {
				Configured, Uniform struct{ CrossingBytesPerSecond struct{ Mean float64 } }
			}
		}
	}
	Warnings []string
}

// routingMatters fails the test where other routing would give the same figures.
func (r replayed) routingMatters(t *testing.T) {
	t.Helper()
	run := r.Runs[0].Summary
	configured, uniform := run.Node.Configured.CrossingBytesPerSecond.Mean, run.Node.Uniform.CrossingBytesPerSecond.Mean
	if math.Abs(configured-uniform) < 0.05*r.Input.BytesPerSecond {
		t.Errorf("of %v bytes/s %v cross nodes, and %v if calls were routed uniformly: the routing does not matter here",
			r.Input.BytesPerSecond, configured, uniform)
	}
}

// sameAsMeasured compares a replay of what was recorded with the mesh's own count,
// over the same time.
func (s *scene) sameAsMeasured(t *testing.T, a *app, report replayed) {
	t.Helper()
	if len(report.Runs) != 2 || report.Runs[0].Name != "recorded" || report.Input.Gaps > 0 {
		t.Fatalf("the replay is %+v, want recorded first, with the routing assumed beside it, and no gaps", report)
	}
	run := report.Runs[0].Summary
	for _, c := range []struct {
		what, selector string
		got            float64
	}{
		{"in all", "", report.Input.BytesPerSecond},
		{"across nodes", `,same_node="false"`, run.Node.Configured.CrossingBytesPerSecond.Mean},
		{"across zones", `,same_zone="false"`, run.Zone.Configured.CrossingBytesPerSecond.Mean},
	} {
		want := s.measured(t, a, c.selector, report.Input.WarmUpUntil, report.Input.To)
		t.Logf("%v from %v: %s %.0f bytes/s, measured were %.0f (%+.3f %%)", report.Input.To.Sub(report.Input.WarmUpUntil),
			report.Input.WarmUpUntil.Format(time.TimeOnly), c.what, c.got, want, 100*(c.got/want-1))
		if want == 0 || math.Abs(c.got-want) > 0.01*want {
			t.Errorf("%s the replay has %v bytes/s, Prometheus measured %v", c.what, c.got, want)
		}
	}
}

// measured is the traffic that the mesh really had on average, by the rates at the
// end of each step, as they are recorded.
func (s *scene) measured(t *testing.T, a *app, selector string, from, to time.Time) float64 {
	t.Helper()
	query := fmt.Sprintf(`sum(rate(sandbox_traffic_bytes_total{source_workload_namespace=%q%s}[%s]))`, a.namespace, selector, model.Duration(roundtripWindow))
	value, _, err := s.prometheus(t).QueryRange(t.Context(), query, promv1.Range{Start: from.Add(roundtripStep), End: to, Step: roundtripStep})
	if err != nil {
		t.Fatal(err)
	}
	matrix, ok := value.(model.Matrix)
	if steps := int(to.Sub(from) / roundtripStep); !ok || len(matrix) != 1 || len(matrix[0].Values) != steps || steps < 3 {
		t.Fatalf("%s from %s to %s: Prometheus answers %v, want %d steps", query, from, to, value, steps)
	}
	sum := 0.0
	for _, sample := range matrix[0].Values {
		sum += float64(sample.Value)
	}
	return sum / float64(len(matrix[0].Values))
}

// shell runs commands as people type them at the root of the repository.
type shell struct {
	*scene
	dir string
}

func (s *scene) newShell(t *testing.T) shell {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(s.program(t, "vicinity")), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	return shell{s, dir}
}

func (c shell) command(t *testing.T, line string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", line)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "PROMETHEUS="+c.Metrics.URL(), "KUBECONFIG="+c.cluster.Kubeconfig())
	cmd.Stderr = &strings.Builder{}
	return cmd
}

// record starts a command that records into shop.tar.zst, and waits until it does.
func (c shell) record(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	cmd := c.command(t, "exec "+line)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the recording has begun", func() error {
		found, _ := filepath.Glob(filepath.Join(c.dir, ".shop.tar.zst.objects-*"))
		return want("its files", len(found), 1)
	})
	return cmd
}

// interrupt ends a command as Ctrl-C does; it must end well.
func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, cmd.Stderr)
	}
}

func (c shell) run(t *testing.T, line string) string {
	t.Helper()
	cmd := c.command(t, line)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s%s", line, err, out, cmd.Stderr)
	}
	return string(out)
}

func (c shell) replay(t *testing.T, line string) (report replayed) {
	t.Helper()
	if out := c.run(t, line); json.Unmarshal([]byte(out), &report) != nil {
		t.Fatalf("%s prints\n%s", line, out)
	}
	return report
}

// quickstart returns the commands of docs/quickstart.md that begin so.
func quickstart(t *testing.T, beginnings ...string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range strings.Lines(string(text)) {
		command, isCode := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		for _, beginning := range beginnings {
			if isCode && strings.HasPrefix(command, beginning) {
				commands = append(commands, command)
			}
		}
	}
	return commands
}
