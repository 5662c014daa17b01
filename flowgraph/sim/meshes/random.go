package meshes

import (
	"math"
	"math/rand/v2"
)

// logNormal draws from the log-normal distribution of a median and a sigma, to
// four digits: more would depend on the architecture, whose exponential function
// may differ in the last bit.
func logNormal(rng *rand.Rand, median, sigma float64) float64 {
	v := median * math.Exp(sigma*rng.NormFloat64())
	scale := math.Pow10(int(math.Floor(math.Log10(v))) - 3)
	return math.Round(v/scale) * scale
}

// pick draws one of several values that are equally likely.
func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }
