package doccommands

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Session is a shell in which one command after the other is run, as in a terminal: what
// one exports or leaves in the background, the next ones have.
type Session struct {
	files   string // of the commands and of what they print
	cmd     *exec.Cmd
	typed   io.WriteCloser
	results *bufio.Reader
	pipe    *os.File
	number  int
}

// Result is what came of a command.
type Result struct {
	// Printed is what it wrote to stdout and then what it wrote to stderr.
	Printed string
	// Exit is its exit code.
	Exit int
}

// NewSession starts bash in a directory with an environment. files is an empty
// directory for its own files.
func NewSession(dir, files string, env []string) (_ *Session, err error) {
	s := &Session{files: files, cmd: exec.Command("bash", "--norc", "--noprofile")}
	s.cmd.Dir, s.cmd.Env = dir, env
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Close reaches what is in the background
	if s.typed, err = s.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting bash: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting bash: %w", err)
	}
	defer write.Close()
	s.cmd.ExtraFiles = []*os.File{write}
	s.pipe, s.results = read, bufio.NewReader(read)
	if err := s.cmd.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("starting bash: %w", err)
	}
	_, err = s.Run(context.Background(), "set -o pipefail")
	return s, err
}

// Run runs a command and waits until it has ended, but not for what it leaves in the
// background. When ctx ends first, so does the session.
func (s *Session) Run(ctx context.Context, command string) (Result, error) {
	s.number++
	path := func(kind string) string { return filepath.Join(s.files, fmt.Sprint(s.number, ".", kind)) }
	if err := os.WriteFile(path("sh"), []byte(command+"\n"), 0o600); err != nil {
		return Result{}, fmt.Errorf("writing the command: %w", err)
	}
	if _, err := fmt.Fprintf(s.typed, ". '%s' >'%s' 2>'%s' 3>&- </dev/null; echo $? >&3\n", path("sh"), path("out"), path("err")); err != nil {
		return Result{}, fmt.Errorf("running %q: %w", command, err)
	}
	stop := context.AfterFunc(ctx, s.kill)
	line, err := s.results.ReadString('\n')
	if !stop() {
		err = ctx.Err()
	}
	var printed strings.Builder
	for _, kind := range []string{"out", "err"} {
		text, _ := os.ReadFile(path(kind))
		printed.Write(text)
	}
	result := Result{Printed: printed.String()}
	if err != nil {
		return result, fmt.Errorf("running %q: %w", command, err)
	}
	if result.Exit, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		return result, fmt.Errorf("running %q: %w", command, err)
	}
	return result, nil
}

// kill ends the shell and all that it has started.
func (s *Session) kill() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) }

// Close ends the session.
func (s *Session) Close() {
	s.kill()
	_ = s.cmd.Wait()
	_ = s.pipe.Close()
}
