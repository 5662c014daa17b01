package recording

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// family is one of the counters in an edges file, without _total.
type family struct {
	name, unit, help string
	// of picks what the family counts; nil for observed.
	of func(*flowgraph.Rates) *float64
}

// families returns the counters in the order in which they are written.
func families() [4]family {
	return [4]family{
		{"vicinity_recording_observed_seconds", "seconds", "Time in which edges were observed.", nil},
		{"vicinity_edge_sent_bytes", "bytes", "Bytes from the source to the destination.",
			func(r *flowgraph.Rates) *float64 { return &r.SentBytesPerSecond }},
		{"vicinity_edge_received_bytes", "bytes", "Bytes from the destination to the source.",
			func(r *flowgraph.Rates) *float64 { return &r.ReceivedBytesPerSecond }},
		{"vicinity_edge_requests", "", "Requests from the source to the destination.",
			func(r *flowgraph.Rates) *float64 { return &r.RequestsPerSecond }},
	}
}

// The labels of an edge, in the order in which they are written.
const (
	sourceNamespace      = "source_namespace"
	sourceWorkload       = "source_workload"
	destinationNamespace = "destination_namespace"
	destinationWorkload  = "destination_workload"
)

type edgeKey struct{ from, to flowgraph.WorkloadID }

func (k edgeKey) compare(o edgeKey) int {
	return cmp.Or(k.from.Compare(o.from), k.to.Compare(o.to))
}

// edgesBuffer holds the edges of the part under way.
type edgesBuffer struct {
	// times has the beginning of the part and the end of each step.
	times []time.Time
	// observed has, for each of times, for how long edges were observed by then.
	observed []float64
	points   int
	edges    map[edgeKey]*counted
	// total is what the counters of the edges of the last part stood at.
	total map[edgeKey]flowgraph.Rates
}

// counted is one edge of a part.
type counted struct {
	from   flowgraph.Rates // what its counters stood at before
	points []point         // ordered by step
}

// point is the mean rate in one step, the step's end being times[step].
type point struct {
	step int
	flowgraph.Rates
}

// begin forgets what has been written, but for what the counters stand at.
func (b *edgesBuffer) begin(start time.Time) {
	total := map[edgeKey]flowgraph.Rates{}
	for key, e := range b.edges {
		total[key] = e.upTo(b.times, len(b.times)-1)
	}
	var observed float64
	if n := len(b.observed); n > 0 {
		observed = b.observed[n-1]
	}
	*b = edgesBuffer{
		times: []time.Time{start}, observed: []float64{observed}, edges: map[edgeKey]*counted{}, total: total,
	}
}

func (b *edgesBuffer) add(at time.Time, length time.Duration, edges []flowgraph.Edge) {
	step, observed := len(b.times), b.observed[len(b.observed)-1]
	if len(edges) > 0 {
		observed += length.Seconds()
	}
	b.times, b.observed = append(b.times, at), append(b.observed, observed)
	for _, e := range edges {
		if e.Rates == (flowgraph.Rates{}) {
			continue
		}
		key := edgeKey{e.From, e.To}
		c := b.edges[key]
		if c == nil {
			c = &counted{from: b.total[key]}
			b.edges[key] = c
		}
		if n := len(c.points); n == 0 || c.points[n-1].step != step {
			c.points = append(c.points, point{step: step})
			b.points++
		}
		p := &c.points[len(c.points)-1]
		p.SentBytesPerSecond += e.SentBytesPerSecond
		p.ReceivedBytesPerSecond += e.ReceivedBytesPerSecond
		p.RequestsPerSecond += e.RequestsPerSecond
	}
}

// upTo returns what the counters stand at at times[step].
func (c *counted) upTo(times []time.Time, step int) flowgraph.Rates {
	sum := c.from
	for _, p := range c.points {
		if p.step > step {
			break
		}
		seconds := times[p.step].Sub(times[p.step-1]).Seconds()
		sum.SentBytesPerSecond += p.SentBytesPerSecond * seconds
		sum.ReceivedBytesPerSecond += p.ReceivedBytesPerSecond * seconds
		sum.RequestsPerSecond += p.RequestsPerSecond * seconds
	}
	return sum
}

// write writes the file of the part.
func (b *edgesBuffer) write(out *bufio.Writer) error {
	keys := slices.SortedFunc(maps.Keys(b.edges), edgeKey.compare)
	for _, f := range families() {
		writeHead(out, f)
		if f.of == nil {
			for i, at := range b.times {
				writeSample(out, f.name+"_total", b.observed[i], at)
			}
			continue
		}
		for _, key := range keys {
			b.writeSeries(out, f, key)
		}
	}
	_, err := out.WriteString("# EOF\n")
	return err
}

// writeSeries writes the samples of one edge, from the beginning of the first
// step in which it was seen. There are none at gaps, but for the beginnings of
// steps in which it was seen.
func (b *edgesBuffer) writeSeries(out *bufio.Writer, f family, key edgeKey) {
	c := b.edges[key]
	series, value, next := seriesOf(f, key), *f.of(new(c.from)), 0
	for step := c.points[0].step - 1; step < len(b.times); step++ {
		begins := next < len(c.points) && c.points[next].step == step+1
		ends := next > 0 && c.points[next-1].step == step
		observed := step > 0 && b.observed[step] > b.observed[step-1]
		if begins || ends || observed {
			writeSample(out, series, value, b.times[step])
		}
		if begins {
			value += *f.of(&c.points[next].Rates) * b.times[step+1].Sub(b.times[step]).Seconds()
			next++
		}
	}
}

func writeHead(out *bufio.Writer, f family) {
	fmt.Fprintf(out, "# TYPE %s counter\n", f.name)
	if f.unit != "" {
		fmt.Fprintf(out, "# UNIT %s %s\n", f.name, f.unit)
	}
	fmt.Fprintf(out, "# HELP %s %s\n", f.name, f.help)
}

func seriesOf(f family, key edgeKey) string {
	text := []byte(f.name + "_total{")
	for i, l := range [...][2]string{
		{sourceNamespace, key.from.Namespace}, {sourceWorkload, key.from.Name},
		{destinationNamespace, key.to.Namespace}, {destinationWorkload, key.to.Name},
	} {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, l[0]...)
		text = append(text, '=', '"')
		text = appendEscaped(text, l[1])
		text = append(text, '"')
	}
	return string(append(text, '}'))
}

// appendEscaped appends a label value as OpenMetrics wants it.
func appendEscaped(text []byte, value string) []byte {
	for i := range len(value) {
		switch b := value[i]; b {
		case '\\', '"':
			text = append(text, '\\', b)
		case '\n':
			text = append(text, '\\', 'n')
		default:
			text = append(text, b)
		}
	}
	return text
}

// writeSample writes a line. It is what takes the time: there are as many lines as
// edges times steps, three times.
func writeSample(out *bufio.Writer, series string, value float64, at time.Time) {
	line := append(out.AvailableBuffer(), series...)
	line = append(line, ' ')
	line = strconv.AppendFloat(line, value, 'g', -1, 64)
	line = append(line, ' ')
	line = strconv.AppendFloat(line, float64(at.UnixMilli())/1000, 'f', -1, 64)
	_, _ = out.Write(append(line, '\n')) // out keeps its first error for the end of the file
}
