package telemetrytest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Fault breaks a mesh, or the source that reads it.
type Fault func(Mesh) Mesh

// RunFaults breaks a source once for each property and checks that the property fails, and
// that the fault does no harm while traffic is steady. The source must ask for rates as
// "sum by (...) (rate(metric{...}[...]))", with or without ">= 0". faults are by the name of
// the property; most properties have one that fits all sources.
func RunFaults(t *testing.T, engine Engine, m Mesh, faults map[string]Fault) {
	all := commonFaults()
	maps.Copy(all, faults)
	steady := Properties()[0]
	for _, name := range Properties() {
		t.Run(name, func(t *testing.T) {
			fault := all[name]
			if fault == nil {
				t.Fatal("there is no fault that this property notices")
			}
			broken := fault(m)
			err := Check(t, engine, broken, name)
			if err == nil {
				t.Fatal("the property holds for a broken source")
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			t.Log("noticed: ", first)
			if name == steady {
				return
			}
			if err := Check(t, engine, broken, steady); err != nil {
				t.Errorf("the fault is not about this property: %v", err)
			}
		})
	}
}

// commonFaults are faults of a source that reads rates of counters.
func commonFaults() map[string]Fault {
	return map[string]Fault{
		"steady traffic":                         changed(enlarge),
		"traffic comes and goes":                 stateful(keepForEver),
		"counters begin anew":                    Asking(slope),
		"proxies restart":                        Asking(slope),
		"pods crash":                             Asking(slope),
		"pods are replaced":                      Asking(sumFirst),
		"nobody scrapes for a minute":            Asking(countSamples),
		"targets cannot be scraped for a minute": Asking(countSamples),
		"clients without proxies":                changed(func(o *telemetry.Observation) { o.LeftOut = nil }),
		"two jobs scrape each target":            unchecked,
		"optional labels are missing":            needOptional,
		"labels are missing that name the ends":  changed(guess),
		"requests are long streams":              Asking(median),
	}
}

// FlowFaults are faults of proxies or agents that count bytes as they flow, for RunFaults.
func FlowFaults() map[string]Fault {
	noneAlone := Seeing(func(c Call) bool { return c.Client.Meshed && c.Server.Meshed })
	return map[string]Fault{
		"servers without proxies":                       noneAlone,
		"half of the pods at one end without proxies":   noneAlone,
		"half of the pods at both ends without proxies": noneAlone,
		"requests are retried":                          Counting(func(s Step) Step { s.Retried = Traffic{}; return s }),
		"requests are long streams": Counting(func(s Step) Step {
			if s.Ended != s.Moved {
				s.Moved = s.Ended.times(0.5)
			}
			return s
		}),
	}
}

// AgentFaults are faults of agents that see all pods of a node and outlive them: with these
// a pod that goes does no harm to a source that takes counters for gauges, unless each pod
// has its own agent.
func AgentFaults() map[string]Fault {
	all := FlowFaults()
	ownAgents := func(m Mesh) Mesh {
		whole := m.Report
		m.Report = func(c Call) []Counter {
			counters := slices.Clone(whole(c))
			for i := range counters {
				counters[i].Target = c.Server.Target()
			}
			return counters
		}
		return Asking(slope)(m)
	}
	all["pods crash"], all["pods are replaced"] = ownAgents, ownAgents
	all["clients without proxies"] = Seeing(func(c Call) bool { return c.Client.Meshed })
	return all
}

// Seeing returns a fault of proxies or agents that see some calls only.
func Seeing(sees func(Call) bool) Fault {
	return func(m Mesh) Mesh {
		whole := m.Report
		m.Report = func(c Call) []Counter {
			if !sees(c) {
				return nil
			}
			return whole(c)
		}
		return m
	}
}

// Asking returns a fault that rewrites what the source asks.
func Asking(rewrite func(promQL string) string) Fault {
	return func(m Mesh) Mesh {
		return m.wrapped(func(s telemetry.Source) telemetry.Source { return &broken{Source: s, rewrite: rewrite} })
	}
}

// Counting returns a fault of proxies that count something else than what calls exchange.
func Counting(counted func(Step) Step) Fault {
	return func(m Mesh) Mesh {
		whole := m.Report
		m.Report = func(c Call) []Counter {
			counters := slices.Clone(whole(c))
			for i, of := range counters {
				counters[i].Add = func(s Step) float64 { return of.Add(counted(s)) }
			}
			return counters
		}
		return m
	}
}

// changed returns a fault that changes what the source sees.
func changed(change func(*telemetry.Observation)) Fault {
	return stateful(func() func(*telemetry.Observation) { return change })
}

// stateful returns a fault that changes what the source sees, by what it saw before.
func stateful(begin func() func(*telemetry.Observation)) Fault {
	return func(m Mesh) Mesh {
		return m.wrapped(func(s telemetry.Source) telemetry.Source { return &broken{Source: s, change: begin()} })
	}
}

// wrapped is a mesh with another source.
func (m Mesh) wrapped(wrap func(telemetry.Source) telemetry.Source) Mesh {
	whole := m.New
	m.New = func(o Options) (telemetry.Source, error) {
		s, err := whole(o)
		if err != nil {
			return nil, err
		}
		return wrap(s), nil
	}
	return m
}

// broken is a source with a fault.
type broken struct {
	telemetry.Source
	rewrite func(promQL string) string
	change  func(*telemetry.Observation)
}

func (b *broken) Collect(ctx context.Context, q telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	if b.rewrite != nil {
		q = rewriting{q, b.rewrite}
	}
	o, err := b.Source.Collect(ctx, q, at)
	if err == nil && b.change != nil {
		b.change(&o)
	}
	return o, err
}

func (b *broken) Check(ctx context.Context, q telemetry.Querier, at time.Time, seen telemetry.Observation) ([]telemetry.Finding, error) {
	if checker, ok := b.Source.(telemetry.Checker); ok {
		return checker.Check(ctx, q, at, seen)
	}
	return nil, nil
}

// rewriting asks other queries than it is asked.
type rewriting struct {
	telemetry.Querier
	rewrite func(promQL string) string
}

func (r rewriting) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	return r.Querier.Query(ctx, r.rewrite(query), at, yield)
}

// unchecked is a source that checks nothing.
func unchecked(m Mesh) Mesh {
	return m.wrapped(func(s telemetry.Source) telemetry.Source { return struct{ telemetry.Source }{s} })
}

// needOptional asks only for series that have an optional label.
func needOptional(m Mesh) Mesh {
	label := m.Optional[0]
	return Asking(func(promQL string) string { return strings.ReplaceAll(promQL, "{", "{"+label+`!="",`) })(m)
}

func enlarge(o *telemetry.Observation) {
	for i := range o.Flows {
		o.Flows[i].SentBytesPerSecond *= 1.1
	}
}

// keepForEver remembers the largest rates.
func keepForEver() func(*telemetry.Observation) {
	largest := map[edge]flowgraph.Rates{}
	return func(o *telemetry.Observation) {
		for i := range o.Flows {
			f := &o.Flows[i]
			e := edge{f.From, f.To}
			if f.BytesPerSecond() < slack {
				f.Rates = largest[e]
			}
			largest[e] = f.Rates
		}
	}
}

// guess makes an edge of what has no names.
func guess(o *telemetry.Observation) {
	if lacks := o.LeftOut[telemetry.MissingLabel]; lacks.BytesPerSecond > 0 {
		delete(o.LeftOut, telemetry.MissingLabel)
		o.Flows = append(o.Flows, flowgraph.Flow{
			From:  flowgraph.WorkloadID{Namespace: "shop", Name: "guessed"},
			To:    flowgraph.WorkloadID{Namespace: "shop", Name: "api"},
			Rates: flowgraph.Rates{SentBytesPerSecond: lacks.BytesPerSecond},
		})
	}
}

const rateOf = `rate\((\w+\{[^}]*\})\[(\d+s)\]\)`

// replace replaces all matches of a pattern.
func replace(promQL, pattern, by string) string {
	return regexp.MustCompile(pattern).ReplaceAllString(promQL, by)
}

// slope takes counters for gauges.
func slope(promQL string) string { return replace(promQL, rateOf, "deriv($1[$2])") }

// sumFirst takes the rate of a sum.
func sumFirst(promQL string) string {
	return replace(promQL, `sum by \(([^)]*)\) \(`+rateOf+`( >= 0)?\)`, fmt.Sprintf("rate(sum by ($1) ($2)[$3:%v])", interval))
}

// countSamples takes every scrape for one that succeeded.
func countSamples(promQL string) string {
	return replace(promQL, rateOf, fmt.Sprintf("((max_over_time($1[$2]) - min_over_time($1[$2])) / (%d * (count_over_time($1[$2]) - 1)))", interval/time.Second))
}

// median takes bursts for outliers.
func median(promQL string) string {
	return replace(promQL, rateOf, fmt.Sprintf("quantile_over_time(0.5, rate($1[%v])[$2:%v])", 3*interval, interval))
}
