package promdata

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/istio"
)

// overwrite replaces a part of a file.
func overwrite(t *testing.T, path string, at int64, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// stepsOf returns when the steps of two minutes are gaps, as a range of minutes since the
// beginning, and the lowest rate of the others.
func stepsOf(t *testing.T, d *Data) (gaps string, lowest float64) {
	t.Helper()
	source, err := istio.NewSidecar(istio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	steps := NewSteps(d, []telemetry.Source{source}, nil, d.From.Add(10*time.Minute), d.To, 2*time.Minute)
	first, last, n := 0, 0, 0
	for lowest = 1e9; ; {
		s, err := steps.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		minute := int(s.At.Sub(begin).Minutes())
		switch {
		case s.Gap && n == 0:
			first, last, n = minute, minute, 1
		case s.Gap:
			last, n = minute, n+1
		case len(s.Edges) != 1:
			t.Fatalf("%d edges at minute %d", len(s.Edges), minute)
		default:
			lowest = min(lowest, s.Edges[0].SentBytesPerSecond)
		}
	}
	if n == 0 {
		return "none", lowest
	}
	return fmt.Sprintf("%d at %d to %d", n, first, last), lowest
}

// TestDamagedBlocks damages one of the blocks 5:00-6:00, 6:00-8:00 and 8:00-10:00; the log
// goes on to 12:00. The rates beside the hole are those that they are without it.
func TestDamagedBlocks(t *testing.T) {
	const noData = "there is no data from 2026-03-04T06:00:00Z to 2026-03-04T08:00:00Z (2h0m0s): steps whose rates look at that time are gaps, and no mean counts them"
	cases := map[string]struct {
		block  int
		damage func(t *testing.T, block string)
		want   []string // parts of each warning
		gaps   string
		from   time.Duration
	}{
		"nothing": {1, func(*testing.T, string) {}, nil, "none", 0},
		"the index in the middle": {1, func(t *testing.T, block string) { overwrite(t, filepath.Join(block, "index"), 0, "damage") },
			[]string{", with the data from 2026-03-04T06:00:00Z to 2026-03-04T08:00:00Z, cannot be read: invalid magic number 64616d61; copy it again", noData}, "62 at 62 to 184", 0},
		"the metadata in the middle": {1, func(t *testing.T, block string) { overwrite(t, filepath.Join(block, "meta.json"), 0, "damage") },
			[]string{", for a time that is not known, cannot be read: ", noData}, "62 at 62 to 184", 0},
		"no metadata": {1, func(t *testing.T, block string) { remove(t, filepath.Join(block, "meta.json")) },
			[]string{", for a time that is not known, cannot be read: open meta.json: no such file", noData}, "62 at 62 to 184", 0},
		"no chunks": {1, func(t *testing.T, block string) { remove(t, filepath.Join(block, "chunks")) },
			[]string{", with the data from 2026-03-04T06:00:00Z to 2026-03-04T08:00:00Z, cannot be read: open chunks: no such file", noData}, "62 at 62 to 184", 0},
		"no block, but its time is missing": {1, remove, []string{noData}, "62 at 62 to 184", 0},
		"the first": {0, func(t *testing.T, block string) { overwrite(t, filepath.Join(block, "index"), 0, "damage") },
			[]string{", with the data from 2026-03-04T05:00:00Z to 2026-03-04T06:00:00Z, cannot be read: "}, "none", time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := database(t, 7*time.Hour, true)
			blocks, err := blocksOf(dir)
			if err != nil || len(blocks) != 3 {
				t.Fatalf("blocks %v, %v", blocks, err)
			}
			c.damage(t, filepath.Join(dir, blocks[c.block]))
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}()
			got := d.Warnings()
			if len(got) != len(c.want) {
				t.Fatalf("warnings %q, want %d", got, len(c.want))
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("warning %q, want %q", got[i], want)
				}
				if strings.HasPrefix(want, ",") && !strings.HasPrefix(got[i], "the block "+blocks[c.block]+",") {
					t.Errorf("warning %q, want it to name %s", got[i], blocks[c.block])
				}
				if strings.Contains(got[i], "vicinity-promdata-") {
					t.Errorf("warning %q names a temporary directory", got[i])
				}
			}
			if !d.From.Equal(begin.Add(c.from)) {
				t.Errorf("the data is from %s, want %s", d.From, begin.Add(c.from))
			}
			gaps, lowest := stepsOf(t, d)
			if gaps != c.gaps || lowest < 2999.5 {
				t.Errorf("gaps: %s, want %s; the lowest rate is %g, want 3000", gaps, c.gaps, lowest)
			}
		})
	}
}

// TestNothingReadable damages all that there is.
func TestNothingReadable(t *testing.T) {
	dir := database(t, 7*time.Hour, true)
	remove(t, filepath.Join(dir, "wal"))
	blocks, err := blocksOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		overwrite(t, filepath.Join(dir, block, "index"), 0, "damage")
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "there is no data in it that can be read: the block "+blocks[0]) {
		t.Errorf("%v; want it to name a block", err)
	}
}

// TestDamagedChunks finds the damage when a query reads it, and names the block.
func TestDamagedChunks(t *testing.T) {
	dir := database(t, 7*time.Hour, true)
	blocks, err := blocksOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, blocks[1], "chunks", "000001")
	info, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, segment, 8, strings.Repeat("\xff", int(info.Size())-8))
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = d.Query(t.Context(), "rate(istio_requests_total[5m])", begin.Add(2*time.Hour), func(telemetry.Series) error { return nil })
	if want := "if the block " + blocks[1] + " is damaged, move it out of the directory"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
}

func TestReach(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"up":                             5 * time.Minute,
		"up offset 1m":                   6 * time.Minute,
		"sum(rate(a[2m]) + rate(b[7m]))": 7 * time.Minute,
		"max_over_time(rate(a[2m])[1h:1m] offset 3m)": 65 * time.Minute,
		"1": 0,
	} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := reach(expr); got != want {
			t.Errorf("%s looks back %s, want %s", query, got, want)
		}
	}
}

// TestLinks refuses a data directory that leads elsewhere.
func TestLinks(t *testing.T) {
	elsewhere := t.TempDir()
	for i := range 5 {
		if err := os.MkdirAll(filepath.Join(elsewhere, "a", fmt.Sprint(i), "b"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const block = "01KJVZ0000000000000000000A"
	cases := map[string]struct {
		make func(dir string) error
		want string
	}{
		"the log": {func(dir string) error { return os.Symlink(elsewhere, filepath.Join(dir, "wal")) }, "wal is a symbolic link, which a data directory may not have; copy what it leads to, or give a snapshot"},
		"a block": {func(dir string) error { return os.Symlink(database(t, time.Minute, false), filepath.Join(dir, block)) }, ""},
		"a real block": {func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(elsewhere, "chunks"), 0o700), os.Symlink(elsewhere, filepath.Join(dir, block)))
		}, block + " is a symbolic link"},
		"a part of a block": {func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, block), 0o700), os.Symlink(elsewhere, filepath.Join(dir, block, "chunks")))
		}, block + "/chunks is a symbolic link"},
		"a log that is deep":   {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "wal", "a", "b"), 0o700) }, "wal/a/b is a directory deeper than any of Prometheus' data"},
		"a log that is a file": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "wal"), nil, 0o600) }, "wal is no directory"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if Is(dir) {
					t.Error("a link without a block behind it looks like data")
				}
				return
			}
			if !Is(dir) {
				t.Error("it does not look like data")
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestManyFiles bounds how many links there are.
func TestManyFiles(t *testing.T) {
	l := &linker{files: maxFiles - 1}
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	for _, name := range []string{"1", "2"} {
		if err := os.WriteFile(filepath.Join(from, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.directory(from, to, partDepth); err == nil || !strings.Contains(err.Error(), "more than 200000 files") {
		t.Errorf("%v; want that there are too many files", err)
	}
}
