package affinity

import "math"

// Coming is how many of a peer's pods are wanted but not placed yet, as one domain
// sees them.
type Coming struct {
	// Here is how many of them are expected in the domain.
	Here int32
	// Free is how many are expected nowhere, so that they can follow the next pod.
	Free int32
}

// Lacking is how many more pods of b match the share of a in a domain:
// ceil(xa db/da) - xb, at least 0.
func Lacking(a, b Replicas) int32 {
	if a.Desired <= 0 {
		return 0
	}
	matching := math.Ceil(a.Share()*float64(b.Desired) - 1e-9)
	return max(0, int32(matching)-b.Placed)
}

// Expected is what Gain will be under FairLoad when those of b that are coming are
// there: the ones that are expected, and of the free ones as many as the next pod of
// a lacks.
func Expected(w float64, a, b Replicas, coming Coming) float64 {
	b.Placed += coming.Here
	after := b
	after.Placed += min(coming.Free, Lacking(a.plusOne(), b))
	return Local(FairLoad, w, a.plusOne(), after) - Local(FairLoad, w, a, b)
}
