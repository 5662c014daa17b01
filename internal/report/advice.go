package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/price"
)

// Advice is what another trafficDistribution of a workload's Services would save.
type Advice struct {
	// Workload is the workload that is called through these Services.
	Workload Workload `json:"workload"`
	// BytesPerSecond is the traffic of all calls to it.
	BytesPerSecond float64 `json:"bytesPerSecond"`
	// TrafficDistribution is how its Services are routed today, or "Any" when calls are
	// divided evenly.
	TrafficDistribution string `json:"trafficDistribution"`
	// Options are PreferSameNode and PreferSameZone, as far as they save anything.
	Options []Option `json:"options"`
}

// Option is a trafficDistribution that Services do not have today.
type Option struct {
	// TrafficDistribution is the value as Kubernetes spells it.
	TrafficDistribution string `json:"trafficDistribution"`
	// Runs are the savings with the assignment of today's run and with that of Vicinity's:
	// those of the columns "today" and "Vicinity only" of the summary.
	Runs []Saving `json:"runs"`
}

// Saving is what an option saves with the assignment of a run, all pods staying where they
// are. It is the mean over the run's seeds.
type Saving struct {
	// Run is the name of the run.
	Run string `json:"run"`
	// CrossNode is how much less traffic leaves its node. A negative number means more.
	CrossNode float64 `json:"crossNodeSavedBytesPerSecond"`
	// CrossZone is how much less traffic leaves its zone. Null when no node has a zone.
	CrossZone *float64 `json:"crossZoneSavedBytesPerSecond"`
	// PerMonth is how much less the traffic between known, different zones costs in 30 days.
	// Missing without a price or without zones.
	PerMonth *float64 `json:"savedPerMonth,omitempty"`
	// BusiestEndpoint is the load of the workload's busiest pod with the option, relative to
	// its fair share: 1 is even.
	BusiestEndpoint float64 `json:"busiestEndpoint"`
	// BusiestEndpointNow is the load of the workload's busiest pod as its Services are routed
	// today.
	BusiestEndpointNow float64 `json:"busiestEndpointNow"`
}

// advise ranks the workloads that are called by the most that an option saves in today's
// run or in Vicinity's, both as they are routed today: in money where there is a price,
// else in traffic between nodes.
func (r *Report) advise(d Draft) {
	if d.Settable == nil {
		return
	}
	var outlooks []outlook
	for _, name := range []string{d.Today, d.Vicinity} {
		if run := r.run(name); run != nil && run.samples[0].Cluster != nil {
			outlooks = append(outlooks, newOutlook(run, d.Price, d.Excepted))
		}
	}
	if len(outlooks) == 0 {
		return
	}
	c := outlooks[0].run.samples[0].Cluster
	for w := range c.Workloads {
		if !d.Settable[w] {
			continue
		}
		if a := advise(c, w, outlooks); len(a.Options) > 0 {
			r.RoutingAdvice = append(r.RoutingAdvice, a)
		}
	}
	slices.SortStableFunc(r.RoutingAdvice, func(a, b Advice) int {
		x, y := a.most(), b.most()
		return cmp.Or(cmp.Compare(y.money(), x.money()), cmp.Compare(y.CrossNode, x.CrossNode),
			cmp.Compare(a.Workload.Namespace, b.Workload.Namespace), cmp.Compare(a.Workload.Name, b.Workload.Name))
	})
	r.RoutingTotals = totals(r.RoutingAdvice)
}

// totals adds up what each option saves for all workloads that it is advised for. Calls to
// one workload do not depend on how those to others are routed, so savings add up. The
// busiest pod is that of all of them.
func totals(all []Advice) []Option {
	var sums []Option
	for _, routing := range options() {
		sum := Option{TrafficDistribution: distribution(routing)}
		for _, a := range all {
			for _, option := range a.Options {
				if option.TrafficDistribution == sum.TrafficDistribution {
					sum.add(option)
				}
			}
		}
		if sum.Runs != nil {
			sums = append(sums, sum)
		}
	}
	return sums
}

// add adds the savings of the same runs.
func (o *Option) add(more Option) {
	if o.Runs == nil {
		o.Runs = make([]Saving, len(more.Runs))
	}
	plus := func(a, b *float64) *float64 {
		switch {
		case a == nil:
			return b
		case b == nil:
			return a
		}
		return new(rounded(*a + *b))
	}
	for i, s := range more.Runs {
		sum := &o.Runs[i]
		sum.Run = s.Run
		sum.CrossNode = rounded(sum.CrossNode + s.CrossNode)
		sum.CrossZone, sum.PerMonth = plus(sum.CrossZone, s.CrossZone), plus(sum.PerMonth, s.PerMonth)
		sum.BusiestEndpoint, sum.BusiestEndpointNow = max(sum.BusiestEndpoint, s.BusiestEndpoint), max(sum.BusiestEndpointNow, s.BusiestEndpointNow)
	}
}

// outlook is what becomes of the calls to each workload in a run: as they are
// routed, and by each option.
type outlook struct {
	run     *Run
	price   *price.List      // nil without one, or without zones
	levels  []locality.Level // by position in what stays
	now     []cut.Called
	options map[affinity.Routing][]cut.Called
}

// options are what Services can be set to, in the order of the report.
func options() []affinity.Routing { return []affinity.Routing{affinity.SameNode, affinity.SameZone} }

// distribution is how Kubernetes spells a routing (KEP-3015); "Any" is none.
func distribution(r affinity.Routing) string {
	switch r {
	case affinity.SameNode:
		return "PreferSameNode"
	case affinity.SameZone:
		return "PreferSameZone"
	case affinity.Uniform:
		return "Any"
	default:
		return r.String()
	}
}

func newOutlook(run *Run, prices *price.List, excepted func(int32, string) bool) outlook {
	c := run.samples[0].Cluster
	o := outlook{run: run, levels: c.Scale.Levels(), options: map[affinity.Routing][]cut.Called{}}
	if run.Summary.Zone != nil {
		o.price = prices
	}
	o.now = meanCalls(run.samples, nil)
	for _, routing := range options() {
		o.options[routing] = meanCalls(run.samples, func(w int32, callerNamespace string) cluster.Route {
			if excepted != nil && excepted(w, callerNamespace) {
				return c.Workloads[w].RouteFrom(callerNamespace)
			}
			return cluster.Route{Routing: routing}
		})
	}
	return o
}

// meanCalls is the mean of cut.Calls over the seeds of a run.
func meanCalls(samples []Sample, route func(int32, string) cluster.Route) []cut.Called {
	var mean []cut.Called
	n := float64(len(samples))
	for _, s := range samples {
		calls := cut.Calls(s.Cluster, s.Assigned, route)
		if mean == nil {
			mean = make([]cut.Called, len(calls))
		}
		for w, called := range calls {
			mean[w].Total = called.Total
			mean[w].Busiest += called.Busiest / n
			for at, local := range called.Local {
				mean[w].Local[at] += local / n
				mean[w].Unknown[at] += called.Unknown[at] / n
			}
		}
	}
	return mean
}

// advise returns the options that save something in one of the runs.
func advise(c *cluster.Cluster, w int, outlooks []outlook) Advice {
	now := &c.Workloads[w]
	a := Advice{
		Workload: workload(now.ID), BytesPerSecond: rounded(outlooks[0].now[w].Total),
		TrafficDistribution: distribution(now.Routing),
	}
	for _, routing := range options() {
		if routing == now.Routing {
			continue
		}
		option, saves := Option{TrafficDistribution: distribution(routing)}, false
		for _, o := range outlooks {
			s := o.saving(w, routing)
			saves = saves || max(s.CrossNode, s.zone()) > negligible*a.BytesPerSecond
			option.Runs = append(option.Runs, s)
		}
		if saves {
			a.Options = append(a.Options, option)
		}
	}
	return a
}

func (o *outlook) saving(w int, routing affinity.Routing) Saving {
	now, then := o.now[w], o.options[routing][w]
	significant := func(v float64) float64 {
		if math.Abs(v) > negligible*now.Total {
			return v
		}
		return 0
	}
	at := func(level locality.Level) int { return slices.Index(o.levels, level) }
	s := Saving{
		Run: o.run.Name, CrossNode: rounded(significant(then.Local[at(locality.Node)] - now.Local[at(locality.Node)])),
		BusiestEndpoint: rounded(then.Busiest), BusiestEndpointNow: rounded(now.Busiest),
	}
	if o.run.Summary.Zone == nil {
		return s
	}
	zone := at(locality.Zone)
	gained := then.Local[zone] - now.Local[zone]
	s.CrossZone = new(rounded(significant(gained)))
	if o.price != nil {
		// What moves to or from nodes of unknown zones is in no price.
		between := gained + then.Unknown[zone] - now.Unknown[zone]
		s.PerMonth = new(rounded(o.price.PerMonth(significant(between))))
	}
	return s
}

func (s Saving) zone() float64 {
	if s.CrossZone == nil {
		return 0
	}
	return *s.CrossZone
}

func (s Saving) money() float64 {
	if s.PerMonth == nil {
		return 0
	}
	return *s.PerMonth
}

// most is the largest saving of an advice.
func (a *Advice) most() Saving {
	var most Saving
	for _, option := range a.Options {
		for _, s := range option.Runs {
			if cmp.Or(cmp.Compare(s.money(), most.money()), cmp.Compare(s.CrossNode, most.CrossNode)) > 0 {
				most = s
			}
		}
	}
	return most
}
