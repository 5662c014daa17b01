package promql

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestProbes(t *testing.T) {
	cases := map[string]struct {
		query, selector string
		want            Probe
	}{
		"a metric": {
			`sum by ($labels) (rate(sent_total{way="out",$selector}[$window]) >= 0)`, "",
			Probe{Sent, []Metric{{"sent_total", `sent_total{way="out"}`}}, `sum by (from, ns, to) ((sent_total{way="out"}) >= 0)`},
		},
		"with a selector": {
			`sum by ($labels) (rate(sent_total{$selector}[$window]))`, `job="x", `,
			Probe{Sent, []Metric{{"sent_total", `sent_total{job="x"}`}}, `sum by (from, ns, to) ((sent_total{job="x"}))`},
		},
		"without matchers": {
			`increase( sent_total [$window])`, "",
			Probe{Sent, []Metric{{"sent_total", "sent_total"}}, "( sent_total )"},
		},
		"a name among matchers": {
			`rate({__name__=~"a_total|b_total"}[$window])`, "",
			Probe{Sent, []Metric{{`{__name__=~"a_total|b_total"}`, `{__name__=~"a_total|b_total"}`}}, `({__name__=~"a_total|b_total"})`},
		},
		"brackets in quotes": {
			`rate(a{b=~"[{]+"}[$window])`, "",
			Probe{Sent, []Metric{{"a", `a{b=~"[{]+"}`}}, `(a{b=~"[{]+"})`},
		},
		"two metrics, one of them twice": {
			`sum by ($labels) (rate(a{$selector}[$window]) + rate(b[$window])) / sum by ($labels) (rate(a{$selector}[$window]))`, "",
			Probe{Sent, []Metric{{"a", "a{}"}, {"b", "b"}}, `sum by (from, ns, to) ((a{}) + (b)) / sum by (from, ns, to) ((a{}))`},
		},
		"labels that the query makes": {
			`sum by ($labels) (label_replace(rate(a[$window]), "to", "$1", "cluster_name", "(.*)"))`, "",
			Probe{Sent, []Metric{{"a", "a"}}, `sum by (from, ns, to) (label_replace((a), "to", "$1", "cluster_name", "(.*)"))`},
		},
		"a join with what is no counter": {
			`rate(a[$window]) * on (pod) group_left (from) info{x="y"}`, "",
			Probe{Sent, []Metric{{"a", "a"}}, `(a) * on (pod) group_left (from) info{x="y"}`},
		},
		"a function with more arguments": {
			`predict_linear(a[$window], 60) + quantile_over_time(0.5, b[$window])`, "",
			Probe{Sent, []Metric{{"a", "a"}, {"b", "b"}}, `predict_linear(a[5m], 60) + quantile_over_time(0.5, b[5m])`},
		},
		"an offset": {
			`rate(a[$window] offset 1h)`, "",
			Probe{Sent, []Metric{{"a", "a"}}, `rate(a[5m] offset 1h)`},
		},
		"a subquery": {
			`max_over_time(rate(a[$window])[$window:1m])`, "",
			Probe{Sent, []Metric{{"a", "a"}}, `max_over_time((a)[5m:1m])`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := Definition{
				Queries: []Query{{Query: "rate(all[$window])", Measures: Requests}, {Query: tc.query, Measures: Sent}},
				Client:  []End{{NamespaceLabel: "ns", NameLabel: "from"}}, Server: []End{{NamespaceLabel: "ns", NameLabel: "to"}},
			}
			got := d.Probes(tc.selector)
			requests := Probe{Requests, []Metric{{"all", "all"}}, "(all)"}
			if diff := cmp.Diff([]Probe{tc.want, requests}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, query := range []string{tc.want.Metrics[0].Series, tc.want.Ends} {
				if _, err := parser.NewParser(parser.Options{}).ParseExpr(query); err != nil {
					t.Errorf("%s: %v", query, err)
				}
			}
		})
	}
}

func TestNoProbes(t *testing.T) {
	for name, d := range map[string]Definition{
		"rates of a rule":    {Queries: []Query{{Query: "workload:sent:rate5m", Measures: Sent}}},
		"what does not scan": {Queries: []Query{{Query: `rate(a{b="c}[$window])`, Measures: Sent}}},
	} {
		if got := d.Probes(""); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNamer(t *testing.T) {
	d := Definition{
		Client: []End{{NamespaceLabel: "ns", NameLabel: "from"}},
		Server: []End{{Kind: "service", Label: "to", Pattern: `(?P<namespace>[^/]+)/(?P<name>[^|]+)\|\d+`}, {Kind: External}},
	}
	names := d.Namer()
	for name, tc := range map[string]struct {
		labels []string
		want   bool
	}{
		"both":               {[]string{"ns", "shop", "from", "web", "to", "shop/cart|80"}, true},
		"no server":          {[]string{"ns", "shop", "from", "web", "to", "admin"}, false},
		"no client":          {[]string{"from", "web", "to", "shop/cart|80"}, false},
		"an unknown client":  {[]string{"ns", "shop", "from", "unknown", "to", "shop/cart|80"}, false},
		"no possible server": {[]string{"ns", "shop", "from", "web", "to", "shop/Not A Name|80"}, false},
	} {
		if got := names(labels.FromStrings(tc.labels...)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzProbe: what is asked to detect a query is PromQL where the query is.
func FuzzProbe(f *testing.F) {
	for _, query := range []string{
		`sum by ($labels) (rate(a_total{b="c",$selector}[$window]) >= 0)`, `max_over_time(rate(a[$window])[$window:1m])`,
		`label_replace(increase({__name__="a"}[$window]), "x", "$1", "y", "(.*)")`, "rate(a{b=~`[{]`}[$window]) # [x] (",
		`quantile_over_time(0.5, a[$window])`, `rate(a[$window] offset 5m) or b`, `-rate((a)[$window:])`,
	} {
		f.Add(query, `job="x"`)
		f.Add(query, "")
	}
	parse := func(query string) error {
		_, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		return err
	}
	f.Fuzz(func(t *testing.T, query, selector string) {
		d := Definition{
			Queries: []Query{{Query: query, Measures: Sent}},
			Client:  []End{{NamespaceLabel: "ns", NameLabel: "from"}}, Server: []End{{NamespaceLabel: "ns", NameLabel: "to"}},
		}
		for _, p := range d.Probes(selector) { // also of what is wrong
			if checkQuery(query, nil) != nil || parse(expand(query, d.endLabels(), "", "5m")) != nil || selector != "" {
				continue
			}
			if err := parse(p.Ends); err != nil {
				t.Errorf("%s: the ends are %s: %v", query, p.Ends, err)
			}
			for _, m := range p.Metrics {
				if err := parse(m.Series); err != nil {
					t.Errorf("%s: series are %s: %v", query, m.Series, err)
				}
			}
		}
	})
}
