// Package linked finds the modules that a program links on a platform, with their
// licences. It looks into the module cache only.
package linked

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Std is the path of the standard library's module.
const Std = "std"

// Module is a module of which packages are linked.
type Module struct {
	Path string
	// Version is empty for the main module and the standard library.
	Version string
	Main    bool
	// Files are the licences and notices that the linked packages stand under, by their
	// path in the module.
	Files map[string]File
	// Imports are the paths of other modules that the linked packages import, sorted.
	Imports []string
}

// String is the path and the version.
func (m *Module) String() string { return strings.TrimSpace(m.Path + " " + m.Version) }

// Licences returns the licences of all the files, sorted.
func (m *Module) Licences() []string {
	all := map[string]bool{}
	for _, f := range m.Files {
		for _, l := range f.Licences {
			all[l] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Modules returns the modules of all that the packages link on a platform, OS/ARCH,
// ordered by path: ours and the standard library included. dir is in the main module.
func Modules(dir, platform string, packages ...string) ([]*Module, error) {
	listed, err := list(dir, platform, packages)
	if err != nil {
		return nil, err
	}
	return ModulesOf(listed)
}

// Package is what "go list" says of a package.
type Package struct {
	ImportPath, Dir string
	Standard        bool
	Root            string // of the standard library: GOROOT
	Imports         []string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// list returns all that the packages link.
func list(dir, platform string, packages []string) ([]Package, error) {
	system, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("platform %q: want OS/ARCH", platform)
	}
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Dir,Standard,Root,Imports,Module", "--"}, packages...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	// Empty, GOFLAGS would be what "go env -w" has set; -mod=readonly is the default.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOOS="+system, "GOARCH="+arch)
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages: %w", err)
	}
	var listed []Package
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return listed, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list said: %w", err)
		}
		listed = append(listed, p)
	}
}

// ModulesOf returns the modules of the packages. Of each it has the files in its root
// and in the directories between the root and a linked package: a forked package often
// has a licence of its own.
func ModulesOf(packages []Package) ([]*Module, error) {
	modules, of := map[string]*Module{}, map[string]*Module{}
	for _, p := range packages {
		// The only licence inside the standard library is of an object file that
		// a normal build does not link.
		path, version, root, dir, own := Std, "", p.Root, p.Root, false
		switch {
		case p.Module != nil:
			path, version, root, dir, own = p.Module.Path, p.Module.Version, p.Module.Dir, p.Dir, p.Module.Main
		case !p.Standard:
			return nil, fmt.Errorf("package %s is of no module", p.ImportPath)
		}
		m := modules[path]
		if m == nil {
			m = &Module{Path: path, Version: version, Main: own, Files: map[string]File{}}
			modules[path] = m
		}
		of[p.ImportPath] = m
		for ; ; dir = filepath.Dir(dir) {
			if err := m.read(root, dir); err != nil {
				return nil, err
			}
			if dir == root || dir == filepath.Dir(dir) {
				break
			}
		}
	}
	findImports(packages, of)
	return slices.SortedFunc(maps.Values(modules), func(a, b *Module) int { return strings.Compare(a.Path, b.Path) }), nil
}

// findImports sets what modules import of each other. of has the module of each package.
func findImports(packages []Package, of map[string]*Module) {
	imports := map[*Module]map[string]bool{}
	for _, p := range packages {
		from := of[p.ImportPath]
		for _, path := range p.Imports {
			// What is vendored in the standard library is there under another path.
			to := of[path]
			if to == nil || to == from {
				continue
			}
			if imports[from] == nil {
				imports[from] = map[string]bool{}
			}
			imports[from][to.Path] = true
		}
	}
	for m, paths := range imports {
		m.Imports = slices.Sorted(maps.Keys(paths))
	}
}
