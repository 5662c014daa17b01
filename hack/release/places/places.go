// Package places finds where the released version is written: in the chart, the
// manifests, the documentation and the changelog. The changelog is what counts. The
// version of a build is not among them: that is what git says of the commit.
package places

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Changelog is the file whose newest release is the released version.
const Changelog = "CHANGELOG.md"

// unreleased is the heading over what is in no release yet.
const unreleased = "## Unreleased\n"

// number is a version without its v.
const number = `(\d+\.\d+\.\d+(?:-rc\.\d+)?)`

// Place is where a version is written.
type Place struct {
	// Path is that of the file under the root.
	Path string
	Line int
	// Text is what was found, with the words that tell it is our version.
	Text string
	// Version is without a v.
	Version string

	begin, end int // of the version, in the file
}

// String names the place and what is there.
func (p Place) String() string { return fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.Text) }

// forms are how documentation and manifests name the version.
func forms() []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, form := range []string{
		`vicinity-scheduler:v` + number,
		`[?&]ref=v` + number,
		`(?m)^[ -]*newTag: "?v` + number,
		`(?m)^[ -]*tag: "?v` + number, // of a GitRepository, or the chart's values
		`targetRevision: "?v?` + number,
		`git checkout v` + number,
		`--branch v` + number,
		`VERSION=v` + number,
		`/vicinity/cmd/[a-z-]+@v` + number,
		`vicinity(?:-scheduler|-sandbox)?-v` + number + `[-.]`,
		`vicinity-` + number + `\.tgz`,
		`/vicinity-sched/vicinity/(?:blob|tree|raw|releases/download)/v` + number,
		`--version v?` + number,
	} {
		all = append(all, regexp.MustCompile(form))
	}
	return all
}

// formsOf are those of one file.
func formsOf(path string) []*regexp.Regexp {
	switch {
	case path == Changelog:
		return []*regexp.Regexp{regexp.MustCompile(`(?m)^## ` + number)}
	case path == "docs/upgrading.md": // it is about former versions
		return nil
	case filepath.Base(path) == "Chart.yaml":
		return []*regexp.Regexp{regexp.MustCompile(`(?m)^version: "?` + number), regexp.MustCompile(`(?m)^appVersion: "?v` + number)}
	}
	return forms()
}

// Find returns every place under root, the directory of the repository, ordered by path
// and line. Of the changelog it returns the newest release, if there is one.
func Find(root string) ([]Place, error) {
	paths := []string{Changelog, "README.md", "CONTRIBUTING.md"}
	for _, dir := range []string{"charts", "docs", "manifests"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() || !slices.Contains([]string{".md", ".yaml", ".yml", ".txt"}, filepath.Ext(path)) {
				return err
			}
			path, err = filepath.Rel(root, path)
			paths = append(paths, filepath.ToSlash(path))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var places []Place
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(root, path))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found := in(path, text)
		if path == Changelog {
			found = found[:min(1, len(found))]
		}
		places = append(places, found...)
	}
	return places, nil
}

// in returns the places in one file.
func in(path string, text []byte) []Place {
	var found []Place
	for _, form := range formsOf(path) {
		for _, at := range form.FindAllSubmatchIndex(text, -1) {
			found = append(found, Place{
				Path: path, Line: 1 + bytes.Count(text[:at[2]], []byte("\n")), Text: strings.TrimSpace(string(text[at[0]:at[1]])),
				Version: string(text[at[2]:at[3]]), begin: at[2], end: at[3],
			})
		}
	}
	slices.SortFunc(found, func(a, b Place) int { return a.begin - b.begin })
	// An archive of the chart has the name of an archive too.
	return slices.CompactFunc(found, func(a, b Place) bool { return a.begin == b.begin })
}

// Released returns the version of the newest release in the changelog, without a v.
func Released(places []Place) (string, error) {
	for _, p := range places {
		if p.Path == Changelog {
			return p.Version, nil
		}
	}
	return "", fmt.Errorf("%s has no release: no heading such as \"## 0.1.0 / 2026-11-30\"", Changelog)
}

// Check reports each place that has another version than the changelog.
func Check(places []Place) error {
	released, err := Released(places)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range places {
		if p.Version != released {
			errs = append(errs, fmt.Errorf("%s: the newest release in %s is %s", p, Changelog, released))
		}
	}
	return errors.Join(errs...)
}

// Set writes a new version, without a v, into every place, and makes a release of what
// the changelog has as unreleased. date is as 2026-11-30.
func Set(root, version, date string) error {
	if !regexp.MustCompile(`^` + number + `$`).MatchString(version) {
		return fmt.Errorf("version %q: want one such as 0.2.0 or 0.2.0-rc.1", version)
	}
	places, err := Find(root)
	if err != nil {
		return err
	}
	byPath := map[string][]Place{}
	for _, p := range places {
		byPath[p.Path] = append(byPath[p.Path], p)
	}
	for path, in := range byPath {
		file := filepath.Join(root, path)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if path == Changelog {
			if !bytes.Contains(text, []byte(unreleased)) {
				return fmt.Errorf("%s has no heading %q", Changelog, strings.TrimSpace(unreleased))
			}
			text = bytes.Replace(text, []byte(unreleased), []byte(unreleased+"\n## "+version+" / "+date+"\n"), 1)
		} else {
			for _, p := range slices.Backward(in) {
				text = slices.Concat(text[:p.begin], []byte(version), text[p.end:])
			}
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
