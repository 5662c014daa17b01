package promql

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

func TestWanted(t *testing.T) {
	const with, without = `m{from="web",to="api",ns="shop",node="n1"} 0+30x20`, `m{from="web",to="db",ns="shop"} 0+30x20`
	cases := map[string]struct {
		series   []string
		selector string
		want     []string
	}{
		"all have one of them": {series: []string{with, `m{from="web",to="db",ns="shop",zone="z"} 0+30x20`}},
		"none has":             {series: []string{without}, want: []string{"1 of 1 series of m have none of the labels node and zone: it matters; do it"}},
		"half have":            {series: []string{with, without}, want: []string{"1 of 2 series of m have none of the labels node and zone: it matters; do it"}},
		"most have":            {series: []string{with, without, strings.Replace(with, "web", "x", 1)}},
		"those selected have":  {series: []string{with, without}, selector: `to="api"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := New(Options{Name: "it", Window: 5 * time.Minute, Selector: tc.selector, Definition: Definition{
				Queries: []Query{query("m", Sent)},
				Client:  []End{{NamespaceLabel: "ns", NameLabel: "from"}}, Server: []End{{NamespaceLabel: "ns", NameLabel: "to"}},
				Wanted: []Wanted{{Labels: []string{"node", "zone"}, Why: "it matters", Do: "do it"}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			q, at := promtest.New(t, "load 30s\n  "+strings.Join(tc.series, "\n  ")), time.Unix(600, 0)
			seen, err := s.Collect(t.Context(), q, at)
			if err != nil {
				t.Fatal(err)
			}
			found, err := s.Check(t.Context(), q, at, seen)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				if f.Condition != telemetry.MissingLabels {
					t.Errorf("it finds %v: %s", f.Condition, f.Text())
				}
				got = append(got, f.Text()+": "+f.Why+"; "+f.Do)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLacking(t *testing.T) {
	for series, want := range map[string]string{
		`m`:            `m{a="","b.c"=""}`,
		`m{}`:          `m{a="","b.c"=""}`,
		`m{x="y"}`:     `m{x="y",a="","b.c"=""}`,
		`m{x="y", }`:   `m{x="y",a="","b.c"=""}`,
		`{x=~"{y}"}`:   `{x=~"{y}",a="","b.c"=""}`,
		`m{x=~"a{2}"}`: `m{x=~"a{2}",a="","b.c"=""}`,
	} {
		got := lacking(series, []string{"a", "b.c"})
		if got != want {
			t.Errorf("%s: %s, want %s", series, got, want)
		}
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}
