package promql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// The placeholders of a query.
const (
	labelsPlaceholder   = "$labels"
	selectorPlaceholder = "$selector"
	windowPlaceholder   = "$window"
)

// tokenKind says what a token of PromQL is, as far as that matters here.
type tokenKind int

const (
	other       tokenKind = iota // operators, numbers, white space, comments
	word                         // names of metrics, labels and functions, keywords
	text                         // in quotes
	placeholder                  // begins with a dollar
	bracket                      // one of ()[]{}
)

type token struct {
	kind tokenKind
	text string
	at   int // the byte at which it begins
}

// scan splits PromQL into tokens, which together are the query. It reports text that does
// not end.
func scan(query string) ([]token, error) {
	var all []token
	for at := 0; at < len(query); {
		kind, length := next(query[at:])
		if length == 0 {
			return nil, fmt.Errorf("the text that begins with %.20q at byte %d does not end", query[at:], at)
		}
		all = append(all, token{kind, query[at : at+length], at})
		at += length
	}
	return all, nil
}

// next returns the kind and the length of the first token, length 0 for text that does not
// end.
func next(rest string) (kind tokenKind, length int) {
	switch c := rest[0]; {
	case c == '"' || c == '\'' || c == '`':
		return text, textLength(rest)
	case c == '#':
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			return other, i + 1
		}
		return other, len(rest)
	case strings.IndexByte("()[]{}", c) >= 0:
		return bracket, 1
	case c == '$':
		return placeholder, 1 + len(rest[1:]) - len(strings.TrimLeft(rest[1:], "abcdefghijklmnopqrstuvwxyz"))
	case isWord(c):
		return word, wordLength(rest)
	}
	return other, 1
}

// textLength is the length of text in quotes, 0 when it does not end.
func textLength(rest string) int {
	quote := rest[0]
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == quote:
			return i + 1
		case quote == '`':
		case rest[i] == '\\':
			i++
		case rest[i] == '\n':
			return 0
		}
	}
	return 0
}

func wordLength(rest string) int {
	for i := range len(rest) {
		if !isWord(rest[i]) {
			return i
		}
	}
	return len(rest)
}

// isWord reports whether a byte may be in a word; durations and numbers are words too.
func isWord(c byte) bool {
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// checkQuery reports the first mistake in a query. needed are the labels that its
// answers must have.
func checkQuery(query string, needed []string) error {
	if strings.TrimSpace(query) == "" {
		return errors.New("must be PromQL that yields rates, such as sum by ($labels) (rate(some_bytes_total{$selector}[$window]))")
	}
	tokens, err := scan(query)
	if err != nil {
		return err
	}
	var open []token
	for i, t := range tokens {
		switch t.kind {
		case placeholder:
			err = checkPlaceholder(t, open)
		case bracket:
			open, err = match(open, t)
			if err == nil && t.text == "[" && (i+1 == len(tokens) || tokens[i+1].kind != placeholder) {
				err = fmt.Errorf("the range at byte %d must be [$window], so that the window of the source is that of all rates", t.at)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("the %s at byte %d is not closed", open[len(open)-1].text, open[len(open)-1].at)
	}
	return checkLabels(tokens, needed)
}

// match keeps the brackets that are open.
func match(open []token, t token) ([]token, error) {
	closes := map[string]string{")": "(", "]": "[", "}": "{"}[t.text]
	switch {
	case closes == "":
		return append(open, t), nil
	case len(open) == 0 || open[len(open)-1].text != closes:
		return nil, fmt.Errorf("the %s at byte %d closes nothing", t.text, t.at)
	}
	return open[:len(open)-1], nil
}

func checkPlaceholder(t token, open []token) error {
	within := ""
	if len(open) > 0 {
		within = open[len(open)-1].text
	}
	place, known := map[string]struct{ bracket, example string }{
		labelsPlaceholder:   {"(", "sum by ($labels) (...)"},
		selectorPlaceholder: {"{", `some_bytes_total{direction="sent",$selector}`},
		windowPlaceholder:   {"[", "rate(some_bytes_total[$window])"},
	}[t.text]
	switch {
	case !known:
		return fmt.Errorf("%s at byte %d is not known; known are $labels, $selector and $window", t.text, t.at)
	case within != place.bracket:
		return fmt.Errorf("%s at byte %d is out of place; it stands in %s", t.text, t.at, place.example)
	}
	return nil
}

// checkLabels reports a label that aggregation drops.
func checkLabels(tokens []token, needed []string) error {
	has := func(kind tokenKind, want string) bool {
		return slices.ContainsFunc(tokens, func(t token) bool { return t.kind == kind && t.text == want })
	}
	if !has(word, "by") || has(placeholder, labelsPlaceholder) {
		return nil
	}
	for _, label := range needed {
		if !has(word, label) && !has(text, `"`+label+`"`) {
			return fmt.Errorf("the label %s is needed, and the by clause drops it: add it, or write by (%s)", label, labelsPlaceholder)
		}
	}
	return nil
}

// uses reports whether a query, which has been checked, has a placeholder.
func uses(query, want string) bool {
	tokens, _ := scan(query)
	return slices.ContainsFunc(tokens, func(t token) bool { return t.kind == placeholder && t.text == want })
}

// joined is labels as they stand in a by clause, with quotes where PromQL wants them.
func joined(labels []string) string {
	names := make([]string, len(labels))
	for i, label := range labels {
		if names[i] = label; !model.LegacyValidation.IsValidLabelName(label) {
			names[i] = `"` + label + `"`
		}
	}
	return strings.Join(names, ", ")
}

// expand fills in the placeholders of a query that has been checked.
func expand(query string, labels []string, selector, window string) string {
	tokens, _ := scan(query)
	out := &strings.Builder{}
	skipComma := false
	for _, t := range tokens {
		switch {
		case t.kind != placeholder && skipComma && (t.text == "," || strings.TrimSpace(t.text) == ""):
			skipComma = t.text != ","
			continue
		case t.kind != placeholder:
			out.WriteString(t.text)
		case t.text == labelsPlaceholder:
			out.WriteString(joined(labels))
		case t.text == windowPlaceholder:
			out.WriteString(window)
		case selector != "":
			out.WriteString(selector)
		default: // with the comma before it, or else the one behind it
			before := strings.TrimRight(out.String(), " \t\n")
			cut := strings.TrimSuffix(before, ",")
			skipComma = cut == before
			out.Reset()
			out.WriteString(cut)
			continue
		}
		skipComma = false
	}
	return out.String()
}
