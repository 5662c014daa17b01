package measure

import (
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	cases := map[string]struct {
		cases, nodes, pairs string
		want                string // the runs
		wantPairs           int
	}{
		"defaults":                       {want: "filling-5000 full-5000 bare-5000 batching-5000 affinity-5000", wantPairs: 6},
		"a case at every size":           {cases: "full", nodes: "1000,5000", pairs: "2", want: "full-1000 full-5000", wantPairs: 2},
		"a case with a size of its own":  {cases: "filling-1000,full", nodes: "20", want: "filling-1000 full-20", wantPairs: 6},
		"a case with a dash":             {cases: "filling-noreserve", nodes: "100", want: "filling-noreserve-100", wantPairs: 6},
		"all nodes, with a size":         {cases: "filling-all-1000", want: "filling-all-1000", wantPairs: 6},
		"the same twice":                 {cases: "full-20,full", nodes: "20", want: "full-20", wantPairs: 6},
		"separated by spaces":            {cases: " full  bare ", nodes: " 20 ", want: "full-20 bare-20", wantPairs: 6},
		"nothing but separators is none": {cases: ", ,", nodes: "20", want: "filling-20 full-20 bare-20 batching-20 affinity-20", wantPairs: 6},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o, err := ParseOptions(c.cases, c.nodes, c.pairs)
			if err != nil {
				t.Fatal(err)
			}
			var runs []string
			for _, r := range o.Runs {
				runs = append(runs, r.String())
			}
			if got := strings.Join(runs, " "); got != c.want || o.Pairs != c.wantPairs {
				t.Errorf("runs %s, %d pairs, want %s, %d", got, o.Pairs, c.want, c.wantPairs)
			}
		})
	}
}

func TestParseOptionsAll(t *testing.T) {
	o, err := ParseOptions("all", "1000,5000", "")
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * len(Cases()); len(o.Runs) != want {
		t.Errorf("%d runs, want %d", len(o.Runs), want)
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	cases := map[string]struct{ cases, nodes, pairs, want string }{
		"no such case":        {cases: "empty", want: `CASES: there is no case "empty"`},
		"no number of nodes":  {cases: "full-many", want: `CASES: must be a whole number from 20 to 20000 (got "many")`},
		"too few nodes":       {nodes: "19", want: `NODES: must be a whole number from 20 to 20000 (got "19")`},
		"too few for a case":  {cases: "full-3", want: `CASES: must be a whole number from 20`},
		"no pairs":            {pairs: "0", want: `PAIRS: must be a whole number from 1 to 100 (got "0")`},
		"pairs are no number": {pairs: "six", want: `PAIRS: `},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseOptions(c.cases, c.nodes, c.pairs); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestCasesAreSampledAndComplete(t *testing.T) {
	all := map[string]Case{}
	for _, c := range Cases() {
		if _, twice := all[c.Name]; twice {
			t.Errorf("two cases are named %s", c.Name)
		}
		all[c.Name] = c
	}
	for name, c := range all {
		if c.AllNodes {
			continue
		}
		other, ok := all[name+"-all"]
		if c.Name, c.AllNodes = c.Name+"-all", true; !ok || other != c {
			t.Errorf("%s: with all nodes scored it is %+v, want %+v", name, other, c)
		}
	}
}
