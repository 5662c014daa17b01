package replayinput

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// m3 is the published production cluster, beside the repository.
const m3 = "../../../shared/data/bytedance-m3"

func readM3(t *testing.T) *cluster.Cluster {
	t.Helper()
	file, err := os.Open(filepath.Join(m3, "M3.json"))
	if os.IsNotExist(err) {
		t.Skipf("ByteDance's cluster M3 is not there: put M3.json of github.com/bytedance/research-cluster-dataset into %s", m3)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, warnings, err := ReadByteDance(file, "M3.json")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return c
}

func TestReadM3(t *testing.T) {
	c := readM3(t)
	var pods int32
	var asked, has cluster.Resources
	for w, workload := range c.Workloads {
		pods += workload.Replicas
		asked.MilliCPU += int64(workload.Replicas) * workload.Requests.MilliCPU
		asked.Memory += int64(workload.Replicas) * workload.Requests.Memory
		if len(c.Assigned[w]) != int(workload.Replicas) {
			t.Errorf("%s wants %d pods, %d are assigned", workload.ID, workload.Replicas, len(c.Assigned[w]))
		}
	}
	for _, n := range c.Nodes {
		has.MilliCPU += n.Allocatable.MilliCPU
		has.Memory += n.Allocatable.Memory
	}
	if len(c.Workloads) != 547 || pods != 3485 || len(c.Nodes) != 96 || len(c.Edges) != 344 {
		t.Errorf("%d workloads, %d pods, %d nodes, %d edges; want 547, 3485, 96, 344", len(c.Workloads), pods, len(c.Nodes), len(c.Edges))
	}
	cpu, memory := 100*float64(asked.MilliCPU)/float64(has.MilliCPU), 100*float64(asked.Memory)/float64(has.Memory)
	// In the normalised numbers it is 88.3495 and 27.8114.
	if math.Abs(cpu-88.3495) > 0.01 || math.Abs(memory-27.8114) > 0.01 {
		t.Errorf("%.4f %% of the CPU and %.4f %% of the memory are asked for, want 88.35 and 27.81", cpu, memory)
	}
	var traffic float64
	for _, e := range c.Edges {
		traffic += e.BytesPerSecond()
	}
	if math.Abs(traffic-1<<30) > 1 {
		t.Errorf("the traffic is %.1f bytes per second, want 1 GiB", traffic)
	}
}

// TestArithmeticOnM3 compares with figures that were computed independently
// (SOURCE.md beside the data).
func TestArithmeticOnM3(t *testing.T) {
	c := readM3(t)
	for _, want := range []struct {
		file              string // empty: the production assignment
		fairLoad, uniform float64
	}{
		{"", 7.00, 1.36},
		{"assignment-fair-load.csv", 87.65, 47.05},
		{"assignment-fair-load-guard.csv", 82.21, 35.82},
		{"assignment-uniform.csv", 69.17, 63.01},
	} {
		assigned := c.Assigned
		if want.file != "" {
			data, err := os.ReadFile(filepath.Join(m3, want.file))
			if err != nil {
				t.Fatal(err)
			}
			var warnings []Warning
			if assigned, warnings, err = ReadAssignment(bytes.NewReader(data), want.file, c); err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
		}
		o := cut.Measure(c, assigned, nil)
		fair, uniform := 100*o.LocalShare(locality.Node, cut.FairLoad), 100*o.LocalShare(locality.Node, cut.Uniform)
		if math.Abs(fair-want.fairLoad) > 0.05 || math.Abs(uniform-want.uniform) > 0.05 {
			t.Errorf("%q: %.2f %% fair load and %.2f %% uniform, want %.2f and %.2f", want.file, fair, uniform, want.fairLoad, want.uniform)
		}
		if o.Placed != 3485 {
			t.Errorf("%q: %d pods are placed", want.file, o.Placed)
		}
	}
}
