package manual

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/doccommands"
)

// TestManual runs every command of README.md and docs as it is written, page by page, on
// a sandbox as "make sandbox" starts it. internal/doccommands lists what is not run.
// CONTRIBUTING.md says what pages may rely on.
func TestManual(t *testing.T) {
	t.Parallel()
	m := newManual(t)
	pages, err := doccommands.Manual(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		t.Run(page[0].Page, func(t *testing.T) {
			if page[0].Page == troubleshooting {
				m.troubleshoot(t, page)
			} else {
				m.run(t, page)
			}
		})
	}
}

// commandTimeout is far above what a command of the manual takes.
const commandTimeout = 3 * time.Minute

// manual is where the pages are run.
type manual struct {
	kubeconfig, prometheus string
	tools                  string // the directory with kubectl, helm, jq and Vicinity's programs
	vicinity               string // the path of the CLI itself
	examples               string // the directory with the files that pages take as given
	differs                *strings.Replacer
}

// run runs a page in a directory and a shell of its own, and leaves the cluster as it
// was.
func (m *manual) run(t *testing.T, page []doccommands.Block) {
	if !slices.ContainsFunc(page, func(b doccommands.Block) bool { return len(typed(b)) > 0 }) {
		t.Skip("nothing to run")
	}
	dir := m.directory(t, page)
	s := m.session(t, dir)
	if changes(page) {
		t.Cleanup(func() { m.restore(t) })
	}
	outputs := doccommands.Outputs(page)
	for i, b := range page {
		commands := typed(b)
		m.file(t, s, b)
		for _, command := range b.Before {
			m.command(t, s, b, command, 0)
		}
		printed := ""
		for j, command := range commands {
			exit := 0
			if j == len(commands)-1 {
				exit = b.Exit
			}
			printed = m.command(t, s, b, command, exit)
		}
		if shown, ok := outputs[i]; ok && len(commands) > 0 {
			if err := doccommands.Fits(shown.Text, printed); err != nil {
				t.Errorf("%s: %v; %q prints\n%s", shown.At(), err, commands[len(commands)-1], printed)
			}
		}
	}
}

// typed returns the commands of a block that are to be run.
func typed(b doccommands.Block) []string {
	var commands []string
	for _, command := range b.Commands() {
		excepted := false
		for _, e := range doccommands.Exceptions() {
			excepted = excepted || e.Match(b.Page, command)
		}
		if !excepted {
			commands = append(commands, command)
		}
	}
	return commands
}

// changes says whether commands of a page may change the cluster.
func changes(page []doccommands.Block) bool {
	changing := regexp.MustCompile(`\b(helm|make)\b|\bkubectl\b(.|\n)*\b(annotate|apply|create|delete|edit|label|patch|replace|rollout|run|scale|set)\b`)
	return slices.ContainsFunc(page, func(b doccommands.Block) bool {
		return slices.ContainsFunc(slices.Concat(b.Before, typed(b)), changing.MatchString)
	})
}

// command runs a command and returns what it prints.
func (m *manual) command(t *testing.T, s *doccommands.Session, b doccommands.Block, command string, exit int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	began := time.Now()
	got, err := s.Run(ctx, m.differs.Replace(command))
	if err != nil {
		t.Fatalf("%s: %v\n%s", b.At(), err, got.Printed)
	}
	t.Logf("%s: %.1fs: %s", b.At(), time.Since(began).Seconds(), command)
	if got.Exit != exit {
		t.Fatalf("%s: %q ends with %d, want %d:\n%s", b.At(), command, got.Exit, exit, got.Printed)
	}
	return got.Printed
}

// file writes the file that a block shows, where the session is, when its first line is a
// comment with the file's name, or "in" and the name of a file that it is a part of.
func (m *manual) file(t *testing.T, s *doccommands.Session, b doccommands.Block) {
	t.Helper()
	match := regexp.MustCompile(`^# (in )?([\w./-]+\.(?:yaml|json|csv))\b`).FindStringSubmatch(b.Text)
	if b.Kind != doccommands.YAML || match == nil {
		return
	}
	at, err := s.Run(t.Context(), "pwd")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(strings.TrimSpace(at.Printed), match[2])
	mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if match[1] != "" {
		mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, mode, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := fmt.Fprint(file, m.differs.Replace(b.Text)); err != nil {
		t.Fatal(err)
	}
}

// restore brings the cluster back to what a page begins with.
func (m *manual) restore(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	s, err := doccommands.NewSession(dir, t.TempDir(), m.environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandTimeout)
	defer cancel()
	began := time.Now()
	got, err := s.Run(ctx, restore)
	if err != nil || got.Exit != 0 {
		t.Fatalf("restoring the cluster: %d, %v:\n%s", got.Exit, err, got.Printed)
	}
	t.Logf("restoring the cluster: %.1fs", time.Since(began).Seconds())
}

// restore removes Vicinity, and hands what it had back to kube-scheduler. A namespace is
// deleted no sooner than after five seconds, and later if there are pods in it then.
const restore = `
(
set -e
kubectl -n vicinity-system delete deployments --all --wait=false
kubectl delete namespace vicinity-system --ignore-not-found &
kubectl get namespace -o name -l vicinity.dev/scheduler | xargs -r -I{} kubectl label {} vicinity.dev/scheduler-
kubectl get namespace -o jsonpath='{range .items[?(@.metadata.annotations.vicinity\.dev/locality)]}{.metadata.name}{"\n"}{end}' |
  xargs -r -I{} kubectl annotate namespace {} vicinity.dev/locality-
kubectl delete mutatingadmissionpolicies,mutatingadmissionpolicybindings --all --wait=false >/dev/null
for d in $(kubectl -n shop get deployments -o jsonpath='{range .items[?(@.spec.template.spec.schedulerName!="default-scheduler")]}{.metadata.name} {end}'); do
  kubectl -n shop patch deployment $d -p '{"spec":{"template":{"spec":{"schedulerName":"default-scheduler"}}}}'
done
kubectl delete pods -A --field-selector spec.schedulerName=vicinity --ignore-not-found
kubectl -n shop get deployment report >/dev/null 2>&1 || kubectl -n shop create deployment report --image example.com/report --replicas 0
kubectl -n shop rollout status $(kubectl -n shop get deployments -o name) --timeout=90s >/dev/null
for s in $(kubectl -n shop get services -o jsonpath='{range .items[?(@.spec.trafficDistribution)]}{.metadata.name} {end}'); do
  kubectl -n shop patch service $s --type=json -p '[{"op":"remove","path":"/spec/trafficDistribution"}]'
done
wait $!
kubectl get clusterroles,clusterrolebindings -o name | { grep /vicinity || true; } | xargs -r kubectl delete
kubectl -n kube-system get roles,rolebindings -o name | { grep /vicinity || true; } | xargs -r kubectl -n kube-system delete
true
)`
