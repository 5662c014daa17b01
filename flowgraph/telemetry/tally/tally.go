// Package tally turns the reports of a source's series into flows between workloads. In
// Collect a source makes a [Tally], adds a [Report] for each series of all its queries, and
// returns the Observation. The Tally compares the reports of the two ends, finds the
// workloads behind endpoints, believes and bounds reports as [telemetry.Trust] says, and
// counts by reason what becomes no flow. It knows no mesh, no label and no query; these
// belong to the sources.
package tally

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Quantity is what a metric measures.
type Quantity int

// The quantities, as flowgraph.Rates has them.
const (
	Sent     Quantity = iota // bytes from the client to the server
	Received                 // bytes from the server to the client
	Requests
)

// MaxMetrics is how many metrics a Tally tells apart.
const MaxMetrics = 8

// Metric is one of the metrics of a source.
type Metric struct {
	// Query is the name of the query that asks for it.
	Query    string
	Quantity Quantity
}

// End is the end of a connection that reports a series.
type End int

// The ends of a connection.
const (
	Client End = iota // opened the connection or sent the request
	Server
)

// Reporters says who reports the traffic of a source.
type Reporters int

const (
	// BothEnds is the zero value: the proxies at both ends report the same traffic, and
	// either may be missing. The larger report counts, or the smaller one where Trust asks
	// for agreement.
	BothEnds Reporters = iota
	// OneEnd reports, the one that each Report names.
	OneEnd
	// Agents report, which are no end of the traffic. Where targets are believed only what
	// they report of themselves, agents are those in trusted namespaces.
	Agents
)

// Options says how to add up.
type Options struct {
	// Source is the name of the source.
	Source string
	// Metrics are told apart by their index, at most MaxMetrics.
	Metrics   []Metric
	Reporters Reporters
	// Largest takes, of several instances that report the same pair, the one that reports
	// most; otherwise instances add up.
	Largest bool
	// Cluster is the mesh's name of the cluster that is scheduled, "" when it is not known.
	Cluster string
	// Trust says whose reports are believed, and how many are kept. It is required.
	Trust *telemetry.Trust
	// Resolver finds the workloads behind endpoints of other kinds; nil when there is none.
	Resolver telemetry.Resolver
}

// Report is what one series says.
type Report struct {
	// From opened the connection or sent the request, To served it; an end that the series
	// does not name is zero.
	From, To telemetry.Endpoint
	// Reason says why no flow comes of it as far as the source knows; Included where both
	// ends are named.
	Reason telemetry.Reason
	// Group tells traffic with an end that is not named apart, such as by the Service that
	// was called.
	Group string
	// Instance is who reports, where the largest of several counts.
	Instance string
	// End is the end that reports.
	End End
	// Namespace is that of the target that reports, as the scrape has attached it.
	Namespace string
	// Claimed is the namespace that the target says its end is in, where the series does
	// not name the end.
	Claimed string
	// Metric is an index of Options.Metrics.
	Metric int
	// Clusters are what the mesh calls the clusters of From and To, "" where it says none.
	Clusters [2]string
	// Scraped is the value of the label that metrics servers give to all series of one
	// cluster.
	Scraped string
	// Value is the rate in bytes or requests per second.
	Value float64
}

// Tally is the sums of one refresh. It keeps an endpoint once and a pair of them as two
// numbers, because there may be a million series; one that it has seen before costs it no
// memory.
type Tally struct {
	o         Options
	workloads map[flowgraph.WorkloadID]uint32 // in endpoints
	others    map[telemetry.Endpoint]uint32   // likewise, for endpoints of other kinds
	endpoints []telemetry.Endpoint            // the zero one is the first
	groups    names                           // of open keys
	instances names                           // of all others, where the largest counts
	sums      map[key]uint32                  // in reports
	open      int                             // those of them that become no flow
	reports   reports
	leftOut   map[telemetry.Reason]telemetry.LeftOut
	series    int
	answered  []int // series by metric
	clusters  clusters
	halves    map[uint32]*unresolved // of groups, when all is added up
	divisions map[division]float64
}

// New returns an empty Tally.
func New(o Options) *Tally {
	return &Tally{
		o:         o,
		workloads: map[flowgraph.WorkloadID]uint32{{}: 0},
		others:    map[telemetry.Endpoint]uint32{},
		endpoints: []telemetry.Endpoint{{}},
		groups:    names{},
		instances: names{},
		sums:      map[key]uint32{},
		leftOut:   map[telemetry.Reason]telemetry.LeftOut{},
		answered:  make([]int, len(o.Metrics)),
		clusters:  newClusters(),
		halves:    map[uint32]*unresolved{},
	}
}

// Series returns how many reports there were.
func (t *Tally) Series() int { return t.series }

// Answered returns how many reports there were of the metric with an index.
func (t *Tally) Answered(metric int) int { return t.answered[metric] }

// Invalid counts a series of a metric that says nothing sensible.
func (t *Tally) Invalid(metric int) {
	t.series++
	t.answered[metric]++
	t.leaveOut(telemetry.Invalid, 1, 0)
}

// Add takes what one series says. It reports whether that is believed.
func (t *Tally) Add(r *Report) (believed bool) {
	rate, ok := flowgraph.ClampRate(r.Value)
	if !ok {
		t.Invalid(r.Metric)
		return false
	}
	t.series++
	t.answered[r.Metric]++
	if reason := t.judge(r); reason != telemetry.Included {
		t.leaveOut(reason, 1, 0)
		return false
	}
	t.add(r, rate)
	return true
}

// add adds a rate that is believed.
func (t *Tally) add(r *Report, rate float64) {
	if t.isCrowded() {
		t.makeRoom()
	}
	k, reason := t.keyOf(r)
	if reason != telemetry.Included {
		t.leaveOut(reason, 1, 0)
	}
	q := t.o.Metrics[r.Metric].Quantity
	i, known := t.sums[k]
	switch {
	case k.reason() != reason: // it is no key
		if q != Requests && reason != telemetry.Invalid {
			t.leaveOut(reason, 0, rate)
		}
		return
	case !known:
		i = t.reports.add()
		t.sums[k] = i
		if reason != telemetry.Included {
			t.open++
		}
	}
	sum := t.reports.at(i)
	sum.has[r.End] |= 1 << r.Metric
	if t.o.Trust.Agreed && !t.o.Trust.Trusts(r.Namespace) {
		sum.claimed[r.End] = true
	}
	if reason == telemetry.Included {
		t.noteClusters(sum, r)
	}
	addTo(&sum.by[r.End], q, rate)
}

// addTo adds v to the rate that q measures.
func addTo(r *flowgraph.Rates, q Quantity, v float64) {
	switch q {
	case Sent:
		r.SentBytesPerSecond += v
	case Received:
		r.ReceivedBytesPerSecond += v
	case Requests:
		r.RequestsPerSecond += v
	}
}

func (t *Tally) leaveOut(reason telemetry.Reason, series int, bytesPerSecond float64) {
	l := t.leftOut[reason]
	l.Series += series
	l.BytesPerSecond += bytesPerSecond
	t.leftOut[reason] = l
}
