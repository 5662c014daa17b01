// Command vicinity shows what the Vicinity scheduler knows and does: `vicinity
// graph` is the traffic between workloads as the scheduler sees it. It only
// reads. Under the name kubectl-vicinity it is a plugin of kubectl.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// The exit codes; docs/cli.md explains them.
const (
	exitOK      = 0
	exitFailure = 1
	// exitUsage is a mistake in the command line, a file that is missing included.
	exitUsage = 2
	// exitGaps is a recording of which more than half was not observed.
	exitGaps = 3
	// exitEmpty is a graph without an edge, or a recording without traffic.
	exitEmpty = 4
	// exitWarnings and exitErrors are what doctor found.
	exitWarnings = 5
	exitErrors   = 6
	// exitInterrupted is what shells report of a program that Ctrl-C ended. It is also that of
	// the other signals that end work in good order.
	exitInterrupted = 130
)

// coded is an error with an exit code of its own.
type coded interface {
	error
	exitCode() int
}

// codedError is an error with any exit code.
type codedError struct {
	error

	code int
}

func (e codedError) exitCode() int { return e.code }

// streams is where a command writes.
type streams struct {
	out, err io.Writer
	// terminal says that out is one.
	terminal bool
	// progress may be nil: then nobody is told how far work is.
	progress *progress
	// called is the name that people call the program by.
	called *called
}

// line returns how to show a line of progress, which "" ends. Work that goes on from one thing
// to the next need not end it: write and tell do, and run does in the end.
func (s streams) line() func(string) { return s.progress.line }

// tell writes a line about the work to stderr.
func (s streams) tell(format string, args ...any) {
	s.line()("")
	fmt.Fprintf(s.err, format+"\n", args...)
}

// write writes all that a verb has to say, where the line of progress was. A table is for
// people.
func (s streams) write(output string, text []byte) error {
	s.line()("")
	if output == outputTable {
		text = []byte(s.called.text(string(text)))
	}
	_, err := s.out.Write(text)
	return err
}

// check refuses a page for a terminal, before there is any work.
func (s streams) check(output, verb string) error {
	if s.terminal && output == outputHTML {
		return usage.Errorf("--output html: a page is for a browser, not for a terminal; write it to a file: vicinity %s ... -o html > %s.html", verb, verb)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	context.AfterFunc(ctx, stop) // a second one ends the program the hard way
	s := streams{out: os.Stdout, err: os.Stderr}
	s.terminal = term.IsTerminal(int(os.Stdout.Fd()))
	s.progress = &progress{out: os.Stderr, terminal: term.IsTerminal(int(os.Stderr.Fd())), width: widthOf(os.Stderr), now: time.Now, ticks: time.Tick(time.Second)}
	os.Exit(run(ctx, os.Args, s, time.Now))
}

// endings are the signals that end work in good order: Ctrl-C, what timeout and the end of a
// container send, and what a terminal sends when it is closed, except to nohup.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// widthOf returns how many characters a line of a terminal has.
func widthOf(terminal *os.File) func() int {
	return func() int {
		width, _, err := term.GetSize(int(terminal.Fd()))
		if err != nil || width < 1 {
			return math.MaxInt
		}
		return width
	}
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
	s.called = &called{}
	cmd := newCommand(binary, s, now)
	cmd.SetArgs(args)
	stop := s.progress.repeat()
	err := cmd.ExecuteContext(ctx)
	stop()
	s.line()("")
	code := exitCode(ctx, err)
	quiet := []int{exitOK, exitInterrupted, exitWarnings, exitErrors} // doctor's results say it
	if !slices.Contains(quiet, code) {
		fmt.Fprintf(s.err, "%s: %s\n", cmd.DisplayName(), show.Printable(s.called.text(err.Error())))
	}
	return code
}

// exitCode returns the exit code of a command that ended with err.
func exitCode(ctx context.Context, err error) int {
	var mistake usage.Error
	var own coded
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &own):
		return own.exitCode() // also of a recording that Ctrl-C ended
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &mistake):
		return exitUsage
	}
	return exitFailure
}
