package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commandsOf returns a command and all under it.
func commandsOf(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, commandsOf(sub)...)
	}
	return all
}

// calledAs runs the program under the name of a file, and returns what it says.
func calledAs(t *testing.T, binary string, args ...string) (code int, said string) {
	t.Helper()
	var both bytes.Buffer
	code = invokeAs(t.Context(), append([]string{"/usr/local/bin/" + binary}, args...), streams{out: &both, err: &both}, clock())
	return code, both.String()
}

// otherName finds a verb of the program behind a name that is not that which it was called by.
func otherName(t *testing.T, binary, said string) string {
	t.Helper()
	var verbs []string
	for _, cmd := range newCommand("vicinity", streams{}, clock()).Commands() {
		verbs = append(verbs, cmd.Name())
	}
	want := strings.ReplaceAll(binary, "-", " ") + " "
	for _, found := range regexp.MustCompile(`[\w-]* ?\bvicinity (`+strings.Join(verbs, "|")+`|--\w+)\b`).FindAllString(said, -1) {
		if strings.HasPrefix(found, "kubectl ") != (want == "kubectl vicinity ") && !strings.HasPrefix(found, "kubectl-vicinity ") {
			return found
		}
	}
	return ""
}

// TestHelpSaysTheName walks the help of every verb, under both names.
func TestHelpSaysTheName(t *testing.T) {
	for _, binary := range []string{"vicinity", "kubectl-vicinity"} {
		for _, cmd := range commandsOf(newCommand(binary, streams{}, clock())) {
			path := strings.Fields(cmd.CommandPath())[strings.Count(binary, "-")+1:]
			code, said := calledAs(t, binary, append(path, "--help")...)
			if code != exitOK || !strings.Contains(said, "Usage:\n  "+strings.ReplaceAll(binary, "-", " ")) {
				t.Errorf("%s %v --help: exit code %d\n%s", binary, path, code, said)
			}
			if other := otherName(t, binary, said); other != "" {
				t.Errorf("%s %v --help says %q:\n%s", binary, path, other, said)
			}
		}
	}
}

// TestCompletionOfAPlugin: the scripts are of no use behind kubectl, and the help says what is.
func TestCompletionOfAPlugin(t *testing.T) {
	for _, args := range [][]string{{"completion", "--help"}, {"completion", "bash", "--help"}, {"completion", "zsh", "--help"}} {
		_, said := calledAs(t, "kubectl-vicinity", args...)
		if !strings.Contains(said, "kubectl_complete-vicinity") || strings.Contains(said, "source <(") {
			t.Errorf("%v says\n%s", args, said)
		}
		if _, said := calledAs(t, "vicinity", args...); strings.Contains(said, "kubectl") {
			t.Errorf("%v says\n%s", args, said)
		}
	}
}

// TestTextsSayTheName: errors, hints and next steps, those of libraries too, say the name
// that the program was called by.
func TestTextsSayTheName(t *testing.T) {
	url, empty := prometheus(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5")), prometheus(t, "load 30s\n  up 1x10\n")
	dir := t.TempDir()
	graph := filepath.Join(dir, "graph.json")
	write(t, graph, `{"schema": "vicinity.graph/v1", "edges": []}`)
	cases := map[string]struct {
		args []string
		want string // in place of NAME the name
	}{
		"no source":        {[]string{"graph"}, "NAME: which Prometheus? Type: NAME graph --prometheus"},
		"an unknown verb":  {[]string{"grahp"}, "did you mean NAME graph?"},
		"an unknown flag":  {[]string{"record", "--bogus"}, "see NAME record --help"},
		"no type":          {[]string{"sources", "show"}, "NAME sources show takes one TYPE; type: NAME sources list"},
		"an unknown type":  {[]string{"graph", "--prometheus", url, "--source", "x"}, "type: NAME sources list"},
		"a type as data":   {[]string{"graph", "--prometheus", url, "--source", "promql"}, "NAME sources show promql prints one"},
		"a mesh":           {[]string{"replay", "mesh:x"}, "NAME replay mesh:help lists them"},
		"a wrong file":     {[]string{"replay", graph}, "the JSON output of NAME graph, not an input of NAME replay; convert it"},
		"no cluster":       {[]string{"replay", "edges.csv"}, "--cluster FILE, see NAME replay --help"},
		"why nothing":      {[]string{"explain", "workload", "web", "-n", "shop", "--prometheus", empty, "--source", "istio-sidecar", "--kubeconfig", apiServerOf(t, placed())}, "see why with: NAME graph"},
		"what to do next":  {[]string{"record", "--prometheus", url, "--kubeconfig", apiServer(t), "--since", "2m", filepath.Join(dir, "{name}")}, "\nNext: NAME replay " + dir},
		"after detection":  {[]string{"sources", "detect", "--prometheus", url}, "\nNext: NAME graph --prometheus "},
		"completion":       {[]string{"completion", "bash", "--help"}, "Usage:\n  NAME completion bash"},
		"data stays as is": {[]string{"sources", "detect", "--prometheus", url, "-o", "yaml"}, "# What vicinity sources detect found"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, binary := range []string{"vicinity", "kubectl-vicinity"} {
				args := slices.Clone(tc.args)
				args[len(args)-1] = strings.ReplaceAll(args[len(args)-1], "{name}", binary)
				called := strings.ReplaceAll(binary, "-", " ")
				_, said := calledAs(t, binary, args...)
				if want := strings.ReplaceAll(tc.want, "NAME", called); !strings.Contains(said, want) {
					t.Errorf("no %q in\n%s", want, said)
				}
				if other := otherName(t, binary, said); other != "" && name != "data stays as is" {
					t.Errorf("called %s, it says %q:\n%s", called, other, said)
				}
			}
		})
	}
}

// TestCalledLeavesTheRest: only the program's own name before a verb is replaced.
func TestCalledLeavesTheRest(t *testing.T) {
	c := &called{}
	c.learn(newCommand("kubectl-vicinity", streams{}, clock()))
	for text, want := range map[string]string{
		"vicinity graph":                          "kubectl vicinity graph",
		"(vicinity sources list)":                 "(kubectl vicinity sources list)",
		"type: vicinity replay a, vicinity graph": "type: kubectl vicinity replay a, kubectl vicinity graph",
		"see vicinity --help":                     "see kubectl vicinity --help",
		"kubectl vicinity graph":                  "kubectl vicinity graph",
		"the scheduler vicinity graphs":           "the scheduler vicinity graphs",
		"bin/vicinity graph":                      "bin/vicinity graph",
		"kubectl-vicinity completion":             "kubectl-vicinity completion",
		"vicinity-scheduler":                      "vicinity-scheduler",
	} {
		if got := c.text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
