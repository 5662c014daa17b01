// Package process runs programs, schedulers for example, as children of a sandbox, with
// their output in a file.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// ErrExited is why a process ended that did so by itself, with exit code 0.
var ErrExited = errors.New("it stopped by itself")

// Process is a child process, a scheduler for example, whose output goes to a
// file.
type Process struct {
	// Name is what errors call it.
	Name string
	// LogPath is the file with its output.
	LogPath string

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts a program. It is asked to stop when ctx ends, and killed
// when it does not within ten seconds.
func Start(ctx context.Context, name, logPath, program string, args ...string) (*Process, error) {
	log, err := os.Create(logPath)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	// An interrupt at the terminal is for the parent, which then ends its
	// children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{Name: name, LogPath: logPath, cmd: cmd, done: make(chan struct{})}
	go func() { // ends with the process
		defer close(p.done)
		defer log.Close()
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
	return fmt.Errorf("%s: %w; its last output: %s", p.Name, cause, p.tail(3))
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

func (p *Process) tail(lines int) []byte {
	out, err := os.ReadFile(p.LogPath)
	if err != nil {
		return nil
	}
	all := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte(" | "))
}
