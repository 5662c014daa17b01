package browser

import (
	"fmt"
	"math"
	"strings"
)

// report is the part of vicinity.replay/v1 that is read back.
type report struct {
	Baseline, Order, LossUnit string
	Rollouts                  int
	Warnings, Notes           []string
	Price                     struct {
		BetweenZones float64
		Currency     string
	}
	Assumed []struct {
		Service, TrafficDistribution string
		Services                     int
	}
	Summary       []column
	Runs          []run
	RoutingAdvice []struct {
		Workload            workload
		TrafficDistribution string
		Options             []option
	}
	RoutingTotals []option
}

// column is one of the answers in short.
type column struct {
	Name, Run             string
	PerMonth              *estimate `json:"crossZonePerMonth"`
	Saved                 *estimate `json:"savedPerMonth"`
	Zone                  estimate  `json:"crossZoneBytesPerSecond"`
	ZoneShare             estimate  `json:"crossZoneShare"`
	Node                  estimate  `json:"crossNodeBytesPerSecond"`
	NodeShare             estimate  `json:"crossNodeShare"`
	AfterNode             estimate  `json:"completeAfterNodeLoss"`
	AfterZone             estimate  `json:"completeAfterZoneLoss"`
	BusiestPod, OnOneNode estimate
}

// option is a trafficDistribution with what it saves in each run.
type option struct {
	TrafficDistribution string
	Runs                []saving
}

type saving struct {
	Run                string
	Node               float64 `json:"crossNodeSavedBytesPerSecond"`
	Zone               float64 `json:"crossZoneSavedBytesPerSecond"`
	SavedPerMonth      float64
	BusiestEndpoint    float64
	BusiestEndpointNow float64
}

type run struct {
	Name, Title         string
	Routing, Config     string
	Replayed            bool
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
	Nodes             estimate
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

// with is the mean and half its interval, in a format.
func (e estimate) with(format func(float64) string) string {
	if e.Runs < 3 || e.Interval == 0 {
		return format(e.Mean)
	}
	return format(e.Mean) + " ±" + format(e.Interval)
}

// times is a load relative to a fair share. Ties are rounded up, as in JavaScript.
func times(v float64) string { return fmt.Sprintf("%.1f×", v*(1+1e-12)) }

// capital is a title at the start of a sentence or cell.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

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

// money has two decimals up to 100, and the currency of the price where it has one.
func (r *report) money(v float64) string {
	digits := 2
	if math.Abs(v) >= 100 {
		digits = 0
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", digits, v, r.Price.Currency))
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
