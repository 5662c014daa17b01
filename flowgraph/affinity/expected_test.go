package affinity

import (
	"math"
	"testing"
)

func TestExpected(t *testing.T) {
	cases := map[string]struct {
		a, b   Replicas
		coming Coming
		want   float64 // for an edge of rate 100
	}{
		"nobody comes":                       {Replicas{0, 4}, Replicas{0, 2}, Coming{}, 0},
		"a free one follows":                 {Replicas{0, 4}, Replicas{0, 2}, Coming{Free: 1}, 25},
		"the one that comes serves two":      {Replicas{1, 4}, Replicas{0, 2}, Coming{Here: 1}, 25},
		"and no third":                       {Replicas{2, 4}, Replicas{0, 2}, Coming{Here: 1}, 0},
		"unless another is free":             {Replicas{2, 4}, Replicas{0, 2}, Coming{Here: 1, Free: 1}, 25},
		"as many follow as one pod lacks":    {Replicas{0, 2}, Replicas{0, 6}, Coming{Free: 9}, 50},
		"or as there are":                    {Replicas{0, 2}, Replicas{0, 8}, Coming{Free: 2}, 25},
		"those that are there have work":     {Replicas{0, 2}, Replicas{1, 8}, Coming{Free: 2}, 37.5},
		"those that are there have room too": {Replicas{0, 4}, Replicas{1, 2}, Coming{}, 25},
		"nothing desired":                    {Replicas{0, 0}, Replicas{0, 2}, Coming{Free: 1}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Expected(100, c.a, c.b, c.coming); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("Expected = %v, want %v", got, c.want)
			}
		})
	}
}

// TestExpectedIsTheGainOfTheBestArrival: where enough pods of the peer come for those
// of the workload, the expected gain is never more than what one more pod adds to the
// traffic that stays when they come to the best places; and as much where their shares
// can match.
func TestExpectedIsTheGainOfTheBestArrival(t *testing.T) {
	compared := 0
	for da := range int32(6) {
		for db := range int32(6) {
			for places := range 216 { // up to five pods of a in each of two domains, and one of b or none
				a := [3]int32{int32(places % 6), int32(places / 6 % 6), 0}
				b := [3]int32{int32(places / 36 % 2), 0, int32(places / 72 % 3)}
				coming := db - b[0] - b[2]
				if a[0]+a[1] >= da || coming < 0 {
					continue
				}
				lacking := [3]int32{}
				free := coming
				for d := range a {
					lacking[d] = Lacking(Replicas{a[d], da}, Replicas{b[d], db})
					free -= lacking[d]
				}
				if free < 0 {
					continue
				}
				for d := range a {
					more := a
					more[d]++
					want := mostLocal(da, db, more, b, coming) - mostLocal(da, db, a, b, coming)
					got := Expected(1, Replicas{a[d], da}, Replicas{b[d], db}, Coming{Here: lacking[d], Free: free})
					matches := a[0]*db%da == 0 && a[1]*db%da == 0
					if got > want+1e-9 || matches && got < want-1e-9 {
						t.Fatalf("%v of %d and %v of %d, one more in domain %d: expected %v, the best arrival gains %v", a, da, b, db, d, got, want)
					}
					if matches && want > 0 {
						compared++
					}
				}
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d gains were compared", compared)
	}
}

// mostLocal is the largest share of the traffic that stays when so many pods of b
// come to three domains.
func mostLocal(da, db int32, a, b [3]int32, coming int32) float64 {
	most := 0.0
	for first := range coming + 1 {
		for second := range coming - first + 1 {
			sum := 0.0
			for d, more := range [3]int32{first, second, coming - first - second} {
				sum += Local(FairLoad, 1, Replicas{a[d], da}, Replicas{b[d] + more, db})
			}
			most = max(most, sum)
		}
	}
	return most
}
