package score

// Room is an amount of what pods take and nodes have.
type Room struct {
	// MilliCPU is thousandths of a core.
	MilliCPU int64
	// Memory is bytes.
	Memory int64
	// Pods is a number of pods: 1 for what one pod takes.
	Pods int64
}

// Minus returns what is left of r without o.
func (r Room) Minus(o Room) Room {
	return Room{r.MilliCPU - o.MilliCPU, r.Memory - o.Memory, r.Pods - o.Pods}
}

// Plus returns both amounts.
func (r Room) Plus(o Room) Room {
	return Room{r.MilliCPU + o.MilliCPU, r.Memory + o.Memory, r.Pods + o.Pods}
}

// Max returns, of each resource, the larger amount.
func (r Room) Max(o Room) Room {
	return Room{max(r.MilliCPU, o.MilliCPU), max(r.Memory, o.Memory), max(r.Pods, o.Pods)}
}

func (r Room) times(n int32) Room {
	return Room{r.MilliCPU * int64(n), r.Memory * int64(n), r.Pods * int64(n)}
}

// overdrawn reports whether an amount is less than nothing.
func (r Room) overdrawn() bool { return r.MilliCPU < 0 || r.Memory < 0 || r.Pods < 0 }

// leastShare stands for the share of a node that a pod takes which asks for next to
// nothing.
const leastShare = 1e-4

// shareOf is the part of a node that a pod takes, by the resource of which that is the
// most, given all that the node has.
func (r Room) shareOf(all Room) float64 {
	share := leastShare
	if all.MilliCPU > 0 {
		share = max(share, float64(r.MilliCPU)/float64(all.MilliCPU))
	}
	if all.Memory > 0 {
		share = max(share, float64(r.Memory)/float64(all.Memory))
	}
	return share
}
