package main

import (
	"cmp"
	"slices"
	"testing"

	agv1alpha1 "github.com/diktyo-io/appgroup-api/pkg/apis/appgroup/v1alpha1"
)

// shop calls in this order: web to cart and ads, cart to db. Of idle nobody knows
// anything.
func shop(edges ...edge) *cluster {
	c := &cluster{edges: append([]edge{{"shop/web", "shop/cart", 3}, {"shop/web", "shop/ads", 1}, {"shop/cart", "shop/db", 2.5}}, edges...)}
	for _, name := range []string{"db", "cart", "idle", "ads", "web"} {
		c.workloads = append(c.workloads, &workload{name: "shop/" + name, replicas: 1})
	}
	return c
}

func TestTopologyOrder(t *testing.T) {
	cases := map[string]struct {
		algorithm string
		cluster   *cluster
		want      []string
	}{
		"callers first":    {agv1alpha1.AppGroupKahnSort, shop(), []string{"shop.web", "shop.ads", "shop.cart", "shop.db"}},
		"callees first":    {agv1alpha1.AppGroupReverseKahn, shop(), []string{"shop.db", "shop.cart", "shop.ads", "shop.web"}},
		"from both ends":   {agv1alpha1.AppGroupAlternateKahn, shop(), []string{"shop.web", "shop.db", "shop.ads", "shop.cart"}},
		"cycle: as stated": {agv1alpha1.AppGroupKahnSort, shop(edge{"shop/db", "shop/web", 1}), []string{"shop.db", "shop.cart", "shop.idle", "shop.ads", "shop.web"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			group, err := appGroup(tc.cluster, tc.algorithm, false)
			if err != nil {
				t.Fatal(err)
			}
			order := group.Status.TopologyOrder
			if !slices.IsSortedFunc(order, func(a, b agv1alpha1.AppGroupTopologyInfo) int {
				return cmp.Compare(a.Workload.Selector, b.Workload.Selector)
			}) {
				t.Errorf("%v is not sorted by selector", order)
			}
			slices.SortFunc(order, func(a, b agv1alpha1.AppGroupTopologyInfo) int { return cmp.Compare(a.Index, b.Index) })
			var got []string
			for i, info := range order {
				if info.Index != int32(i+1) {
					t.Errorf("%s has the index %d, want %d", info.Workload.Selector, info.Index, i+1)
				}
				got = append(got, info.Workload.Selector)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestTopologyOrderRefusesUnknownAlgorithm(t *testing.T) {
	if _, err := appGroup(shop(), "Alphabet", false); err == nil {
		t.Error("no error")
	}
}

func TestDependencies(t *testing.T) {
	edges := []edge{{"shop/web", "shop/web", 1}, {"shop/web", "elsewhere/api", 1}} // neither counts
	for both, want := range map[bool]map[string]int{
		false: {"shop.web": 2, "shop.cart": 1, "shop.db": 0, "shop.ads": 0, "shop.idle": 0},
		true:  {"shop.web": 2, "shop.cart": 2, "shop.db": 1, "shop.ads": 1, "shop.idle": 0},
	} {
		group, err := appGroup(shop(edges...), agv1alpha1.AppGroupKahnSort, both)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range group.Spec.Workloads {
			if got := len(w.Dependencies); got != want[w.Workload.Name] {
				t.Errorf("both ends %v: %s has %d dependencies, want %d", both, w.Workload.Name, got, want[w.Workload.Name])
			}
		}
	}
}
