package main

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// The reference stands between these lines of the page.
const (
	begin = "<!-- The reference, written by \"go run ./hack/docschema\" from the code; do not edit. -->\n"
	end   = "<!-- The end of the reference. -->\n"
)

// splice puts the reference into the page.
func splice(page []byte, reference string) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("the lines %q and %q are not there", begin, end)
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", before, begin, reference, end, after), nil
}

// reference has a table for each object, one for all of a generic type.
func reference(objects []*object) string {
	var b strings.Builder
	seen := map[string]bool{}
	for _, o := range objects {
		if seen[o.title] {
			continue
		}
		seen[o.title] = true
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", o.title, code(o.meaning))
		b.WriteString("| field | type | missing or null | meaning |\n| --- | --- | --- | --- |\n")
		for _, f := range o.fields {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, typeText(o, f), cell(absence(f)), cell(f.meaning))
		}
		if o.embedded != nil {
			fmt.Fprintf(&b, "\nAlso all fields of %s.\n", link(o.embedded.title))
		}
	}
	return b.String() + "\n"
}

func typeText(o *object, f field) string {
	switch {
	case f.always != "":
		return "`\"" + f.always + "\"`"
	case f.null != "":
		return kindText(o, f.kind) + " or null"
	}
	return kindText(o, f.kind)
}

// kindText is a kind in words. In a generic type, what is a number or an estimate is a
// value.
func kindText(o *object, k kind) string {
	switch {
	case k.object != nil && generic(o.goType) && k.object.goType == reflect.TypeFor[sim.Estimate]():
		return "value"
	case k.object != nil:
		return link(k.object.title)
	case k.element != nil:
		return "array of " + kindText(o, *k.element)
	case k.time:
		return "time (RFC 3339)"
	case len(k.values) > 0:
		return "`\"" + strings.Join(k.values, "\"` or `\"") + "\"`"
	}
	return k.name
}

func absence(f field) string {
	switch {
	case f.missing != "":
		return "missing " + f.missing
	case f.null != "":
		return "null " + f.null
	}
	return ""
}

func link(title string) string { return "[" + title + "](#" + strings.ToLower(title) + ")" }

// cell makes text fit into a table.
func cell(text string) string { return strings.ReplaceAll(code(text), "|", `\|`) }

// code marks names like perSeed and flags, and links other pages.
func code(text string) string {
	text = regexp.MustCompile(`\b[a-z]+[A-Z][A-Za-z]*\b|--[a-z]+[a-z-]*`).ReplaceAllString(text, "`$0`")
	return regexp.MustCompile(`\bdocs/([a-z-]+\.md)`).ReplaceAllString(text, "[$1]($1)")
}
