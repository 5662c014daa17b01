package integration

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
)

// TestVersions binds a pod on API servers of older minors, each a sandbox of its
// own, and is refused by those that are out of range.
func TestVersions(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	for _, version := range []string{"1.34", "1.35", "1.36"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r.bindOn(t, version)
		})
	}
	for version, want := range map[string]string{
		"1.33": "of version 1.33, and vicinity-scheduler of 1.37 serves 1.34 to 1.37",
		"1.38": "of version 1.38, and vicinity-scheduler of 1.37 serves 1.34 to 1.37",
	} {
		t.Run(version, func(t *testing.T) {
			kubeconfig := fakeServer(t, version)
			said, code := r.runScheduler(t, "--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0")
			if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, want) {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
}

// ownBox starts a sandbox in a process of its own, without a scheduler, and returns
// a client of it, and the administrator's kubeconfig and token.
func (r *runner) ownBox(t *testing.T, args ...string) (client kubernetes.Interface, kubeconfig, token string) {
	t.Helper()
	dir := t.TempDir()
	kubeconfig = filepath.Join(dir, "kubeconfig")
	box := exec.CommandContext(context.WithoutCancel(t.Context()), r.program(t, "vicinity-sandbox"),
		append([]string{"run", "--scheduler=false", "--kubeconfig=" + kubeconfig}, args...)...)
	box.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := box.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = box.Process.Signal(syscall.SIGTERM)
		if err := box.Wait(); err != nil {
			t.Errorf("the sandbox ends with %v", err)
		}
	})
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			t.Fatal("the sandbox has ended before it was ready")
		}
		if strings.HasPrefix(lines.Text(), "export PROMETHEUS") {
			break
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	if client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return client, kubeconfig, config.BearerToken
}

// bindOn starts a sandbox of a version and waits until vicinity-scheduler has
// bound a pod there.
func (r *runner) bindOn(t *testing.T, version string) {
	dir, calls := t.TempDir(), filepath.Join(t.TempDir(), "calls.yaml")
	if err := os.WriteFile(calls, []byte("- {from: default/web, to: default/db, requestsPerSecond: 1, requestBytes: 1, responseBytes: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, kubeconfig, _ := r.ownBox(t, "--kubernetes-version="+version, "--zones=1", "--nodes-per-zone=1", "--dir="+dir, "--calls="+calls)
	if _, err := os.Stat(filepath.Join(dir, "sandbox.log")); err != nil {
		t.Errorf("--dir does not keep the log: %v", err)
	}
	if info, err := client.Discovery().ServerVersion(); err != nil || info.EmulationMajor+"."+info.EmulationMinor != version {
		t.Fatalf("the API server is of version %+v: %v", info, err)
	}
	schedulerConfig, err := sandbox.SchedulerConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	file, err := sandbox.WriteConfig(t.TempDir(), "scheduler.yaml", schedulerConfig)
	if err != nil {
		t.Fatal(err)
	}
	scheduler, err := sandbox.StartProcess(t.Context(), "scheduler-"+version, filepath.Join(r.dir, "scheduler-"+version+".log"),
		r.program(t, "vicinity-scheduler"), "--config="+file, "--secure-port=0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(scheduler.Stop)
	pods := client.CoreV1().Pods("default")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: workload{scheduler: "vicinity"}.podSpec()}
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod runs", func() error {
		if err := scheduler.Err(); err != nil {
			t.Fatal(err)
		}
		pod, err := pods.Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return want("its phase", pod.Status.Phase, corev1.PodRunning)
	})
}

// fakeServer is all that the scheduler sees of an API server that it does not
// serve: its version.
func fakeServer(t *testing.T, version string) (kubeconfig string) {
	t.Helper()
	major, minor, _ := strings.Cut(version, ".")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"major":%q,"minor":%q,"gitVersion":"v%s.0"}`, major, minor+"+", version)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
