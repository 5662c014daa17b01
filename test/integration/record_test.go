package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// TestRecord records while a workload is deployed, and then the same time once
// more from the past. What the recordings say is what was deployed and what
// Prometheus answers.
func TestRecord(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	a.deploy(t, workload{name: "db"})
	a.deploy(t, workload{name: "web", replicas: 2})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	s.hasTraffic(t, a, "web", "db")

	t.Run("live", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "live")
		recorder := s.record(t, "--duration", "12s", path)
		if err := recorder.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the recording has begun", func() error {
			found, _ := filepath.Glob(filepath.Join(path, ".objects-*"))
			return want("its files", len(found), 1)
		})
		a.deploy(t, workload{name: "late"})
		if err := recorder.Wait(); err != nil {
			t.Fatalf("%v: %s", err, recorder.Stderr)
		}
		steps, pods := s.recorded(t, path, a)
		if len(steps) != 6 {
			t.Errorf("%d steps are recorded, want 6", len(steps))
		}
		for _, name := range []string{"db", "web", "late"} {
			if pods[name] == "" {
				t.Errorf("no pod of %s has a node in the recording: %v", name, pods)
			}
		}
		for _, step := range steps {
			if len(step.Edges) == 0 {
				t.Errorf("%s: no edge", step.At)
			}
		}
	})
	t.Run("past", func(t *testing.T) {
		s.hadTraffic(t, a, "web", "db", 12*time.Second)
		path := filepath.Join(t.TempDir(), "past.tar.zst")
		recorder := s.record(t, "--since", "12s", path)
		if out, err := recorder.Output(); err != nil {
			t.Fatalf("%v: %s%s", err, out, recorder.Stderr)
		}
		steps, _ := s.recorded(t, path, a)
		for _, step := range steps[:len(steps)-1] { // at the last one samples may still be on their way
			want := s.requestBytes(t, a, step.At)
			var got float64
			for _, e := range step.Edges {
				if e.From.Namespace == a.namespace && e.From.Name == "web" && e.To.Name == "db" {
					got = e.SentBytesPerSecond
				}
			}
			if want == 0 || math.Abs(got-want) > 1e-6*want {
				t.Errorf("%s: web sends %v bytes/s to db, Prometheus says %v", step.At, got, want)
			}
		}
	})
}

// record returns a recorder with steps of two seconds.
func (s *scene) record(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), s.program(t, "vicinity"), append([]string{"record",
		"--prometheus", s.Metrics.URL(), "--kubeconfig", s.cluster.Kubeconfig(), "--window", "10s", "--step", "2s"}, args...)...)
	cmd.Stderr = &strings.Builder{}
	return cmd
}

// recorded returns the steps of a recording, and the nodes of an app's pods by
// the beginning of their names.
func (s *scene) recorded(t *testing.T, path string, a *app) ([]*recording.Step, map[string]string) {
	t.Helper()
	source, err := recordingfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	r, err := recording.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	var steps []*recording.Step
	nodes := map[string]string{}
	for {
		step, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
		for _, c := range step.Changes {
			var pod corev1.Pod
			if err := json.Unmarshal(c.Object, &pod); err != nil {
				t.Fatalf("%s:%d: %v", c.File, c.Line, err)
			}
			if pod.Kind == "Pod" && pod.Namespace == a.namespace && pod.Spec.NodeName != "" {
				name, _, _ := strings.Cut(pod.Name, "-")
				nodes[name] = pod.Spec.NodeName
			}
		}
	}
	if w := r.Warnings(); len(w) > 0 || !r.Manifest().Complete || len(steps) == 0 {
		t.Fatalf("%s: %d steps, %+v, warnings %v", path, len(steps), r.Manifest(), w)
	}
	return steps, nodes
}

// requestBytes asks Prometheus what web sent to db: the larger of what the two
// ends reported.
func (s *scene) requestBytes(t *testing.T, a *app, at time.Time) float64 {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: s.Metrics.URL()})
	if err != nil {
		t.Fatal(err)
	}
	query := fmt.Sprintf(`max(sum by (reporter) (rate(istio_request_bytes_sum{source_workload_namespace=%q,source_workload="web",destination_workload="db"}[10s])))`, a.namespace)
	value, _, err := promv1.NewAPI(client).Query(t.Context(), query, at)
	if err != nil {
		t.Fatal(err)
	}
	vector, ok := value.(model.Vector)
	if !ok || len(vector) != 1 {
		t.Fatalf("%s: Prometheus answers %v", at, value)
	}
	if v := float64(vector[0].Value); flowgraph.ValidRate(v) {
		return v
	}
	return 0
}
