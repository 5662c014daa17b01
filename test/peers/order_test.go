package main

import (
	"fmt"
	"slices"
	"testing"
)

// What flowgraph/sim.Events makes of the same workloads with rand.NewPCG(1, 0).
func TestArrivals(t *testing.T) {
	c := &cluster{workloads: []*workload{
		{name: "shop/web", replicas: 3}, {name: "shop/agent", replicas: 1, fixed: true},
		{name: "shop/cart", replicas: 2}, {name: "shop/db", replicas: 2},
	}}
	cases := map[string]struct {
		byWorkload bool
		want       []string
	}{
		"random": {false, []string{
			"shop/web 1", "shop/db 1", "shop/web 2", "shop/db 0", "shop/cart 0", "shop/web 0", "shop/cart 1",
		}},
		"by workload": {true, []string{
			"shop/db 0", "shop/db 1", "shop/web 0", "shop/web 1", "shop/web 2", "shop/cart 0", "shop/cart 1",
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, a := range arrivals(c, tc.byWorkload, 1) {
				got = append(got, fmt.Sprint(a))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
