package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/cli"
	kubescheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
)

// asKubeScheduler, when set in the environment, makes this test binary the
// stock kube-scheduler.
const asKubeScheduler = "VICINITY_TEST_AS_KUBE_SCHEDULER"

func TestMain(m *testing.M) {
	if os.Getenv(asKubeScheduler) != "" {
		os.Exit(cli.Run(kubescheduler.NewSchedulerCommand()))
	}
	os.Exit(m.Run())
}

// suite is what the tests share: a process can start one kube-apiserver.
type suite struct {
	box      *sandbox.Sandbox
	client   kubernetes.Interface
	programs string // directory of the binaries
}

func TestIntegration(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane, which -short leaves out")
	}
	s := newSuite(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"configuration", s.testConfiguration},
		{"placement by weight", s.testPlacementByWeight},
		{"network capacity", s.testNetworkCapacity},
		{"rolling update", s.testRollingUpdate},
		{"scheduler names", s.testSchedulerNames},
		{"graph", s.testGraph},
		{"record", s.testRecord},
		{"roundtrip", s.testRoundtrip},
		{"telemetry absent", s.testTelemetryAbsent},
		{"telemetry faults", s.testFaults},
		{"telemetry expires", s.testExpiry},
		{"node deleted", s.testNodeDeleted},
		{"nearly full", s.testNearlyFull},
		{"fail-over", s.testFailOver},
		{"manifests", s.testManifests},
		{"permissions", s.testPermissions},
		{"roles", s.testRoles},
		{"versions", s.testVersions},
		{"batching", s.testBatching},
		{"fidelity of replay", s.testFidelity},
		{"prediction", s.testPrediction},
		{"sandbox", s.testSandbox},
		{"demo", s.testDemo},
	} {
		if !t.Run(test.name, test.run) {
			s.logs(t)
		}
	}
}

// newSuite builds the binaries and starts the sandbox and the stock scheduler.
func newSuite(t *testing.T) *suite {
	s := &suite{programs: t.TempDir()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.programs, "./cmd/...")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the binaries: %v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "libraries.log"))
	if err != nil {
		t.Fatal(err)
	}
	sandbox.LogTo(log)
	box, err := sandbox.Start(t.Context(), sandbox.Options{
		Cluster: cluster.Options{Nodes: cluster.Zones(3, 2, "4", "16Gi")},
	})
	if err != nil {
		t.Fatalf("starting the sandbox: %v", err)
	}
	t.Cleanup(func() {
		if err := box.Stop(); err != nil {
			t.Errorf("stopping the sandbox: %v", err)
		}
		if _, err := os.Stat(box.Dir()); !os.IsNotExist(err) {
			t.Errorf("the sandbox has left %s behind", box.Dir())
		}
	})
	s.box, s.client = box, box.Cluster.Client()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asKubeScheduler, "1")
	stock, err := sandbox.StartProcess(t.Context(), "kube-scheduler", filepath.Join(box.Dir(), "kube-scheduler.log"), self,
		"--kubeconfig="+box.Cluster.Kubeconfig(), "--leader-elect-lease-duration=2m", "--leader-elect-renew-deadline=90s", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stock.Stop)
	if err := os.Unsetenv(asKubeScheduler); err != nil {
		t.Fatal(err)
	}
	return s
}

// logs shows what the schedulers said, for a test that has failed.
func (s *suite) logs(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(s.box.Dir(), "*.log"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		const most = 4 << 10
		t.Logf("%s:\n%s", filepath.Base(file), content[max(0, len(content)-most):])
	}
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
