package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/report"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// measured has 100 bytes/s with each seed, of which locals stay on the node under every
// model, and as much headroom.
func measured(name string, locals ...float64) report.Run {
	var samples []report.Sample
	for _, local := range locals {
		o := &cut.Outcome{Total: 100, Hotspot: cut.Hotspot{Workload: cut.Outside, Node: cut.Outside}}
		o.Headroom = int64(local)
		l := cut.LevelOutcome{Level: locality.Node}
		for m := range l.Local {
			l.Local[m] = local
		}
		o.Levels = append(o.Levels, l)
		samples = append(samples, report.Sample{Outcome: o, Replayed: true})
	}
	return report.NewRun(name, "", samples, nil, false)
}

func TestRatios(t *testing.T) {
	rows := benchRows("m", []report.Run{measured("gain", 60, 80), measured(kubesim.DefaultRun, 20, 60)}, []float64{1, 0.5, 0.1})
	// Across nodes, 40 of 80 and 20 of 40; in headroom, 60 of 20 and 80 of 60.
	want := []*sim.Estimate{{Mean: 0.5, Runs: 2}, {Mean: (3 + 4.0/3) / 2, Interval: 12.706 * (3 - 4.0/3) / 2, Runs: 2}}
	if diff := cmp.Diff(want, []*sim.Estimate{rows[0].CrossNodeRatio, rows[0].HeadroomRatio}, cmpopts.EquateApprox(1e-8, 1e-12)); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
	for what, base := range map[string]report.Run{"no default run": measured("other", 20, 60), "nothing": measured(kubesim.DefaultRun, 0, 100)} {
		if rows := benchRows("m", []report.Run{measured("gain", 60, 80), base}, []float64{1, 0.5, 0.1}); rows[0].CrossNodeRatio != nil || rows[0].HeadroomRatio != nil {
			t.Errorf("there is a ratio to %s", what)
		}
	}
}

func TestDifferences(t *testing.T) {
	want := sim.Estimate{Mean: 0.3, Interval: 12.706 * 0.1, Runs: 2} // 60-20 and 80-60 of 100
	for _, row := range benchRows("m", []report.Run{measured("gain", 60, 80), measured(kubesim.NetMARKSRun, 20, 60)}, []float64{1, 0.5, 0.1}) {
		if row.Run == kubesim.NetMARKSRun {
			want = sim.Estimate{Runs: 2}
		}
		for name, got := range map[string]*sim.Estimate{"min": row.MinAbove, "uniform": row.UniformAbove, "same node": row.SameNodeAbove} {
			if diff := cmp.Diff(&want, got, cmpopts.EquateApprox(1e-8, 1e-12)); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", row.Run, name, diff)
			}
		}
	}
}

// TestGoldenRows: what is not known is empty in CSV and null in JSON.
func TestGoldenRows(t *testing.T) {
	several := benchRows("several", []report.Run{measured(kubesim.DefaultRun, 20, 60, 40), measured(kubesim.NetMARKSRun, 40, 50, 45), measured("gain", 60, 80, 70)}, []float64{1, 0.5, 0.1})
	one := benchRows("one", []report.Run{measured("gain", 60)}, []float64{1, 0.5, 0.1})
	for file, write := range map[string]func(io.Writer) error{
		"bench.csv":     func(w io.Writer) error { return writeCSV(w, several) },
		"bench.json":    func(w io.Writer) error { return writeJSON(w, one) },
		"bench-one.csv": func(w io.Writer) error { return writeCSV(w, one) },
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", path, diff)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	rows := benchRows("x", []report.Run{measured("gain", 1)}, []float64{1, 0.5, 0.1})
	for name, write := range map[string]func(io.Writer, []benchRow) error{"CSV": writeCSV, "JSON": writeJSON} {
		if err := write(brokenWriter{}, rows); !errors.Is(err, errBroken) {
			t.Errorf("%s: error %v, want %v", name, err, errBroken)
		}
	}
}
