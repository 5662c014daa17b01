package sim

import (
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
)

// Moment is a mean over some time that ends At, gaps left out.
type Moment struct {
	At time.Time
	// BytesPerSecond is all traffic; CrossNode and CrossZone are the parts of it
	// that leave a node and a zone, as Configured; CrossZone is 0 while no node
	// has a zone.
	BytesPerSecond, CrossNode, CrossZone float64
	// Pods and Nodes are how many there are At: pods with a node.
	Pods, Nodes int
}

// maxMoments is how many moments a curve has at most.
const maxMoments = 300

// curve is the course of a run, coarser the longer it is: it holds no more than
// maxMoments stretches, each of as many steps as all others but the last.
type curve struct {
	stretches []stretch
	each      int // how many steps make a stretch
	zone      int // the position of the level Zone
}

// stretch is the sum over some steps.
type stretch struct {
	at          time.Time
	steps       int
	sums        sums
	pods, nodes int
	zones       bool
}

// add takes one step.
func (c *curve) add(s *Step, kept sums, pods, nodes int, zones bool) {
	c.each = max(c.each, 1)
	last := len(c.stretches) - 1
	if last < 0 || c.stretches[last].steps == c.each {
		if len(c.stretches) == maxMoments {
			c.halve()
		}
		last = len(c.stretches)
		c.stretches = append(c.stretches, stretch{})
	}
	c.stretches[last].add(stretch{s.At, 1, kept, pods, nodes, zones})
}

func (s *stretch) add(later stretch) {
	s.sums.add(&later.sums)
	s.steps += later.steps
	s.at, s.pods, s.nodes, s.zones = later.at, later.pods, later.nodes, later.zones
}

// halve makes one stretch of each two.
func (c *curve) halve() {
	for i := range c.stretches {
		if i%2 == 0 {
			c.stretches[i/2] = c.stretches[i]
			continue
		}
		c.stretches[i/2].add(c.stretches[i])
	}
	c.stretches = c.stretches[:(len(c.stretches)+1)/2]
	c.each *= 2
}

// moments leaves out the stretches in which nothing was observed.
func (c *curve) moments() []Moment {
	var all []Moment
	for i := range c.stretches {
		s := &c.stretches[i]
		seconds := s.sums.observed.Seconds()
		if seconds == 0 {
			continue
		}
		kept := &s.sums.kept.Local[cut.Configured]
		m := Moment{At: s.at, BytesPerSecond: s.sums.total / seconds, Pods: s.pods, Nodes: s.nodes}
		m.CrossNode = crossing(s.sums.total, kept[0]) / seconds
		if s.zones {
			m.CrossZone = crossing(s.sums.total, kept[c.zone]) / seconds
		}
		all = append(all, m)
	}
	return all
}

// crossing is what of a total is not kept, 0 where that is the rounding of sums.
func crossing(total, kept float64) float64 {
	if total-kept <= 1e-9*total {
		return 0
	}
	return total - kept
}
