// Package recordingtest makes up recordings of clusters whose pods, nodes and
// traffic change, for tests and benchmarks.
package recordingtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
)

// Options is what a recording is of. The same options give the same recording.
type Options struct {
	Nodes, Workloads, Edges int
	// Replicas is how many pods each workload has.
	Replicas int32
	// PodEvents is how many pods come or go after the beginning, NodeEvents the
	// same of nodes; half of each are arrivals.
	PodEvents, NodeEvents int
	From                  time.Time
	Length, Step          time.Duration
	Seed                  uint64
	// WithoutObjects leaves all objects out.
	WithoutObjects bool
	// More are further objects, there from the beginning to the end.
	More []runtime.Object
}

// Write makes up a recording. Every node has a zone of three; rates rise and fall
// with the hours and differ by orders of magnitude.
func Write(create recording.Creator, o Options) error {
	w, err := recording.NewWriter(create, recording.Manifest{From: o.From, Step: o.Step, Vicinity: "test", Sources: []string{"istio"}})
	if err != nil {
		return err
	}
	g := &generator{Options: o, writer: w, rng: rand.New(rand.NewPCG(o.Seed, 1))}
	g.cluster()
	g.at = o.From
	if err := g.begin(); err != nil {
		return err
	}
	steps := int(o.Length / o.Step)
	for n := range steps {
		start := o.From.Add(time.Duration(n) * o.Step)
		if err := g.changes(start, n, steps); err != nil {
			return err
		}
		end := start.Add(o.Step)
		if err := w.Step(end, g.edges(end)); err != nil {
			return err
		}
	}
	return w.Close(true, "")
}

type generator struct {
	Options
	writer *recording.Writer
	rng    *rand.Rand
	at     time.Time
	of     *history.Replayable
	base   []flowgraph.Edge
	pods   []*corev1.Pod // that are there
	up     []int         // nodes
	down   []int
	named  int
}

func (g *generator) cluster() {
	c := &cluster.Cluster{}
	for i := range g.Nodes {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprintf("n%04d", i), Zone: fmt.Sprint("z", i%3), Region: "r"},
			Allocatable: cluster.Resources{MilliCPU: 16000, Memory: 64 << 30}, MaxPods: 110,
		})
		g.up = append(g.up, i)
	}
	for i := range g.Workloads {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprintf("w%d", i)},
			Replicas: g.Replicas, Requests: cluster.Resources{MilliCPU: 500, Memory: 1 << 30},
		})
	}
	g.of = history.Synthetic(c)
	for i := range g.Edges {
		from := i % g.Workloads
		to := (from + 1 + i/g.Workloads*7) % g.Workloads
		g.base = append(g.base, flowgraph.Edge{From: c.Workloads[from].ID, To: c.Workloads[to].ID, Rates: flowgraph.Rates{
			SentBytesPerSecond: 1000 * math.Exp(3*g.rng.NormFloat64()), ReceivedBytesPerSecond: 3000 * math.Exp(3*g.rng.NormFloat64()),
			RequestsPerSecond: 1 + 100*g.rng.Float64(),
		}})
	}
}

// edges are the rates at a time.
func (g *generator) edges(at time.Time) []flowgraph.Edge {
	hours := at.Sub(g.From).Hours()
	edges := slices.Clone(g.base)
	for i := range edges {
		f := 1 + 0.5*math.Sin(hours/4+float64(i))
		r := &edges[i].Rates
		r.SentBytesPerSecond, r.ReceivedBytesPerSecond, r.RequestsPerSecond = r.SentBytesPerSecond*f, r.ReceivedBytesPerSecond*f, r.RequestsPerSecond*f
	}
	return edges
}

func (g *generator) change(kind recording.ChangeType, object runtime.Object) error {
	if g.WithoutObjects {
		return nil
	}
	text, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("writing an object: %w", err)
	}
	return g.writer.Change(recording.Change{Type: kind, At: g.at, Object: text})
}

// begin writes what is there at first: pods before their nodes, as a recorder may.
func (g *generator) begin() error {
	for w := range g.of.Templates {
		for range g.Replicas {
			if err := g.add(w, g.up[g.rng.IntN(len(g.up))]); err != nil {
				return err
			}
		}
	}
	for _, node := range g.of.Nodes {
		if err := g.change(recording.Added, node); err != nil {
			return err
		}
	}
	for _, object := range slices.Concat(g.of.Objects, g.More) {
		if err := g.change(recording.Added, object); err != nil {
			return err
		}
	}
	return nil
}

// add adds a pod of a workload; without a node it is bound a second later.
func (g *generator) add(w, node int) error {
	pod := g.of.Templates[w].DeepCopy()
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	pod.Name = fmt.Sprintf("%s-%05d", pod.Name, g.named)
	pod.CreationTimestamp = metav1.NewTime(g.at.Truncate(time.Second))
	g.named++
	g.pods = append(g.pods, pod)
	pod.Spec.NodeName = g.of.Nodes[node].Name
	if g.at.Equal(g.From) {
		return g.change(recording.Added, pod)
	}
	pending := pod.DeepCopy()
	pending.Spec.NodeName = ""
	if err := g.change(recording.Added, pending); err != nil {
		return err
	}
	g.at = g.at.Add(time.Second)
	pod.Status.Phase = corev1.PodRunning
	return g.change(recording.Modified, pod)
}

// changes are those of a step: pods that are replaced, nodes that go with their
// pods and come back.
func (g *generator) changes(start time.Time, n, steps int) error {
	share := func(all int) int { return all*(n+1)/steps - all*n/steps }
	g.at = start.Add(time.Second)
	for range share(g.PodEvents / 2) {
		if err := g.replace(g.rng.IntN(len(g.pods))); err != nil {
			return err
		}
	}
	for range share(g.NodeEvents) {
		if err := g.nodes(); err != nil {
			return err
		}
	}
	return nil
}

// replace deletes a pod and adds another of its workload.
func (g *generator) replace(i int) error {
	pod := g.pods[i]
	g.pods = slices.Delete(g.pods, i, i+1)
	if err := g.change(recording.Deleted, pod); err != nil {
		return err
	}
	w := slices.IndexFunc(g.of.Templates, func(t *corev1.Pod) bool { return t.Labels["app"] == pod.Labels["app"] })
	return g.add(w, g.up[g.rng.IntN(len(g.up))])
}

func (g *generator) nodes() error {
	if len(g.down) > 0 {
		back := g.down[0]
		g.down, g.up = g.down[1:], append(g.up, back)
		return g.change(recording.Added, g.of.Nodes[back])
	}
	i := g.rng.IntN(len(g.up))
	gone := g.up[i]
	g.up, g.down = slices.Delete(g.up, i, i+1), append(g.down, gone)
	if err := g.change(recording.Deleted, g.of.Nodes[gone]); err != nil {
		return err
	}
	name := g.of.Nodes[gone].Name
	lost := func() int {
		return slices.IndexFunc(g.pods, func(p *corev1.Pod) bool { return p.Spec.NodeName == name })
	}
	for i := lost(); i >= 0; i = lost() {
		if err := g.replace(i); err != nil {
			return err
		}
	}
	return nil
}

// Cluster returns the objects at the beginning, for a recording without.
func Cluster(o Options) *history.Replayable {
	g := &generator{Options: o, rng: rand.New(rand.NewPCG(o.Seed, 1))}
	g.cluster()
	for range g.Workloads {
		var at []int32
		for range g.Replicas {
			at = append(at, int32(g.rng.IntN(g.Nodes)))
		}
		slices.SortFunc(at, cmp.Compare[int32])
		g.of.Cluster.Assigned = append(g.of.Cluster.Assigned, at)
	}
	return g.of
}
