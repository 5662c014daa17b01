package score

import "math"

// Room is an amount of what pods take and nodes have.
type Room struct {
	// MilliCPU is thousandths of a core.
	MilliCPU int64
	// Memory is bytes.
	Memory int64
	// Pods is a number of pods: 1 for what one pod takes.
	Pods int64
}

// Minus returns what is left of r without o. An amount that is out of range is the
// nearest in it.
func (r Room) Minus(o Room) Room {
	return Room{minus(r.MilliCPU, o.MilliCPU), minus(r.Memory, o.Memory), minus(r.Pods, o.Pods)}
}

// Plus returns both amounts, likewise.
func (r Room) Plus(o Room) Room {
	return Room{plus(r.MilliCPU, o.MilliCPU), plus(r.Memory, o.Memory), plus(r.Pods, o.Pods)}
}

// Max returns, of each resource, the larger amount.
func (r Room) Max(o Room) Room {
	return Room{max(r.MilliCPU, o.MilliCPU), max(r.Memory, o.Memory), max(r.Pods, o.Pods)}
}

// times returns what n times r takes, n > 0, likewise.
func (r Room) times(n int32) Room {
	return Room{times(r.MilliCPU, n), times(r.Memory, n), times(r.Pods, n)}
}

// Amounts of pods are what people write into them: a sum that wraps around would turn a
// pod that fits nowhere into one that takes less than nothing.

func minus(a, b int64) int64 {
	d := a - b
	switch {
	case a >= 0 && b < 0 && d < 0:
		return math.MaxInt64
	case a < 0 && b > 0 && d > 0:
		return math.MinInt64
	}
	return d
}

func plus(a, b int64) int64 {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum >= 0:
		return math.MinInt64
	}
	return sum
}

func times(a int64, n int32) int64 {
	product := a * int64(n)
	switch {
	case product/int64(n) == a:
		return product
	case a < 0:
		return math.MinInt64
	}
	return math.MaxInt64
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
