package locality

import "testing"

func TestLevelOf(t *testing.T) {
	at := Locality{Node: "n1", Zone: "a", Region: "r1"}
	cases := map[string]struct {
		other Locality
		want  Level
	}{
		"same node":                    {Locality{"n1", "a", "r1"}, Node},
		"same zone":                    {Locality{"n2", "a", "r1"}, Zone},
		"same region":                  {Locality{"n2", "b", "r1"}, Region},
		"zone name in another region":  {Locality{"n2", "a", "r2"}, Remote},
		"unknown zone in same region":  {Locality{"n2", "", "r1"}, Region},
		"nothing known of either zone": {Locality{"n2", "", ""}, Remote},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := LevelOf(at, c.other); got != c.want {
				t.Errorf("LevelOf = %v, want %v", got, c.want)
			}
			// Domain keys say the same.
			nearest := Remote
			for _, l := range Levels() {
				if d := at.Domain(l); d != "" && d == c.other.Domain(l) {
					nearest = l
					break
				}
			}
			if nearest != c.want {
				t.Errorf("the nearest equal domain is of level %v, want %v", nearest, c.want)
			}
		})
	}
}
