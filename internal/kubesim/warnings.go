package kubesim

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// Warnings says what of the configurations of the runs a replay leaves out.
func Warnings(runs []Run) []string {
	var all []string
	for _, run := range runs {
		for _, w := range run.Config.Warnings() {
			all = append(all, run.Name+": "+w)
		}
	}
	return all
}

// SeedsWarning says when more seeds were asked for than an order has use for. asked is 0
// when nobody asked.
func SeedsWarning(order sim.Order, asked int) []string {
	if order.Seeded() || asked <= 1 {
		return nil
	}
	return []string{fmt.Sprintf("--seeds %d: the order %s leaves nothing to chance, so each run was replayed once", asked, order)}
}

// Warnings says when nothing was placed, so that all runs are the recording itself.
func (f *Followed) Warnings() []string {
	if len(f.Runs) == 0 {
		return nil
	}
	for _, courses := range f.Runs {
		for _, course := range courses {
			if course.Decisions > 0 {
				return nil
			}
		}
	}
	return []string{"no pod was placed, because none arrived after the warm-up: every run is the recorded assignment; " +
		"choose another --order, a shorter --warm-up, or record for longer"}
}
