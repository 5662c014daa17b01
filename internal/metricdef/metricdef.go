// Package metricdef makes metrics of component-base from definitions that also
// say what a manual has to say of them, so that there is one place for both. It
// sees to it that no label has a value that its definition does not name. It has
// no metrics of its own.
package metricdef

import (
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"
)

// Metric defines a metric.
type Metric struct {
	// Name is the full name, with prefix and unit.
	Name string
	// Help is what the endpoint says of the metric: one or more sentences.
	Help string
	// Labels are in the order in which With takes their values.
	Labels []Label
	// Buckets are the upper bounds of a histogram's buckets.
	Buckets []float64
	// Alerts is what to alert on, if anything.
	Alerts []Alert

	// Type is set by the Set that makes the metric.
	Type Type
}

// Type is the kind of a metric, in Prometheus' words.
type Type string

// The types.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Label is a label with every value that it can have.
type Label struct {
	Name   string
	Values []Value
	// From says where the values come from when they differ from one process to
	// another; "" when they are always the same.
	From string
	// Open says that the label takes any value. Whoever gives them bounds their number; no
	// series is there before it is used.
	Open bool
}

// Value is a value of a label.
type Value struct {
	Name string
	// Meaning is a sentence. Values that come from elsewhere have none.
	Meaning string
}

// Alert is a condition that somebody should be told of.
type Alert struct {
	// Name is as a Prometheus rule has it.
	Name string
	// PromQL has a result as long as the condition holds. It names a bucket by
	// the bound that is served, e.g. le="1"; the definitions that a Set returns
	// match what any Prometheus makes of it.
	PromQL string
	// Meaning says what is the matter and what to do.
	Meaning string
}

// permits reports whether there is one value for each label and the label can
// have it.
func permits(labels []Label, values []string) bool {
	if len(values) != len(labels) {
		return false
	}
	for i, label := range labels {
		if !label.Open && !slices.ContainsFunc(label.Values, func(v Value) bool { return v.Name == values[i] }) {
			return false
		}
	}
	return true
}

// combinations returns every list of one value for each label.
func combinations(labels []Label) [][]string {
	all := [][]string{nil}
	for _, label := range labels {
		var longer [][]string
		for _, values := range all {
			for _, v := range label.Values {
				longer = append(longer, append(slices.Clone(values), v.Name))
			}
		}
		all = longer
	}
	return all
}

// Set is metrics that are registered together. The zero value is an empty set.
// What it makes measures nothing before Register.
type Set struct {
	defined      []Metric
	registerable []metrics.Registerable
	create       []func() // the series of each family
}

// Metrics returns the definitions in the order in which the metrics were made.
func (s *Set) Metrics() []Metric { return slices.Clone(s.defined) }

// Register registers the metrics with the given function, e.g.
// legacyregistry.MustRegister, and creates every series, so that a rate counts
// from the first event on and an alert tells nothing from no answer.
func (s *Set) Register(mustRegister func(...metrics.Registerable)) {
	mustRegister(s.registerable...)
	for _, create := range s.create {
		create()
	}
}

func (s *Set) add(t Type, m Metric, r metrics.Registerable) {
	m.Type = t
	m.Alerts = slices.Clone(m.Alerts)
	for i := range m.Alerts {
		m.Alerts[i].PromQL = matchBounds(m.Alerts[i].PromQL)
	}
	s.defined = append(s.defined, m)
	s.registerable = append(s.registerable, r)
}

// matchBounds has an expression find the buckets with whole bounds, which
// Prometheus 2 stores as they are served ("1") and Prometheus 3 as OpenMetrics
// writes them ("1.0").
func matchBounds(promQL string) string {
	wholeBound := regexp.MustCompile(`([{,]\s*)le="(\d+)"`)
	return wholeBound.ReplaceAllString(promQL, `${1}le=~"${2}(\\.0)?"`)
}

// Counter makes a counter without labels.
func (s *Set) Counter(m Metric) metrics.CounterMetric {
	c := metrics.NewCounter(counterOpts(m))
	s.add(Counter, m, c)
	return c
}

// Counters makes a counter with labels.
func (s *Set) Counters(m Metric) Family[metrics.CounterMetric] {
	vec := metrics.NewCounterVec(counterOpts(m), labelNames(m))
	s.add(Counter, m, vec)
	return newFamily(s, m, vec.WithLabelValues)
}

// Gauges makes a gauge with labels.
func (s *Set) Gauges(m Metric) Family[metrics.GaugeMetric] {
	vec := metrics.NewGaugeVec(gaugeOpts(m), labelNames(m))
	s.add(Gauge, m, vec)
	return newFamily(s, m, vec.WithLabelValues)
}

// GaugeFunc makes a gauge without labels whose value is asked for when the
// metrics are read, by any number of goroutines at a time.
func (s *Set) GaugeFunc(m Metric, value func() float64) {
	s.add(Gauge, m, gaugeFunc{metrics.NewGauge(gaugeOpts(m)), value})
}

// Histogram makes a histogram without labels.
func (s *Set) Histogram(m Metric) metrics.ObserverMetric {
	h := metrics.NewHistogram(histogramOpts(m))
	s.add(Histogram, m, h)
	return h
}

// Histograms makes a histogram with labels.
func (s *Set) Histograms(m Metric) Family[metrics.ObserverMetric] {
	vec := metrics.NewHistogramVec(histogramOpts(m), labelNames(m))
	s.add(Histogram, m, vec)
	return newFamily(s, m, vec.WithLabelValues)
}

// Family is the series of a metric with labels.
type Family[S any] struct {
	labels []Label
	with   func(...string) S
	none   S
}

func newFamily[S any](s *Set, m Metric, with func(...string) S) Family[S] {
	// What a metric gives before it is registered measures nothing.
	f := Family[S]{labels: m.Labels, with: with, none: with()}
	s.create = append(s.create, func() {
		for _, values := range combinations(f.labels) {
			f.With(values...)
		}
	})
	return f
}

// With returns the series that has the given values, in the order of the
// labels. Values that the definition does not have give one that measures
// nothing. The series should not be kept: a reset of the metrics, which the
// endpoint offers, makes new ones.
func (f Family[S]) With(values ...string) S {
	if !permits(f.labels, values) {
		return f.none
	}
	return f.with(values...)
}

// gaugeFunc is a gauge that is set when it is read.
type gaugeFunc struct {
	*metrics.Gauge
	value func() float64
}

// Collect sends the present value.
func (g gaugeFunc) Collect(ch chan<- prometheus.Metric) {
	g.Set(g.value())
	g.Gauge.Collect(ch)
}

func counterOpts(m Metric) *metrics.CounterOpts {
	return &metrics.CounterOpts{Name: m.Name, Help: m.Help, StabilityLevel: metrics.ALPHA}
}

func gaugeOpts(m Metric) *metrics.GaugeOpts {
	return &metrics.GaugeOpts{Name: m.Name, Help: m.Help, StabilityLevel: metrics.ALPHA}
}

func histogramOpts(m Metric) *metrics.HistogramOpts {
	return &metrics.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: m.Buckets, StabilityLevel: metrics.ALPHA}
}

func labelNames(m Metric) []string {
	var names []string
	for _, label := range m.Labels {
		names = append(names, label.Name)
	}
	return names
}
