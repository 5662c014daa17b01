package manual

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/doccommands"
)

// newManual builds the programs that the manual uses and starts a sandbox.
func newManual(t *testing.T) *manual {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed: the commands of the manual are for it")
	}
	if testing.Short() {
		t.Skip("starts a control plane, which -short leaves out")
	}
	m := &manual{}
	m.build(t)
	m.sandbox(t)
	address := strings.TrimPrefix(m.prometheus, "http://")
	m.differs = strings.NewReplacer("localhost:9090", address)
	m.prepare(t)
	return m
}

// build puts programs into m.tools, or takes those in the directory that
// VICINITY_TEST_PROGRAMS names, which were built before.
func (m *manual) build(t *testing.T) {
	t.Helper()
	m.tools = t.TempDir()
	built := os.Getenv("VICINITY_TEST_PROGRAMS")
	if built == "" {
		built = t.TempDir()
		for module, packages := range map[string][]string{
			"../..":           {"./cmd/...", "k8s.io/kubernetes/cmd/kubectl", "github.com/itchyny/gojq/cmd/gojq"},
			"../../hack/helm": {"helm.sh/helm/v4/cmd/helm"},
		} {
			build := exec.CommandContext(t.Context(), "go", append([]string{"build", "-ldflags", versions(t), "-o", built + "/"}, packages...)...)
			build.Dir = module
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("building %v: %v\n%s", packages, err, out)
			}
		}
	}
	for name, program := range map[string]string{
		"kubectl": "kubectl", "helm": "helm", "jq": "gojq", "vicinity-scheduler": "vicinity-scheduler", "vicinity-sandbox": "vicinity-sandbox",
	} {
		if err := os.Symlink(filepath.Join(built, program), filepath.Join(m.tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.vicinity = filepath.Join(built, "vicinity")
	// Who records for minutes may press Ctrl-C before their end.
	impatient := fmt.Sprintf(`#!/bin/bash
if [ "$1" = record ] && [[ " $* " = *" --duration "* ]]; then
  exec timeout --foreground --preserve-status --signal=INT 12 '%[1]s' "$@"
fi
exec -a "$0" '%[1]s' "$@"
`, m.vicinity)
	for _, name := range []string{"vicinity", "kubectl-vicinity"} {
		if err := os.WriteFile(filepath.Join(m.tools, name), []byte(impatient), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// versions are the linker's flags by which the API server knows its version, as in the
// Makefile.
func versions(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("finding the version of Kubernetes: %v", err)
	}
	version := strings.TrimSpace(string(out))
	return "-s -w -X k8s.io/component-base/version.gitVersion=" + version + " -X k8s.io/client-go/pkg/version.gitVersion=" + version
}

// sandbox does what "make sandbox" does, and takes from its output what a reader would.
func (m *manual) sandbox(t *testing.T) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(m.tools, "vicinity-sandbox"), "demo", "--until=A", "--keep", "--settle=4s",
		"--scheduler="+filepath.Join(m.tools, "vicinity-scheduler"))
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		interrupt(t, cmd, out.Name())
		out.Close()
	})
	eventually(t, "the sandbox says what to type", func() error {
		said, err := os.ReadFile(out.Name())
		if err != nil {
			return err
		}
		for name, into := range map[string]*string{"KUBECONFIG": &m.kubeconfig, "PROMETHEUS": &m.prometheus} {
			match := regexp.MustCompile(`export ` + name + `=(\S+)`).FindSubmatch(said)
			if match == nil {
				return fmt.Errorf("it says %s", said)
			}
			*into = string(match[1])
		}
		return nil
	})
}

// environment is that of a page's shell.
func (m *manual) environment(dir string) []string {
	upstream := "url." + filepath.Join(m.examples, "upstream") + ".insteadOf"
	return []string{
		"PATH=" + m.tools + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "TERM=dumb",
		"KUBECONFIG=" + m.kubeconfig, "PROMETHEUS=" + m.prometheus,
		// The manual's kustomizations name the project's repository.
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=" + upstream, "GIT_CONFIG_VALUE_0=https://github.com/vicinity-sched/vicinity",
	}
}

// directory makes that of a page: a tree with the programs in bin, and the examples, less
// those that the page makes itself.
func (m *manual) directory(t *testing.T, page []doccommands.Block) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"charts", "hack", "manifests"} { // copies: a command may change them
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("../..", name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(m.tools, filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(m.examples, "files"))); err != nil {
		t.Fatal(err)
	}
	for _, b := range page {
		for _, command := range typed(b) {
			if words := strings.Fields(command); slices.Contains(words, "record") {
				_ = os.Remove(filepath.Join(dir, words[len(words)-1])) // it would not be overwritten
			}
		}
	}
	return dir
}

// session starts the shell of a page.
func (m *manual) session(t *testing.T, dir string) *doccommands.Session {
	t.Helper()
	s, err := doccommands.NewSession(dir, t.TempDir(), m.environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// examples makes what pages take as given, in files and in the cluster.
const examples = `
(
set -e
mkdir files upstream
cp -r "$ROOT/manifests" "$ROOT/charts" upstream
git -C upstream init -q
git -C upstream add .
git -C upstream -c user.name=test -c user.email=test@example.com commit -q -m v0.1.0
git -C upstream tag v0.1.0
cd files
cp "$ROOT/manifests/base/config/scheduler.yaml" "$ROOT/manifests/base/config/telemetry.yaml" .
echo secret > token
kubectl config view --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d > ca.crt
"$VICINITY" record --prometheus $PROMETHEUS --duration 10s --step 1s --window 5s shop.tar.zst
kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,services,namespaces -A -o json > cluster.json
kubectl create deployment report --namespace shop --image example.com/report --replicas 0
kubectl create namespace batch
kubectl create namespace monitoring --dry-run=client -o yaml | kubectl apply -f -
kubectl run cart-6f7d9-x2x4v --namespace shop --image example.com/cart:1
for kind in ServiceMonitor PodMonitor PrometheusRule; do # those of the Prometheus operator
  name=$(echo $kind | tr A-Z a-z)
  kubectl apply -f - <<END
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${name}s.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: $kind, plural: ${name}s, singular: $name}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
END
done
kubectl wait --for=condition=Established crd --all --timeout=60s
cp "$KUBECONFIG" ../kubeconfig
export KUBECONFIG=../kubeconfig
kubectl config set-context prod --cluster "$(kubectl config view -o jsonpath='{.contexts[0].context.cluster}')" \
  --user "$(kubectl config view -o jsonpath='{.contexts[0].context.user}')"
)`

// prepare makes the examples.
func (m *manual) prepare(t *testing.T) {
	t.Helper()
	m.examples = t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s, err := doccommands.NewSession(m.examples, t.TempDir(), append(m.environment(m.examples), "ROOT="+root, "VICINITY="+m.vicinity))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	got, err := s.Run(ctx, examples)
	if err != nil || got.Exit != 0 {
		t.Fatalf("preparing the examples: %d, %v:\n%s", got.Exit, err, got.Printed)
	}
	m.kubeconfig = filepath.Join(m.examples, "kubeconfig")
}

// interrupt presses Ctrl-C and waits until a program has ended, whose output is in a file.
func interrupt(t *testing.T, cmd *exec.Cmd, output string) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		said, _ := os.ReadFile(output)
		t.Errorf("%v after Ctrl-C: %s", err, said)
	}
}

// eventually waits until condition holds. It fails the test with the last reason after
// a time that only a defect takes.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	const patience = 3 * time.Minute
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
