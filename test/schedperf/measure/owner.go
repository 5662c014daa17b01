package measure

import (
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

const (
	ownPrefix        = "github.com/vicinity-sched/vicinity/plugins/trafficlocality."
	cycleFrame       = "k8s.io/kubernetes/pkg/scheduler.(*Scheduler).schedulingCycle"
	workerFrame      = "k8s.io/client-go/util/workqueue.ParallelizeUntil."
	schedulerPackage = "k8s.io/kubernetes/pkg/scheduler"
)

// CPU is the processor time of one block, by whom it was spent on.
type CPU struct {
	// Total is that of the whole process: the API server and the clients too.
	Total time.Duration
	// Cycle is that of scheduling cycles, with the workers that filter and score
	// for them. Binding, events and the garbage collector's own threads are not.
	Cycle time.Duration
	// Own is that of the plugin: everything that it calls, signing pods included.
	Own time.Duration
}

// Attribute divides the samples of a CPU profile by their stacks.
func Attribute(p *profile.Profile) CPU {
	var cpu CPU
	at := len(p.SampleType) - 1 // nanoseconds; the first is the number of samples
	for _, sample := range p.Sample {
		spent := time.Duration(sample.Value[at])
		cpu.Total += spent
		own, cycle := ownership(framesOf(sample))
		if own {
			cpu.Own += spent
		}
		if cycle {
			cpu.Cycle += spent
		}
	}
	return cpu
}

// framesOf yields the functions on a sample's stack, those that were inlined
// included.
func framesOf(sample *profile.Sample) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, location := range sample.Location {
			for _, line := range location.Line {
				if line.Function != nil && !yield(line.Function.Name) {
					return
				}
			}
		}
	}
}

// ownership reports whether a stack is the plugin's and whether it is part of a
// scheduling cycle: below schedulingCycle, or in a worker that runs the
// scheduler's code. Nothing but a cycle of the scheduler starts such workers, but
// other components have workers of their own.
func ownership(frames func(yield func(string) bool)) (own, cycle bool) {
	var worker, scheduler bool
	for name := range frames {
		switch {
		case strings.HasPrefix(name, ownPrefix):
			own, scheduler = true, true
		case name == cycleFrame:
			cycle = true
		case strings.HasPrefix(name, workerFrame):
			worker = true
		case strings.HasPrefix(name, schedulerPackage):
			scheduler = true
		}
	}
	return own, cycle || worker && scheduler
}
