package measure

import (
	"strings"
	"testing"
	"time"
)

// result returns a run in which the blocks with the plugin took each so much of
// what those without took, of 100 pods in a second.
func result(t *testing.T, run string, throughput ...float64) Result {
	t.Helper()
	o, err := ParseOptions(run, "", "")
	if err != nil {
		t.Fatal(err)
	}
	r := Result{Run: o.Runs[0], AllocatedBy: Allocations{Objects: 480.4, Bytes: 56_000}, Cycles: 4, Missed: 3}
	for _, x := range throughput {
		r.Pairs = append(r.Pairs, Pair{
			Without: Block{Pods: 100, Took: time.Second, CPU: CPU{Cycle: 400 * time.Millisecond}, Shared: 90},
			With: Block{Pods: 100, Took: time.Duration(float64(time.Second) / x),
				CPU: CPU{Cycle: 600 * time.Millisecond, Own: 150 * time.Millisecond}},
		})
	}
	return r
}

func TestSpread(t *testing.T) {
	cases := map[string]struct {
		values []float64
		want   Spread
	}{
		"one":  {[]float64{3}, Spread{3, 3, 3}},
		"odd":  {[]float64{9, 1, 2}, Spread{2, 1, 9}},
		"even": {[]float64{4, 1, 2, 9}, Spread{3, 1, 9}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := spreadOf(c.values); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// The ratio of a pair is of its own two blocks, not of medians over all.
func TestRatiosArePaired(t *testing.T) {
	r := result(t, "full-1000", 0.5, 0.5, 0.5)
	for i := range r.Pairs {
		// The machine becomes slower for both.
		r.Pairs[i].Without.Took *= time.Duration(i + 1)
		r.Pairs[i].With.Took *= time.Duration(i + 1)
	}
	if got, want := r.Throughput(), (Spread{0.5, 0.5, 0.5}); got != want {
		t.Errorf("throughput %v, want %v", got, want)
	}
	if got, want := r.CycleRatio().Median, 1.5; got != want {
		t.Errorf("CPU ratio %v, want %v", got, want)
	}
	if got, want := r.OwnPart().Median, 150.0/450; got != want {
		t.Errorf("own part %v, want %v", got, want)
	}
}

func TestPrint(t *testing.T) {
	results := []Result{
		result(t, "affinity-5000", 0.54),
		result(t, "batching-1000", 0.70),
		result(t, "full-5000", 0.91),
		result(t, "filling-5000", 0.67, 0.76, 0.88),
		result(t, "filling-1000", 0.78),
	}
	var b strings.Builder
	if err := Print(&b, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	const want = "bench-scheduler: filling-1000 throughput 0.78 cpu 1.50 own 1.50 allocs 480; " +
		"filling-5000 throughput 0.76 cpu 1.50 own 1.50 allocs 480; " +
		"full-5000 throughput 0.91 cpu 1.50 own 1.50 allocs 480; " +
		"batching-1000 throughput 0.70 cpu 1.50 own 1.50 allocs 480; " +
		"affinity-5000 throughput 0.54 cpu 1.50"
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("last line\n%s\nwant\n%s", got, want)
	}
	for _, want := range []string{
		"filling-5000 | 100 -> 76 | 0.76 [0.67-0.88] | 1.50 [1.50-1.50] | 4.00 -> 6.00 | 1.50 [1.50-1.50] | 33 % | 480 | 56.0 | 75 % | -",
		"affinity-5000 | 100 -> 54 | 0.54 [0.54-0.54] | 1.50 [1.50-1.50] | 4.00 -> 6.00 | - | - | - | - | - | -",
		"batching-1000 | 100 -> 70 | 0.70 [0.70-0.70] | 1.50 [1.50-1.50] | 4.00 -> 6.00 | 1.50 [1.50-1.50] | 33 % | 480 | 56.0 | 75 % | 90 % -> 0 %",
	} {
		found := false
		for _, line := range lines {
			cells := strings.FieldsFunc(strings.ReplaceAll(line, "  ", "\t"), func(r rune) bool { return r == '\t' })
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			found = found || strings.Join(cells, " | ") == want
		}
		if !found {
			t.Errorf("no row %s in\n%s", want, b.String())
		}
	}
}

// A block of a few pods may end before the profiler has seen a cycle.
func TestRatiosToNothing(t *testing.T) {
	r := result(t, "jobs-20", 0.5)
	r.Pairs[0].Without.CPU, r.Pairs[0].With.CPU = CPU{}, CPU{}
	const want = "bench-scheduler: jobs-20 throughput 0.50 cpu n/a own 0.00 allocs 480"
	if got := Line([]Result{r}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if cells := row(r); cells[3] != "n/a [n/a-n/a]" || cells[6] != unknown {
		t.Errorf("cells %q", cells)
	}
}
