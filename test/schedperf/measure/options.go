package measure

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Run is a case at one size.
type Run struct {
	Case
	// Nodes is the number of nodes, at least 20.
	Nodes int
}

// String returns the name of the case and the number of nodes.
func (r Run) String() string { return fmt.Sprintf("%s-%d", r.Name, r.Nodes) }

// Options say what to measure.
type Options struct {
	// Runs are in the order in which they were asked for.
	Runs []Run
	// Pairs is how often the two profiles take turns, 1 to 100.
	Pairs int
}

const (
	leastNodes = 20
	mostNodes  = 20_000
	mostPairs  = 100
)

// ParseOptions reads three lists or numbers; each has a default for when it is
// empty. Cases are names, with or without a number of nodes ("full",
// "filling-5000"), or "all"; nodes apply to the names without one. The errors
// name the option and say what it may be.
func ParseOptions(cases, nodes, pairs string) (Options, error) {
	var o Options
	var err error
	if o.Pairs, err = number("PAIRS", orDefault(pairs, "6"), 1, mostPairs); err != nil {
		return Options{}, err
	}
	var sizes []int
	for _, text := range split(orDefault(nodes, "5000")) {
		n, err := number("NODES", text, leastNodes, mostNodes)
		if err != nil {
			return Options{}, err
		}
		sizes = append(sizes, n)
	}
	asked := split(orDefault(cases, strings.Join(ofTheLine(), ",")))
	if slices.Equal(asked, []string{"all"}) {
		asked = split(names())
	}
	for _, text := range asked {
		c, size, err := parseCase(text)
		if err != nil {
			return Options{}, err
		}
		if size > 0 {
			o.add(Run{c, size})
			continue
		}
		for _, n := range sizes {
			o.add(Run{c, n})
		}
	}
	return o, nil
}

// add adds a run that is not there yet.
func (o *Options) add(r Run) {
	if !slices.ContainsFunc(o.Runs, func(other Run) bool { return other.String() == r.String() }) {
		o.Runs = append(o.Runs, r)
	}
}

// parseCase reads "name" or "name-nodes"; nodes is 0 where there is none.
func parseCase(text string) (c Case, nodes int, err error) {
	if c, ok := lookUp(text); ok {
		return c, 0, nil
	}
	if at := strings.LastIndexByte(text, '-'); at >= 0 {
		if c, ok := lookUp(text[:at]); ok {
			nodes, err := number("CASES", text[at+1:], leastNodes, mostNodes)
			return c, nodes, err
		}
	}
	return Case{}, 0, fmt.Errorf("CASES: there is no case %q; the cases are %s, and each with a number of nodes behind (filling-1000)", text, names())
}

func number(option, text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s: must be a whole number from %d to %d (got %q)", option, least, most, text)
	}
	return n, nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func orDefault(text, otherwise string) string {
	if len(split(text)) == 0 {
		return otherwise
	}
	return strings.TrimSpace(text)
}
