package sim

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEstimate(t *testing.T) {
	cases := map[string]struct {
		values []float64
		want   Estimate
	}{
		"none":     {nil, Estimate{}},
		"one":      {[]float64{7}, Estimate{Mean: 7, Runs: 1}},
		"agreeing": {[]float64{0.1, 0.1, 0.1}, Estimate{Mean: 0.1, Runs: 3}},
		// Standard deviation √2, t(1) = 12.706: 12.706 √2/√2.
		"two": {[]float64{1, 3}, Estimate{Mean: 2, Interval: 12.706, Runs: 2}},
		// Standard deviation √2.5, t(4) = 2.776.
		"five": {[]float64{1, 2, 3, 4, 5}, Estimate{Mean: 3, Interval: 2.776 * math.Sqrt(0.5), Runs: 5}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := NewEstimate(c.values)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
				t.Errorf("estimate (-want +got):\n%s", diff)
			}
			if got.HasInterval() != (len(c.values) > 2) {
				t.Errorf("HasInterval() = %v of %d values", got.HasInterval(), len(c.values))
			}
		})
	}
}

func TestDifferenceIsPaired(t *testing.T) {
	// The seeds differ by far more than a and b do: unpaired, nothing would show.
	a, b := []float64{11, 52, 93, 0}, []float64{10, 50, 90}
	want := Estimate{Mean: 2, Interval: 4.303 / math.Sqrt(3), Runs: 3}
	if diff := cmp.Diff(want, Difference(a, b), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	want.Mean = -2
	if diff := cmp.Diff(want, Difference(b, a), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("the other way (-want +got):\n%s", diff)
	}
}

func TestStudent(t *testing.T) {
	// From published tables of the 97.5 % quantile.
	for degrees, want := range map[int]float64{1: 12.706, 4: 2.776, 10: 2.228, 30: 2.042, 31: 2.040, 40: 2.021, 60: 2.000, 120: 1.980, 1_000_000: 1.960} {
		if got := student(degrees); math.Abs(got-want) > 0.0006 {
			t.Errorf("t(%d) = %v, want %v", degrees, got, want)
		}
	}
	for degrees := 1; degrees < 200; degrees++ {
		if student(degrees+1) >= student(degrees) {
			t.Errorf("t(%d) = %v is not below t(%d) = %v", degrees+1, student(degrees+1), degrees, student(degrees))
		}
	}
}

// TestIntervalCovers draws samples whose true mean is known: 95 % of the
// intervals contain it.
func TestIntervalCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{2, 5, 40} {
		const draws = 20_000
		covered := 0
		for range draws {
			values := make([]float64, n)
			for i := range values {
				values[i] = 3 + 2*rng.NormFloat64()
			}
			if e := NewEstimate(values); math.Abs(e.Mean-3) <= e.Interval {
				covered++
			}
		}
		// Three standard errors of a share of 0.95 over the draws are 0.0046.
		if share := float64(covered) / draws; math.Abs(share-0.95) > 0.0046 {
			t.Errorf("with %d values, %v of the intervals contain the mean, want 0.95", n, share)
		}
	}
}
