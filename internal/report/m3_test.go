package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
)

// m3 is a published production cluster, beside the repository.
const m3 = "../../../shared/data/bytedance-m3"

// TestM3 reports on a production cluster and on assignments whose local shares
// in percent were computed independently (SOURCE.md beside the data).
func TestM3(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(m3, "M3.json"))
	if os.IsNotExist(err) {
		t.Skipf("the cluster M3 (github.com/bytedance/research-cluster-dataset, dataset/M3.json) is not at %s", m3)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := replayinput.ReadByteDance(bytes.NewReader(data), "M3.json")
	if err != nil {
		t.Fatal(err)
	}
	d := Draft{
		Input:    Input{Name: "M3", Nodes: len(c.Nodes), Workloads: len(c.Workloads), Pods: 3485, Edges: len(c.Edges)},
		Baseline: "production",
	}
	want := map[string][2]float64{ // fair load, uniform
		"production":                 {7.00, 1.36},
		"assignment-fair-load":       {87.65, 47.05},
		"assignment-fair-load-guard": {82.21, 35.82},
		"assignment-uniform":         {69.17, 63.01},
	}
	for _, name := range []string{"production", "assignment-fair-load", "assignment-fair-load-guard", "assignment-uniform"} {
		assigned := c.Assigned
		if name != "production" {
			list, err := os.ReadFile(filepath.Join(m3, name+".csv"))
			if err != nil {
				t.Fatal(err)
			}
			if assigned, _, err = replayinput.ReadAssignment(bytes.NewReader(list), name, c); err != nil {
				t.Fatal(err)
			}
		}
		sample := NewSample(c, &sim.Result{Assigned: assigned})
		d.Input.BytesPerSecond = sample.Outcome.Total
		d.Runs = append(d.Runs, NewRun(name, "", []Sample{sample}, nil, false))
	}
	r := New(d)
	for _, run := range r.Runs {
		s := &run.Summary
		fair, uniform := 100*s.Node.FairLoad.LocalShare.Mean, 100*s.Node.Uniform.LocalShare.Mean
		if math.Abs(fair-want[run.Name][0]) > 0.05 || math.Abs(uniform-want[run.Name][1]) > 0.05 {
			t.Errorf("%s: %.2f %% fair load, %.2f %% uniform; want %v", run.Name, fair, uniform, want[run.Name])
		}
		if s.Placed.Mean != 3485 || s.Missing.Mean != 0 || s.Zone != nil {
			t.Errorf("%s: %v pods placed, %v missing, zones %v", run.Name, s.Placed.Mean, s.Missing.Mean, s.Zone)
		}
	}
	var out bytes.Buffer
	if err := r.WriteDetails(&out); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", out.String())
}
