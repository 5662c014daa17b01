package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// advised is a row of the advice: options of one workload that save the same in a run.
type advised struct {
	who, now, options string
	saving            saving
}

// TestAdvice compares every row of the routing advice with the JSON, the totals too.
func TestAdvice(t *testing.T) {
	for name, args := range map[string][]string{"generated, in no currency": boutique, "recorded, in a currency": clusterIn(t, true)} {
		t.Run(name, func(t *testing.T) {
			r := decode[report](t, vicinity(t, append(args, "-o", "json")...))
			p := show(t, vicinity(t, append(args, "-o", "html")...), desktop)
			var want []advised
			options := 0
			for _, a := range r.RoutingAdvice {
				rows := rowsOf(a.Workload.String(), a.TrafficDistribution+" → ", a.Options)
				want = append(want, rows...)
				for _, o := range a.Options {
					options += len(o.Runs)
				}
			}
			if len(want) == 0 || len(want) == options || len(r.RoutingTotals) == 0 {
				t.Fatalf("%d rows for %d savings and %d totals: the test shows nothing", len(want), options, len(r.RoutingTotals))
			}
			slices.SortStableFunc(want, func(a, b advised) int {
				switch {
				case a.saving.SavedPerMonth > b.saving.SavedPerMonth:
					return -1
				case a.saving.SavedPerMonth < b.saving.SavedPerMonth:
					return 1
				}
				return 0
			})
			r.compareRows(p, `[aria-label="options"] tbody`, want)
			r.compareRows(p, `[aria-label="options"] tfoot`, rowsOf(fmt.Sprintf("All %d workloads", len(r.RoutingAdvice)), "", r.RoutingTotals))
			p.quiet()
		})
	}
}

func rowsOf(who, now string, options []option) []advised {
	var rows []advised
	for _, o := range options {
		for _, s := range o.Runs {
			same := slices.IndexFunc(rows, func(row advised) bool { return row.saving == s })
			if same >= 0 {
				rows[same].options += " or " + o.TrafficDistribution
				continue
			}
			rows = append(rows, advised{who, now, o.TrafficDistribution, s})
		}
	}
	return rows
}

func (r *report) compareRows(p *tab, selector string, want []advised) {
	p.t.Helper()
	got := evaluate[[]string](p, `[...document.querySelectorAll('`+selector+` tr')].map((e) => e.innerText)`)
	if len(got) != len(want) {
		p.t.Errorf("%s has %d rows, want %d: %q", selector, len(got), len(want), got)
		return
	}
	for i, row := range want {
		s := row.saving
		text := fmt.Sprintf("%s %s%s, with %s %s %s %s %s → %s", row.who, row.now, row.options, r.run(s.Run).Title,
			signless(s.SavedPerMonth, r.money), signless(s.Node, binary), signless(s.Zone, binary), times(s.BusiestEndpointNow), times(s.BusiestEndpoint))
		if one := strings.Join(strings.Fields(got[i]), " "); one != text {
			p.t.Errorf("row %d of %s is\n%q, want\n%q", i, selector, one, text)
		}
	}
}
