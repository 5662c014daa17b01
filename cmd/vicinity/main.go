// Command vicinity shows what the Vicinity scheduler knows and does: `vicinity
// graph` is the traffic between workloads as the scheduler sees it. It only
// reads. Under the name kubectl-vicinity it is a plugin of kubectl.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	// exitUsage is a mistake in the command line, found before anything is
	// asked of a server.
	exitUsage = 2
	// exitGaps is a recording of which more than half was not observed.
	exitGaps = 3
	// exitInterrupted is what shells report of a program that Ctrl-C ended.
	exitInterrupted = 130
)

// streams is where a command writes.
type streams struct {
	out, err io.Writer
	// progress is nil where nobody watches: stderr is not a terminal.
	progress io.Writer
	// terminal says that out is one.
	terminal bool
}

// line returns how to show a line of progress, which the next one replaces and "" takes
// away; nil where nobody watches.
func (s streams) line() func(string) {
	if s.progress == nil {
		return nil
	}
	return func(line string) { fmt.Fprint(s.progress, eraseLine, line) }
}

// check refuses a page for a terminal, before there is any work.
func (s streams) check(output, verb string) error {
	if s.terminal && output == outputHTML {
		return usage.Errorf("--output html: a page is for a browser, not for a terminal; write it to a file: vicinity %s ... -o html > %s.html", verb, verb)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program the hard way
	s := streams{out: os.Stdout, err: os.Stderr}
	s.terminal = term.IsTerminal(int(os.Stdout.Fd()))
	if term.IsTerminal(int(os.Stderr.Fd())) {
		s.progress = os.Stderr
	}
	os.Exit(run(ctx, os.Args, s, time.Now))
}

// run executes the command line args, whose first element is the name of the
// program, and returns the exit code. An error is one line on s.err.
func run(ctx context.Context, args []string, s streams, now func() time.Time) int {
	binary := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	args = args[1:]
	if binary == "kubectl_complete-vicinity" {
		// kubectl asks a program of this name what may come next.
		binary, args = "kubectl-vicinity", append([]string{"__complete"}, args...)
	}
	cmd := newCommand(binary, s, now)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	var mistake usage.Error
	var gaps gapsError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &gaps):
		fmt.Fprintf(s.err, "%s: %s\n", cmd.DisplayName(), show.Printable(err.Error()))
		return exitGaps
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &mistake):
		fmt.Fprintf(s.err, "%s: %s\n", cmd.DisplayName(), show.Printable(err.Error()))
		return exitUsage
	}
	fmt.Fprintf(s.err, "%s: %s\n", cmd.DisplayName(), show.Printable(err.Error()))
	return exitFailure
}
