package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/usage"
)

func TestExitCodes(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"success":         {nil, exitOK},
		"a failure":       {errors.New("x"), exitFailure},
		"a mistake":       {usage.Errorf("x"), exitUsage},
		"gaps":            {codedError{errors.New("x"), exitGaps}, exitGaps},
		"no traffic":      {codedError{errors.New("x"), exitEmpty}, exitEmpty},
		"doctor, warning": {codedError{errors.New("x"), exitWarnings}, 5},
		"doctor, error":   {codedError{errors.New("x"), exitErrors}, 6},
	} {
		if got := exitCode(t.Context(), tc.err); got != tc.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tc.want)
		}
	}
	help := succeed(t, "--help")
	for _, want := range []string{"  0    success\n", "  4    no traffic", "  6    doctor found errors\n", "  130  interrupted"} {
		if !strings.Contains(help, want) {
			t.Errorf("no %q in\n%s", want, help)
		}
	}
}

// TestNoTraffic: every verb ends with the same code where there is no traffic, and says so
// on stderr, whatever it writes.
func TestNoTraffic(t *testing.T) {
	url := prometheus(t, "load 30s\n  up 1x10\n")
	kubeconfig := apiServerOf(t, placed())
	asked := " --prometheus " + url + " --source istio-sidecar"
	for args, want := range map[string]string{
		"graph" + asked:                                                   "vicinity: no traffic: the graph is empty\n",
		"graph -o json" + asked:                                           "vicinity: no traffic: the graph is empty\n",
		"locality --kubeconfig " + kubeconfig + asked:                     "vicinity: no traffic: the graph is empty\n",
		"locality -o json --kubeconfig " + kubeconfig + asked:             "vicinity: no traffic: the graph is empty\n",
		"explain workload web -n shop --kubeconfig " + kubeconfig + asked: "see why with: vicinity graph\n",
		"record --since 2m --kubeconfig " + apiServer(t) + asked + " " + filepath.Join(t.TempDir(), "rec"): "no traffic was observed",
		"graph --prometheus " + url:          "no metric is there that counts bytes",
		"sources detect --prometheus " + url: "no metric is there that counts bytes",
	} {
		code, out, stderr := invoke(t, strings.Fields(args)...)
		if code != exitEmpty || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, want %d: %swant %s", args, code, exitEmpty, stderr, want)
		}
		if shows := strings.HasPrefix(args, "graph ") && strings.Contains(args, "istio") || strings.HasPrefix(args, "locality"); shows && out == "" {
			t.Errorf("%s: nothing is shown", args)
		}
	}
}

// TestDirectoriesForFiles: a directory is the same mistake in every verb.
func TestDirectoriesForFiles(t *testing.T) {
	edges, cluster := shopFiles(t)
	dir := t.TempDir()
	for _, args := range []string{
		"graph --telemetry-config DIR",
		"graph --prometheus http://127.0.0.1:1 --kubeconfig DIR",
		"locality --prometheus http://127.0.0.1:1 --price DIR",
		"locality --prometheus http://127.0.0.1:1 --scheduler-config DIR",
		"explain --prometheus http://127.0.0.1:1 --filename DIR",
		"replay " + edges + " --cluster DIR",
		"replay " + edges + " --cluster " + cluster + " --assignment a=DIR",
		"replay mesh:chain,size=3 --price DIR",
		"replay mesh:chain,size=3 --scheduler-config DIR",
		"replay mesh:chain,size=3 --write-assignment DIR",
	} {
		code, out, stderr := invoke(t, strings.Fields(strings.ReplaceAll(args, "DIR", dir))...)
		if code != exitUsage || out != "" || !strings.HasSuffix(stderr, ": is a directory\n") {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, exitUsage, stderr)
		}
	}
}

// TestMissingFiles: a file that is not there is the same mistake in every verb, and the
// error says which flag or argument names it.
func TestMissingFiles(t *testing.T) {
	const url = "http://127.0.0.1:1" // nobody listens
	edges, cluster := shopFiles(t)
	kubeconfig := apiServerOf(t, placed())
	fresh := filepath.Join(t.TempDir(), "rec")
	for _, args := range []string{
		"graph --telemetry-config FILE",
		"graph --kubeconfig FILE --declared --prometheus " + prometheus(t, traffic(t, placedTraffic)),
		"locality --telemetry-config FILE --kubeconfig " + kubeconfig,
		"locality --scheduler-config FILE --prometheus " + url,
		"locality --price FILE --prometheus " + url,
		"locality --kubeconfig FILE --source istio-sidecar --prometheus " + url,
		"explain workload web --telemetry-config FILE -n shop --kubeconfig " + kubeconfig,
		"explain workload web --scheduler-config FILE --prometheus " + url,
		"explain --filename FILE --prometheus " + url + " --kubeconfig " + kubeconfig,
		"explain workload web --kubeconfig FILE --prometheus " + url,
		"record --since 1h --telemetry-config FILE --kubeconfig " + kubeconfig + " " + fresh,
		"record --since 1h --kubeconfig FILE --prometheus " + url + " " + fresh,
		"sources detect --telemetry-config FILE",
		"replay FILE",
		"replay FILE.csv --cluster " + cluster,
		"replay " + edges + " --cluster FILE",
		"replay mesh:chain,size=3 --price FILE",
		"replay mesh:chain,size=3 --scheduler-config FILE",
		"replay " + edges + " --cluster " + cluster + " --assignment mine=FILE",
		"replay " + record(t, filepath.Join(t.TempDir(), "still"), aRecording()) + " --telemetry-config FILE",
		"replay mesh:chain,size=3 --run default --seeds 1 --write-assignment FILE/a.csv",
	} {
		code, out, stderr := invoke(t, strings.Fields(strings.ReplaceAll(args, "FILE", "no/such/file"))...)
		named := "INPUT"
		for word := range strings.FieldsSeq(args) {
			if strings.Contains(word, "FILE") {
				break
			}
			if strings.HasPrefix(word, "--") {
				named = word
			}
		}
		if strings.HasPrefix(args, "replay FILE") {
			named = "INPUT"
		}
		if code != exitUsage || out != "" || !strings.Contains(strings.ReplaceAll(stderr, `"`, ""), ": "+named+" no/such/file") {
			t.Errorf("%s: exit code %d, want %d, and an error about %s: %s", args, code, exitUsage, named, stderr)
		}
	}
}
