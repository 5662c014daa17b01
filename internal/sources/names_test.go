package sources_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// namesIn are the names of metrics and labels that queries take from a metrics server. What
// one of them makes itself, by label_join and label_replace, is none of them, and neither is
// what metrics servers add, whatever they scrape.
func namesIn(t *testing.T, queries ...string) []string {
	t.Helper()
	taken, made := map[string]bool{}, map[string]bool{"cluster": true, "instance": true, "job": true}
	for _, promQL := range queries {
		query, err := parser.NewParser(parser.Options{}).ParseExpr(promQL)
		if err != nil {
			t.Fatalf("%s: %v", promQL, err)
		}
		parser.Inspect(query, func(node parser.Node, _ []parser.Node) error {
			note(node, taken, made)
			return nil
		})
	}
	maps.DeleteFunc(taken, func(name string, _ bool) bool { return made[name] })
	return slices.Sorted(maps.Keys(taken))
}

// note notes which names a part of a query takes and makes.
func note(node parser.Node, taken, made map[string]bool) {
	literal := func(e parser.Expr) string { return e.(*parser.StringLiteral).Val }
	switch n := node.(type) {
	case *parser.VectorSelector:
		for _, m := range n.LabelMatchers {
			if m.Name == "__name__" {
				taken[m.Value] = true
			} else {
				taken[m.Name] = true
			}
		}
	case *parser.AggregateExpr:
		for _, label := range n.Grouping {
			taken[label] = true
		}
	case *parser.Call:
		if n.Func.Name != "label_join" && n.Func.Name != "label_replace" {
			return
		}
		made[literal(n.Args[1])] = true
		from := n.Args[3:] // of label_join, all that is joined
		if n.Func.Name == "label_replace" {
			from = from[:1]
		}
		for _, label := range from {
			taken[literal(label)] = true
		}
	}
}

// namesOf are those that sources of a type rely on.
func namesOf(t *testing.T, kind sources.Type) []string {
	t.Helper()
	source, err := sources.New(v1.TelemetrySource{Type: kind.Name, Name: "it", Window: &metav1.Duration{Duration: time.Minute}}, telemetry.Trust{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, q := range source.Queries() {
		queries = append(queries, q.PromQL)
	}
	return namesIn(t, queries...)
}

// own are the types whose queries are ours, not those of a configuration.
func own(t *testing.T) []sources.Type {
	t.Helper()
	all, err := sources.All()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(kind sources.Type) bool { return kind.IsCustom() })
}

func TestNamesIn(t *testing.T) {
	cases := map[string]string{
		`sum by (a, "b.c", cluster) (rate(m_total{d="x",e!~"y"}[5m]) >= 0)`:               "a b.c d e m_total",
		`sum by (a, made) (label_join(rate(m_total[5m]), "made", "|", "b", "c"))`:         "a b c m_total",
		`sum by (a) (label_replace(label_join(m, "x", "", "b"), "a", "$1", "x", "(.*)"))`: "b m",
		`count({"m.total",a="x"}) or label_replace(n, "b", "$1", "b", "(.*)")`:            "a m.total n",
	}
	for promQL, want := range cases {
		if diff := cmp.Diff(strings.Fields(want), namesIn(t, promQL)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", promQL, diff)
		}
	}
}
