// Package process runs programs, schedulers for example, as children of a sandbox, with
// their output in a file or another log.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ErrExited is why a process ended that did so by itself, with exit code 0.
var ErrExited = errors.New("it stopped by itself")

// Process is a child process, a scheduler for example.
type Process struct {
	// Name is what errors call it.
	Name string
	// LogPath is the file with its output; "" unless Start has started it.
	LogPath string

	cmd  *exec.Cmd
	last func(lines int) []string
	done chan struct{}
	err  error
}

// Log takes what a process prints. It is closed when the process has ended.
type Log interface {
	io.WriteCloser
	// Last returns the last lines that were written, for errors.
	Last(lines int) []string
}

// Start starts a program with its output in a file. It is asked to stop when ctx ends, and
// killed when it does not within ten seconds.
func Start(ctx context.Context, name, logPath, program string, args ...string) (*Process, error) {
	file, err := os.Create(logPath)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p, err := start(ctx, name, file, func(lines int) []string { return lastOf(logPath, lines) }, program, args)
	if err != nil {
		return nil, err
	}
	p.LogPath = logPath
	return p, nil
}

// StartTo is Start with the output in a log.
func StartTo(ctx context.Context, name string, log Log, program string, args ...string) (*Process, error) {
	return start(ctx, name, log, log.Last, program, args)
}

// start starts a program and closes its output when it has ended, or does not start.
func start(ctx context.Context, name string, output io.WriteCloser, last func(lines int) []string, program string, args []string) (*Process, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = output, output // a file is inherited, so that it outlives us
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	// An interrupt at the terminal is for the parent, which then ends its
	// children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = output.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, last: last, done: make(chan struct{})}
	go func() { // ends with the process
		defer close(p.done)
		defer func() { _ = output.Close() }() // what it has is the program's, which has ended
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says why the process ended, with the last lines of its output; nil while
// it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	cause := p.err
	if cause == nil {
		cause = ErrExited
	}
	return fmt.Errorf("%s: %w; its last output: %s", p.Name, cause, strings.Join(p.last(3), " | "))
}

// Stop asks the process to end and waits until it has.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
}

// Kill ends the process as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// lastOf returns the last lines of a file; none if it cannot be read.
func lastOf(path string, lines int) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var last []string
	for _, line := range all[max(0, len(all)-lines):] {
		last = append(last, string(line))
	}
	return last
}
