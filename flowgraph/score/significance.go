package score

import (
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// reference is what the traffic of a pod is compared with to say how much weight its
// scores have: the rates of all workloads on the Board that have traffic.
//
//	significance(r) = (mean over the workloads j of min(1, r/rj))^1.5
//
// where rj is what one pod of workload j exchanges, times r/64 for rates below 64 bytes per
// second: where all have next to no traffic, none of it decides. It is continuous, rises with
// r from 0 to 1, and is 1 where all pods have the same traffic. Each workload counts once,
// however much it exchanges and however many pods it wants: what k of n workloads do moves
// the mean by k/n at most, and the significance of the others by 1.5 k/n. A workload without
// pods, of which none are wanted either, does not count: to name it is not enough.
//
// The power says how much the others are to leave to those with the most traffic. It matters
// where no room is kept for these, as in a rollout: in that of docs/benchmarks.md's production
// cluster 1 keeps 20.2 and 45.0 % of the traffic on its node (uniform, fair load, 4 seeds), 1.5
// 21.2 and 46.1, 2 21.7 and 46.2. A higher one would let others move scores by more.
//
// The mean is taken over bands of rates instead of single workloads, those of a band counting
// by its lowest rate, so that it may be up to a quarter higher.
type reference struct {
	current, next bands
	serial        uint64    // of the snapshot that next is by
	shares        uint64    // of the Board, when next was begun
	at            int       // number in the snapshot of the next workload to look at
	settled       bool      // current is of the Board and the snapshot as they are
	rates         []float64 // of each workload of the snapshot, NaN where it was not added up yet
}

// leastRate is the rate, in bytes per second, below which traffic means little whatever others
// exchange: about one health check in ten seconds.
const leastRate = 64

// mostReferred is how many workloads of the snapshot are looked at in one cycle. A larger
// graph takes some cycles, in which the reference is the one of before.
const mostReferred = 512

// bands are how many workloads have which rate. The rates of a band differ by a quarter at
// most, but for the outermost ones.
type bands struct {
	workloads float64
	band      [bandCount]float64 // workloads in each
	low, high int                // the bands that are not empty are in [low, high)
}

const (
	bandsPerOctave = 4
	lowestOctave   = -16 // the lowest band is that of 2^-16 bytes per second
	octaves        = 80
	bandCount      = bandsPerOctave * octaves
)

func bandOf(rate float64) int {
	fraction, exponent := math.Frexp(rate) // rate = fraction 2^exponent, fraction in [1/2, 1)
	b := (exponent-1-lowestOctave)*bandsPerOctave + int((2*fraction-1)*bandsPerOctave)
	return min(max(b, 0), bandCount-1)
}

// lowestOf is the lowest rate of a band, in bytes per second.
func lowestOf(band int) float64 {
	return math.Ldexp(1+float64(band%bandsPerOctave)/bandsPerOctave, lowestOctave+band/bandsPerOctave)
}

func (b *bands) reset() { *b = bands{low: bandCount} }

func (b *bands) add(rate float64) {
	i := bandOf(rate)
	b.workloads++
	b.band[i]++
	b.low, b.high = min(b.low, i), max(b.high, i+1)
}

// significance is that of a pod which exchanges so many bytes per second, in [0,1].
func (b *bands) significance(rate float64) float64 {
	if rate <= 0 || b.workloads == 0 {
		return 0
	}
	sum := 0.0
	for i := b.low; i < b.high; i++ {
		sum += b.band[i] * min(rate/lowestOf(i), 1)
	}
	mean := sum / b.workloads
	return mean * math.Sqrt(mean) * min(rate/leastRate, 1)
}

// refer brings the reference to the state of the Board and the snapshot, or nearer to it.
func (e *Engine) refer(snap *flowgraph.Snapshot) {
	r, b := &e.reference, e.board
	if r.serial != b.view.serial || r.at == 0 && r.shares != b.shares {
		r.begin(snap, b)
	}
	if r.settled {
		return
	}
	last := min(r.at+mostReferred, snap.Len())
	for ; r.at < last; r.at++ {
		w := b.onBoard(r.at)
		if w == Absent {
			continue
		}
		if rate := e.rateOf(snap, r.at); rate > 0 {
			s := &b.states[w]
			r.next.add(rate / float64(max(s.desired.Pods, s.pods, 1)))
		}
	}
	if r.at == snap.Len() {
		r.current, r.at, r.settled = r.next, 0, true
	} else if r.current.workloads == 0 {
		r.current = r.next // a part is better than nothing
	}
}

func (r *reference) begin(snap *flowgraph.Snapshot, b *Board) {
	if r.serial != b.view.serial {
		if cap(r.rates) < snap.Len() {
			r.rates = make([]float64, snap.Len())
		}
		r.rates = r.rates[:snap.Len()]
		for i := range r.rates {
			r.rates[i] = math.NaN()
		}
	}
	r.next.reset()
	r.serial, r.shares, r.at, r.settled = b.view.serial, b.shares, 0, false
}

// rateOf is what all pods of workload i of the snapshot exchange, in bytes per second.
func (e *Engine) rateOf(snap *flowgraph.Snapshot, i int) float64 {
	if rate := e.reference.rates[i]; !math.IsNaN(rate) {
		return rate
	}
	rate := e.options.weight(snap.Self(i))
	add := func(j int, rates flowgraph.Rates) {
		if !e.options.NetMARKS || !snap.ID(j).IsSite() {
			rate += e.options.weight(rates)
		}
	}
	for j, rates := range snap.Callees(i) {
		add(j, rates)
	}
	for j, rates := range snap.Callers(i) {
		add(j, rates)
	}
	e.reference.rates[i] = rate
	return rate
}

// significantRate is that of the options. Where it is negative and namespaces are isolated,
// it is FixedRate: the traffic of other workloads must not matter.
func (e *Engine) significantRate() float64 {
	if rate := e.options.SignificantRate; rate >= 0 || !e.isolated {
		return rate
	}
	return FixedRate
}

// significance is how much of the range of 0 to 100 points a pod has that exchanges so many
// bytes per second, in [0,1]: by the rate that the options name, or else by what the other
// workloads exchange.
func (e *Engine) significance(podRate float64) float64 {
	if rate := e.significantRate(); rate >= 0 {
		return affinity.Significance(podRate, rate)
	}
	return e.reference.current.significance(podRate)
}
