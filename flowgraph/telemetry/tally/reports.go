package tally

import (
	"iter"
	"math/bits"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// report holds what is said of one key, by the end that says it.
type report struct {
	by      [2]flowgraph.Rates
	has     [2]uint8  // the metrics with a series, as bits
	claimed [2]bool   // not all of it by trusted reporters
	cluster [2]uint16 // the number of the label's value, 0 before
	mesh    [2]uint16 // likewise, of the reporter's own name of its cluster
}

// max is the larger of what the two ends say.
func (r *report) max() flowgraph.Rates { return r.by[Client].Max(r.by[Server]) }

// series is how many series there are of a key, those of one metric and end as one.
func (r *report) series() int { return bits.OnesCount8(r.has[0]) + bits.OnesCount8(r.has[1]) }

// add adds what another report says, with its rates multiplied by a part.
func (r *report) add(o *report, part float64) {
	for end := range r.by {
		r.by[end] = plus(r.by[end], times(o.by[end], part))
		r.note(o, end)
	}
}

// takeLargest takes the larger of each rate.
func (r *report) takeLargest(o *report) {
	for end := range r.by {
		r.by[end] = r.by[end].Max(o.by[end])
		r.note(o, end)
	}
}

// note takes over what another report says beside the rates.
func (r *report) note(o *report, end int) {
	r.has[end] |= o.has[end]
	r.claimed[end] = r.claimed[end] || o.claimed[end]
	mix(&r.cluster[end], o.cluster[end])
	mix(&r.mesh[end], o.mesh[end])
}

// reports is a list that grows without being copied.
type reports struct {
	chunks [][]report
	n      uint32
}

const reportsPerChunk = 1 << 12

// add appends an empty report and returns its index.
func (r *reports) add() uint32 {
	if r.n%reportsPerChunk == 0 {
		r.chunks = append(r.chunks, make([]report, reportsPerChunk))
	}
	r.n++
	return r.n - 1
}

func (r *reports) at(i uint32) *report {
	return &r.chunks[i/reportsPerChunk][i%reportsPerChunk]
}

// Pair is what is known of a pair of named endpoints.
type Pair struct {
	// By is what each End says.
	By [2]flowgraph.Rates
	// Has has a bit for each metric, by its index, of which an End has a series.
	Has [2]uint8
}

// Pairs yields the pairs that become flows, in no particular order.
func (t *Tally) Pairs() iter.Seq[Pair] {
	return func(yield func(Pair) bool) {
		for k, i := range t.sums {
			if k.isOpen() {
				continue
			}
			if r := t.reports.at(i); !yield(Pair{r.by, r.has}) {
				return
			}
		}
	}
}

// minus is what of a is beyond b, at least 0.
func minus(a, b flowgraph.Rates) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     max(0, a.SentBytesPerSecond-b.SentBytesPerSecond),
		ReceivedBytesPerSecond: max(0, a.ReceivedBytesPerSecond-b.ReceivedBytesPerSecond),
		RequestsPerSecond:      max(0, a.RequestsPerSecond-b.RequestsPerSecond),
	}
}

func plus(a, b flowgraph.Rates) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     a.SentBytesPerSecond + b.SentBytesPerSecond,
		ReceivedBytesPerSecond: a.ReceivedBytesPerSecond + b.ReceivedBytesPerSecond,
		RequestsPerSecond:      a.RequestsPerSecond + b.RequestsPerSecond,
	}
}

func times(r flowgraph.Rates, part float64) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond:     r.SentBytesPerSecond * part,
		ReceivedBytesPerSecond: r.ReceivedBytesPerSecond * part,
		RequestsPerSecond:      r.RequestsPerSecond * part,
	}
}
