package linked

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// minCoverage is the share of a file, in percent, that must be text of a known
// licence. The rest is names, years and addresses. pkg.go.dev asks for as much.
const minCoverage = 75

// File is one licence or notice.
type File struct {
	Text     []byte
	Licences []string // SPDX identifiers; none in a notice
	Unknown  bool     // it is a licence, but not one that is known
}

// read adds the licences and notices of one directory.
func (m *Module) read(root, dir string) error {
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
		if _, known := m.Files[path]; known {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		f := File{Text: text}
		if isLicence {
			f.Licences, f.Unknown = classify(text)
		}
		m.Files[path] = f
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

// textsHeader says where the source is, which the MPL asks of whoever hands on a program.
const textsHeader = `Licences and notices of the Go modules that this program links. Each is linked
unchanged. Its source is at its path, in the version given here:

    go mod download MODULE@VERSION
`

// Texts returns the text of every file, each under its module and path, which those who
// hand on the program must hand on too. A text that several modules have is there once.
func Texts(modules []*Module) []byte {
	names := map[string][]string{} // by text
	for _, m := range modules {
		for _, path := range slices.Sorted(maps.Keys(m.Files)) {
			text := string(m.Files[path].Text)
			names[text] = append(names[text], m.String()+" "+path)
		}
	}
	b := bytes.NewBufferString(textsHeader + "\n")
	for _, text := range slices.SortedFunc(maps.Keys(names), func(a, c string) int { return strings.Compare(names[a][0], names[c][0]) }) {
		fmt.Fprintf(b, "%s\n%s\n\n%s\n\n", strings.Repeat("=", 80), strings.Join(names[text], "\n"), strings.TrimSpace(text))
	}
	return b.Bytes()
}
