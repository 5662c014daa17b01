package measure

import (
	"slices"
	"time"
)

// Block is what one block of pods measured, from the first pod's creation until
// all are bound.
type Block struct {
	// Pods is how many pods were scheduled.
	Pods int
	// Took is the time by the clock.
	Took time.Duration
	// CPU is the processor time meanwhile.
	CPU CPU
	// Shared is how many pods took over the scores of the pod before.
	Shared int
}

// PerSecond is the throughput in pods per second.
func (b Block) PerSecond() float64 { return float64(b.Pods) / b.Took.Seconds() }

// Pair is one block without and one with the plugin (or the affinity), which
// followed each other.
type Pair struct {
	Without, With Block
}

// Result is what a run measured.
type Result struct {
	Run Run
	// Pairs has at least one.
	Pairs []Pair
	// AllocatedBy is what the plugin allocated for each pod.
	AllocatedBy Allocations
	// Cycles is how many scored cycles were watched, Missed the part of them in which
	// the node with the most traffic of the pod's peers was not scored.
	Cycles, Missed int
}

// Spread is a median between the extremes.
type Spread struct {
	Median, Min, Max float64
}

// spreadOf returns the spread of values, of which there is at least one.
func spreadOf(values []float64) Spread {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return Spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

// over returns the spread of a value of each pair.
func (r Result) over(value func(Pair) float64) Spread {
	values := make([]float64, len(r.Pairs))
	for i, p := range r.Pairs {
		values[i] = value(p)
	}
	return spreadOf(values)
}

// PerSecond is the throughput without the plugin and with it, in pods per second.
func (r Result) PerSecond() (without, with Spread) {
	return r.over(func(p Pair) float64 { return p.Without.PerSecond() }),
		r.over(func(p Pair) float64 { return p.With.PerSecond() })
}

// Throughput is that with the plugin, divided by that without.
func (r Result) Throughput() Spread {
	return r.over(func(p Pair) float64 { return p.With.PerSecond() / p.Without.PerSecond() })
}

// CycleRatio is the CPU of a scheduling cycle with the plugin, divided by that
// without.
func (r Result) CycleRatio() Spread {
	return r.over(func(p Pair) float64 {
		return perPod(p.With.CPU.Cycle, p.With.Pods) / perPod(p.Without.CPU.Cycle, p.Without.Pods)
	})
}

// Cycle is the CPU of a scheduling cycle without the plugin and with it, in
// milliseconds.
func (r Result) Cycle() (without, with Spread) {
	return r.over(func(p Pair) float64 { return perPod(p.Without.CPU.Cycle, p.Without.Pods) }),
		r.over(func(p Pair) float64 { return perPod(p.With.CPU.Cycle, p.With.Pods) })
}

// Own is the plugin's CPU for each pod, in milliseconds.
func (r Result) Own() Spread {
	return r.over(Pair.OwnPerPod)
}

// OwnPart is the plugin's CPU as a part of the rest of the cycle's.
func (r Result) OwnPart() Spread {
	return r.over(func(p Pair) float64 { return float64(p.With.CPU.Own) / float64(p.With.CPU.Cycle-p.With.CPU.Own) })
}

// Shared is the share of pods that took over the scores of the pod before,
// without the plugin and with it.
func (r Result) Shared() (without, with float64) {
	var pods, sharedWithout, sharedWith int
	for _, p := range r.Pairs {
		pods += p.With.Pods
		sharedWithout += p.Without.Shared
		sharedWith += p.With.Shared
	}
	return float64(sharedWithout) / float64(pods), float64(sharedWith) / float64(pods)
}

// perPod is a CPU time for each pod, in milliseconds.
func perPod(d time.Duration, pods int) float64 {
	return d.Seconds() * 1000 / float64(pods)
}

// OwnPerPod is the plugin's CPU for each pod, in milliseconds.
func (p Pair) OwnPerPod() float64 { return perPod(p.With.CPU.Own, p.With.Pods) }
