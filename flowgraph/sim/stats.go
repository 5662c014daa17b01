package sim

import "math"

// Estimate is the mean of a measure over independent runs.
type Estimate struct {
	// Mean is the mean.
	Mean float64 `json:"mean"`
	// Interval is half the width of the mean's 95 % confidence interval: the true mean is
	// within mean ± interval. It is 0 when all runs agree, says nothing when there is only
	// one, and little when there are two.
	Interval float64 `json:"interval"`
	// Runs is how many runs the mean is of: one for each seed.
	Runs int `json:"runs"`
}

// HasInterval reports whether there are enough runs for an interval that says something. That
// of two runs reaches more than six times as far as they are apart.
func (e Estimate) HasInterval() bool { return e.Runs >= minRuns }

// minRuns is how many runs an interval needs.
const minRuns = 3

// NewEstimate returns the estimate from the values of the runs, zero when there
// are none. The interval is Student's: t(n-1) s/√n, where s is the standard
// deviation of the n values as a sample.
func NewEstimate(values []float64) Estimate {
	e := Estimate{Runs: len(values)}
	n := float64(len(values))
	if n == 0 {
		return e
	}
	for _, v := range values {
		e.Mean += v
	}
	e.Mean /= n
	if n < 2 {
		return e
	}
	var squares float64
	for _, v := range values {
		squares += (v - e.Mean) * (v - e.Mean)
	}
	e.Interval = student(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	return e
}

// Difference returns the estimate of a - b, paired: a[i] and b[i] are of runs
// that share a seed and differ in what is compared only, so that what the seed
// does to both cancels out. "a is not below b" holds when the interval of the
// difference does not lie below 0. Pairs without a partner are left out.
func Difference(a, b []float64) Estimate {
	differences := make([]float64, min(len(a), len(b)))
	for i := range differences {
		differences[i] = a[i] - b[i]
	}
	return NewEstimate(differences)
}

// student returns the 97.5 % quantile of Student's t distribution: from the
// usual table up to 30 degrees of freedom, from there on by the first terms of
// its expansion around the normal quantile (Abramowitz and Stegun 26.7.5), which
// is right to 0.001.
func student(degrees int) float64 {
	table := [...]float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
		2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
		2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if degrees <= len(table) {
		return table[degrees-1]
	}
	const z = 1.959964
	n := float64(degrees)
	return z + (z*z*z+z)/(4*n) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*n*n)
}
