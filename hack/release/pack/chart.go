package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Chart packs a chart as "helm package" does, except that helm writes the time of the day into
// its archives. The chart gets a version, without a v, and with it the image that it installs;
// of a release these are what it says already. Files that begin with a dot are left out.
func Chart(dir, version string, at time.Time) ([]byte, error) {
	name := filepath.Base(dir)
	var entries []Entry
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s: not a file", file)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if inside == "Chart.yaml" {
			if content, err = setVersion(content, version); err != nil {
				return err
			}
		}
		entries = append(entries, Entry{path.Join(name, filepath.ToSlash(inside)), 0o644, content})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return TarGz(entries, at)
}

func setVersion(chart []byte, version string) ([]byte, error) {
	ours, apps := regexp.MustCompile(`(?m)^version:.*$`), regexp.MustCompile(`(?m)^appVersion:.*$`)
	if !ours.Match(chart) || !apps.Match(chart) {
		return nil, errors.New("no version or appVersion in Chart.yaml")
	}
	chart = ours.ReplaceAllLiteral(chart, []byte("version: "+version))
	return bytes.TrimLeft(apps.ReplaceAllLiteral(chart, []byte("appVersion: v"+version)), "\n"), nil
}
