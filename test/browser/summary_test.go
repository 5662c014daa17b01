package browser

import (
	"fmt"
	"strings"
	"testing"
)

// TestSummary compares every figure of the answer in short with the JSON.
func TestSummary(t *testing.T) {
	cluster := clusterIn(t, true)
	for name, c := range map[string]struct {
		args []string
		// lead is what the columns with another routing assume.
		lead string
	}{
		"recorded, in a currency": {cluster, "assumes trafficDistribution: PreferSameNode on all 3 Services."},
		"generated, in none":      {boutique, "assumes trafficDistribution: PreferSameNode on all 12 Services."},
		"some Services": {
			append(cluster, "--route", "shop/api=PreferSameZone", "--route", "shop/db=Any"),
			"assumes trafficDistribution: PreferSameZone on shop/api (1 Service), and no trafficDistribution on shop/db (1 Service).",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := decode[report](t, vicinity(t, append(c.args, "-o", "json")...))
			p := show(t, vicinity(t, append(c.args, "-o", "html")...), desktop)
			if len(r.Summary) != 4 {
				t.Fatalf("%d columns, want 4", len(r.Summary))
			}
			intervals := 0
			for i := range r.Summary {
				column := &r.Summary[i]
				want := r.inShort(column)
				intervals += strings.Count(want, "±")
				if got := p.text(`[data-column="` + column.Name + `"]`); got != want {
					t.Errorf("%s is\n%q, want\n%q", column.Name, got, want)
				}
			}
			if name == "generated, in none" && intervals == 0 {
				t.Error("no figure has an interval: the test shows nothing of them")
			}
			want := "“Routing changed” " + c.lead + " The choices above do not change these figures."
			if got := evaluate[string](p, `document.querySelector(".summary").previousSibling.textContent`); got != want {
				t.Errorf("the columns are introduced by %q, want %q", got, want)
			}
			if smaller := evaluate[bool](p, `[...document.querySelectorAll(".summary small")].every((e) => parseFloat(getComputedStyle(e).fontSize) < parseFloat(getComputedStyle(e.parentNode).fontSize))`); !smaller {
				t.Error("the intervals are as large as the figures")
			}
			p.quiet()
		})
	}
}

// inShort is what a column says.
func (r *report) inShort(c *column) string {
	run := r.run(c.Run)
	pods := "Pods as they are"
	if run.Replayed {
		pods = "Pods placed by " + strings.TrimSuffix(run.Title, ", routing assumed")
	}
	if c.Name == "routing only" {
		pods = "The same pods"
	}
	routing := map[string]string{"today": "routing as it is", "assumed": "routing changed"}[run.Routing]
	crossing := func(bytes, share estimate) string {
		return fmt.Sprintf("%s (%s)", bytes.with(binary), share.with(percent))
	}
	saved := "–"
	if c.Saved != nil {
		saved = c.Saved.with(func(v float64) string { return signless(v, r.money) })
	}
	return strings.Join([]string{
		capital(c.Name), fmt.Sprintf("%s, %s (run %s)", pods, routing, c.Run),
		"Price between zones, a month", c.PerMonth.with(r.money), "Saved a month", saved,
		"Between zones", crossing(c.Zone, c.ZoneShare), "Between nodes", crossing(c.Node, c.NodeShare),
		"Share of " + r.LossUnit + " that survives the loss of a node", c.AfterNode.with(percent),
		"Share of " + r.LossUnit + " that survives the loss of a zone", c.AfterZone.with(percent),
		"Busiest pod, of its fair share", c.BusiestPod.with(times),
		"Workloads with all pods on one node", c.OnOneNode.with(percent),
	}, " ")
}

// signless has a minus sign before less than nothing, and no sign before more.
func signless(v float64, format func(float64) string) string {
	return strings.TrimPrefix(signed(v, format), "+")
}
