package measure

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// legend explains the columns of the table.
const legend = `Arrows lead from the profile without the plugin to the one with it (affinity: from no to
preferred pod affinity). THROUGHPUT and CPU are the second divided by the first. Values
are medians over the pairs, with [least-most].
CPU, CYCLE  processor time of scheduling cycles, workers included
OWN         the plugin's processor time; OWN/REST relates it to the rest of the cycle
ALLOCS, kB  what the plugin allocates
MISSED      share of scored cycles in which the node with the most traffic of the pod's
            peers was not scored: it was not sampled, or the pod does not fit there
SHARED      share of pods that reused the scores of the pod before (batching)`

// Print writes the table of all results and, as the last line, the line for
// machines.
func Print(w io.Writer, results []Result) error {
	fmt.Fprintf(w, "%s\n\n", legend)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CASE\tPODS/s\tTHROUGHPUT\tCPU\tCYCLE ms/pod\tOWN ms/pod\tOWN/REST\tALLOCS/pod\tkB/pod\tMISSED\tSHARED")
	for _, r := range results {
		fmt.Fprintln(t, strings.Join(row(r), "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", Line(results)); err != nil {
		return fmt.Errorf("writing the last line: %w", err)
	}
	return nil
}

// row is the cells of a result.
func row(r Result) []string {
	podsWithout, podsWith := r.PerSecond()
	without, with := r.Cycle()
	cells := []string{
		r.Run.String(), fmt.Sprintf("%.0f -> %.0f", podsWithout.Median, podsWith.Median), ratio(r.Throughput()), ratio(r.CycleRatio()),
		fmt.Sprintf("%.2f -> %.2f", without.Median, with.Median),
		"-", "-", "-", "-", "-", "-",
	}
	if r.Run.ByHand {
		return cells
	}
	own := r.Own()
	cells[5] = fmt.Sprintf("%.2f [%.2f-%.2f]", own.Median, own.Min, own.Max)
	cells[6] = percent(r.OwnPart().Median)
	cells[7] = fmt.Sprintf("%.0f", r.AllocatedBy.Objects)
	cells[8] = fmt.Sprintf("%.1f", r.AllocatedBy.Bytes/1000)
	if r.Cycles > 0 {
		cells[9] = percent(float64(r.Missed) / float64(r.Cycles))
	}
	if r.Run.Batches() {
		without, with := r.Shared()
		cells[10] = percent(without) + " -> " + percent(with)
	}
	return cells
}

func ratio(s Spread) string {
	return fmt.Sprintf("%s [%s-%s]", decimal(s.Median), decimal(s.Min), decimal(s.Max))
}

func percent(part float64) string {
	if !finite(part) {
		return unknown
	}
	return fmt.Sprintf("%.0f %%", 100*part)
}

// unknown stands for a ratio to nothing: a block may be too short for the CPU
// profile to find its cycles.
const unknown = "n/a"

func decimal(v float64) string {
	if !finite(v) {
		return unknown
	}
	return fmt.Sprintf("%.2f", v)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Line is the report for machines: the results in the order of Cases.
func Line(results []Result) string {
	order := map[string]int{}
	for i, c := range Cases() {
		order[c.Name] = i
	}
	sorted := slices.SortedStableFunc(slices.Values(results), func(a, b Result) int {
		return cmp.Or(cmp.Compare(order[a.Run.Name], order[b.Run.Name]), cmp.Compare(a.Run.Nodes, b.Run.Nodes))
	})
	var parts []string
	for _, r := range sorted {
		part := fmt.Sprintf("%s throughput %s cpu %s", r.Run, decimal(r.Throughput().Median), decimal(r.CycleRatio().Median))
		if !r.Run.ByHand {
			part += fmt.Sprintf(" own %.2f allocs %.0f", r.Own().Median, r.AllocatedBy.Objects)
		}
		parts = append(parts, part)
	}
	return "bench-scheduler: " + strings.Join(parts, "; ")
}
