package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagUses are the flags that command lines of tests have used, by what help calls them.
type flagUses struct {
	mu  sync.Mutex
	all map[string]bool
}

// usedFlags is shared by all tests of the package, which is why it is a variable.
var usedFlags = flagUses{all: map[string]bool{}}

// flagName is how the flag of a command is called.
func flagName(cmd *cobra.Command, f *pflag.Flag) string { return cmd.CommandPath() + " --" + f.Name }

// invokeAs runs a command line, like run, and keeps in mind which flags it used. One that the
// program refuses as a mistake used none.
func invokeAs(ctx context.Context, args []string, s streams, now func() time.Time) int {
	code := run(ctx, args, s, now)
	if code == exitUsage {
		return code
	}
	root := newCommand("vicinity", streams{}, now)
	cmd, rest, err := root.Find(args[1:])
	if err != nil {
		return code
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil { // completion has words of its own
		return code
	}
	usedFlags.mu.Lock()
	defer usedFlags.mu.Unlock()
	cmd.Flags().Visit(func(f *pflag.Flag) { usedFlags.all[flagName(cmd, f)] = true })
	return code
}

// unused returns the flags that help shows and that no command line has used.
func (u *flagUses) unused() []string {
	all := map[string]bool{}
	for _, cmd := range commandsOf(newCommand("vicinity", streams{}, time.Now)) {
		cmd.InitDefaultHelpFlag()
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if name := flagName(cmd, f); !f.Hidden && !u.all[name] {
				all[name] = true
			}
		})
	}
	return slices.Sorted(maps.Keys(all))
}

// usingFlags are the tests of the package, and one more after all others: every flag of every
// verb is used by a test, in a command line that the program does not refuse. It cannot see
// whether the test looks at what the flag changes.
type usingFlags struct{ m *testing.M }

// Run implements goleak.TestingM.
func (u usingFlags) Run() int {
	code := u.m.Run()
	for _, some := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(some); f != nil && f.Value.String() != "" {
			return code // not all tests ran
		}
	}
	if unused := usedFlags.unused(); code == 0 && len(unused) > 0 && !testing.Short() {
		fmt.Fprintf(os.Stderr, "FAIL: no test uses these flags:\n  %s\n", strings.Join(unused, "\n  "))
		return 1
	}
	return code
}

// TestUnusedFlags: what a command line uses is kept in mind, unless it is refused.
func TestUnusedFlags(t *testing.T) {
	u := flagUses{all: map[string]bool{"vicinity graph --limit": true}}
	unused := u.unused()
	for name, want := range map[string]bool{"vicinity graph --limit": false, "vicinity graph --output": true, "vicinity graph --cluster": false, "vicinity sources detect --window": true} {
		if slices.Contains(unused, name) != want {
			t.Errorf("%s: unused is %v, want %v", name, !want, want)
		}
	}
}
