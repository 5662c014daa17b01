// Package version says which build a program is: its version and commit, and the
// versions of Kubernetes and Go that are in it. It knows nothing of other programs,
// not even of a scheduler that runs.
package version

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// stamp is "VERSION,COMMIT" in what the Makefile builds, and empty in what "go build"
// and "go install" build: these know both by themselves, except for released binaries,
// which do not depend on the state of a repository.
//
//nolint:gochecknoglobals // the linker sets variables of packages only
var stamp string

// unknown stands for what a build does not tell.
const unknown = "unknown"

// Info describes a build.
type Info struct {
	// Version is the tag of a released build, such as v0.1.0, and otherwise says how far
	// from the last tag the build is, or is a pseudo-version of Go.
	Version string `json:"version"`
	// Commit is the whole hash, or twelve digits of it, or empty: "go install" of a tag
	// downloads no repository.
	Commit string `json:"commit,omitempty"`
	// Modified says that the sources differ from the commit.
	Modified bool `json:"modified,omitempty"`
	// ModuleSum is the checksum of the downloaded module, as in a go.sum; empty when the
	// build is of a directory.
	ModuleSum string `json:"moduleSum,omitempty"`
	// Kubernetes is the version whose scheduler is linked.
	Kubernetes string `json:"kubernetes"`
	Go         string `json:"go"`
	// Platform is OS/ARCH.
	Platform string `json:"platform"`
}

// Get describes this program.
func Get() Info {
	build, _ := debug.ReadBuildInfo()
	return of(build, stamp)
}

// String is one line, without the name of the program.
func (i Info) String() string {
	commit := "commit " + cmp.Or(i.Commit, unknown)
	switch {
	case i.Modified:
		commit += " with changes"
	case i.Commit == "" && i.ModuleSum != "":
		commit = "module " + i.ModuleSum
	}
	return fmt.Sprintf("%s, %s, Kubernetes %s, %s, %s", i.Version, commit, i.Kubernetes, i.Go, i.Platform)
}

// of reads a build, which may be nil.
func of(build *debug.BuildInfo, stamp string) Info {
	if build == nil {
		build = &debug.BuildInfo{}
	}
	i := Info{
		Version:    cmp.Or(build.Main.Version, unknown),
		ModuleSum:  build.Main.Sum,
		Kubernetes: unknown,
		Go:         runtime.Version(),
		Platform:   runtime.GOOS + "/" + runtime.GOARCH,
	}
	// The last part of a pseudo-version, such as v0.1.1-0.20261130203600-df95cf0a1b2c.
	if pseudo := regexp.MustCompile(`[-.]\d{14}-([0-9a-f]{12})(\+|$)`).FindStringSubmatch(build.Main.Version); pseudo != nil {
		i.Commit = pseudo[1]
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	if stamp != "" {
		i.Version, i.Commit, _ = strings.Cut(stamp, ",")
		i.Modified = strings.HasSuffix(i.Version, "-dirty")
	}
	for _, dep := range build.Deps {
		if dep.Path != "k8s.io/kubernetes" {
			continue
		}
		if dep.Replace != nil {
			dep = dep.Replace
		}
		i.Kubernetes = dep.Version
	}
	return i
}
