package browser

import (
	"fmt"
	"math"
	"strings"
)

// report is the part of vicinity.replay/v1 that is read back.
type report struct {
	Baseline      string
	Price         struct{ BetweenZones float64 }
	Summary       []struct{ Name, Run string }
	Runs          []run
	RoutingAdvice []struct {
		Workload workload
		Options  []struct {
			Runs []struct{ SavedPerMonth float64 }
		}
	}
}

type run struct {
	Name, Title         string
	Routing, Config     string
	Summary, Difference figures
	WorkloadChanges     []struct {
		From          workload
		Before, After float64 `json:"-"`
		Was           float64 `json:"localBytesPerSecondBefore"`
		Is            float64 `json:"localBytesPerSecondAfter"`
		Total         float64 `json:"bytesPerSecond"`
	}
}

type workload struct{ Namespace, Name string }

func (w workload) String() string { return w.Namespace + "/" + w.Name }

type figures struct {
	Node, Zone        map[string]traffic
	CrossZonePerMonth estimate
	BusiestEndpoint   estimate
	Labelled          []struct{ Uniform, Configured traffic }
}

type traffic struct {
	LocalShare estimate
	Crossing   estimate `json:"crossingBytesPerSecond"`
}

type estimate struct {
	Mean, Interval float64
	Runs           int
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// perDay is decimal, as bills.
func perDay(rate float64) string {
	v, unit := math.Abs(rate)*86400, 0
	for v >= 999.95 {
		v, unit = v/1000, unit+1
	}
	return sized(v, unit, []string{"B", "kB", "MB", "GB", "TB"})
}

// sized has a decimal, except for whole bytes.
func sized(v float64, unit int, units []string) string {
	if unit == 0 && v == math.Trunc(v) {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

// signed is a number with the minus sign that the page has.
func signed(v float64, format func(float64) string) string {
	text := format(math.Abs(v))
	switch {
	case !strings.ContainsAny(text, "123456789"):
		return text
	case v < 0:
		return "−" + text
	default:
		return "+" + text
	}
}

// money has two decimals up to 100.
func money(v float64) string {
	if math.Abs(v) < 100 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// monthly is what a rate between zones costs in 30 days.
func (r *report) monthly(rate float64) float64 { return rate * 30 * 86400 / 1e9 * r.Price.BetweenZones }

// price is that of the traffic between zones under a routing, of a summary or a
// difference of which no part has a node of unknown zone.
func (r *report) price(f *figures, model string) float64 {
	return f.CrossZonePerMonth.Mean + r.monthly(f.Zone[model].Crossing.Mean-f.Zone["configured"].Crossing.Mean)
}

func (r *report) run(name string) *run {
	for i := range r.Runs {
		if r.Runs[i].Name == name {
			return &r.Runs[i]
		}
	}
	return nil
}
