package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/cli"
	kubescheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// asKubeScheduler, when set in the environment, makes this test binary the
// stock kube-scheduler.
const asKubeScheduler = "VICINITY_TEST_AS_KUBE_SCHEDULER"

func TestMain(m *testing.M) {
	if os.Getenv(asKubeScheduler) != "" {
		os.Exit(cli.Run(kubescheduler.NewSchedulerCommand()))
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
		code = 1
	}
	os.Exit(code)
}

// runner runs programs for one test.
type runner struct {
	dir string // of their files
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane, which -short leaves out")
	}
	r := &runner{dir: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			r.logs(t)
		}
	})
	return r
}

// program returns the path of a program of cmd.
func (r *runner) program(t *testing.T, name string) string {
	t.Helper()
	path, err := shared.program(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// logs shows what the schedulers said.
func (r *runner) logs(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(r.dir, "*.log"))
	for _, file := range append(files, shared.stockLog()) {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		const most = 4 << 10
		t.Logf("%s:\n%s", filepath.Base(file), content[max(0, len(content)-most):])
	}
}

// scene is what a test has to itself: a cluster without pods, with a mesh without
// calls and a Prometheus without samples. The API server, the nodes and the stock
// scheduler are those of all tests, which therefore run one after the other.
type scene struct {
	*runner
	*sandbox.Telemetry
	cluster *cluster.Cluster
	client  kubernetes.Interface
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{runner: newRunner(t)}
	var err error
	if s.cluster, err = shared.start(); err != nil {
		t.Fatal(err)
	}
	s.client = s.cluster.Client()
	eventually(t, "the pods of the test before are gone", func() error {
		pods, err := s.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		return want("the number of pods", len(pods.Items), 0)
	})
	if s.Telemetry, err = sandbox.StartTelemetry(t.Context(), s.client, filepath.Join(s.dir, "prometheus"), mesh.Istio(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping the telemetry: %v", err)
		}
	})
	return s
}

// eventually waits until condition holds. It fails the test with the last
// reason after a time that only a defect takes.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	const patience = 90 * time.Second
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if last = condition(); last == nil {
			return
		}
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("waiting until %s: %v", what, last)
}

// want is an error when got is not wanted, for conditions.
func want[T comparable](what string, got, wanted T) error {
	if got != wanted {
		return fmt.Errorf("%s is %v, want %v", what, got, wanted)
	}
	return nil
}
