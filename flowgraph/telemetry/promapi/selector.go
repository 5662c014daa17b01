package promapi

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ValidateSelector reports the first mistake in a list of PromQL label matchers
// such as `job="envoy",mesh_id=~"a|b"`. The list may be empty. Values stand in
// double quotes. own are labels that the source itself matches. It is checked by hand
// because linking the PromQL parser into the scheduler for this is not worth it.
func ValidateSelector(selector string, own ...string) error {
	matcher := regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*")\s*`)
	rest := strings.TrimSpace(selector)
	for rest != "" {
		m := matcher.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("at %q: want label=\"value\" (or !=, =~, !~), separated by commas", rest)
		}
		value, err := strconv.Unquote(m[3])
		if err != nil {
			return fmt.Errorf("label %s: %s is not a quoted string", m[1], m[3])
		}
		if strings.HasSuffix(m[2], "~") {
			if _, err := regexp.Compile("^(?s:" + value + ")$"); err != nil {
				return fmt.Errorf("label %s: %w", m[1], err)
			}
		}
		if m[1] == "__name__" || slices.Contains(own, m[1]) {
			return fmt.Errorf("label %s: is set by the source", m[1])
		}
		rest = rest[len(m[0]):]
		if rest == "" {
			break
		}
		after, comma := strings.CutPrefix(rest, ",")
		if !comma {
			return fmt.Errorf("at %q: want a comma", rest)
		}
		rest = strings.TrimSpace(after)
	}
	return nil
}
