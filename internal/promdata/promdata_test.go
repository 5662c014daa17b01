package promdata

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/istio"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

var begin = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// database writes Istio's counters every 15 s for a while: 3,000 bytes a second
// from web to db in sent, 600 received. With blocks, what is older than two hours
// is in blocks.
func database(t *testing.T, length time.Duration, blocks bool) string {
	t.Helper()
	dir := t.TempDir()
	o := tsdb.DefaultOptions()
	o.RetentionDuration = (1000 * time.Hour).Milliseconds()
	o.WALCompression = compression.Snappy
	db, err := tsdb.Open(dir, nil, nil, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.DisableCompactions()
	series := func(name string) labels.Labels {
		return labels.FromStrings("__name__", name, "reporter", "source", "source_workload", "web", "source_workload_namespace", "shop",
			"destination_workload", "db", "destination_workload_namespace", "shop")
	}
	for at := time.Duration(0); at <= length; at += 15 * time.Second {
		appender := db.Appender(t.Context())
		for name, rate := range map[string]float64{
			"istio_request_bytes_sum": 3000, "istio_response_bytes_sum": 600, "istio_requests_total": 4, "istio_request_bytes_count": 4,
		} {
			if _, err := appender.Append(storage.SeriesRef(0), series(name), begin.Add(at).UnixMilli(), rate*at.Seconds()); err != nil {
				t.Fatal(err)
			}
		}
		if err := appender.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if blocks {
		if err := db.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// files lists a directory with the size and the time of each file.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all[path] = info.Mode().String() + info.ModTime().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestData reads the rates back with a mesh's own queries, from a write-ahead log,
// from blocks and from both, and leaves the directory as it is.
func TestData(t *testing.T) {
	cases := map[string]struct {
		length time.Duration
		blocks bool
		strip  string // what is removed from the directory
		to     time.Duration
	}{
		"log":             {30 * time.Minute, false, "", 30 * time.Minute},
		"blocks and log":  {7 * time.Hour, true, "", 7 * time.Hour},
		"a snapshot":      {7 * time.Hour, true, "wal", 5 * time.Hour}, // blocks end at even hours
		"no chunks ahead": {7 * time.Hour, true, "chunks_head", 7 * time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := database(t, c.length, c.blocks)
			if c.strip != "" {
				if err := os.RemoveAll(filepath.Join(dir, c.strip)); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, dir)
			if !Is(dir) {
				t.Fatal("it does not look like data")
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !d.From.Equal(begin) || d.To.Sub(begin.Add(c.to)).Abs() > 15*time.Second {
				t.Errorf("the data is from %s to %s, want %s to %s", d.From, d.To, begin, begin.Add(c.to))
			}
			source, err := istio.NewSidecar(istio.Options{})
			if err != nil {
				t.Fatal(err)
			}
			steps := NewSteps(d, []telemetry.Source{source}, nil, d.From, d.To, 10*time.Minute)
			for n := 1; ; n++ {
				s, err := steps.Next(t.Context())
				if errors.Is(err, io.EOF) {
					if want := int(d.To.Sub(d.From) / (10 * time.Minute)); n-1 != want {
						t.Errorf("%d steps, want %d", n-1, want)
					}
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if s.Gap || len(s.Edges) != 1 || int(s.Edges[0].SentBytesPerSecond+0.5) != 3000 || int(s.Edges[0].ReceivedBytesPerSecond+0.5) != 600 {
					t.Fatalf("step %d: %+v, want 3000 and 600 bytes/s", n, s)
				}
			}
			shadow := d.shadow
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(shadow); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is left behind: %v", shadow, err)
			}
			if after := files(t, dir); !maps.Equal(before, after) {
				t.Errorf("the directory has changed: from %v to %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
			}
		})
	}
}

// TestGaps asks for a time before the data.
func TestGaps(t *testing.T) {
	d, err := Open(database(t, 20*time.Minute, false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	source, err := istio.NewSidecar(istio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	steps := NewSteps(d, []telemetry.Source{source}, nil, begin.Add(-time.Hour), begin.Add(-time.Hour+90*time.Second), time.Minute)
	s, err := steps.Next(t.Context())
	if err != nil || !s.Gap || len(s.Edges) > 0 {
		t.Errorf("%+v, %v; want a gap", s, err)
	}
	if _, err := steps.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "no traffic from 2026-03-04T04:00:00Z to 2026-03-04T04:01:30Z: ") {
		t.Errorf("%v; want that there is no traffic", err)
	}
}

// TestConditionsOfData: what stops a live refresh stops a replay, and where there is
// no traffic, what was found says why.
func TestConditionsOfData(t *testing.T) {
	const pair = `source_workload="web",source_workload_namespace="shop",destination_workload="db",destination_workload_namespace="shop"`
	cases := map[string]struct{ load, want string }{
		"two clusters": {
			"load 30s\n  istio_requests_total{reporter=\"source\",cluster=\"east\"," + pair + "} 0+30x20\n  istio_requests_total{reporter=\"source\",cluster=\"west\"," + pair + "} 0+30x20",
			`under 2 values of the label cluster (east, west): the store has several clusters, or one of them twice, and workloads of the same name would be added up as one; set selector: 'cluster="east"' for the source istio-sidecar in a file given with --telemetry-config`,
		},
		"only waypoints": {
			"load 30s\n  istio_requests_total{reporter=\"waypoint\"," + pair + "} 0+30x20",
			"no traffic from 1970-01-01T00:08:00Z to 1970-01-01T00:10:00Z: source istio-sidecar: there is no traffic between workloads in 0 series; istio-sidecar: only waypoints report (ambient mode)",
		},
		"a label is removed": {
			"load 30s\n  istio_requests_total{reporter=\"source\",source_workload=\"web\"," + `destination_workload="db",destination_workload_namespace="shop",pod="p"} 0+30x20`,
			"label source_workload_namespace is missing from 1 of 1 series",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := istio.NewSidecar(istio.Options{})
			if err != nil {
				t.Fatal(err)
			}
			steps := NewSteps(promtest.New(t, tc.load), []telemetry.Source{source}, nil, time.Unix(480, 0), time.Unix(600, 0), time.Minute)
			for range 3 {
				if _, err = steps.Next(t.Context()); err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %s", err, tc.want)
			}
		})
	}
}

// TestBadData opens what is none, or damaged.
func TestBadData(t *testing.T) {
	empty := t.TempDir()
	if Is(empty) {
		t.Error("an empty directory looks like data")
	}
	damaged := database(t, 20*time.Minute, false)
	segment := filepath.Join(damaged, "wal", "00000000")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 0xff
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{empty: "no data", damaged: "write-ahead log", filepath.Join(empty, "none"): "no such file"} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v; want the directory and %q", err, want)
		}
	}
}
