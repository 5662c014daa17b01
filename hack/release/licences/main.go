// Command licences finds the licence of every module that programs link, and
// fails when it does not know one or when one is not allowed. It looks into the
// module cache only.
//
// What it is given is the packages of the programs; the module is that of the
// directory it is run in.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/licensecheck"
)

// allowed returns the licences, by their SPDX identifiers, that a module may
// have. Each may be linked into a program under Apache-2.0 whose source is open.
func allowed() []string {
	return []string{
		"Apache-2.0",
		"BSD-2-Clause",
		"BSD-3-Clause",
		"ISC",
		"MIT",
	}
}

// exceptions returns modules that may have one more licence each. All are linked
// unchanged and by vicinity-sandbox alone, which is not part of any image; the
// MPL asks for the source of its files only, which is that of the module.
func exceptions() map[string]string {
	return map[string]string{
		"github.com/cyphar/filepath-securejoin": "MPL-2.0",
		"github.com/hashicorp/go-version":       "MPL-2.0",
	}
}

// minCoverage is the share of a file, in percent, that must be text of a known
// licence. The rest is names, years and addresses. pkg.go.dev asks for as much.
const minCoverage = 75

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "licences:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("licences", flag.ContinueOnError)
	dir := flags.String("C", ".", "directory of the module")
	texts := flags.String("o", "", "file to write every licence and notice to, which those who hand on the programs must hand on too")
	verbose := flags.Bool("v", false, "print the licences of each module")
	if err := flags.Parse(args); err != nil {
		return err
	}
	packages, err := list(*dir, flags.Args())
	if err != nil {
		return err
	}
	modules, err := modulesOf(packages)
	if err != nil {
		return err
	}
	if *texts != "" {
		if err := os.WriteFile(*texts, collect(modules), 0o644); err != nil {
			return err
		}
	}
	if *verbose {
		printTable(out, modules)
	}
	return report(out, modules, allowed(), exceptions())
}

// pkg is what "go list" says of a package.
type pkg struct {
	ImportPath, Dir string
	Standard        bool
	Root            string // of the standard library: GOROOT
	Module          *struct{ Path, Version, Dir string }
}

// list returns all that the packages link on linux/amd64; elsewhere it is the
// same modules, give or take what speaks to the operating system.
func list(dir string, packages []string) ([]pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Dir,Standard,Root,Module", "--"}, packages...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages: %w", err)
	}
	var listed []pkg
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return listed, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list said: %w", err)
		}
		listed = append(listed, p)
	}
}

// module is a module with the files that its linked packages stand under.
type module struct {
	path, version string
	files         map[string]file
}

func (m *module) String() string { return strings.TrimSpace(m.path + " " + m.version) }

// licences returns the licences of all the files, sorted.
func (m *module) licences() []string {
	all := map[string]bool{}
	for _, f := range m.files {
		for _, l := range f.licences {
			all[l] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// file is one licence or notice.
type file struct {
	text     []byte
	licences []string // SPDX identifiers; none in a notice
	unknown  bool     // it is a licence, but not one that is known
}

// modulesOf returns the modules of the packages, ours and the standard library
// included, ordered by name. Of each it has the files in its root and in the
// directories between the root and a linked package: a forked package often has
// a licence of its own.
func modulesOf(packages []pkg) ([]*module, error) {
	modules := map[string]*module{}
	for _, p := range packages {
		// The only licence inside the standard library is of an object file that
		// a normal build does not link.
		path, version, root, dir := "std", "", p.Root, p.Root
		switch {
		case p.Module != nil:
			path, version, root, dir = p.Module.Path, p.Module.Version, p.Module.Dir, p.Dir
		case !p.Standard:
			return nil, fmt.Errorf("package %s is of no module", p.ImportPath)
		}
		m := modules[path]
		if m == nil {
			m = &module{path: path, version: version, files: map[string]file{}}
			modules[path] = m
		}
		for ; ; dir = filepath.Dir(dir) {
			if err := m.read(root, dir); err != nil {
				return nil, err
			}
			if dir == root || dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return slices.SortedFunc(maps.Values(modules), func(a, b *module) int { return strings.Compare(a.path, b.path) }), nil
}

// read adds the licences and notices of one directory.
func (m *module) read(root, dir string) error {
	licence := regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)([-._].*)?$`)
	notice := regexp.MustCompile(`(?i)^notice([-._].*)?$`)
	// Code with such a name, and the licence of a documentation that is not linked.
	neither := regexp.MustCompile(`(?i)\.(go|docs)$`)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		isLicence := licence.MatchString(e.Name())
		if e.IsDir() || neither.MatchString(e.Name()) || !isLicence && !notice.MatchString(e.Name()) {
			continue
		}
		path, err := filepath.Rel(root, filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if _, known := m.files[path]; known {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		f := file{text: text}
		if isLicence {
			f.licences, f.unknown = classify(text)
		}
		m.files[path] = f
	}
	return nil
}

// classify returns the licences in a text.
func classify(text []byte) (licences []string, unknown bool) {
	coverage := licensecheck.Scan(text)
	found := map[string]bool{}
	for _, match := range coverage.Match {
		if !match.IsURL {
			found[match.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), coverage.Percent < minCoverage || len(found) == 0
}

// printTable prints a line for each module.
func printTable(out io.Writer, modules []*module) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range modules {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.path, m.version, strings.Join(m.licences(), ", "))
	}
	table.Flush()
}

// report prints how many modules have which licence and returns what is wrong.
func report(out io.Writer, modules []*module, allowed []string, exceptions map[string]string) error {
	var errs []error
	counts := map[string]int{}
	for _, m := range modules {
		for _, path := range slices.Sorted(maps.Keys(m.files)) {
			f := m.files[path]
			if f.unknown {
				errs = append(errs, fmt.Errorf("%s: %s is not a known licence; use another module", m, path))
			}
			for _, l := range f.licences {
				if !slices.Contains(allowed, l) && exceptions[m.path] != l {
					errs = append(errs, fmt.Errorf("%s: %s is %s, which is not allowed; use another module", m, path, l))
				}
			}
		}
		licences := m.licences()
		if len(licences) == 0 {
			errs = append(errs, fmt.Errorf("%s: has no licence; use another module", m))
		}
		for _, l := range licences {
			counts[l]++
		}
	}
	var sums []string
	for _, l := range slices.Sorted(maps.Keys(counts)) {
		sums = append(sums, fmt.Sprintf("%s %d", l, counts[l]))
	}
	fmt.Fprintf(out, "%d modules: %s\n", len(modules), strings.Join(sums, ", "))
	return errors.Join(errs...)
}

// collect returns the text of every file, each under its module and path. A text
// that several modules have stands there once.
func collect(modules []*module) []byte {
	names := map[string][]string{} // by text
	for _, m := range modules {
		for _, path := range slices.Sorted(maps.Keys(m.files)) {
			text := string(m.files[path].text)
			names[text] = append(names[text], m.String()+" "+path)
		}
	}
	b := &bytes.Buffer{}
	for _, text := range slices.SortedFunc(maps.Keys(names), func(a, c string) int { return strings.Compare(names[a][0], names[c][0]) }) {
		fmt.Fprintf(b, "%s\n%s\n\n%s\n\n", strings.Repeat("=", 80), strings.Join(names[text], "\n"), strings.TrimSpace(text))
	}
	return b.Bytes()
}
