package replayinput

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
)

// NoInput says what a directory is that is neither a recording nor a data directory of
// Prometheus, and what to give instead.
func NoInput(dir string) error {
	const neither = "is neither a recording nor a Prometheus data directory"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name })
	}
	for _, e := range entries {
		below := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "objects-") || strings.HasPrefix(e.Name(), "edges-"):
			return fmt.Errorf("%s is a recording without its %s; copy that file too", dir, recording.ManifestName)
		case !e.IsDir():
		case exists(filepath.Join(below, recording.ManifestName)), exists(filepath.Join(below, "wal")):
			return fmt.Errorf("%s %s, but %s looks like one; give that", dir, neither, below)
		}
	}
	switch {
	case len(entries) == 0:
		return fmt.Errorf("%s %s: it is empty", dir, neither)
	case has("edges.csv") && has("cluster.json"):
		return fmt.Errorf("%s %s; for the files in it type: vicinity replay %s --cluster %s",
			dir, neither, filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json"))
	}
	return errors.New(dir + " " + neither + ": it has no " + recording.ManifestName + ", no block and no wal")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
