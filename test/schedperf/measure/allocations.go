package measure

import (
	"math"
	"runtime"
)

// Allocations are what the plugin allocated, estimated from samples.
type Allocations struct {
	// Objects is the number of allocations.
	Objects float64
	// Bytes is their size.
	Bytes float64
}

// site is where objects of one size are allocated.
type site struct {
	stack [32]uintptr
	size  int64
}

// Allocated estimates what the plugin allocated between two readings of
// runtime.MemProfile while runtime.MemProfileRate was rate, in bytes. The runtime
// samples an object of size s with the probability 1 - exp(-s/rate), so each one
// stands for the reciprocal of that.
func Allocated(before, after []runtime.MemProfileRecord, rate int) Allocations {
	return allocated(before, after, rate, isOwn)
}

func allocated(before, after []runtime.MemProfileRecord, rate int, isOwn func([]uintptr) bool) Allocations {
	objects := map[site]int64{}
	for _, r := range before {
		if r.AllocObjects > 0 {
			objects[siteOf(r)] -= r.AllocObjects
		}
	}
	for _, r := range after {
		if r.AllocObjects > 0 {
			objects[siteOf(r)] += r.AllocObjects
		}
	}
	var sum Allocations
	for at, n := range objects {
		if n <= 0 || !isOwn(stackOf(at)) {
			continue
		}
		stands := float64(n) / -math.Expm1(-float64(at.size)/float64(rate))
		sum.Objects += stands
		sum.Bytes += stands * float64(at.size)
	}
	return sum
}

func siteOf(r runtime.MemProfileRecord) site {
	return site{r.Stack0, r.AllocBytes / r.AllocObjects}
}

// stackOf returns the program counters of a site.
func stackOf(s site) []uintptr {
	r := runtime.MemProfileRecord{Stack0: s.stack}
	return r.Stack()
}

// isOwn reports whether the plugin is on a stack.
func isOwn(stack []uintptr) bool {
	frames := runtime.CallersFrames(stack)
	own, _ := ownership(func(yield func(string) bool) {
		for more := len(stack) > 0; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			if !yield(frame.Function) {
				return
			}
		}
	})
	return own
}
