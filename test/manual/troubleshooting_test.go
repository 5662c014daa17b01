package manual

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/doccommands"
)

// troubleshooting is the page whose commands are typed into a terminal, each path with
// its cause planted.
const troubleshooting = "docs/troubleshooting.md"

// path is what a block of commands on that page is for.
type path struct {
	section string // of the page; the blocks of a section have one path each, in order
	// cause plants it, in the same shell; nothing is planted where the sandbox has it.
	cause string
	// sees is what is then on the screen, in the words of the page.
	sees []string
	// cured takes the cause away.
	cured string
}

// paths are all paths of the page. forbidden is a Prometheus that denies access.
func paths(forbidden string) []path {
	const (
		reports = `kubectl -n shop delete deployment report --ignore-not-found; kubectl -n shop create deployment report --image example.com/report; `
		asks    = `kubectl -n shop patch deployment report -p '{"spec":{"template":{"spec":{"schedulerName":"vicinity"}}}}'; `
		gone    = `kubectl -n shop delete deployment report --ignore-not-found`
		pending = `until kubectl -n shop get pods --field-selector status.phase=Pending,spec.schedulerName=vicinity -o name | grep -q report; do sleep 0.2; done`
		refused = `until kubectl -n shop get events --field-selector reason=FailedScheduling -o name | grep -q .; do sleep 0.2; done`
		failed  = `until kubectl -n shop get pods --field-selector status.phase=Failed -o name | grep -q big; do sleep 0.2; done`
		kills   = `for p in $(ps -eo pid,args | awk -v of="$TOOLS/vicinity-scheduler" '$2 == of {print $1}'); do kill -9 $p; done; `
		killed  = `until kubectl -n vicinity-system get pods -o jsonpath='{..lastState.terminated.reason}' | grep -q OOMKilled; do sleep 0.2; done`
		stable  = `kubectl -n vicinity-system rollout status deployment/vicinity-scheduler`
		wrong   = `helm upgrade vicinity charts/vicinity --namespace vicinity-system --set scheduler.args.maxShare.node=7; `
		crashes = `until kubectl -n vicinity-system get pods | grep -q CrashLoopBackOff; do sleep 0.2; done`
		big     = `kubectl -n shop run big --image x --overrides='{"spec":{"nodeName":"zone-a-1","containers":[{"name":"big","image":"x","resources":{"requests":{"cpu":"4"}}}]}}'; `
		itself  = `export PROMETHEUS=$SANDBOX`
	)
	return []path{
		{"All my scores are zero", `kubectl -n shop annotate deployment cart vicinity.dev/locality=off`, []string{"has no say (off)", "vicinity.dev/locality"}, `kubectl -n shop annotate deployment cart vicinity.dev/locality-`},
		{"All my scores are zero", reports, []string{"has no say (no-traffic): The graph has no traffic of the pod's workload."}, gone},
		{"Pods stay Pending", `kubectl -n vicinity-system scale deployment vicinity-scheduler --replicas 0; ` + reports + asks + pending, []string{"0/0"}, ""},
		{"Pods stay Pending", "", []string{"scaled"}, gone},
		{"Pods stay Pending", reports + asks + `kubectl -n shop set resources deployment report --requests=cpu=100; ` + refused, []string{"FailedScheduling", "Insufficient cpu"}, gone},
		{"Pods stay Pending", "", []string{"vicinity-scheduler"}, ""},
		{"The figures are too low", "", []string{"young-data", "less than the window of 1h"}, ""},
		{"Nothing changes after handing over", `kubectl label namespace shop vicinity.dev/scheduler=vicinity`, []string{"default-scheduler"}, `kubectl label namespace shop vicinity.dev/scheduler-`},
		{"Nothing changes after handing over", "", []string{"ROUTING", "Uniform"}, ""},
		{"The graph is empty", `sed -i.orig 's/istio-sidecar/linkerd/' telemetry.yaml`, []string{"The graph is empty: the scheduler would place pods without regard to traffic.", "linkerd: no query returned a series."}, ""},
		{"The graph is empty", "", []string{"istio-sidecar"}, `mv telemetry.yaml.orig telemetry.yaml`},
		{"Prometheus cannot be reached or denies access", `export SANDBOX=$PROMETHEUS PROMETHEUS=http://127.0.0.1:1`, []string{"connection refused"}, itself},
		{"Prometheus cannot be reached or denies access", `export PROMETHEUS=` + forbidden, []string{`the server answered "403 Forbidden"`}, itself},
		{"Pods are refused with OutOfcpu", big + failed, []string{"OutOfcpu"}, ""},
		{"Pods are refused with OutOfcpu", "", []string{"big"}, ""},
		{"The scheduler restarts", kills + killed, []string{"OOMKilled"}, stable},
		{"The scheduler restarts", wrong + crashes, []string{"CrashLoopBackOff"}, ""},
		{"The scheduler restarts", "", []string{"Rollback was a success"}, ""},
		{"Two figures disagree", "", []string{"rates over 5m"}, ""},
		{"explain names another node", `helm upgrade vicinity charts/vicinity --namespace vicinity-system --set profile=cost; ` + stable, []string{"vicinity of scheduler.yaml"}, ""},
	}
}

// troubleshoot types the commands of the page.
func (m *manual) troubleshoot(t *testing.T, page []doccommands.Block) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: the page's commands are typed into a terminal")
	}
	text, err := os.ReadFile(filepath.Join("../..", troubleshooting))
	if err != nil {
		t.Fatal(err)
	}
	forbidden := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "forbidden", http.StatusForbidden)
	}))
	t.Cleanup(forbidden.Close)
	dir := m.directory(t, page)
	t.Cleanup(func() { m.restore(t) })
	s := newTerminal(t, dir, append(m.environment(dir), "TOOLS="+m.tools))
	done := func(command string) {
		t.Helper()
		if command == "" {
			return
		}
		if exit, screen := s.typed(t, "{ "+strings.TrimRight(command, "; ")+"; } >/dev/null"); exit != 0 {
			t.Fatalf("%s\nends with %d:\n%s", command, exit, screen)
		}
	}
	done(`helm install vicinity charts/vicinity --namespace vicinity-system --create-namespace`)
	done(`kubectl -n vicinity-system rollout status deployment/vicinity-scheduler`)
	left := paths(forbidden.URL)
	outputs := doccommands.Outputs(page)
	for i, b := range page {
		if b.Kind != doccommands.Shell {
			continue
		}
		if len(left) == 0 || left[0].section != b.Section {
			t.Fatalf("%s: the section %q has another number of blocks than the test has paths", b.At(), b.Section)
		}
		p := left[0]
		left = left[1:]
		done(p.cause)
		exit, screen := 0, ""
		for _, command := range b.Commands() {
			var shown string
			exit, shown = s.typed(t, command)
			screen += shown
			t.Logf("%s: exit code %d: %s", b.At(), exit, command)
		}
		m.fits(t, p, b, exit, screen, outputs[i])
		section := sectionOf(string(text), p.section)
		for _, word := range p.sees {
			// What the commands themselves print of an action is not on the page.
			if !strings.Contains(section, word) && outputs[i].Text != "" {
				t.Errorf("%s: the section %q does not say %q", b.At(), p.section, word)
			}
		}
		done(p.cured)
	}
	if len(left) > 0 {
		t.Errorf("the page has no block for %+v", left)
	}
}

// fits compares the screen with what the path promises and the page shows.
func (m *manual) fits(t *testing.T, p path, b doccommands.Block, exit int, screen string, shown doccommands.Block) {
	t.Helper()
	if exit != b.Exit {
		t.Errorf("%s: exit code %d, want %d:\n%s", b.At(), exit, b.Exit, screen)
	}
	for _, word := range p.sees {
		if !strings.Contains(screen, word) {
			t.Errorf("%s: the screen has no %q:\n%s", b.At(), word, screen)
		}
	}
	if err := doccommands.Fits(shown.Text, screen); err != nil {
		t.Errorf("%s: %v:\n%s", shown.At(), err, screen)
	}
}

// sectionOf returns the text of a section of a page.
func sectionOf(page, heading string) string {
	_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	return regexp.MustCompile(`\s+`).ReplaceAllString(section, " ")
}
