package browser

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// models are the routings of the page, with the words of its sentences.
var models = map[string]string{
	"configured": "", "uniform": "uniform routing and ", "fairLoad": "fair-load routing and ", "sameNode": "same-node routing and ",
}

// levels are those of the page, with the words of its sentences.
var levels = map[string]struct {
	where string
	of    func(*figures) map[string]traffic
}{
	"node": {"on its node", func(f *figures) map[string]traffic { return f.Node }},
	"zone": {"in its zone", func(f *figures) map[string]traffic { return f.Zone }},
}

// clusterIn writes a cluster whose pods have nodes, and its traffic, and returns the
// arguments that replay it. Without zones, the last node has none.
func clusterIn(t *testing.T, zones bool) []string {
	t.Helper()
	var items []string
	for i, zone := range []string{"a", "a", "b", "b"} {
		label := fmt.Sprintf(`"topology.kubernetes.io/region":"r","topology.kubernetes.io/zone":"%s",`, zone)
		if i == 3 && !zones {
			label = ""
		}
		items = append(items, fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"n%d","labels":{%s"kubernetes.io/hostname":"n%d"}},`+
			`"status":{"allocatable":{"cpu":"4","memory":"16Gi","pods":"50"},"capacity":{"cpu":"4","memory":"16Gi","pods":"50"},"conditions":[{"type":"Ready","status":"True"}]}}`, i, label, i))
	}
	for name, nodes := range map[string][]int{"web": {0, 1, 2, 3}, "api": {0, 2, 3}, "db": {2, 3}} {
		spec := `{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"500m","memory":"1Gi"}}}]`
		template := fmt.Sprintf(`{"metadata":{"labels":{"app":"%s"}},"spec":%s}}`, name, spec)
		items = append(items,
			fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"namespace":"shop","name":"%s","uid":"%s"},"spec":{"replicas":%d,"selector":{"matchLabels":{"app":"%s"}},"template":%s}}`, name, name, len(nodes), name, template),
			fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":"%s"},"spec":{"clusterIP":"10.0.0.9","selector":{"app":"%s"},"ports":[{"port":80}]}}`, name, name))
		for i, node := range nodes {
			items = append(items, fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"%s-%d","labels":{"app":"%s"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"%s","uid":"%s","controller":true}]},`+
				`"spec":%s,"nodeName":"n%d"},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`, name, i, name, name, name, spec, node))
		}
	}
	dir := t.TempDir()
	for file, text := range map[string]string{
		"cluster.json": `{"apiVersion":"v1","kind":"List","items":[` + strings.Join(items, ",") + `]}`,
		"edges.csv":    "from,to,bytes_per_second\nshop/web,shop/api,5123457\nshop/api,shop/db,912345\nshop/web,shop/db,41234\noutside/cdn,shop/web,2e6\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"replay", filepath.Join(dir, "edges.csv"), "--cluster", filepath.Join(dir, "cluster.json"), "--seeds", "2", "--price", "aws"}
}

// TestFiguresOfAReplay reads every figure and every sentence at the top of the page
// back, for each combination of run, level and routing, and compares them with the
// JSON.
func TestFiguresOfAReplay(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		// unpriced: the price is known for the configured routing only.
		unpriced, assumed bool
	}{
		"generated":           {args: boutique},
		"recorded":            {args: clusterIn(t, true)},
		"node without a zone": {args: clusterIn(t, false), unpriced: true},
		"assumed routing":     {args: append(clusterIn(t, true), "--route", "all=PreferSameZone", "--run", "recorded,latency"), assumed: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := decode[report](t, vicinity(t, append(c.args, "-o", "json")...))
			p := show(t, vicinity(t, append(c.args, "-o", "html")...), desktop)
			if got := evaluate[string](p, `document.querySelector("fieldset input:checked").value`); got != "zone" {
				t.Errorf("the level is %s at first, want zone, as there is a price", got)
			}
			for i := range r.Runs {
				p.choose("Run", r.Runs[i].Name)
				for model := range models {
					p.choose("Routing", model)
					for level := range levels {
						p.choose("Level", level)
						combination{p, &r, &r.Runs[i], r.run(r.Baseline), level, model, !c.unpriced || model == "configured", c.assumed}.check()
					}
				}
			}
			p.quiet()
		})
	}
}

// combination is what is chosen on the page.
type combination struct {
	*tab
	r            *report
	run, base    *run
	level, model string
	// priced: there is a price for this routing. assumed: the routing of today is
	// not known.
	priced, assumed bool
}

func (c combination) String() string { return c.run.Name + ", " + c.model + ", " + c.level }

func (c combination) compare(selector, want string) {
	c.t.Helper()
	if got := c.text(selector); got != want {
		c.t.Errorf("%s: %s is %q, want %q", c, selector, got, want)
	}
}

func (c combination) share(r *run, model string) string {
	return percent(levels[c.level].of(&r.Summary)[model].LocalShare.Mean)
}

// today reports whether the cluster has this assignment and this routing now.
func (c combination) today(r *run, model string) bool {
	return r.Name == "recorded" && model == "configured" && r.Routing == "today"
}

func (c combination) check() {
	c.t.Helper()
	for i := range c.r.Runs {
		e := levels[c.level].of(&c.r.Runs[i].Summary)[c.model].LocalShare
		row := `[data-run="` + c.r.Runs[i].Name + `"]`
		c.compare(row+` [data-figure]`, e.with(percent))
		name := capital(c.r.Runs[i].Title)
		if &c.r.Runs[i] == c.base {
			name += " before"
		}
		c.compare(row+` button`, name)
	}
	c.checkSentences()
	for level, words := range levels {
		is, was, change := words.of(&c.run.Summary)[c.model], words.of(&c.base.Summary)[c.model], words.of(&c.run.Difference)[c.model]
		c.tile(level+".localShare", is.LocalShare.Mean, was.LocalShare.Mean, change.LocalShare.Mean, percent)
		c.tile(level+".crossing", is.Crossing.Mean, was.Crossing.Mean, change.Crossing.Mean, binary)
	}
	if !c.priced {
		c.compare(`[data-figure="price"]`, "(nothing)")
		return
	}
	c.tile("price", c.r.price(&c.run.Summary, c.model), c.r.price(&c.base.Summary, c.model), c.r.price(&c.run.Difference, c.model), c.r.money)
}

func (c combination) checkSentences() {
	c.t.Helper()
	stay := "would stay"
	if c.today(c.run, c.model) {
		stay = "stays"
	}
	where := levels[c.level].where
	head := fmt.Sprintf("With %s%s, %s of the traffic %s %s", models[c.model], c.run.Title, c.share(c.run, c.model), stay, where)
	var saves []string
	if c.run != c.base {
		join := "; with " + c.base.Title + " it would be "
		if c.today(c.base, c.model) {
			join = "; today it is "
		}
		head += join + c.share(c.base, c.model)
		saves = append(saves, c.saved())
	}
	if c.model != "configured" && c.today(c.base, "configured") {
		saves = append(saves, fmt.Sprintf("Today, with the configured routing, %s of the traffic stays %s.", c.share(c.base, "configured"), where))
	}
	c.compare("h1", head+".")
	if len(saves) == 0 {
		saves = []string{"(nothing)"}
	}
	c.compare(".saves", strings.Join(saves, " "))
}

func (c combination) saved() string {
	d := &c.run.Difference
	part := func(mean float64, format func(float64) string, unit, what string) string {
		word := "less"
		if mean > 0 {
			word = "more"
		}
		return fmt.Sprintf("%s %s %s %s", format(math.Abs(mean)), unit, word, what)
	}
	nodes := part(d.Node[c.model].Crossing.Mean, perDay, "a day", "between nodes")
	zones := part(d.Zone[c.model].Crossing.Mean, perDay, "a day", "between zones")
	if !c.priced {
		return fmt.Sprintf("Compared with %s: %s and %s.", c.base.Title, nodes, zones)
	}
	cost := part(c.r.price(d, c.model), c.r.money, "a month", fmt.Sprintf("at %s per GB between zones", strings.TrimSpace(fmt.Sprintf("%v %s", c.r.Price.BetweenZones, c.r.Price.Currency))))
	return fmt.Sprintf("Compared with %s: %s, %s and %s.", c.base.Title, nodes, zones, cost)
}

// tile compares one of the figures below the sentences: that of the run, that of the
// baseline, and the difference.
func (c combination) tile(key string, is, was, change float64, format func(float64) string) {
	c.t.Helper()
	got := c.text(`[data-figure="` + key + `"]`)
	want := []string{" " + format(is)}
	if c.run != c.base {
		want = append(want, " Before: "+format(was)+" "+strings.ReplaceAll(signed(change, format), " %", " points"))
	}
	if !strings.Contains(got, strings.Join(want, "")) {
		c.t.Errorf("%s: %s is %q, want %q", c, key, got, want)
	}
}

// TestPriceOfOtherRouting compares the price that the page works out for a routing with
// that of a replay in which all Services have it.
func TestPriceOfOtherRouting(t *testing.T) {
	args := append(clusterIn(t, true), "--run", "recorded,latency")
	p := show(t, vicinity(t, append(args, "-o", "html")...), desktop)
	p.choose("Run", "recorded")
	prices := map[string]bool{}
	for model, policy := range map[string]string{"sameNode": "PreferSameNode", "uniform": "Any"} {
		r := decode[report](t, vicinity(t, append(args, "--route", "all="+policy, "-o", "json")...))
		p.choose("Routing", model)
		want := r.money(r.run("recorded+routing").Summary.CrossZonePerMonth.Mean)
		if got := p.text(`[data-figure="price"] .now`); got != want {
			t.Errorf("%s: the price is %s, want %s", model, got, want)
		}
		prices[want] = true
	}
	if len(prices) != 2 {
		t.Errorf("both routings cost %v: the test shows nothing", prices)
	}
}
