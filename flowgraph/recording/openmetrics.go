package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// sample is a value at a time.
type sample struct {
	value float64
	milli int64 // the timestamp in milliseconds
}

// seriesText is what a line is about. Its texts are parts of that line.
type seriesText struct {
	name   []byte
	labels []byte // between the braces, nil without braces
	length int    // of name and labels with the braces
}

// parseSeries finds the name and the labels in `name{labels} value timestamp`. Of
// the labels it only finds the end.
func parseSeries(line []byte) (seriesText, error) {
	end := bytes.IndexAny(line, "{ ")
	if end <= 0 {
		return seriesText{}, errors.New("no sample; must be name{labels} value timestamp")
	}
	s := seriesText{name: line[:end], length: end}
	if line[end] == '{' {
		n := endOfLabels(line[end:])
		if n < 0 {
			return seriesText{}, errors.New("labels without an end")
		}
		s.labels, s.length = line[end+1:end+n], end+n+1
	}
	return s, nil
}

// parseSample parses what comes behind the name and the labels.
func parseSample(text []byte) (sample, error) {
	blank, text, begins := bytes.Cut(text, []byte(" "))
	first, second, ok := bytes.Cut(text, []byte(" "))
	if !begins || len(blank) > 0 || !ok || bytes.IndexByte(second, ' ') >= 0 {
		return sample{}, errors.New("must have a value and a timestamp behind the name and the labels, and nothing else")
	}
	value, err := parseNumber(first)
	if err != nil {
		return sample{}, fmt.Errorf("value %w", err)
	}
	seconds, err := parseNumber(second)
	if err != nil {
		return sample{}, fmt.Errorf("timestamp %w", err)
	}
	if !(seconds > 0 && seconds < 1<<38) { // the year 10680
		return sample{}, fmt.Errorf("timestamp %q is no time in seconds since 1970", second)
	}
	return sample{value, int64(math.Round(seconds * 1000))}, nil
}

// parseNumber takes the numbers of OpenMetrics: no hexadecimal digits, no
// underscores.
func parseNumber(text []byte) (float64, error) {
	if bytes.ContainsAny(text, "xXpP_") {
		return 0, fmt.Errorf("%q is no number", text)
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // infinite then
		return 0, fmt.Errorf("%q is no number", text)
	}
	return v, nil
}

// endOfLabels returns where the brace is that ends the labels that text begins
// with, -1 when there is none.
func endOfLabels(text []byte) int {
	quoted := false
	for i := 1; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == '}':
			return i
		}
	}
	return -1
}

// parseLabels hands the labels of a sample to yield, one by one.
func parseLabels(text []byte, yield func(name string, value string)) error {
	for len(text) > 0 {
		name, rest, ok := bytes.Cut(text, []byte(`="`))
		if !ok || !isLabelName(name) {
			return fmt.Errorf("%q is no label; must be name=\"value\"", shortened(text))
		}
		value, n := unescape(rest)
		if n < 0 {
			return fmt.Errorf("label %s: a value without an end or with a wrong escape", name)
		}
		yield(string(name), value)
		text = rest[n:]
		if len(text) == 0 {
			break
		}
		if text[0] != ',' {
			return fmt.Errorf("label %s: %q comes behind its value", name, text[0])
		}
		text = text[1:]
	}
	return nil
}

func shortened(text []byte) []byte { return text[:min(len(text), 80)] }

func isLabelName(name []byte) bool {
	for i, b := range name {
		if b != '_' && (b|0x20 < 'a' || b|0x20 > 'z') && (i == 0 || b < '0' || b > '9') {
			return false
		}
	}
	return len(name) > 0
}

// unescape returns a label value and how much of text it takes with the quote at
// its end, or -1.
func unescape(text []byte) (value string, n int) {
	end := bytes.IndexAny(text, `"\`)
	if end >= 0 && text[end] == '"' {
		return string(text[:end]), end + 1
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch b {
		case '"':
			return string(out), i + 1
		case '\\':
			i++
			if i == len(text) {
				return "", -1
			}
			switch b = text[i]; b {
			case 'n':
				b = '\n'
			case '"', '\\':
			default:
				return "", -1
			}
		}
		out = append(out, b)
	}
	return "", -1
}
