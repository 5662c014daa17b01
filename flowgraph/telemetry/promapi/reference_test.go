package promapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The reference decodes an answer with encoding/json into a tree, and applies
// the rules that decode documents. It says what is right, at any price.

// member is a member of an object; json.Unmarshal into a map would lose their
// order and the keys that occur twice.
type member struct {
	key   string
	value any
}

// reference returns the series as seriesLine writes them.
func reference(body []byte, l limits) ([]string, error) {
	if !json.Valid(body) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	tree, err := readTree(d, 0)
	if err != nil {
		return nil, err
	}
	envelope, err := pick(tree, "status", "data", "errorType", "error", "warnings", "isPartial")
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"status", "errorType", "error"} {
		if v, present := envelope[key]; present && v != nil {
			if _, ok := v.(string); !ok {
				return nil, fmt.Errorf("%s is not a string", key)
			}
		}
	}
	if w, present := envelope["warnings"]; present && w != nil {
		list, ok := w.([]any)
		if !ok || slices.ContainsFunc(list, func(v any) bool { text, _ := v.(string); return !strings.HasPrefix(text, "PromQL info:") }) {
			return nil, errors.New("warnings")
		}
	}
	if v := envelope["isPartial"]; v != nil && v != false {
		return nil, errors.New("isPartial")
	}
	data, err := pick(envelope["data"], "resultType", "result")
	switch {
	case err != nil:
		return nil, err
	case envelope["status"] != "success":
		return nil, errors.New("status")
	case data["resultType"] != "vector":
		return nil, errors.New("resultType")
	}
	result, present := data["result"]
	if present && result == nil {
		return nil, nil
	}
	list, ok := result.([]any)
	if !ok || len(list) > l.series {
		return nil, errors.New("result")
	}
	var lines []string
	for _, e := range list {
		line, err := referenceSeries(e, l)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// readTree returns a value as nil, bool, json.Number, string, []any or []member.
func readTree(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("too deep")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readTree(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		list := []member{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readTree(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, member{key.(string), v})
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

// pick returns the members of an object that have these keys.
func pick(v any, keys ...string) (map[string]any, error) {
	members, ok := v.([]member)
	if !ok {
		return nil, errors.New("not an object")
	}
	picked := map[string]any{}
	for _, m := range members {
		if !slices.Contains(keys, m.key) {
			continue
		}
		if _, twice := picked[m.key]; twice {
			return nil, errors.New(m.key + " twice")
		}
		picked[m.key] = m.value
	}
	return picked, nil
}

func referenceSeries(e any, l limits) (string, error) {
	fields, err := pick(e, "metric", "value", "histogram")
	if err != nil {
		return "", err
	}
	labels := map[string]string{}
	if v, present := fields["metric"]; present && v != nil {
		metric, ok := v.([]member)
		if !ok {
			return "", errors.New("metric is not an object")
		}
		kept := 0
		for _, m := range metric {
			value, ok := m.value.(string)
			if !ok {
				return "", errors.New("a label is not a string")
			}
			if len(m.key) > l.labelBytes || kept == maxLabels {
				continue
			}
			kept++
			if len(value) > l.labelBytes {
				value = ""
			}
			labels[m.key] = value
		}
	}
	value, hasValue := fields["value"]
	_, hasHistogram := fields["histogram"]
	if hasValue == hasHistogram {
		return "", errors.New("neither value nor histogram, or both")
	}
	if hasHistogram {
		return seriesLine(labels, "NaN"), nil
	}
	pair, ok := value.([]any)
	if !ok || len(pair) != 2 {
		return "", errors.New("value is not a pair")
	}
	_, isNumber := pair[0].(json.Number)
	text, isText := pair[1].(string)
	if !isNumber || !isText || len(text) > maxValueBytes {
		return "", errors.New("value is not a number and a text")
	}
	f, err := strconv.ParseFloat(text, 64)
	return seriesLine(labels, fmt.Sprint(f)), err
}

// seriesLine leaves out labels without a value, which are as good as missing.
func seriesLine(labels map[string]string, value string) string {
	b := &strings.Builder{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" {
			fmt.Fprintf(b, "%q=%q ", name, labels[name])
		}
	}
	return b.String() + value
}
