package replayreport

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// WriteTable writes the report for people, with that many of the edges and of
// the workloads that change most.
func (r *Report) WriteTable(w io.Writer, changes int) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s: %d nodes, %d workloads, %d pods, %d edges, %s\n", r.Input.Name, r.Input.Nodes, r.Input.Workloads, r.Input.Pods, r.Input.Edges, rate(r.Input.BytesPerSecond))
	fmt.Fprintf(&out, "order %s, %d seeds from %d\n\n", r.Order, r.Seeds, r.FirstSeed)
	for _, level := range r.levels() {
		r.writeLevel(&out, level)
	}
	r.writeNodes(&out)
	fmt.Fprint(&out, explanation)
	if r.PricePerGB > 0 && r.hasPrices() {
		fmt.Fprintf(&out, "PER MONTH         what the traffic between zones costs in 30 days at %g per 1e9 bytes, as the Services are routed\n", r.PricePerGB)
	}
	for _, run := range r.Runs {
		run.writeChanges(&out, r.Baseline, changes)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(&out, "warning: %s\n", warning)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

const explanation = `
UNIFORM           traffic that stays local when calls go to all endpoints alike
SAME-NODE         ... when a call stays whenever an endpoint is there
FAIR-LOAD         ... when calls stay as far as the local endpoints' fair share of the load reaches
AS CONFIGURED     ... as the Services say; CROSSING is the rest of the traffic under it
BUSIEST           load of the busiest pod under same-node routing, relative to an even share
CPU, MEM DEV      standard deviation of the nodes' used CPU and memory, in percentage points
HEADROOM          how many more pods as large as the 95th percentile fit
CONCENTRATED      workloads with several pods that the loss of one node takes down whole
SKEWED            workloads spread less evenly than kube-scheduler's default constraints prefer
UNSCHEDULABLE     pods that fitted nowhere
Figures are means over the seeds with their 95 % confidence interval.
`

func (r *Report) levels() []string {
	var levels []string
	if len(r.Runs) > 0 {
		for _, l := range r.Runs[0].Levels {
			levels = append(levels, l.Level)
		}
	}
	return levels
}

func (r *Report) hasPrices() bool { return len(r.Runs) > 0 && r.Runs[0].CrossZonePerMonth != nil }

func (r *Report) writeLevel(out io.Writer, level string) {
	prices := r.hasPrices() && level == locality.Zone.String()
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	header := fmt.Sprintf("STAYS IN THE %s\tUNIFORM\tSAME-NODE\tFAIR-LOAD\tAS CONFIGURED\tCROSSING", upper(level))
	if prices {
		header += "\tPER MONTH"
	}
	fmt.Fprintln(w, header)
	for _, run := range r.Runs {
		row := run.Name
		for _, l := range run.Levels {
			if l.Level != level {
				continue
			}
			for _, m := range []sim.Model{sim.Uniform, sim.SameNode, sim.FairLoad, sim.Configured} {
				row += "\t" + percent(l.Models[m].LocalShare)
			}
			row += "\t" + rate(l.Models[sim.Configured].Crossing.Mean)
		}
		if prices {
			row += fmt.Sprintf("\t%.2f", run.CrossZonePerMonth.Mean)
		}
		fmt.Fprintln(w, row)
	}
	w.Flush()
	fmt.Fprintln(out)
}

func (r *Report) writeNodes(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	timed := len(r.Runs) > 0 && r.anyTiming()
	header := "NODES\tCPU DEV\tMEM DEV\tHEADROOM\tCONCENTRATED\tSKEWED\tBUSIEST\tUNSCHEDULABLE"
	if timed {
		header += "\tPER DECISION"
	}
	fmt.Fprintln(w, header)
	for _, run := range r.Runs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", run.Name,
			number(run.CPUDeviation, 1), number(run.MemoryDeviation, 1), number(run.Headroom, 0),
			percent(run.Concentration), number(run.Skewed, 1), number(run.BusiestEndpoint, 2), number(run.Unschedulable, 1))
		if timed && run.Timing != nil {
			fmt.Fprintf(w, "\t%.2f ms", 1000*run.Timing.Mean)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

func (r *Report) anyTiming() bool {
	for _, run := range r.Runs {
		if run.Timing != nil {
			return true
		}
	}
	return false
}

func (run *Run) writeChanges(out io.Writer, baseline string, most int) {
	if len(run.Edges) == 0 || most == 0 {
		return
	}
	fmt.Fprintf(out, "\nwhat changes most from %s to %s, bytes/s that stay on the node:\n", baseline, run.Name)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "EDGE OR WORKLOAD\tALL\tBEFORE\tAFTER")
	for _, list := range [][]Change{run.Edges, run.WorkloadChanges} {
		for _, c := range list[:min(most, len(list))] {
			name := c.From
			if c.To != "" {
				name += " -> " + c.To
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, rate(c.Total), rate(c.Before), rate(c.After))
		}
	}
	w.Flush()
}

func upper(level string) string {
	return string(bytes.ToUpper([]byte(level)))
}

func percent(e sim.Estimate) string {
	if e.Interval == 0 {
		return fmt.Sprintf("%.1f %%", 100*e.Mean)
	}
	return fmt.Sprintf("%.1f ±%.1f %%", 100*e.Mean, 100*e.Interval)
}

func number(e sim.Estimate, digits int) string {
	if e.Interval == 0 {
		return fmt.Sprintf("%.*f", digits, e.Mean)
	}
	return fmt.Sprintf("%.*f ±%.*f", digits, e.Mean, max(digits, 1), e.Interval)
}

func rate(bytesPerSecond float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1 << 30, "GiB/s"}, {1 << 20, "MiB/s"}, {1 << 10, "KiB/s"}} {
		if bytesPerSecond >= unit.size {
			return fmt.Sprintf("%.1f %s", bytesPerSecond/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B/s", bytesPerSecond)
}
