// Command build runs "go build" and shows how far it is: a first build compiles
// all of Kubernetes, which takes minutes in which go build itself says nothing.
// Its arguments are those of go build.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// every is the time between two lines of progress.
const every = 5 * time.Second

func main() {
	if err := build(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func build(args []string, out io.Writer) error {
	total, err := stale(args)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", append([]string{"build", "-v"}, args...)...)
	cmd.Stdout = out
	said, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("starting go build: %w", err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go build: %w", err)
	}
	next := began.Add(every)
	compiled := 0
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if line := lines.Text(); strings.ContainsAny(line, " \t:") {
			fmt.Fprintln(out, line) // an error, or a download
			continue
		}
		compiled++ // with -v, each package is a line when it is begun
		if now := time.Now(); now.After(next) {
			fmt.Fprintf(out, "[%4.0fs] compiled %d of %d packages\n", now.Sub(began).Seconds(), compiled, max(compiled, total))
			next = now.Add(every)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// stale counts the packages that go build will compile.
func stale(args []string) (int, error) {
	var packages []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "./") {
			packages = append(packages, arg)
		}
	}
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{if .Stale}}x{{end}}"}, packages...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("listing the packages: %w", err)
	}
	return bytes.Count(out, []byte("x")), nil
}
