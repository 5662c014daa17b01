package promql

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

func TestExpand(t *testing.T) {
	const sum = `sum by ($labels) (rate(a_total{b="c", $selector}[$window]))`
	cases := map[string]struct{ query, selector, want string }{
		"everything":             {sum, `job="x"`, `sum by (l, m) (rate(a_total{b="c", job="x"}[300s]))`},
		"no selector":            {sum, "", `sum by (l, m) (rate(a_total{b="c"}[300s]))`},
		"only a selector":        {`a{$selector}`, "", `a{}`},
		"a selector in front":    {`a{$selector, b="c"}`, "", `a{ b="c"}`},
		"in front, and there":    {`a{$selector, b="c"}`, `d="e"`, `a{d="e", b="c"}`},
		"a matcher behind":       {`a{b="c",$selector,d="e"}`, "", `a{b="c",d="e"}`},
		"dollars in quotes stay": {`label_replace(a, "x", "$1", "y", "(.*)$window")`, "", `label_replace(a, "x", "$1", "y", "(.*)$window")`},
		"two metrics":            {`rate(a{$selector}[$window]) + rate(b{x='y',$selector}[$window])`, "", `rate(a{}[300s]) + rate(b{x='y'}[300s])`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := checkQuery(tc.query, nil); err != nil {
				t.Fatal(err)
			}
			got := expand(tc.query, []string{"l", "m"}, tc.selector, "300s")
			if got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(got); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		})
	}
}

func TestCheckQuery(t *testing.T) {
	cases := map[string]struct {
		query string
		want  string // "" is no mistake
	}{
		"well":                  {`sum by ($labels) (rate(a{b=~"[^|]+\\|{2}"}[$window]))`, ""},
		"an own list of labels": {`sum by (ns, name, "dotted.name") (rate(a[$window]))`, "the label instance is needed"},
		"all labels":            {`sum by (ns, name, instance) (rate(a[$window]))`, ""},
		"no aggregation":        {`rate(a[$window])`, ""},
		"a comment":             {"rate(a[$window]) # [5m] (", ""},
		"a subquery":            {`max_over_time(rate(a[$window])[$window:1m])`, ""},
		"raw quotes":            {"rate(a{b=~`\\d\"(`}[$window])", ""},
		"empty":                 {" \n", "must be PromQL that yields rates"},
		"a fixed range":         {`rate(a[5m])`, "the range at byte 6 must be [$window]"},
		"an open bracket":       {`sum(rate(a[$window])`, "the ( at byte 3 is not closed"},
		"a wrong bracket":       {`sum(rate(a[$window)])`, "the ) at byte 18 closes nothing"},
		"open quotes":           {`a{b="c}`, "byte 4 does not end"},
		"quotes over lines":     {"a{b=\"c\n\"}", "does not end"},
		"an unknown name":       {`rate(a[$range])`, "$range at byte 7 is not known; known are $labels, $selector and $window"},
		"selector out of place": {`rate(a[$window]) * $selector`, "$selector at byte 19 is out of place; it stands in some_bytes_total{"},
		"window out of place":   {`a{b=$window}`, "$window at byte 4 is out of place"},
		"labels out of place":   {`sum by {$labels} (a)`, "$labels at byte 8 is out of place"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := checkQuery(tc.query, []string{"ns", "name", "instance"})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}

// FuzzCheckQuery: the check never breaks, what it accepts can be expanded, and of a query
// that Prometheus parses without placeholders it accepts all but fixed ranges.
func FuzzCheckQuery(f *testing.F) {
	f.Add(`sum by ($labels) (rate(a{b="c",$selector}[$window]))`)
	f.Add("a{b='\\'', c=`}`} # x\n + b")
	f.Add(`"`)
	f.Add(`$`)
	f.Add(`sum(a{__name__=~"x|y"}) by (z) / on(z) group_left() count({"a.b"})`)
	f.Fuzz(func(t *testing.T, query string) {
		err := checkQuery(query, nil)
		if err == nil {
			if got := expand(query, []string{"l"}, "", "5m"); strings.Contains(got, windowPlaceholder) && !strings.ContainsAny(query, "\"'`#") {
				t.Errorf("%q leaves a placeholder in %q", query, got)
			}
			return
		}
		if strings.ContainsAny(query, "$[") || strings.TrimSpace(query) == "" {
			return
		}
		if _, parsed := parser.NewParser(parser.Options{}).ParseExpr(query); parsed == nil {
			t.Errorf("%q is PromQL, but: %v", query, err)
		}
	})
}
