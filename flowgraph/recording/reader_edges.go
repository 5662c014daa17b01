package recording

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// edgesFile is the state of reading one edges file.
type edgesFile struct {
	*lines
	notes *notes

	// times has the beginning of the part and the end of each step, in
	// milliseconds.
	times    []int64
	observed []float64 // at times

	families [4]family
	series   map[seriesKey]*series
	// current is the series of the line before, and text its name and labels:
	// most lines are of the same one.
	current *series
	text    []byte

	numbers map[edgeKey]int32
	keys    []edgeKey
	rates   []rate
}

type seriesKey struct {
	family int
	edge   int32
}

// series is one counter of one edge.
type series struct {
	seriesKey
	passed string // why all of its samples are passed over, "" when they are not
	step   int    // of the last sample, -1 before the first
	value  float64
}

// rate is a mean rate of one edge over one step.
type rate struct {
	step, edge int32
	family     int8
	perSecond  float64
}

func (r *Reader) readEdges(name string, file io.Reader, objects objectsFile) ([]Step, error) {
	f := &edgesFile{
		lines: newLines(name, file), notes: &r.notes, families: families(),
		series: map[seriesKey]*series{}, numbers: map[edgeKey]int32{},
	}
	for ended := false; ; {
		text, err := f.next()
		switch {
		case errors.Is(err, io.EOF) && ended:
			return f.result(objects)
		case errors.Is(err, io.EOF) || errors.Is(err, errCutOff):
			return nil, r.cutOff("an edges file is cut off: it has no # EOF at its end", f.at())
		case err != nil:
			return nil, err
		case ended:
			return nil, f.errorf("a line after # EOF")
		case bytes.Equal(text, []byte("# EOF")):
			ended = true
		case bytes.HasPrefix(text, []byte("# ")): // TYPE, UNIT, HELP
		default:
			if err := f.sample(text); err != nil {
				return nil, f.errorf("%w", err)
			}
		}
	}
}

func (f *edgesFile) sample(line []byte) error {
	if n := len(f.text); f.current == nil || len(line) <= n || line[n] != ' ' || !bytes.Equal(line[:n], f.text) {
		text, err := parseSeries(line)
		if err != nil {
			return err
		}
		if f.current, err = f.find(text); err != nil {
			return err
		}
		f.text = append(f.text[:0], line[:text.length]...)
	}
	s, err := parseSample(line[len(f.text):])
	switch {
	case err != nil:
		return err
	case f.current.passed != "":
		f.notes.add(f.current.passed, f.at())
		return nil
	case f.current.family == 0:
		return f.frame(s)
	}
	return f.count(f.current, s)
}

// find returns the series of a sample.
func (f *edgesFile) find(s seriesText) (*series, error) {
	number := slices.IndexFunc(f.families[:], func(known family) bool {
		name, ok := bytes.CutSuffix(s.name, []byte("_total"))
		return ok && string(name) == known.name
	})
	if number < 0 {
		return &series{passed: "samples of a metric that is none of a recording are passed over"}, nil
	}
	if number == 0 {
		if len(s.labels) > 0 {
			return nil, fmt.Errorf("%s has labels", s.name)
		}
		return &series{}, nil
	}
	key, whole, err := edgeOf(s.labels)
	switch {
	case err != nil:
		return nil, err
	case !whole:
		return &series{passed: "samples whose labels are not those of an edge are passed over"}, nil
	case key.from.IsZero() || key.to.IsZero():
		return &series{passed: "samples of an edge that names no workload are passed over"}, nil
	}
	edge, known := f.numbers[key]
	if !known {
		if len(f.keys) == partPoints+MaxEdges {
			return nil, fmt.Errorf("more than %d edges in one file", len(f.keys))
		}
		edge = int32(len(f.keys))
		f.numbers[key], f.keys = edge, append(f.keys, key)
	}
	at := seriesKey{number, edge}
	if f.series[at] == nil {
		f.series[at] = &series{seriesKey: at, step: -1}
	}
	return f.series[at], nil
}

// edgeOf returns the edge that labels name. whole is false when they are not
// exactly those of an edge.
func edgeOf(labels []byte) (key edgeKey, whole bool, err error) {
	seen, others := 0, 0
	set := func(into *string, bit int, value string) {
		if seen&bit != 0 {
			others++
		}
		*into, seen = value, seen|bit
	}
	err = parseLabels(labels, func(name, value string) {
		switch name {
		case sourceNamespace:
			set(&key.from.Namespace, 1, value)
		case sourceWorkload:
			set(&key.from.Name, 2, value)
		case destinationNamespace:
			set(&key.to.Namespace, 4, value)
		case destinationWorkload:
			set(&key.to.Name, 8, value)
		default:
			others++
		}
	})
	return key, seen == 15 && others == 0, err
}

// frame takes a sample of the observed time, which says what steps there are.
func (f *edgesFile) frame(s sample) error {
	n := len(f.times)
	switch {
	case len(f.keys) > 0:
		return fmt.Errorf("%s_total comes after edges; must come first", f.families[0].name)
	case n > maxStepsOfPart+1:
		return fmt.Errorf("more than %d steps in one file", maxStepsOfPart)
	case math.IsNaN(s.value) || s.value < 0 || s.value > math.MaxInt64:
		return fmt.Errorf("%s_total is %v; must be seconds", f.families[0].name, s.value)
	case n > 0 && s.milli <= f.times[n-1]:
		return fmt.Errorf("%s_total goes back in time", f.families[0].name)
	case n > 0 && s.value < f.observed[n-1]:
		return fmt.Errorf("%s_total goes down", f.families[0].name)
	}
	f.times, f.observed = append(f.times, s.milli), append(f.observed, s.value)
	return nil
}

// gap reports whether nothing was observed in the step that ends at times[step].
func (f *edgesFile) gap(step int) bool { return f.observed[step] == f.observed[step-1] }

// seconds is how long edges were observed between two of times.
func (f *edgesFile) seconds(from, to int) float64 {
	var millis int64
	for step := from + 1; step <= to; step++ {
		if !f.gap(step) {
			millis += f.times[step] - f.times[step-1]
		}
	}
	return float64(millis) / 1000
}

// count takes a sample of an edge.
func (f *edgesFile) count(s *series, now sample) error {
	if len(f.times) == 0 {
		return fmt.Errorf("an edge before %s_total, which must come first", f.families[0].name)
	}
	step, known := slices.BinarySearch(f.times, now.milli)
	switch {
	case !known:
		f.notes.add("samples of an edge that are at no end of a step are passed over", f.at())
		return nil
	case math.IsNaN(now.value) || now.value < 0 || math.IsInf(now.value, 1):
		f.notes.add("samples of an edge that are negative or no number are passed over", f.at())
		return nil
	case step == s.step && now.value == s.value:
		f.notes.add("a sample stands twice", f.at())
		return nil
	case step == s.step:
		f.notes.add("two samples at the same time differ; the first counts", f.at())
		return nil
	case step < s.step:
		f.notes.add("samples of an edge that go back in time are passed over", f.at())
		return nil
	}
	before := s.step
	rise := now.value - s.value
	s.step, s.value = step, now.value
	switch {
	case before < 0 || rise == 0:
		return nil
	case rise < 0:
		f.notes.add("a counter goes down; it counts from zero again", f.at())
		rise = now.value
	}
	return f.spread(s, before, step, rise)
}

// spread makes what a counter rose between two samples the rates of the steps
// between them.
func (f *edgesFile) spread(s *series, from, to int, rise float64) error {
	seconds := f.seconds(from, to)
	perSecond := rise / seconds
	switch {
	case seconds == 0:
		f.notes.add("a counter that rises where nothing was observed is passed over", f.at())
		return nil
	case !flowgraph.ValidRate(perSecond / (1 + 1e-9)): // what rounding adds
		f.notes.add("a rate above 1e12 is passed over", f.at())
		return nil
	case to > from+1:
		f.notes.add("samples of an edge are missing; what it rose by is spread over the time between", f.at())
	}
	if len(f.rates) > 3*(partPoints+MaxEdges) {
		return fmt.Errorf("more than %d rates in one file", len(f.rates)-1)
	}
	for step := from + 1; step <= to; step++ {
		if !f.gap(step) {
			f.rates = append(f.rates, rate{int32(step), s.edge, int8(s.family), min(perSecond, flowgraph.MaxRate)})
		}
	}
	return nil
}

// result makes the steps of what has been read.
func (f *edgesFile) result(objects objectsFile) ([]Step, error) {
	switch n := len(f.times); {
	case n == 0:
		return nil, fmt.Errorf("%s: no %s_total in it", f.name, f.families[0].name)
	case n-1 != objects.steps:
		return nil, fmt.Errorf("%s: has %d steps; the BOOKMARK of its objects file says %d", f.name, n-1, objects.steps)
	case f.times[0] != objects.start.UnixMilli() || f.times[n-1] > objects.end.UnixMilli():
		return nil, fmt.Errorf("%s: its times are not those of its objects file", f.name)
	}
	ranks := f.ranks()
	slices.SortFunc(f.rates, func(a, b rate) int {
		return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(ranks[a.edge], ranks[b.edge]))
	})
	var steps []Step
	left := f.rates
	for i := 1; i < len(f.times); i++ {
		s := Step{At: time.UnixMilli(f.times[i]).UTC(), Gap: f.gap(i)}
		for len(left) > 0 && int(left[0].step) == i {
			key := f.keys[left[0].edge]
			if n := len(s.Edges); n == 0 || s.Edges[n-1].From != key.from || s.Edges[n-1].To != key.to {
				s.Edges = append(s.Edges, flowgraph.Edge{From: key.from, To: key.to, ObservedAt: s.At})
			}
			*f.families[left[0].family].of(&s.Edges[len(s.Edges)-1].Rates) = left[0].perSecond
			left = left[1:]
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// ranks returns the place of each edge among all.
func (f *edgesFile) ranks() []int32 {
	order := make([]int32, len(f.keys))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return f.keys[a].compare(f.keys[b]) })
	ranks := make([]int32, len(order))
	for rank, edge := range order {
		ranks[edge] = int32(rank)
	}
	return ranks
}
