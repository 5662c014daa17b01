package coldstart

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
)

func TestParsePeers(t *testing.T) {
	many := []string{}
	for i := range declared.MaxPeers + 1 {
		many = append(many, fmt.Sprint("db-", i))
	}
	cases := map[string]struct{ text, want, wrong string }{
		"one":                 {text: "shop/cart=1Mi/s", want: "shop/cart=1048576"},
		"own namespace":       {text: "cart=500k", want: "own/cart=500000"},
		"no rate":             {text: "cart", want: "own/cart=0"},
		"several, with room":  {text: " cart = 1Mi /s ,\n shop/db=2 , ", want: "own/cart=1048576 shop/db=2"},
		"nothing":             {text: " , ,"},
		"a fraction":          {text: "cart=1.5Ki/s", want: "own/cart=1536"},
		"exponents":           {text: "cart=1e3", want: "own/cart=1000"},
		"a word":              {text: "cart=fast, db=1", want: "own/db=1", wrong: `"cart=fast": the rate must be a quantity per second above 0, such as 1Mi/s`},
		"a rate of none":      {text: "cart=0", wrong: `"cart=0": the rate must be a quantity per second above 0, such as 1Mi/s`},
		"a negative rate":     {text: "cart=-1Mi/s", wrong: `"cart=-1Mi/s": the rate must be`},
		"an empty rate":       {text: "cart=/s", wrong: `"cart=/s": the rate must be`},
		"no such name":        {text: "Cart=1", wrong: `"Cart=1": the peer must be the name of a workload, such as cart, or shop/cart for one in another namespace`},
		"too many names":      {text: "a/b/c=1", wrong: `"a/b/c=1": the peer must be`},
		"no namespace":        {text: "/cart=1", wrong: `"/cart=1": the peer must be`},
		"a URL":               {text: "http://cart.shop:80/=1Mi/s", wrong: `the peer must be the name of a workload`},
		"twice":               {text: "cart=1,own/cart=2", want: "own/cart=1", wrong: `"own/cart=2": the peer is named before; name it once`},
		"several are wrong":   {text: "cart=a,db=b,ads=c", wrong: `"cart=a": the rate must be a quantity per second above 0, such as 1Mi/s; 2 more are wrong`},
		"more than there is":  {text: "cart=1e99", want: "own/cart=1000000000000"},
		"a number of memory":  {text: "cart=1e999999999", wrong: `"cart=1e999999999": the rate must be`},
		"a long rate":         {text: "cart=" + strings.Repeat("1", 1000), wrong: `...": the rate must be`},
		"more peers than may": {text: strings.Join(many, ","), want: "own/" + strings.Join(many[:declared.MaxPeers], "=0 own/") + "=0", wrong: "only the first 32 peers count"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			peers, err := ParsePeers(tc.text, "own")
			var got []string
			for _, p := range peers {
				got = append(got, fmt.Sprintf("%s=%.0f", p.WorkloadID, p.Rate))
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("peers %q, want %q", got, tc.want)
			}
			if (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("error %v, want %q", err, tc.wrong)
			}
		})
	}
}

// FuzzParsePeers reads what anybody may write. Whatever it is, the peers are valid and few,
// the message is short, and what FormatPeers writes of them is read as the same.
func FuzzParsePeers(f *testing.F) {
	for _, text := range []string{"shop/cart=1Mi/s", "cart=500k, db", "=,=", "a=1e999", "a=1m/s/s", "ä/b=1", "a=\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		peers, err := ParsePeers(text, "own")
		if len(peers) > declared.MaxPeers {
			t.Errorf("%d peers", len(peers))
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("a message of %d bytes", len(err.Error()))
		}
		for _, p := range peers {
			if !p.IsValid() || !flowgraph.ValidRate(p.Rate) {
				t.Errorf("%v is not valid", p)
			}
		}
		again, err := ParsePeers(FormatPeers(peers), "another")
		if err != nil || len(again) != len(peers) {
			t.Fatalf("%q is written as %q: %v", text, FormatPeers(peers), err)
		}
		for i := range peers {
			if difference := again[i].Rate - peers[i].Rate; again[i].WorkloadID != peers[i].WorkloadID || difference > 1e-3 || difference < -1e-3 {
				t.Errorf("%v is read again as %v", peers[i], again[i])
			}
		}
	})
}
