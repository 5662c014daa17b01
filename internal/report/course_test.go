package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// TestCourse makes a report of two seeds of a run over a recording, whose cluster
// has had a node and a workload that are gone at the end.
func TestCourse(t *testing.T) {
	node := func(name string) cluster.Node {
		return cluster.Node{Locality: locality.Locality{Node: name}, Allocatable: cluster.Resources{MilliCPU: 1000, Memory: 1000}, MaxPods: 10}
	}
	of := func(name string) cluster.Workload {
		return cluster.Workload{ID: flowgraph.WorkloadID{Namespace: "x", Name: name}, Replicas: 1}
	}
	universe := &cluster.Cluster{Nodes: []cluster.Node{node("gone"), node("n1"), node("n0")}, Workloads: []cluster.Workload{of("old"), of("web"), of("db")}}
	end := &cluster.Cluster{Nodes: []cluster.Node{node("n0"), node("n1")}, Workloads: []cluster.Workload{of("db"), of("web")}}
	begin := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	course := func(crossing float64, pods int) *sim.Course {
		level := cut.LevelOutcome{Level: locality.Node}
		for m := range level.Local {
			level.Local[m] = 100 - crossing
		}
		return &sim.Course{
			Total: 100, External: 5, Levels: []cut.LevelOutcome{level}, Assigned: cluster.Assignment{nil, {1}, {2}}, Unschedulable: 3,
			Moments: []sim.Moment{{At: begin, BytesPerSecond: 100, CrossNode: crossing, CrossZone: 2 * crossing, Pods: pods, Nodes: 2}},
		}
	}
	courses := []*sim.Course{course(10, 4), course(20, 5)}
	if diff := cmp.Diff([]Moment{{At: begin, BytesPerSecond: 100, CrossNode: 15, CrossZone: 30, Pods: 5, Nodes: 2}}, NewTimeline(courses)); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	samples := []Sample{NewCourseSample(universe, end, courses[0], true), NewCourseSample(universe, end, courses[1], true)}
	if diff := cmp.Diff(cluster.Assignment{{0}, {1}}, samples[0].Assigned); diff != "" {
		t.Errorf("assigned (-want +got):\n%s", diff)
	}
	run := NewRun("gain", "a file", samples, nil, false)
	if s := run.Summary; s.Node.Configured.Crossing.Mean != 15 || s.Placed.Mean != 2 || s.Unschedulable.Mean != 3 || !run.Replayed {
		t.Errorf("summary %+v, replayed %v", s, run.Replayed)
	}
	to, warm := begin.Add(time.Hour), begin.Add(time.Minute)
	r := New(Draft{Input: Input{Name: "shop", From: &begin, To: &to, WarmUpUntil: &warm, Gaps: 2}, Order: "rollout", Seeds: 2, Runs: []Run{run}})
	var out bytes.Buffer
	if err := r.WriteSummary(&out); err != nil {
		t.Fatal(err)
	}
	want := "from 2026-03-04T05:00:00Z to 2026-03-04T06:00:00Z; measured from 2026-03-04T05:01:00Z on, as the mean without 2 steps in which nothing was observed\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("%q is not in\n%s", want, out.String())
	}
}
