package trafficlocality

import fwk "k8s.io/kube-scheduler/framework"

// catchUp bounds what a cycle does to bring the Board to the state of the nodes. What is
// left is done in the cycles that follow. What has changed since the first cycle goes
// before what was prepared outside of the cycles, which is what the informers say already.
type catchUp struct {
	bounded  bool    // otherwise a cycle does all
	takes    int     // nodes that may still be taken over in this cycle
	left     int     // costs that this cycle may still have
	behind   bool    // something was left for the next cycle
	since    int64   // the highest generation among some nodes in the first cycle
	prepared []int32 // nodes that are as they were prepared, to be looked at in this cycle
}

// What a cycle may do, in costs of about a quarter of a microsecond: together about one
// millisecond.
const (
	mostTakes      = 300
	mostCandidates = 1_000 // that are taken over before their turn
	mostCosts      = 1_500
	lookCost       = 8  // of a node
	podsPerCost    = 2  // that are where they were
	podCost        = 16 // of one that is not
)

// mostSampled is of how many nodes the first cycle finds the highest generation. The few
// that have a higher one count as changed since, and are looked at a little earlier.
const mostSampled = 500

// begin begins with another cycle.
func (c *catchUp) begin(infos []fwk.NodeInfo) {
	c.takes, c.left, c.behind, c.prepared = mostTakes, mostCosts, false, c.prepared[:0]
	if c.bounded && c.since == 0 {
		for i := 0; i < len(infos); i += 1 + len(infos)/mostSampled {
			c.since = max(c.since, infos[i].GetGeneration())
		}
	}
}

// mayTake reports whether one more node may be taken over in this cycle.
func (c *catchUp) mayTake() bool {
	c.takes--
	if c.bounded && c.takes < 0 {
		c.behind = true
		return false
	}
	return true
}

// mayLook reports whether one more node may be looked at in this cycle.
func (c *catchUp) mayLook() bool {
	if c.bounded && c.left <= 0 {
		c.behind = true
		return false
	}
	return true
}

// isNext reports whether a node whose generation has moved is to be looked at now. One that
// is as it was prepared is noted for later.
func (c *catchUp) isNext(n int32, was, is int64) bool {
	if was == prepared && is <= c.since {
		c.prepared = append(c.prepared, n)
		return false
	}
	return c.mayLook()
}

func (c *catchUp) spend(cost int) { c.left -= cost }

// changes tells whether any NodeInfo may have changed since the last cycle.
type changes struct {
	count   func() uint64 // as in Dependencies.Changes; nil says nothing
	last    uint64        // count of the last cycle
	settled bool          // the last cycle saw all changes up to its count
}

// none reports whether no node has changed since the last cycle. The scheduler takes its
// snapshot before the cycle reads the count, so that a change between the two is counted
// now and seen in the next cycle: only what two cycles in a row count alike is settled.
func (c *changes) none() bool {
	if c.count == nil {
		return false
	}
	count := c.count()
	quiet := count == c.last
	c.last = count
	if quiet && c.settled {
		return true
	}
	c.settled = quiet
	return false
}

// unsettle has the next cycle look whether nodes have changed.
func (c *changes) unsettle() { c.settled = false }
