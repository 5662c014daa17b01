// Package condition has the checks that find out when telemetry is not what it looks
// like: bytes that nobody counts, several clusters or scrapes under one name, removed
// labels, data that are too young, traffic that waypoints alone report. Each finding
// says what is the case, why it matters and what to do next. Sources bring what they
// have seen and the queries of their mesh; the package knows no mesh, keeps no state
// and decides nothing about the traffic itself.
package condition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// maxNames is how many values a finding names.
const maxNames = 8

// names returns the keys in order, at most maxNames of them, and in the end how many
// there are more.
func names[V any](set map[string]V) []string {
	all := slices.Sorted(maps.Keys(set))
	for i, name := range all {
		if name == "" {
			all[i] = "none"
		}
	}
	if len(all) > maxNames {
		all = append(all[:maxNames:maxNames], fmt.Sprintf("and %d more", len(all)-maxNames))
	}
	return all
}

// And adds a matcher to a selector, which may be empty.
func And(selector, label, value string) string {
	matcher := fmt.Sprintf("%s=%q", label, value)
	if selector = strings.TrimRight(strings.TrimSpace(selector), ", "); selector == "" {
		return matcher
	}
	return selector + "," + matcher
}

// count is a number of things in words.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// enumerate joins words as a sentence does.
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// hasHave agrees with a number of subjects.
func hasHave(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// one makes a list of a finding.
func one(f telemetry.Finding) []telemetry.Finding { return []telemetry.Finding{f} }
