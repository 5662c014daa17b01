package replayreport

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Advice is what another trafficDistribution of a workload's Services would save.
type Advice struct {
	// Workload is called through these Services.
	Workload Workload `json:"workload"`
	// BytesPerSecond is all calls to it.
	BytesPerSecond float64 `json:"bytesPerSecond"`
	// TrafficDistribution is how its Services are routed; "Any" stands for evenly.
	TrafficDistribution string `json:"trafficDistribution"`
	// Options are PreferSameNode and PreferSameZone, as far as they save anything.
	Options []Option `json:"options"`
}

// Option is a trafficDistribution that the Services of a workload do not have.
type Option struct {
	TrafficDistribution string `json:"trafficDistribution"`
	// Runs are those that were asked for.
	Runs []Saving `json:"runs"`
}

// Saving is what an option saves with the assignment of a run, all pods staying
// where they are: the mean over its seeds.
type Saving struct {
	Run string `json:"run"`
	// CrossNode and CrossZone are how much less traffic crosses; CrossZone is null
	// when no node has a zone.
	CrossNode float64  `json:"crossNodeSavedBytesPerSecond"`
	CrossZone *float64 `json:"crossZoneSavedBytesPerSecond"`
	// PerMonth is the price of CrossZone in 30 days; missing without a price or
	// without zones.
	PerMonth *float64 `json:"savedPerMonth,omitempty"`
	// BusiestEndpoint is the load of the workload's busiest pod then, relative to
	// its fair share, and BusiestEndpointNow as its Services are routed.
	BusiestEndpoint    float64 `json:"busiestEndpoint"`
	BusiestEndpointNow float64 `json:"busiestEndpointNow"`
}

// Advise ranks the workloads that are called by the most that an option saves in
// one of the named runs: in money where there is a price, else in traffic between
// nodes. Runs that the report does not have are left out. settable tells of each
// workload, by position, whether it has a Service that can be routed; excepted whether
// calls from a namespace would stay as they are all the same, by a rule there: nil is
// none.
func (r *Report) Advise(settable []bool, excepted func(workload int32, callerNamespace string) bool, names ...string) {
	var runs []*Run
	for _, name := range names {
		if run := r.run(name); run != nil && run.samples[0].Cluster != nil {
			runs = append(runs, run)
		}
	}
	if len(runs) == 0 {
		return
	}
	c := runs[0].samples[0].Cluster
	outlooks := make([]outlook, len(runs))
	for i, run := range runs {
		outlooks[i] = newOutlook(run, r.PricePerGB, excepted)
	}
	r.RoutingAdvice = nil
	for w := range c.Workloads {
		if !settable[w] {
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
}

// outlook is what becomes of the calls to each workload in a run: as they are
// routed, and by each option.
type outlook struct {
	run     *Run
	price   float64
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

func newOutlook(run *Run, price float64, excepted func(int32, string) bool) outlook {
	c := run.samples[0].Cluster
	o := outlook{run: run, levels: c.Scale.Levels(), options: map[affinity.Routing][]cut.Called{}}
	if run.Summary.Zone != nil {
		o.price = price
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
	gained := func(level locality.Level) float64 {
		at := slices.Index(o.levels, level)
		if v := then.Local[at] - now.Local[at]; v > negligible*now.Total || v < -negligible*now.Total {
			return rounded(v)
		}
		return 0
	}
	s := Saving{
		Run: o.run.Name, CrossNode: gained(locality.Node),
		BusiestEndpoint: rounded(then.Busiest), BusiestEndpointNow: rounded(now.Busiest),
	}
	if o.run.Summary.Zone != nil {
		zone := gained(locality.Zone)
		s.CrossZone = &zone
	}
	if o.price > 0 {
		money := rounded(*s.CrossZone * secondsPerMonth / bytesPerGB * o.price)
		s.PerMonth = &money
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
