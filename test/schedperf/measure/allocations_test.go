package measure

import (
	"math"
	"runtime"
	"testing"
)

func record(pc uintptr, objects, size int64) runtime.MemProfileRecord {
	r := runtime.MemProfileRecord{AllocObjects: objects, AllocBytes: objects * size}
	r.Stack0[0] = pc
	return r
}

func TestAllocated(t *testing.T) {
	const ours, theirs = 1, 2
	own := func(stack []uintptr) bool { return stack[0] == ours }
	// Of objects much larger than the rate every one is sampled, of those of 100
	// bytes one in 10.5 at a rate of 1,000.
	const rate, large = 1000, 100_000
	cases := map[string]struct {
		before, after []runtime.MemProfileRecord
		objects       float64
		bytes         float64
	}{
		"nothing":                     {},
		"what was there before":       {before: []runtime.MemProfileRecord{record(ours, 3, large)}, after: []runtime.MemProfileRecord{record(ours, 3, large)}},
		"new":                         {after: []runtime.MemProfileRecord{record(ours, 3, large)}, objects: 3, bytes: 3 * large},
		"more":                        {before: []runtime.MemProfileRecord{record(ours, 3, large)}, after: []runtime.MemProfileRecord{record(ours, 5, large)}, objects: 2, bytes: 2 * large},
		"others'":                     {after: []runtime.MemProfileRecord{record(theirs, 3, large)}},
		"small ones stand for others": {after: []runtime.MemProfileRecord{record(ours, 10, 100)}, objects: 105.08, bytes: 10508},
		"sizes are kept apart": {
			before:  []runtime.MemProfileRecord{record(ours, 3, large)},
			after:   []runtime.MemProfileRecord{record(ours, 3, large), record(ours, 10, 100)},
			objects: 105.08, bytes: 10508,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := allocated(c.before, c.after, rate, own)
			if math.Abs(got.Objects-c.objects) > 0.01 || math.Abs(got.Bytes-c.bytes) > 1 {
				t.Errorf("%+v, want %v objects, %v bytes", got, c.objects, c.bytes)
			}
		})
	}
}

func TestIsOwn(t *testing.T) {
	pcs := make([]uintptr, 10)
	if n := runtime.Callers(0, pcs); isOwn(pcs[:n]) {
		t.Error("a stack without the plugin is said to be its own")
	}
	if isOwn(nil) {
		t.Error("an empty stack is said to be the plugin's")
	}
}
