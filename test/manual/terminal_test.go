package manual

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// terminal is a shell in tmux: commands are typed, and the screen is read.
type terminal struct {
	socket string
	env    []string
	number int // of the command that the prompt waits for
}

// newTerminal starts one in a directory. The prompt shows the number of the next command
// and the exit code of the last.
func newTerminal(t *testing.T, dir string, env []string) *terminal {
	t.Helper()
	s := &terminal{socket: filepath.Join(t.TempDir(), "tmux"), env: env, number: 1}
	s.tmux(t, "-f", "/dev/null", "new-session", "-d", "-x", "250", "-y", "200", "-s", "manual", "-c", dir,
		`PS1='[\#|$?] ' PS2='> ' exec bash --norc --noprofile`)
	t.Cleanup(func() { s.tmux(t, "kill-server") })
	s.answer(t)
	return s
}

// tmux runs a command of tmux.
func (s *terminal) tmux(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", s.socket}, args...)...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

// typed types a command and returns its exit code and what the screen shows of it.
func (s *terminal) typed(t *testing.T, command string) (exit int, screen string) {
	t.Helper()
	for line := range strings.Lines(command) {
		s.tmux(t, "send-keys", "-t", "manual", "-l", "--", strings.TrimSuffix(line, "\n"))
		s.tmux(t, "send-keys", "-t", "manual", "Enter")
	}
	s.number++
	return s.answer(t)
}

// answer waits until the screen ends with the prompt for the next command.
func (s *terminal) answer(t *testing.T) (exit int, screen string) {
	t.Helper()
	prompt := regexp.MustCompile(fmt.Sprintf(`(?m)^\[%d\|(\d+)\]$`, s.number))
	deadline := time.Now().Add(commandTimeout)
	for {
		all := strings.TrimRight(s.tmux(t, "capture-pane", "-t", "manual", "-p", "-J", "-S", "-"), " \n")
		if at := prompt.FindStringSubmatchIndex(all); at != nil && at[1] == len(all) {
			if _, err := fmt.Sscan(all[at[2]:at[3]], &exit); err != nil {
				t.Fatal(err)
			}
			begins := max(0, strings.LastIndex(all, fmt.Sprintf("[%d|", s.number-1)))
			return exit, all[begins:at[0]]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal waits:\n%s", all)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
