package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// program returns a command line of the program as a process of its own: what libraries write
// to stderr, and what signals do, shows there only.
func program(t *testing.T, args ...string) (cmd *exec.Cmd, out, errs *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "vicinity")
	if err := os.Symlink(self, name); err != nil {
		t.Fatal(err)
	}
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	cmd = exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = out, errs
	return cmd, out, errs
}

// TestNothingElseOnStderr: an error is one line, whatever libraries think of it.
func TestNothingElseOnStderr(t *testing.T) {
	for name, tc := range map[string]struct {
		args, want string
		code       int
	}{
		"no kubeconfig": {"locality --source istio-sidecar --prometheus http://127.0.0.1:1", "vicinity: which cluster? KUBECONFIG is /no/such/kubeconfig, and no cluster", exitUsage},
		"no Prometheus": {"graph", "vicinity: which Prometheus? Type: vicinity graph --prometheus", exitUsage},
		"no context":    {"graph --context x --prometheus http://127.0.0.1:1", `vicinity: --context "x": there is no such context`, exitUsage},
	} {
		cmd, out, errs := program(t, strings.Fields(tc.args)...)
		cmd.Env = append(os.Environ(), "KUBECONFIG=/no/such/kubeconfig")
		_ = cmd.Run() // the code says it
		if code := cmd.ProcessState.ExitCode(); code != tc.code || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), tc.want) {
			t.Errorf("%s: exit code %d, want %d and %q: %s%s", name, code, tc.code, tc.want, out, errs)
		}
	}
}

// TestSignals: what ends a job, a container or a terminal ends work as Ctrl-C does.
func TestSignals(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue // by nohup, and then by the program as well
		}
		asked := make(chan struct{}, 1)
		url := serve(t, hang(func() { asked <- struct{}{} }))
		cmd, out, errs := program(t, "graph", "--source", "istio-sidecar", "--prometheus", url)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-asked
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the code says it
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || out.Len()+errs.Len() > 0 {
			t.Errorf("%s: exit code %d, want %d: %s%s", s, code, exitInterrupted, out, errs)
		}
	}
}

// TestStandardInputInterrupted: Ctrl-C ends the waiting for a pod that nobody types.
func TestStandardInputInterrupted(t *testing.T) {
	asked := make(chan struct{}, 1)
	kubeconfig := kubeconfig(t, serve(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	cmd, out, errs := program(t, "explain", "-f", "-", "--kubeconfig", kubeconfig, "--prometheus", "http://127.0.0.1:1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(bytes.Repeat([]byte("#\n"), 1<<20)); err != nil { // more than a pipe holds: it is read
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code says it
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || out.Len()+errs.Len() > 0 || len(asked) > 0 {
		t.Errorf("exit code %d, want %d: %s%s", code, exitInterrupted, out, errs)
	}
}

// TestReaderGone: a reader of the output that has gone ends the program without a word.
func TestReaderGone(t *testing.T) {
	cmd, _, errs := program(t, "sources", "show", "istio-sidecar")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = writer
	_ = cmd.Run() // the signal says it
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGPIPE || errs.Len() > 0 {
		t.Errorf("%v: %s", cmd.ProcessState, errs)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}
