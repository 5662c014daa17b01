package meshes

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func generate(t *testing.T, name string, seed uint64, size int) *cluster.Cluster {
	t.Helper()
	for _, f := range Families() {
		if f.Name == name {
			c, err := f.Generate(seeded(seed), size)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("there is no family %s", name)
	return nil
}

// sizes are those that a family is tested at.
func (f Family) sizes() []int {
	return slices.Compact([]int{f.MinSize, f.DefaultSize, (f.MinSize + f.MaxSize) / 3, f.MaxSize})
}

func TestFamilies(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Families() {
		if f.Name == "" || strings.ContainsAny(f.Name, " ,:") || names[f.Name] {
			t.Errorf("family %q: the name is not fit for a flag, or another's", f.Name)
		}
		names[f.Name] = true
		if !strings.Contains(f.Description, "size counts") || strings.Contains(f.Description, "\n") {
			t.Errorf("family %s: the description %q does not say what the size counts, or is not one line", f.Name, f.Description)
		}
		for _, size := range f.sizes() {
			t.Run(fmt.Sprint(f.Name, " ", size), func(t *testing.T) {
				c, err := f.Generate(seeded(1), size)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Validate(); err != nil {
					t.Fatal(err)
				}
				checkCluster(t, c, loadsOf(f.Name))
				if (c.Assigned != nil) != (f.Name == "scale-out") {
					t.Errorf("the assignment is %v", c.Assigned)
				}
			})
		}
	}
}

// loadsOf is what share of the CPU the pods of a family ask for, at least and at most.
func loadsOf(family string) [2]float64 {
	switch family {
	case "full":
		return [2]float64{0.85, 0.9}
	case "dedicated": // nodes of one to two times the size
		return [2]float64{load / 2, load}
	default:
		return [2]float64{0.62, load}
	}
}

// checkCluster tests what all families promise.
func checkCluster(t *testing.T, c *cluster.Cluster, loads [2]float64) {
	t.Helper()
	var asked, has cluster.Resources
	for _, w := range c.Workloads {
		asked.MilliCPU += int64(w.Replicas) * w.Requests.MilliCPU
		asked.Memory += int64(w.Replicas) * w.Requests.Memory
		if w.Requests.MilliCPU <= 0 || w.Requests.Memory <= 0 || w.Fixed {
			t.Errorf("%s asks for nothing, or is fixed", w.ID)
		}
	}
	perZone := map[string]int{}
	for _, n := range c.Nodes {
		perZone[n.Zone]++
		has.MilliCPU += n.Allocatable.MilliCPU
		has.Memory += n.Allocatable.Memory
	}
	cpu, memory := float64(asked.MilliCPU)/float64(has.MilliCPU), float64(asked.Memory)/float64(has.Memory)
	if cpu < loads[0] || cpu > loads[1]+0.001 {
		t.Errorf("%.3f of the CPU is asked for, want %v", cpu, loads)
	}
	if memory < 0.1 || memory > 0.5 {
		t.Errorf("%.3f of the memory is asked for", memory)
	}
	a, b, d := perZone["region-1a"], perZone["region-1b"], perZone["region-1c"]
	if len(perZone) != 3 || d < 1 || max(a, b, d)-min(a, b, d) > 1 {
		t.Errorf("the nodes are in %v", perZone)
	}
	known := map[flowgraph.WorkloadID]bool{}
	for _, w := range c.Workloads {
		known[w.ID] = true
	}
	for _, e := range c.Edges {
		if !known[e.From] || !known[e.To] && !e.To.IsSite() || e.IsSelf() || e.SentBytesPerSecond <= 0 || e.ReceivedBytesPerSecond <= 0 {
			t.Errorf("edge %s to %s: %v", e.From, e.To, e.Rates)
		}
	}
	if len(c.Workloads) <= 1000 && !fits(c) {
		t.Error("the pods do not fit onto the nodes, the largest first")
	}
}

// fits packs the pods first fit, the largest first.
func fits(c *cluster.Cluster) bool {
	workloads := slices.Clone(c.Workloads)
	slices.SortFunc(workloads, func(a, b cluster.Workload) int { return int(b.Requests.MilliCPU - a.Requests.MilliCPU) })
	nodes := slices.Clone(c.Nodes)
	for _, w := range workloads {
		for range w.Replicas {
			i := slices.IndexFunc(nodes, func(n cluster.Node) bool {
				return n.MaxPods > 0 && n.Allocatable.MilliCPU >= w.Requests.MilliCPU && n.Allocatable.Memory >= w.Requests.Memory
			})
			if i < 0 {
				return false
			}
			nodes[i].MaxPods--
			nodes[i].Allocatable.MilliCPU -= w.Requests.MilliCPU
			nodes[i].Allocatable.Memory -= w.Requests.Memory
		}
	}
	return true
}

func TestSizes(t *testing.T) {
	for _, f := range Families() {
		for _, size := range []int{-1, f.MinSize - 1, f.MaxSize + 1} {
			if size == 0 {
				continue
			}
			want := fmt.Sprintf("size %d of the mesh %s: must be from %d to %d", size, f.Name, f.MinSize, f.MaxSize)
			if _, err := f.Generate(seeded(1), size); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		byDefault, explicit := generate(t, f.Name, 1, 0), generate(t, f.Name, 1, f.DefaultSize)
		if !reflect.DeepEqual(byDefault, explicit) {
			t.Errorf("%s: size 0 is not the default size", f.Name)
		}
	}
}

// TestSameSeed also compares with clusters of the past: reports name a mesh and
// a seed, which must go on to mean the same. Whoever changes a family changes
// its hash here, and says so in the change log.
func TestSameSeed(t *testing.T) {
	want := map[string]uint64{
		"chain":             0x17920f6884b050b8,
		"chain-replicas":    0x432a6eb85d009bd8,
		"online-boutique":   0xfdde17b3eb5a5ef9,
		"social-network":    0x2a51df679b6e7fcb,
		"star":              0x6818257a267e1d9d,
		"deep-tree":         0x9390beb639a4d7a0,
		"heavy-tailed":      0xff83540d270009fb,
		"even":              0xd433870644c6922e,
		"even-tree":         0x96ee9577b67baf2b,
		"hub":               0xe43c291240c9161e,
		"dedicated":         0x825192386fd0832d,
		"spread-sets":       0x27433b6aa111febd,
		"low-rates":         0x51ab74bd74b9e76c,
		"scale-out":         0x16af2121c0985c35,
		"full":              0xd9c2154c18f6eb8,
		"managed-databases": 0x948878f8a72bd8da,
	}
	for _, f := range Families() {
		size := max(f.DefaultSize, 3)
		a, b := generate(t, f.Name, 1, size), generate(t, f.Name, 1, size)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: one seed gives two clusters", f.Name)
		}
		if reflect.DeepEqual(a, generate(t, f.Name, 2, size)) {
			t.Errorf("%s: two seeds give one cluster", f.Name)
		}
		if got := hash(a); got != want[f.Name] {
			t.Errorf("%s: the hash is %#x, want %#x", f.Name, got, want[f.Name])
		}
	}
}

// hash looks at six digits of each rate: the last bits may depend on the
// architecture.
func hash(c *cluster.Cluster) uint64 {
	h := fnv.New64a()
	for _, n := range c.Nodes {
		fmt.Fprintln(h, n.Node, n.Zone, n.Region, n.Allocatable.MilliCPU, n.Allocatable.Memory, n.MaxPods)
	}
	for _, w := range c.Workloads {
		fmt.Fprintln(h, w.ID, w.Replicas, w.Requests.MilliCPU, w.Requests.Memory)
	}
	for _, e := range c.Edges {
		fmt.Fprintf(h, "%v %v %.6g %.6g %.6g\n", e.From, e.To, e.SentBytesPerSecond, e.ReceivedBytesPerSecond, e.RequestsPerSecond)
	}
	return h.Sum64()
}
