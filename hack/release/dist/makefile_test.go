package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMakefileKnowsEveryBinary: whatever is asked for, make has a rule for it, and for the image's.
func TestMakefileKnowsEveryBinary(t *testing.T) {
	for args, want := range map[string][]string{
		"":                                   {"linux/amd64/vicinity", "linux/arm64/vicinity-scheduler", "darwin/amd64/vicinity-sandbox", "darwin/arm64/vicinity"},
		"PLATFORMS=linux/amd64,darwin/arm64": {"linux/amd64/vicinity", "darwin/arm64/vicinity-scheduler"},
		"PLATFORMS=darwin/arm64 PROGRAMS=vicinity": {"darwin/arm64/vicinity", "/vicinity-scheduler"},
		"PLATFORMS=linux/arm64 PROGRAMS=vicinity":  {"linux/arm64/vicinity", "linux/arm64/vicinity-scheduler"},
	} {
		said, err := exec.CommandContext(t.Context(), "make", append([]string{"-n", "-C", "../../..", "release"}, strings.Fields(args)...)...).CombinedOutput()
		if err != nil {
			t.Errorf("make release %s: %v\n%s", args, err, said)
		}
		for _, binary := range want {
			if !strings.Contains(string(said), binary+" ./cmd/") {
				t.Errorf("make release %s does not build %s", args, binary)
			}
		}
	}
}

// TestMachineDoesNotShow: programs are built with the same settings of Go whatever "go env -w"
// or the environment has on this machine. Where modules come from, and are kept, counts.
func TestMachineDoesNotShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	write(t, filepath.Dir(file), "env", "GOFLAGS=-tags=other\nGOAMD64=v3\nGOEXPERIMENT=nodwarf5\nGOPROXY=https://proxy.example.com\n")
	settings := []string{"GOENV=" + file, "GOARM64=v9.0", "GOFIPS140=latest"}
	for _, s := range os.Environ() {
		if name, _, _ := strings.Cut(s, "="); !regexp.MustCompile("^(GO(ENV|FLAGS|AMD64|ARM64|EXPERIMENT|PROXY|FIPS140)|MAKEFLAGS)$").MatchString(name) {
			settings = append(settings, s)
		}
	}
	output := func(name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = settings
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(out)
	}
	build := regexp.MustCompile(`(?m)^(GOOS=.*) go build .*/cmd/vicinity$`).FindStringSubmatch(output("make", "-n", "-C", "../../..", "release", "PLATFORMS=linux/amd64", "PROGRAMS=vicinity"))
	if build == nil {
		t.Fatal("make release builds no program")
	}
	got := output("sh", "-c", build[1]+" go env GOFLAGS GOAMD64 GOARM64 GOEXPERIMENT GOFIPS140 GOPROXY")
	if want := "\nv1\nv8.0\n\noff\nhttps://proxy.example.com\n"; got != want {
		t.Errorf("the settings are %q, want %q", got, want)
	}
}
