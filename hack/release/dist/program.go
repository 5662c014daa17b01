package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/vicinity-sched/vicinity/hack/release/linked"
	"github.com/vicinity-sched/vicinity/hack/release/pack"
)

// addProgram makes the archive and the bill of materials of a program for a platform.
func (r *release) addProgram(program, platform string) error {
	binary, err := os.ReadFile(filepath.Join(r.binaries, platform, program))
	if err != nil {
		return err
	}
	build, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("reading how it was built: %w", err)
	}
	if err := r.checkBuild(build, binary, platform); err != nil {
		return err
	}
	modules, err := linked.Modules(r.root, platform, "./cmd/"+program)
	if err != nil {
		return err
	}
	if err := sameModules(build, modules); err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	archive, err := pack.TarGz([]pack.Entry{
		{Path: "LICENSE", Mode: 0o644, Content: licence},
		{Path: "licences.txt", Mode: 0o644, Content: linked.Texts(modules)},
		{Path: program, Mode: 0o755, Content: binary},
	}, r.created)
	if err != nil {
		return err
	}
	name := r.base(program, platform) + ".tar.gz"
	if r.archiveSums == nil {
		r.archiveSums = map[string]string{}
	}
	r.archiveSums[name] = sum(archive)
	bom, err := billOfMaterials(r, program, platform, build, modules, sum(binary))
	if err != nil {
		return fmt.Errorf("bill of materials: %w", err)
	}
	return errors.Join(r.write(name, archive), r.write(r.base(program, platform)+".cdx.json", bom))
}

// checkBuild reports a program that was not built as a release is.
func (r *release) checkBuild(build *debug.BuildInfo, binary []byte, platform string) error {
	settings := map[string]string{}
	for _, s := range build.Settings {
		settings[s.Key] = s.Value
	}
	if got := settings["GOOS"] + "/" + settings["GOARCH"]; got != platform {
		return fmt.Errorf("it was built for %s", got)
	}
	if settings["-trimpath"] != "true" || settings["CGO_ENABLED"] != "0" || settings["vcs.revision"] != "" {
		return errors.New("it was not built with -trimpath, -buildvcs=false and CGO_ENABLED=0; build it with make release")
	}
	if r.goVersion == "" {
		r.goVersion = build.GoVersion
	}
	if build.GoVersion != r.goVersion {
		return fmt.Errorf("it was built by %s, and another program by %s", build.GoVersion, r.goVersion)
	}
	// The linker sets it in internal/version.
	if stamp := r.version + "," + r.commit; !bytes.Contains(binary, []byte(stamp)) {
		return fmt.Errorf("it was not built as version and commit %q", stamp)
	}
	return nil
}

// sameModules reports modules that a program was built with and that go list does not
// have, or the other way round: the source has changed since.
func sameModules(build *debug.BuildInfo, modules []*linked.Module) error {
	listed := map[string]string{}
	for _, m := range modules {
		if !m.Main && m.Path != linked.Std {
			listed[m.Path] = m.Version
		}
	}
	var errs []error
	for _, dep := range build.Deps {
		if listed[dep.Path] != dep.Version {
			errs = append(errs, fmt.Errorf("it was built with %s %s, and the source has %q", dep.Path, dep.Version, listed[dep.Path]))
		}
		delete(listed, dep.Path)
	}
	for path := range listed {
		errs = append(errs, fmt.Errorf("it was built without %s, which the source has", path))
	}
	return errors.Join(errs...)
}

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// osArch splits a platform.
func osArch(platform string) (system, arch string) {
	system, arch, _ = strings.Cut(platform, "/")
	return system, arch
}
