package locality

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// scale returns the scale of levels as they are listed, the nearest first: "node
// rack zone".
func scale(text string) Scale {
	var s Scale
	last, i := Remote, 0
	for _, name := range strings.Fields(text) {
		switch name {
		case "node":
			last, i = Node, 0
		case "zone":
			last, i = Zone, 0
		case "region":
			last, i = Region, 0
		default:
			s = append(s, Label{last.Labelled(i), name})
			i++
		}
	}
	return s
}

// text is the reverse of scale.
func text(s Scale) string {
	var names []string
	for _, level := range s.Levels() {
		names = append(names, s.Name(level))
	}
	return strings.Join(names, " ")
}

func TestLevelsAreInOrder(t *testing.T) {
	const all = "node a b c d e zone f region g"
	if got := text(scale(all)); got != all {
		t.Errorf("the levels are %s, want %s", got, all)
	}
	for _, level := range []Level{Node, Zone, Region} {
		if level.Labelled(0) <= level || level < Region && level.Labelled(MaxLabels-1) >= level+MaxLabels+1 {
			t.Errorf("the levels of labels that are wider than %v are %d to %d", level, level.Labelled(0), level.Labelled(MaxLabels-1))
		}
	}
}

func TestDomains(t *testing.T) {
	s := scale("node rack block zone hall region")
	at := func(node, rack, block, zone, hall, region string) []string {
		return s.Domains(Locality{Node: node, Zone: zone, Region: region}, []string{rack, block, hall})
	}
	base := at("n1", "1", "2", "a", "h", "r")
	// same has for each level whether both nodes share a domain of it.
	cases := map[string]struct {
		other []string
		same  string
	}{
		"itself":               {base, "node rack block zone hall region"},
		"the same rack":        {at("n2", "1", "2", "a", "h", "r"), "rack block zone hall region"},
		"a rack's name there":  {at("n2", "1", "3", "a", "h", "r"), "zone hall region"},
		"another zone":         {at("n2", "1", "2", "b", "h", "r"), "hall region"},
		"another region":       {at("n2", "1", "2", "a", "h", "s"), ""},
		"a zone in other hall": {at("n2", "1", "2", "a", "i", "r"), "region"},
		"no rack":              {at("n2", "", "2", "a", "h", "r"), "block zone hall region"},
		"no block":             {at("n2", "1", "", "a", "h", "r"), "zone hall region"},
		"nothing":              {at("n2", "", "", "", "", ""), ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var same []string
			for i, level := range s.Levels() {
				if base[i] == test.other[i] {
					same = append(same, s.Name(level))
				}
			}
			if got := strings.Join(same, " "); got != test.same {
				t.Errorf("they share %s, want %s", got, test.same)
			}
		})
	}
	if got := at("n", "", "", "", "", ""); !slices.Equal(got, []string{"n", "", "", "", "", ""}) {
		t.Errorf("a node of which nothing is known is in %q", got)
	}
	if got := s.Domains(Locality{Node: "n", Zone: "a"}, nil); !slices.Equal(got, []string{"n", "", "", "//a", "", ""}) {
		t.Errorf("a node without labels is in %q", got)
	}
}

// TestDomainsWithoutLabels compares with those of a locality by itself.
func TestDomainsWithoutLabels(t *testing.T) {
	for _, at := range []Locality{{"n", "a", "r"}, {"n", "", "r"}, {"n", "a", ""}, {"n", "", ""}} {
		var want []string
		for _, level := range Levels() {
			want = append(want, at.Domain(level))
		}
		if got := (Scale{}).Domains(at, nil); !slices.Equal(got, want) {
			t.Errorf("%+v is in %q, want %q", at, got, want)
		}
	}
}

func TestDomainsNest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	value := func() string { return []string{"", "1", "2"}[random.IntN(3)] }
	s := scale("node a zone b c region d")
	for range 5000 {
		var keys [2][]string
		for i := range keys {
			keys[i] = s.Domains(Locality{Node: string(rune('m' + i)), Zone: value(), Region: value()}, []string{value(), value(), value(), value()})
		}
		for i := range keys[0] {
			if keys[0][i] == "" || keys[0][i] != keys[1][i] {
				continue
			}
			for wider := i; wider < len(keys[0]); wider++ {
				if keys[0][wider] != keys[1][wider] {
					t.Fatalf("%q and %q share a domain at position %d and none at %d", keys[0], keys[1], i, wider)
				}
			}
		}
	}
}

func TestMergeALabelCalledZone(t *testing.T) {
	s := Scale{{Node.Labelled(0), "zone"}, {Zone.Labelled(0), "rack"}}
	if merged, err := Merge(s, Scale{{Zone.Labelled(0), "rack"}}); err != nil || !slices.Equal(merged, s) {
		t.Errorf("merged are %v, %v, want %v", merged, err, s)
	}
}

func TestMerge(t *testing.T) {
	cases := map[string]struct {
		scales []string
		want   string
		err    string
	}{
		"none":                {nil, "node zone region", ""},
		"one":                 {[]string{"node rack zone region"}, "node rack zone region", ""},
		"the same":            {[]string{"node rack zone", "node rack zone"}, "node rack zone region", ""},
		"others":              {[]string{"node rack zone", "node zone hall region", "node zone"}, "node rack zone hall region", ""},
		"one between two":     {[]string{"node block zone", "node rack block zone"}, "node rack block zone region", ""},
		"known by neighbours": {[]string{"node b c zone", "node a b zone", "node c d zone"}, "node a b c d zone region", ""},
		"wider than all":      {[]string{"node zone region x", "node zone region x y"}, "node zone region x y", ""},
		"nobody says which":   {[]string{"node b zone", "node a zone"}, "node b a zone region", ""},
		"two orders":          {[]string{"node a b zone", "node b a zone"}, "", "a, b"},
		"a ring":              {[]string{"node a b zone", "node b c zone", "node c a zone"}, "", "a, b, c"},
		"either side of zone": {[]string{"node rack zone", "node zone rack region"}, "", "rack, zone"},
		"too many":            {[]string{"node a b c zone", "node d e f zone"}, "", "6 labels"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var scales []Scale
			for _, s := range test.scales {
				scales = append(scales, scale(s))
			}
			merged, err := Merge(scales...)
			switch {
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("the error is %v, want it to say %s", err, test.err)
			case test.err == "" && err != nil:
				t.Error(err)
			case test.err == "" && text(merged) != test.want:
				t.Errorf("the levels are %s, want %s", text(merged), test.want)
			}
		})
	}
}
