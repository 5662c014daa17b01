package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain hides the developer's clusters from the tests: no verb must ask one. It also checks
// that the tests have used every flag. Started under the program's name, it is the program.
func TestMain(m *testing.M) {
	if isProgram() {
		main()
	}
	if err := errors.Join(os.Setenv("KUBECONFIG", filepath.Join(os.TempDir(), "no-such-kubeconfig")), os.Unsetenv("KUBERNETES_SERVICE_HOST")); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(usingFlags{m})
}

// TestName checks what the program calls itself.
func TestName(t *testing.T) {
	cases := map[string]struct {
		args     []string
		wantCode int
		wantOut  string
		wantErr  string
	}{
		"own name":           {[]string{"/usr/bin/vicinity", "graph", "--help"}, 0, "\n  vicinity graph [--prometheus URL | ", ""},
		"plugin of kubectl":  {[]string{"/usr/bin/kubectl-vicinity", "graph", "--help"}, 0, "\n  kubectl vicinity graph [--prometheus URL | ", ""},
		"plugin on Windows":  {[]string{"kubectl-vicinity.exe"}, 0, "Usage:\n  kubectl vicinity [flags]", ""},
		"error of a plugin":  {[]string{"kubectl-vicinity", "graph"}, 2, "", "kubectl vicinity: which Prometheus? Type: kubectl vicinity graph --prometheus"},
		"no verb":            {[]string{"vicinity"}, 0, "Usage:", ""},
		"similar verb":       {[]string{"vicinity", "grahp"}, 2, "", `vicinity: unknown verb "grahp"; did you mean vicinity graph?`},
		"unknown verb":       {[]string{"vicinity", "bogus"}, 2, "", `vicinity: unknown verb "bogus"; see vicinity --help`},
		"version":            {[]string{"vicinity", "version"}, 0, ", commit ", ""},
		"version as a flag":  {[]string{"vicinity", "--version"}, 0, ", commit ", ""},
		"version, a plugin":  {[]string{"kubectl-vicinity", "--version"}, 0, "vicinity ", ""},
		"version as JSON":    {[]string{"vicinity", "version", "-o", "json"}, 0, `"schema": "vicinity.version/v1"`, ""},
		"version otherwise":  {[]string{"vicinity", "version", "-o", "xml"}, 2, "", `--output "xml": must be table or json`},
		"help on nothing":    {[]string{"vicinity", "help", "bogus"}, 2, "", `unknown verb "bogus"; see vicinity --help`},
		"help on too much":   {[]string{"vicinity", "help", "sources", "bogus"}, 2, "", `unknown verb "bogus"; see vicinity sources --help`},
		"help on a verb":     {[]string{"vicinity", "help", "sources", "list"}, 0, "Usage:\n  vicinity sources list", ""},
		"no such shell":      {[]string{"vicinity", "completion", "csh"}, 2, "", `unknown verb "csh"; see vicinity completion --help`},
		"no shell":           {[]string{"vicinity", "completion"}, 0, "Available Commands:\n  bash", ""},
		"two shells":         {[]string{"vicinity", "completion", "bash", "zsh"}, 2, "", `bash takes no argument "zsh"`},
		"version takes none": {[]string{"vicinity", "version", "x"}, 2, "", `version takes no argument "x"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := invokeAs(t.Context(), tc.args, streams{out: &out, err: &errs}, clock())
			if code != tc.wantCode || !strings.Contains(out.String(), tc.wantOut) || !strings.Contains(errs.String(), tc.wantErr) {
				t.Errorf("exit code %d, stdout:\n%s\nstderr:\n%s\nwant %d, %q and %q", code, &out, &errs, tc.wantCode, tc.wantOut, tc.wantErr)
			}
			if (tc.wantOut == "") != (out.Len() == 0) || (tc.wantErr == "") != (errs.Len() == 0) {
				t.Errorf("stdout:\n%s\nstderr:\n%s\nwant only one of them", &out, &errs)
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"verbs":           {[]string{"vicinity", "__complete", "gr"}, "graph\tShow the traffic"},
		"output":          {[]string{"vicinity", "__complete", "graph", "-o", ""}, "table\tfor people\njson\tfor programs, schema vicinity.graph/v1\ndot\tfor Graphviz\nhtml\tfor a browser, one file\n:4\n"},
		"replay output":   {[]string{"vicinity", "__complete", "replay", "--output", ""}, "table\njson\nhtml\n:4\n"},
		"long output":     {[]string{"vicinity", "__complete", "graph", "--output", "j"}, "json\t"},
		"window":          {[]string{"vicinity", "__complete", "graph", "--window", ""}, "1m\n5m\n15m\n1h\n:4\n"},
		"file":            {[]string{"vicinity", "__complete", "graph", "--telemetry-config", ""}, "yaml\nyml\njson\n:8\n"},
		"several sources": {[]string{"vicinity", "__complete", "graph", "--source", "obi,"}, "obi,beyla\nobi,caretta\n"},
		"several runs":    {[]string{"vicinity", "__complete", "replay", "--run", "latency,"}, "latency,recorded\nlatency,default\n"},
		"no file names":   {[]string{"vicinity", "__complete", "graph", "--namespace", ""}, ":4\n"},
		"a route":         {[]string{"vicinity", "__complete", "replay", "--route", ""}, "all=\n:6\n"},
		"its policy":      {[]string{"vicinity", "__complete", "replay", "--route", "shop/cart="}, "shop/cart=Any\nshop/cart=PreferSameZone\nshop/cart=PreferClose\nshop/cart=PreferSameNode\n:4\n"},
		"explain what":    {[]string{"vicinity", "__complete", "explain", ""}, "pod\ta pod of the cluster\nworkload\tthe next pod of a workload\n:4\n"},
		"explain a name":  {[]string{"vicinity", "__complete", "explain", "pod", ""}, ":4\n"},
		"explain output":  {[]string{"vicinity", "__complete", "explain", "-o", ""}, "table\tfor people\njson\tfor programs, schema vicinity.explain/v1\n:4\n"},
		"version output":  {[]string{"vicinity", "__complete", "version", "-o", ""}, "table\tfor people\njson\tfor programs, schema vicinity.version/v1\n:4\n"},
		"explain file":    {[]string{"vicinity", "__complete", "explain", "-f", ""}, "yaml\nyml\njson\n:8\n"},
		"its scheduler":   {[]string{"vicinity", "__complete", "explain", "--scheduler-config", ""}, "yaml\nyml\njson\n:8\n"},
		"its namespace":   {[]string{"vicinity", "__complete", "explain", "--namespace", ""}, ":4\n"},
		"as kubectl ask":  {[]string{"/x/kubectl_complete-vicinity", "graph", "-o", ""}, "table\tfor people\n"},
		"script":          {[]string{"vicinity", "completion", "bash"}, "__start_vicinity"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := invokeAs(t.Context(), tc.args, streams{out: &out, err: &errs}, clock()); code != 0 || !strings.Contains(out.String(), tc.want) {
				t.Errorf("exit code %d, stdout %q, want 0 and %q", code, &out, tc.want)
			}
		})
	}
}
