package kubesim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// configOf reads a configuration whose profile enables TrafficLocality with a
// weight and arguments.
func configOf(t testing.TB, weight int, args string) *schedulerconfig.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scheduler.yaml")
	text := fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: vicinity
  plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: %d}]}}
  pluginConfig: [{name: TrafficLocality, args: {%s}}]
`, weight, args)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := schedulerconfig.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stopped is a clock that stands still.
func stopped() time.Time { return sim.Clock() }

func newPlacer(t testing.TB, c *cluster.Cluster, config *schedulerconfig.Config) *Placer {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return newPlacerWith(t, c, Options{Config: config})
}

func newPlacerWith(t testing.TB, c *cluster.Cluster, o Options) *Placer {
	t.Helper()
	o.Now = stopped
	p, err := New(t.Context(), history.Synthetic(c), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pairs is a cluster of a number of nodes in three zones and of twice as many
// pairs of workloads that talk with each other only.
func pairs(nodes int) *cluster.Cluster {
	c := &cluster.Cluster{}
	for i := range nodes {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprintf("n%02d", i), Zone: fmt.Sprint("z", i%3), Region: "r"},
			Allocatable: cluster.Resources{MilliCPU: 4000, Memory: 16 << 30}, MaxPods: 50,
		})
	}
	for i := range 2 * nodes {
		var ends [2]flowgraph.WorkloadID
		for side, name := range []string{"web", "db"} {
			ends[side] = flowgraph.WorkloadID{Namespace: "x", Name: fmt.Sprint(name, i)}
			c.Workloads = append(c.Workloads, cluster.Workload{ID: ends[side], Replicas: 2, Requests: cluster.Resources{MilliCPU: 200, Memory: 1 << 28}})
		}
		c.Edges = append(c.Edges, flowgraph.Edge{From: ends[0], To: ends[1], Rates: flowgraph.Rates{SentBytesPerSecond: 1 << 20}})
	}
	return c
}

func replay(t testing.TB, c *cluster.Cluster, order sim.Order, seed uint64, config *schedulerconfig.Config) *sim.Result {
	t.Helper()
	events, err := sim.Events(c, order, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		t.Fatal(err)
	}
	result, err := sim.Run(t.Context(), c, events, newPlacerWith(t, c, Options{Config: config, Rollout: order == sim.Rollout}))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// localShare is the share of the traffic that stays on its node.
func localShare(c *cluster.Cluster, assigned cluster.Assignment) float64 {
	desired := map[flowgraph.WorkloadID]int32{}
	for _, w := range c.Workloads {
		desired[w.ID] = w.Replicas
	}
	a := cuttest.NewAssignment(desired)
	for w, nodes := range assigned {
		for _, n := range nodes {
			a.Add(c.Workloads[w].ID, c.Nodes[n].Locality, 1)
		}
	}
	return 1 - cuttest.Measure(flowgraph.NewSnapshot(1, sim.Clock(), c.Edges), a, affinity.Uniform, locality.Node).Share()
}

func TestTrafficDecides(t *testing.T) {
	c := pairs(12)
	without := localShare(c, replay(t, c, sim.Random, 1, configOf(t, 0, "")).Assigned)
	with := localShare(c, replay(t, c, sim.Random, 1, configOf(t, 5, "")).Assigned)
	if without > 0.25 || with < without+0.2 {
		t.Errorf("%.2f of the traffic stays on its node with weight 0, %.2f with weight 5", without, with)
	}
}

// TestShippedProfiles has each of manifests/profiles keep more of the traffic in
// the zone than kube-scheduler does.
func TestShippedProfiles(t *testing.T) {
	files, err := filepath.Glob("../../manifests/profiles/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d profiles: %v", len(files), err)
	}
	c := pairs(12)
	inZone := func(config *schedulerconfig.Config) float64 {
		result := replay(t, c, sim.Random, 1, config)
		if result.Unschedulable > 0 {
			t.Errorf("%d pods fit nowhere", result.Unschedulable)
		}
		return cut.Measure(c, result.Assigned, nil).LocalShare(locality.Zone, cut.Uniform)
	}
	without := inZone(configOf(t, 0, ""))
	for _, file := range files {
		config, err := schedulerconfig.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if with := inZone(config); with < without+0.1 {
			t.Errorf("%s: %.2f of the traffic stays in its zone, %.2f without it", filepath.Base(file), with, without)
		}
	}
}

func TestSameSeedSameResult(t *testing.T) {
	c := pairs(9)
	for _, order := range []sim.Order{sim.Random, sim.ByWorkload, sim.Recorded} {
		first, second := replay(t, c, order, 7, configOf(t, 5, "")), replay(t, c, order, 7, configOf(t, 5, ""))
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%v: two runs with one seed differ:\n%s", order, diff)
		}
	}
	if cmp.Equal(replay(t, c, sim.Random, 7, configOf(t, 5, "")), replay(t, c, sim.Random, 8, configOf(t, 5, ""))) {
		t.Error("another seed makes no difference")
	}
}

func TestRollout(t *testing.T) {
	c := pairs(6)
	c.Assigned = replay(t, c, sim.Random, 1, configOf(t, 0, "")).Assigned
	got := replay(t, c, sim.Rollout, 1, configOf(t, 5, ""))
	if got.Unschedulable != 0 {
		t.Errorf("%d pods are unschedulable", got.Unschedulable)
	}
	for w, nodes := range got.Assigned {
		if len(nodes) != 2 || nodes[0] == nodes[1] {
			t.Errorf("%s ends with pods on the nodes %v, want two nodes", c.Workloads[w].ID, nodes)
		}
	}
	if before, after := localShare(c, c.Assigned), localShare(c, got.Assigned); after < before+0.1 {
		t.Errorf("the rollout takes the local share from %.2f to %.2f", before, after)
	}
}

// TestRolloutBringsANewReplicaSet has kube-scheduler's default constraints spread a
// rollout's pods as they do in a cluster: among themselves, whatever is there of the
// ReplicaSet before.
func TestRolloutBringsANewReplicaSet(t *testing.T) {
	c := pairs(3)
	c.Edges, c.Workloads = nil, c.Workloads[:1]
	c.Nodes[0].Allocatable = cluster.Resources{MilliCPU: 400_000, Memory: 1 << 45} // by far the least allocated
	c.Assigned = cluster.Assignment{{0, 1}}
	got := replay(t, c, sim.Rollout, 1, configOf(t, 0, ""))
	if first, second := got.Assigned[0][0], got.Assigned[0][1]; first != 0 || second == 0 {
		t.Errorf("the pods go to the nodes %d and %d, want node 0 and another", first, second)
	}
}

func TestNodesAreNeverOvercommitted(t *testing.T) {
	c := pairs(4)
	for w := range c.Workloads {
		c.Workloads[w].Requests.MilliCPU = 700 // 32 pods of which 5 fit on a node
	}
	got := replay(t, c, sim.Random, 3, configOf(t, 5, ""))
	taken := make([]int64, len(c.Nodes))
	placed := 0
	for w, nodes := range got.Assigned {
		for _, n := range nodes {
			taken[n] += c.Workloads[w].Requests.MilliCPU
			placed++
		}
	}
	if slices.Max(taken) > 4000 || placed != 20 || got.Unschedulable != 12 {
		t.Errorf("the nodes hold %v millicores, %d pods are placed, %d unschedulable", taken, placed, got.Unschedulable)
	}
}

// TestDefaultSpreadHasAnEffect fails when the plugins do not find the Services
// and controllers of the pods.
func TestDefaultSpreadHasAnEffect(t *testing.T) {
	c := pairs(12)
	c.Edges = nil
	c.Workloads = c.Workloads[:1]
	c.Workloads[0].Replicas = 4
	c.Nodes[0].Allocatable = cluster.Resources{MilliCPU: 400_000, Memory: 1 << 45} // by far the least allocated
	got := replay(t, c, sim.Recorded, 0, configOf(t, 0, ""))
	slices.Sort(got.Assigned[0])
	if nodes := slices.Compact(slices.Clone(got.Assigned[0])); len(nodes) != 4 {
		t.Errorf("4 replicas run on the nodes %v, want one on each of 4", got.Assigned[0])
	}
}

func TestNewRefuses(t *testing.T) {
	c := pairs(3)
	if _, err := New(t.Context(), history.Synthetic(c), Options{Config: configOf(t, 5, "colour: red"), Now: stopped}); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("error %v of an unknown argument", err)
	}
	if _, err := New(t.Context(), history.Synthetic(c), Options{Config: configOf(t, 5, ""), Profile: "none", Now: stopped}); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("error %v of an unknown profile", err)
	}
}

func TestPlacerRefusesNonsense(t *testing.T) {
	p := newPlacer(t, pairs(3), configOf(t, 5, ""))
	pod := sim.Pod{Workload: 0, Ordinal: 0}
	if err := p.Remove(pod); err == nil {
		t.Error("a pod is removed that was never placed")
	}
	if _, err := p.Place(t.Context(), pod, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Place(t.Context(), pod, 1); err == nil {
		t.Error("a pod is placed twice")
	}
	if err := p.Remove(pod); err != nil {
		t.Error(err)
	}
	if _, err := p.Place(t.Context(), sim.Pod{Workload: 99}, 1); err == nil {
		t.Error("a pod without a template is placed")
	}
}
