package metricdef

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/component-base/metrics"
)

var colour = Label{Name: "colour", Values: []Value{{Name: "red"}, {Name: "blue"}}}

// served returns what is served of the metrics whose names begin with "x_".
func served(t *testing.T, registry metrics.KubeRegistry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "x_") {
			continue // the registry's own
		}
		for _, s := range family.GetMetric() {
			var labels []string
			for _, label := range s.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			value := s.GetCounter().GetValue() + s.GetGauge().GetValue() + s.GetHistogram().GetSampleSum()
			all = append(all, fmt.Sprint(family.GetName(), labels, " ", value))
		}
	}
	slices.Sort(all)
	return all
}

func TestSet(t *testing.T) {
	var set Set
	registry, asked := metrics.NewKubeRegistry(), 0.0
	size := Label{Name: "size", Values: []Value{{Name: "s"}, {Name: "l"}}}
	counter := set.Counter(Metric{Name: "x_total", Help: "X."})
	counters := set.Counters(Metric{Name: "x_by_total", Help: "X.", Labels: []Label{colour, size}})
	gauges := set.Gauges(Metric{Name: "x_gauges", Help: "X.", Labels: []Label{colour}})
	set.GaugeFunc(Metric{Name: "x_asked", Help: "X."}, func() float64 { asked++; return asked })
	histogram := set.Histogram(Metric{Name: "x_seconds", Help: "X.", Buckets: []float64{1, 2}})
	histograms := set.Histograms(Metric{Name: "x_by_seconds", Help: "X.", Labels: []Label{colour}, Buckets: []float64{1, 2}})
	set.Register(registry.MustRegister)
	want := []string{
		"x_asked[] 1",
		"x_by_seconds[blue] 0", "x_by_seconds[red] 0",
		"x_by_total[blue l] 0", "x_by_total[blue s] 0", "x_by_total[red l] 0", "x_by_total[red s] 0",
		"x_gauges[blue] 0", "x_gauges[red] 0",
		"x_seconds[] 0", "x_total[] 0",
	}
	if diff := cmp.Diff(want, served(t, registry)); diff != "" {
		t.Errorf("served at the start (-want +got):\n%s", diff)
	}

	counter.Inc()
	counters.With("red", "l").Inc()
	gauges.With("blue").Set(3)
	histogram.Observe(1.5)
	histograms.With("red").Observe(4)
	// None of these is in the definitions.
	counters.With("l", "red").Inc()
	counters.With("red").Inc()
	gauges.With("green").Set(1)
	histograms.With("").Observe(1)
	want = []string{
		"x_asked[] 2",
		"x_by_seconds[blue] 0", "x_by_seconds[red] 4",
		"x_by_total[blue l] 0", "x_by_total[blue s] 0", "x_by_total[red l] 1", "x_by_total[red s] 0",
		"x_gauges[blue] 3", "x_gauges[red] 0",
		"x_seconds[] 1.5", "x_total[] 1",
	}
	if diff := cmp.Diff(want, served(t, registry)); diff != "" {
		t.Errorf("served later (-want +got):\n%s", diff)
	}

	var defined []string
	for _, m := range set.Metrics() {
		defined = append(defined, fmt.Sprint(m.Name, " ", m.Type))
	}
	if diff := cmp.Diff([]string{"x_total counter", "x_by_total counter", "x_gauges gauge", "x_asked gauge", "x_seconds histogram", "x_by_seconds histogram"}, defined); diff != "" {
		t.Errorf("definitions (-want +got):\n%s", diff)
	}
}

// TestReset: what is counted after a reset, which the metrics endpoint offers,
// is served.
func TestReset(t *testing.T) {
	var set Set
	registry := metrics.NewKubeRegistry()
	counters := set.Counters(Metric{Name: "x_total", Help: "X.", Labels: []Label{colour}})
	set.Register(registry.MustRegister)
	counters.With("red").Inc()
	registry.Reset()
	counters.With("red").Inc()
	if diff := cmp.Diff([]string{"x_total[red] 1"}, served(t, registry)); diff != "" {
		t.Errorf("served after a reset (-want +got):\n%s", diff)
	}
}

// TestNothingIsMeasuredBeforeRegister: definitions alone are of use too, and the
// scheduler registers late.
func TestNothingIsMeasuredBeforeRegister(t *testing.T) {
	var set Set
	counter := set.Counter(Metric{Name: "x_total", Help: "X."})
	counters := set.Counters(Metric{Name: "x_by_total", Help: "X.", Labels: []Label{colour}})
	counter.Inc()
	counters.With("red").Inc()
	registry := metrics.NewKubeRegistry()
	set.Register(registry.MustRegister)
	counters.With("red").Inc()
	if diff := cmp.Diff([]string{"x_by_total[blue] 0", "x_by_total[red] 1", "x_total[] 0"}, served(t, registry)); diff != "" {
		t.Errorf("served (-want +got):\n%s", diff)
	}
}

// TestAlertsOnBuckets: Prometheus 3 stores the bound 1 as "1.0", Prometheus 2 as
// it is served.
func TestAlertsOnBuckets(t *testing.T) {
	cases := map[string]struct{ promQL, want string }{
		"a whole number":   {`x_seconds_bucket{le="1"}`, `x_seconds_bucket{le=~"1(\\.0)?"}`},
		"several":          {`x_bucket{le="10"} / x_bucket{a="b", le="20",c="d"}`, `x_bucket{le=~"10(\\.0)?"} / x_bucket{a="b", le=~"20(\\.0)?",c="d"}`},
		"a fraction":       {`x_seconds_bucket{le="0.5"}`, `x_seconds_bucket{le="0.5"}`},
		"infinity":         {`x_seconds_bucket{le="+Inf"}`, `x_seconds_bucket{le="+Inf"}`},
		"by a pattern":     {`x_seconds_bucket{le=~"1|2"}`, `x_seconds_bucket{le=~"1|2"}`},
		"another label":    {`x_seconds_bucket{scale="1"}`, `x_seconds_bucket{scale="1"}`},
		"no bucket at all": {`x_seconds_count > 1`, `x_seconds_count > 1`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var set Set
			given := []Alert{{Name: "X", PromQL: tc.promQL}}
			set.Histogram(Metric{Name: "x_seconds", Alerts: given})
			set.Histograms(Metric{Name: "x_by_seconds", Alerts: given})
			for _, m := range set.Metrics() {
				if got := m.Alerts[0].PromQL; got != tc.want {
					t.Errorf("alert on %s:\n%s, want\n%s", m.Name, got, tc.want)
				}
			}
			if given[0].PromQL != tc.promQL {
				t.Errorf("the caller's alert became %s", given[0].PromQL)
			}
		})
	}
}

// TestOpenLabels: a series is there once it is used, whatever its open label says.
func TestOpenLabels(t *testing.T) {
	var set Set
	registry := metrics.NewKubeRegistry()
	counters := set.Counters(Metric{Name: "x_open_total", Help: "X.", Labels: []Label{{Name: "who", From: "anybody", Open: true}, colour}})
	set.Register(registry.MustRegister)
	if got := served(t, registry); len(got) != 0 {
		t.Errorf("served at the start: %v", got)
	}
	counters.With("shop/web", "red").Inc()
	counters.With("shop/web", "green").Inc()
	if diff := cmp.Diff([]string{"x_open_total[red shop/web] 1"}, served(t, registry)); diff != "" {
		t.Errorf("served later (-want +got):\n%s", diff)
	}
}
