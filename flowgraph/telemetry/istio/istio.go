// Package istio is the telemetry source for Istio, from the metrics that the proxies at both
// ends of a connection report: sidecars, and ztunnel in ambient mode. It is one source for
// both modes, because the pods of one workload may be in either while a mesh migrates: what
// they report is added up before the two ends are compared.
//
// Edges are what crosses the network. A waypoint is a workload like others, with an edge from
// each client and one to each server, which ztunnel reports. What waypoints themselves report
// is the same traffic once more, from clients to servers, and is not read.
//
// A target that is scraped can report any edge, of any rate: the labels that name the two
// ends are its own. With telemetry.Trust.ReporterLabel it can report what it likes of its
// own namespace only; with Agreed, traffic with other namespaces counts as far as they
// report it too.
package istio

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// DefaultWindow is the window of the rates when Options.Window is zero: long
// enough to even out streams, whose bytes the proxies report when they end.
const DefaultWindow = 5 * time.Minute

// minWindow is the shortest window that holds several samples at a scrape
// interval of one second. It must be four times the real scrape interval.
const minWindow = 5 * time.Second

// Options configures a Sidecar.
type Options struct {
	// Name is the source's name; "istio-sidecar" when empty.
	Name string
	// Window is the range of the rates: whole seconds, at least 5, and at least
	// four scrape intervals for a missed scrape to do no harm; DefaultWindow when
	// zero.
	Window time.Duration
	// Cluster is the value of source_cluster and destination_cluster of the
	// cluster that is scheduled; traffic that names another is left out. When
	// it is empty, only traffic that names two different clusters is.
	Cluster string
	// Selector is a list of further PromQL label matchers without braces, such
	// as `mesh_id="a",job="kubernetes-pods"`. Two jobs that scrape the same
	// proxies double every sum; select one of them here.
	Selector string
	// Recorded reads what recording rules have aggregated, under the names of
	// RecordedName, instead of the proxies' own metrics. Selector then applies
	// to the labels that the rules keep or add.
	Recorded bool
	// Trust says whose reports are believed, and how many are kept. Recording rules must
	// keep its ReporterLabel.
	Trust telemetry.Trust
}

// Sidecar is the source. It implements telemetry.Source.
type Sidecar struct {
	name     string
	cluster  string
	selector string
	window   time.Duration
	recorded bool
	trust    telemetry.Trust
	queries  []telemetry.Query
	// native are the queries for the metrics that scrapes may keep as native
	// histograms, by the name of the query for classic ones.
	native map[string]nativeQueries
}

// nativeQueries ask for a metric where there are native histograms of it.
type nativeQueries struct {
	// exists answers nothing where there are none, as on most servers. The other
	// query is too expensive to run for nothing, and some servers do not know its
	// functions.
	exists telemetry.Query
	// both reads the classic histograms, and the native ones of series that have no
	// classic one: a scrape that keeps both has the same bytes in both.
	both telemetry.Query
}

var _ telemetry.Checker = (*Sidecar)(nil)

// metric is one metric to query. Both byte meters of a proxy sit on its
// downstream connection, so "request" and "tcp received" are always from client
// to server whichever end reports (istio/istio#32399).
type metric struct {
	query    string
	name     string
	quantity tally.Quantity
	// native is the name of the same metric as a native histogram, "" when it is
	// none.
	native string
}

// metrics returns what the source asks for. A connection is counted either in
// the HTTP metrics or in the TCP ones, never in both, so the two add up.
func metrics() [numMetrics]metric {
	return [numMetrics]metric{
		requestBytes:  {"request-bytes", "istio_request_bytes_sum", tally.Sent, "istio_request_bytes"},
		responseBytes: {"response-bytes", "istio_response_bytes_sum", tally.Received, "istio_response_bytes"},
		tcpReceived:   {"tcp-received", "istio_tcp_received_bytes_total", tally.Sent, ""},
		tcpSent:       {"tcp-sent", "istio_tcp_sent_bytes_total", tally.Received, ""},
		requestCount:  {"requests", "istio_requests_total", tally.Requests, ""},
	}
}

// The indices of metrics.
const (
	requestBytes = iota
	responseBytes
	tcpReceived
	tcpSent
	requestCount
	numMetrics
)

// grouping is what the server aggregates by. destination_service_name is there
// to tell refused and passed-through traffic from the rest; it costs next to
// nothing, because a workload rarely serves more than one service, and it is
// summed away before the two reporters are compared, because they may disagree
// on it. cluster is what metrics servers add to all series of a cluster: without it
// two clusters in one store would be added up unseen.
const grouping = "reporter, source_cluster, source_workload_namespace, source_workload, " +
	"destination_cluster, destination_workload_namespace, destination_workload, destination_service_name, cluster"

// hostLabel has what was called, which of sites is the host, or address and port. It is asked
// for only where there are sites: clients that are let through to any host write what they like.
const hostLabel = "destination_service"

// NewSidecar returns the source for the given options. It reports an unusable
// window or selector.
func NewSidecar(o Options) (*Sidecar, error) {
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.Window < minWindow || o.Window%time.Second != 0 {
		return nil, fmt.Errorf("window %v: must be at least %v and whole seconds", o.Window, minWindow)
	}
	if err := promapi.ValidateSelector(o.Selector, "reporter"); err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	if o.Name == "" {
		o.Name = Type
	}
	grouping := grouping
	if !o.Trust.Sites.IsEmpty() {
		grouping += ", " + hostLabel
	}
	if label := o.Trust.ReporterLabel; label != "" {
		if err := telemetry.ValidateReporterLabel(label); err != nil {
			return nil, fmt.Errorf("label %s of the reporter's namespace: %w", label, err)
		}
		grouping += ", " + label
	}
	s := &Sidecar{
		name: o.Name, cluster: o.Cluster, selector: strings.TrimSpace(o.Selector), window: o.Window, recorded: o.Recorded, trust: o.Trust,
		native: map[string]nativeQueries{},
	}
	matchers := s.matchers(bothEnds)
	// NaN, negative values and native histograms are not >= 0: they would erase the sums
	// that they are part of.
	for _, m := range metrics() {
		rate := fmt.Sprintf("rate(%s{%s}[%ds])", m.name, matchers, o.Window/time.Second)
		if o.Recorded {
			rate = fmt.Sprintf("%s{%s}", RecordedName(m.name, o.Window), matchers)
		}
		s.queries = append(s.queries, telemetry.Query{Name: m.query, PromQL: fmt.Sprintf("sum by (%s) (%s >= 0)", grouping, rate)})
		if m.native != "" && !o.Recorded { // the rules have both
			s.native[m.query] = nativeQueries{
				exists: telemetry.Query{Name: m.query + "-native", PromQL: fmt.Sprintf(
					"count(last_over_time(%s{%s}[%ds]))", m.native, matchers, o.Window/time.Second)},
				both: telemetry.Query{Name: m.query, PromQL: fmt.Sprintf(
					"sum by (%s) ((%s or histogram_sum(rate(%s{%s}[%ds]))) >= 0)", grouping, rate, m.native, matchers, o.Window/time.Second)},
			}
		}
	}
	return s, nil
}

// bothEnds are the reporters that are read: the proxies at the two ends.
const bothEnds = `reporter=~"source|destination"`

// matchers returns what is between the braces of a query.
func (s *Sidecar) matchers(reporter string) string {
	if s.selector == "" {
		return reporter
	}
	return reporter + "," + s.selector
}

// RecordedName returns the name under which a recording rule keeps the rates of
// a metric over a window, e.g. "vicinity:istio_requests_total:rate5m". The rules
// for five minutes are manifests/recording-rules/istio-sidecar.yaml.
func RecordedName(metric string, window time.Duration) string {
	return "vicinity:" + metric + ":rate" + model.Duration(window).String()
}

// Name returns the name of the source.
func (s *Sidecar) Name() string { return s.name }

// Type is the source's type in a TelemetryConfiguration.
const Type = "istio-sidecar"

// About implements telemetry.Source.
func (s *Sidecar) About() telemetry.About {
	const try = "count by (reporter) (istio_requests_total)"
	var why []string
	if s.recorded {
		why = append(why, "the recording rules are not loaded, or are of another window (see manifests/recording-rules).")
	}
	why = append(why, condition.NoSeries("the mesh's proxies", try, s.window)...)
	why = append(why, "a relabelling drops the label reporter, which must be source or destination.")
	return telemetry.About{Type: Type, Window: s.window, Try: try, WhyNone: append(why, condition.NothingSelected(s.selector)...)}
}

// Queries returns one query for each metric, and those that ask whether there are native
// histograms.
func (s *Sidecar) Queries() []telemetry.Query {
	all := slices.Clone(s.queries)
	for _, q := range s.queries {
		if native, ok := s.native[q.Name]; ok {
			all = append(all, native.exists)
		}
	}
	return all
}

// Collect runs the queries at the given time and returns the flows between
// workloads. For each pair and each rate it takes the larger of what the two
// proxies report, or the smaller where Trust says so: they see the same bytes, and
// either may be missing. Bytes of HTTP
// are in classic histograms, in native ones, or in both: some proxies or scrapes may
// have the one and some the other.
func (s *Sidecar) Collect(ctx context.Context, q telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	t := newTally(s.name, s.cluster, &s.trust)
	for i := range s.queries {
		query, err := s.queryFor(ctx, q, i, at)
		if err != nil {
			return telemetry.Observation{}, err
		}
		err = telemetry.RunQueries(ctx, q, []telemetry.Query{query}, at, func(_ telemetry.Query, series telemetry.Series) error {
			t.add(i, series)
			return nil
		})
		if err != nil {
			return telemetry.Observation{}, err
		}
	}
	o := t.Observation(at)
	o.Findings = s.findings(t, o)
	return o, nil
}

// queryFor returns the query for the metric with this index: one that reads native
// histograms too where there are any.
func (s *Sidecar) queryFor(ctx context.Context, q telemetry.Querier, i int, at time.Time) (telemetry.Query, error) {
	query := s.queries[i]
	native, ok := s.native[query.Name]
	if !ok {
		return query, nil
	}
	err := telemetry.RunQueries(ctx, q, []telemetry.Query{native.exists}, at, func(telemetry.Query, telemetry.Series) error {
		query = native.both
		return nil
	})
	return query, err
}
