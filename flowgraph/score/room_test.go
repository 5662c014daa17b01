package score

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// extremes are amounts at the bounds, and whatever a seed gives between them.
func extremes(random *rand.Rand) []int64 {
	all := []int64{0, 1, -1, 2, 1 << 31, 1 << 32, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2}
	for range 200 {
		all = append(all, int64(random.Uint64())>>random.IntN(64))
	}
	return all
}

// nearest is a number of any size as an int64.
func nearest(n *big.Int) int64 {
	if n.IsInt64() {
		return n.Int64()
	}
	if n.Sign() < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// TestRoomSaturates compares with arithmetic that knows no bounds.
func TestRoomSaturates(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, a := range extremes(random) {
		for _, b := range extremes(random) {
			if got, want := minus(a, b), nearest(new(big.Int).Sub(big.NewInt(a), big.NewInt(b))); got != want {
				t.Fatalf("%d - %d = %d, want %d", a, b, got, want)
			}
			n := int32(b >> 32)
			if n <= 0 {
				n = math.MaxInt32
			}
			if got, want := times(a, n), nearest(new(big.Int).Mul(big.NewInt(a), big.NewInt(int64(n)))); got != want {
				t.Fatalf("%d * %d = %d, want %d", a, n, got, want)
			}
		}
	}
}

// TestHugeRequestsLeaveNoRoom: what a pod asks for beyond all machines never frees room.
func TestHugeRequestsLeaveNoRoom(t *testing.T) {
	all := Room{MilliCPU: 64_000, Memory: 256 << 30, Pods: 110}
	huge := Room{MilliCPU: math.MaxInt64 / 2, Memory: math.MaxInt64 / 2, Pods: 1}
	for _, n := range []int32{1, 2, 3, 4, 1000, math.MaxInt32} {
		if left := all.Minus(huge.times(n)); !left.overdrawn() {
			t.Errorf("%d such pods leave %+v", n, left)
		}
	}
}
