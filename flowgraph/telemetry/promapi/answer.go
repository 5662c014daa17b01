package promapi

import (
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const (
	// maxLabels limits the labels of a series; what is beyond reads as missing.
	maxLabels = 128
	// maxValueBytes limits the text of a value: 1e308 has 309 digits when a server
	// does not use exponents.
	maxValueBytes = 512
	// maxTextBytes limits each text of the server that an error may repeat.
	maxTextBytes = 1 << 10
	// maxWarnings limits the warnings that an error may repeat.
	maxWarnings = 8
)

// decoder reads the answer to an instant query,
//
//	{"status":"success","data":{"resultType":"vector","result":[
//	   {"metric":{"a":"b"},"value":[1,"2"]}, ...]},"warnings":[...]}
//
// and keeps nothing of a series once it has been yielded: the memory it takes
// depends on the limits, not on the answer. Keys may come in any order; those
// it does not know are skipped; those it knows may occur once.
type decoder struct {
	*lexer
	limits limits
	yield  func(telemetry.Series) error

	labels    labels
	valueText []byte
	series    int

	// The envelope.
	status, resultType   string
	hasResult            bool
	errorType, errorText string
	warnings             []string
	truncated            bool
	partial              bool // isPartial, which VictoriaMetrics adds
}

// limits are those of Config that the decoder enforces.
type limits struct{ series, labelBytes int }

// decode calls yield for each series of an answer and returns an error of
// yield, of in, a *syntaxError or a *telemetry.QueryError. The labels are valid
// until yield returns.
func decode(in io.Reader, l limits, yield func(telemetry.Series) error) error {
	d := &decoder{lexer: newLexer(in), limits: l, yield: yield}
	if err := d.answer(); err != nil {
		return err
	}
	if err := d.finish(); err != nil {
		return err
	}
	return d.outcome()
}

// fields takes an object and calls field for the value of each key in known. It
// skips the others.
func (d *decoder) fields(known []string, depth int, field func(key string) error) error {
	if err := d.expect('{'); err != nil {
		return err
	}
	var seen uint // by index in known
	for first := true; ; first = false {
		more, err := d.more(first, '}')
		if err != nil || !more {
			return err
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		i := indexOf(known, key)
		if i < 0 {
			if err := d.skip(depth + 1); err != nil {
				return err
			}
			continue
		}
		if seen&(1<<i) != 0 {
			return d.fail("the key %q twice", known[i])
		}
		seen |= 1 << i
		if err := field(known[i]); err != nil {
			return err
		}
	}
}

// indexOf is slices.Index without a string for key.
func indexOf(known []string, key []byte) int {
	for i, k := range known {
		if k == string(key) {
			return i
		}
	}
	return -1
}

func (d *decoder) answer() error {
	known := []string{"status", "data", "errorType", "error", "warnings", "isPartial"}
	return d.fields(known, 0, func(key string) (err error) {
		switch key {
		case "status":
			d.status, err = d.text()
		case "data":
			err = d.data()
		case "errorType":
			d.errorType, err = d.text()
		case "error":
			d.errorText, err = d.text()
		case "warnings":
			err = d.readWarnings()
		case "isPartial":
			d.partial, err = d.flag()
		}
		return err
	})
}

// text takes a string of the server, cut if need be, or null for none.
func (d *decoder) text() (string, error) {
	if null, err := d.null(); err != nil || null {
		return "", err
	}
	b, _, err := d.string(d.scratch, maxTextBytes)
	if err != nil {
		return "", err
	}
	return string(b), nil
}

func (d *decoder) readWarnings() error {
	if null, err := d.null(); err != nil || null {
		return err
	}
	if err := d.expect('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.more(first, ']')
		if err != nil || !more {
			return err
		}
		warning, err := d.text()
		if err != nil {
			return err
		}
		if isAnnotation(warning) {
			continue
		}
		if strings.Contains(warning, "truncated due to limit") {
			d.truncated = true
		}
		if len(d.warnings) < maxWarnings {
			d.warnings = append(d.warnings, warning)
		}
	}
}

// isAnnotation reports whether a warning is one of PromQL's own. They say something about
// the query (Prometheus before 3.0, and servers that pass its annotations on, have these
// among the warnings), or that single series have no result, such as one that mixes floats
// and histograms. Whoever exposes such a series must not stop all reading. What the server
// could not read is said by other warnings, and those that it omits may be of any kind.
func isAnnotation(warning string) bool {
	text := strings.TrimSpace(warning)
	return strings.HasPrefix(text, "PromQL info:") || strings.HasPrefix(text, "PromQL warning:") ||
		strings.HasSuffix(text, "more info annotations omitted")
}

// data takes the data of an answer. Servers that failed may write null, or
// anything else once they have said so.
func (d *decoder) data() error {
	if null, err := d.null(); err != nil || null {
		return err
	}
	if d.status == "error" {
		return d.skip(1)
	}
	return d.fields([]string{"resultType", "result"}, 1, func(key string) (err error) {
		if key == "resultType" {
			d.resultType, err = d.text()
			return err
		}
		if d.resultType != "" && d.resultType != vectorType {
			return d.notVector()
		}
		d.hasResult = true
		return d.result()
	})
}

// result takes the series. null is what some servers write for none.
func (d *decoder) result() error {
	if null, err := d.null(); err != nil || null {
		return err
	}
	if err := d.expect('['); err != nil {
		return err
	}
	e := &element{decoder: d, known: []string{"metric", "value", "histogram"}}
	field := e.field // made once, not for each series
	for first := true; ; first = false {
		more, err := d.more(first, ']')
		if err != nil || !more {
			return err
		}
		if d.series++; d.series > d.limits.series {
			return d.tooManySeries()
		}
		if err := e.read(field); err != nil {
			return err
		}
	}
}

// element is one element of the vector.
type element struct {
	*decoder
	known        []string
	sample       float64
	hasValue     bool
	hasHistogram bool
}

// read takes the element and yields it. A native histogram is not a rate: its
// value is NaN, so that the source counts the series as invalid.
func (e *element) read(field func(key string) error) error {
	e.labels.reset()
	e.hasValue, e.hasHistogram = false, false
	if err := e.fields(e.known, 3, field); err != nil {
		return err
	}
	if e.hasValue == e.hasHistogram {
		return e.fail("a series must have either a value or a histogram")
	}
	if e.hasHistogram {
		e.sample = math.NaN()
	}
	return e.yield(telemetry.Series{Labels: &e.labels, Value: e.sample})
}

func (e *element) field(key string) (err error) {
	switch key {
	case "metric":
		return e.metric()
	case "value":
		e.hasValue = true
		e.sample, err = e.value()
	case "histogram":
		e.hasHistogram = true
		err = e.skip(4)
	}
	return err
}

// metric takes the labels of a series.
func (d *decoder) metric() error {
	if null, err := d.null(); err != nil || null {
		return err
	}
	if err := d.expect('{'); err != nil {
		return err
	}
	l := &d.labels
	for first := true; ; first = false {
		more, err := d.more(first, '}')
		if err != nil || !more {
			return err
		}
		ref := labelRef{name: len(l.bytes)}
		var longName, longValue bool
		if l.bytes, longName, err = d.string(l.bytes, d.limits.labelBytes); err != nil {
			return err
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		ref.value = len(l.bytes)
		if l.bytes, longValue, err = d.string(l.bytes, d.limits.labelBytes); err != nil {
			return err
		}
		ref.end = len(l.bytes)
		if longValue { // reads as missing, and so does an earlier one of this name
			ref.end = ref.value
			l.bytes = l.bytes[:ref.end]
		}
		if longName || len(l.refs) == maxLabels {
			l.bytes = l.bytes[:ref.name]
			continue
		}
		l.refs = append(l.refs, ref)
	}
}

// value takes a pair of time and value and returns the value. The time is that
// of the query.
func (d *decoder) value() (float64, error) {
	if err := d.expect('['); err != nil {
		return 0, err
	}
	if err := d.number(); err != nil {
		return 0, err
	}
	if err := d.expect(','); err != nil {
		return 0, err
	}
	text, cut, err := d.string(d.valueText[:0], maxValueBytes)
	if err != nil {
		return 0, err
	}
	d.valueText = text
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || cut {
		return 0, d.fail("the value %q is not a number", text)
	}
	return v, d.expect(']')
}
