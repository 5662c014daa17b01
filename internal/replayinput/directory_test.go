package replayinput

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNoInput(t *testing.T) {
	cases := map[string]struct {
		files []string
		want  string // DIR stands for the directory
	}{
		"empty":                 {nil, "DIR is neither a recording nor a Prometheus data directory: it is empty"},
		"something else":        {[]string{"Chart.yaml"}, "DIR is neither a recording nor a Prometheus data directory: it has no manifest.json, no block and no wal"},
		"what --write writes":   {[]string{"edges.csv", "cluster.json"}, "DIR is neither a recording nor a Prometheus data directory; for the files in it type: vicinity replay DIR/edges.csv --cluster DIR/cluster.json"},
		"above a recording":     {[]string{"README", "shop/manifest.json"}, "DIR is neither a recording nor a Prometheus data directory, but DIR/shop looks like one; give that"},
		"above data":            {[]string{"prometheus/wal/00000000"}, "DIR is neither a recording nor a Prometheus data directory, but DIR/prometheus looks like one; give that"},
		"a recording in pieces": {[]string{"edges-2026-11-28T18-59-13.om"}, "DIR is a recording without its manifest.json; copy that file too"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range c.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := NoInput(dir).Error(); got != strings.ReplaceAll(c.want, "DIR", dir) {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}
