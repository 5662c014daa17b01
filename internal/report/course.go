package report

import (
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// NewCourseSample returns what a run over a recording did. The universe is the
// cluster that the course is by; end is the cluster at the end, with the mean of
// the traffic as its edges.
func NewCourseSample(universe, end *cluster.Cluster, course *sim.Course, replayed bool) Sample {
	outcome, assigned := course.Outcome(universe, end)
	return Sample{
		Outcome: outcome, Unschedulable: course.Unschedulable, Took: course.Took, Replayed: replayed,
		Cluster: end, Assigned: assigned,
	}
}

// NewTimeline returns the mean of the courses of one run, at least one, moment by
// moment: all of them are over the same steps.
func NewTimeline(courses []*sim.Course) []Moment {
	n := float64(len(courses))
	timeline := make([]Moment, len(courses[0].Moments))
	for i := range timeline {
		m, placed := &timeline[i], 0
		for _, course := range courses {
			at := &course.Moments[i]
			m.At, m.Nodes = at.At.UTC(), at.Nodes
			m.BytesPerSecond = at.BytesPerSecond
			m.CrossNode += at.CrossNode / n
			m.CrossZone += at.CrossZone / n
			placed += at.Pods
		}
		m.BytesPerSecond, m.CrossNode, m.CrossZone = rounded(m.BytesPerSecond), rounded(m.CrossNode), rounded(m.CrossZone)
		m.Pods = int(math.Round(float64(placed) / n))
	}
	return timeline
}
