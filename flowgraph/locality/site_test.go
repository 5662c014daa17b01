package locality

import "testing"

func TestSharesZone(t *testing.T) {
	cases := map[string]struct {
		site, node Locality
		want       bool
	}{
		"zone and region":         {Locality{Zone: "a", Region: "eu"}, Locality{Node: "n", Zone: "a", Region: "eu"}, true},
		"another zone":            {Locality{Zone: "a", Region: "eu"}, Locality{Node: "n", Zone: "b", Region: "eu"}, false},
		"another region":          {Locality{Zone: "a", Region: "eu"}, Locality{Node: "n", Zone: "a", Region: "us"}, false},
		"a site of a zone only":   {Locality{Zone: "a"}, Locality{Node: "n", Zone: "a", Region: "us"}, true},
		"a node of a zone only":   {Locality{Zone: "a", Region: "eu"}, Locality{Node: "n", Zone: "a"}, true},
		"a site of a region only": {Locality{Region: "eu"}, Locality{Node: "n", Region: "eu"}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := SharesZone(c.site, c.node); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
