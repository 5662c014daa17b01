package flags

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryFlagIsUsed looks for each flag of a program in the lists of arguments in the
// functions of the integration tests that name the program and the flag's command, or that
// call functions which do. It cannot see whether what the flag changes is looked at, nor which
// of several programs that one function names a list is for.
func TestEveryFlagIsUsed(t *testing.T) {
	tests := functionsOf(t, filepath.Join("..", "integration", "*_test.go"))
	for _, program := range []string{"vicinity-sandbox", "vicinity-scheduler"} {
		flags := declared(t, filepath.Join("..", "..", "cmd", program, "*.go"))
		if len(flags) == 0 {
			t.Errorf("%s declares no flag that this test finds", program)
		}
		for _, f := range flags {
			if !slices.ContainsFunc(tests.named(program, f.command), f.usedIn) {
				t.Errorf("no test uses %s", strings.Join(strings.Fields(program+" "+f.command+" --"+f.name), " "))
			}
		}
	}
}

// TestFinding: what counts as a use, and what does not.
func TestFinding(t *testing.T) {
	const program = `package main
func run() { c := &cobra.Command{Use: "run FILE"}; f.StringVar(&o.dir, "dir", "", ""); f.BoolVarP(&o.keep, "keep", "k", false, "") }
func mesh() { f.Var(v, "mesh", "") }`
	flags, err := declaredIn("p.go", program)
	if err != nil {
		t.Fatal(err)
	}
	want := []declaration{{name: "dir", command: "run"}, {name: "keep", command: "run", alone: true}, {name: "mesh"}}
	if diff := cmp.Diff(want, flags, cmp.AllowUnexported(declaration{})); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
	for name, tc := range map[string]struct{ test, used string }{
		"in the list itself":      {`func TestA() { exec.Command("prog", "run", "--dir", d, "--keep") }`, "dir keep"},
		"with =":                  {`func TestA() { exec.Command("prog", "run", "--dir=" + d) }`, "dir"},
		"in a slice":              {`func TestA() { cmd("prog", []string{"run", "--dir=x"}) }`, "dir"},
		"through a helper":        {`func TestA() { box("--dir=x", "--mesh=y") }; func box(a ...string) { exec.Command("prog", append([]string{"run"}, a...)) }`, "dir mesh"},
		"without a value":         {`func TestA() { exec.Command("prog", "run", "--dir") }`, ""},
		"in a message":            {`func TestA() { exec.Command("prog", "run"); t.Errorf("--dir=x is wrong: " + "--dir") }`, ""},
		"of another command":      {`func TestA() { exec.Command("prog", "demo", "--dir=x", "--mesh=y") }`, "mesh"},
		"of another program":      {`func TestA() { exec.Command("other", "run", "--dir=x", "--mesh=y") }`, ""},
		"of another's test":       {`func TestA() { exec.Command("prog", "run") }; func TestB() { exec.Command("other", "--dir=x") }`, ""},
		"a name that begins so":   {`func TestA() { exec.Command("prog", "run", "--directory=x") }`, ""},
		"no value but a flag":     {`func TestA() { exec.Command("prog", "run", "--dir", "--keep") }`, "keep"},
		"a flag of a bool with =": {`func TestA() { exec.Command("prog", "run", "--keep=false") }`, "keep"},
	} {
		t.Run(name, func(t *testing.T) {
			all := functions{}
			if err := all.add("a_test.go", "package x\n"+tc.test); err != nil {
				t.Fatal(err)
			}
			var used []string
			for _, f := range flags {
				if slices.ContainsFunc(all.named("prog", f.command), f.usedIn) {
					used = append(used, f.name)
				}
			}
			if got := strings.Join(used, " "); got != tc.used {
				t.Errorf("uses %q, want %q", got, tc.used)
			}
		})
	}
}
