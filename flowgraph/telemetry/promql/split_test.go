package promql

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// splitting is a definition of a client's proxies that name a Service, and requests that name
// the workload that served them.
func splitting() Definition {
	return Definition{
		Queries: []Query{query("sent", Sent)},
		Client:  []End{{NamespaceLabel: "namespace", NameLabel: "client"}},
		Server:  []End{{Kind: "service", NamespaceLabel: "to_ns", NameLabel: "to"}},
		Split: &Split{
			Query:  "sum by ($labels) (rate(asked{$selector}[$window]))",
			Client: WorkloadLabels{"from_ns", "from"}, Server: WorkloadLabels{"by_ns", "by"},
		},
	}
}

// TestSplit: db and db-canary have three and one ready pods behind the Service db.
func TestSplit(t *testing.T) {
	const toDB = `sent{namespace="shop",client="web",to_ns="shop",to="db"} 0+1200x20`
	const toCanary = `asked{namespace="shop",from_ns="shop",from="web",by_ns="shop",by="db_canary"} 0+30x20`
	cases := map[string]struct {
		trust   telemetry.Trust
		series  []string
		want    []string
		leftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"by pods":     {series: []string{toDB}, want: []string{"web -> db 30 0 0", "web -> db-canary 10 0 0"}},
		"by requests": {series: []string{toDB, toCanary}, want: []string{"web -> db-canary 40 0 0"}},
		"each client by its own": {
			series: []string{toDB, strings.Replace(toDB, "web", "api", 1), toCanary},
			want:   []string{"api -> db 30 0 0", "api -> db-canary 10 0 0", "web -> db-canary 40 0 0"},
		},
		"by a target of the client's namespace": {
			trust: telemetry.Trust{ReporterLabel: "namespace"}, series: []string{toDB, toCanary}, want: []string{"web -> db-canary 40 0 0"},
		},
		"by a foreign target": {
			trust: telemetry.Trust{ReporterLabel: "namespace"}, series: []string{toDB, strings.Replace(toCanary, `namespace="shop"`, `namespace="evil"`, 1)},
			want:    []string{"web -> db 30 0 0", "web -> db-canary 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
		"by an unknown target": {
			trust: telemetry.Trust{ReporterLabel: "namespace"}, series: []string{toDB, strings.Replace(toCanary, `namespace="shop",`, "", 1)},
			want:    []string{"web -> db 30 0 0", "web -> db-canary 10 0 0"},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.UnknownReporter: {Series: 1}},
		},
		"nothing to divide": {series: []string{toCanary}, want: []string{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := New(Options{Name: "mine", Definition: splitting(), Window: 5 * time.Minute, Trust: tc.trust, Resolver: cluster()})
			if err != nil {
				t.Fatal(err)
			}
			q := promtest.New(t, "load 30s\n  "+strings.Join(tc.series, "\n  "))
			o, err := s.Collect(t.Context(), q, at())
			if err != nil {
				t.Fatal(err)
			}
			if tc.leftOut == nil {
				tc.leftOut = map[telemetry.Reason]telemetry.LeftOut{}
			}
			if diff := cmp.Diff(tc.want, lines(o.Flows)); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.leftOut, o.LeftOut); diff != "" || o.Series != len(tc.series) {
				t.Errorf("%d series, left out (-want +got):\n%s", o.Series, diff)
			}
			if _, err := s.Check(t.Context(), q, at(), o); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSplitIsAskedFirst: what a flood of pairs has resolved before the end has been divided
// too.
func TestSplitIsAskedFirst(t *testing.T) {
	s, err := New(Options{Name: "mine", Definition: splitting(), Window: time.Minute, Resolver: cluster()})
	if err != nil {
		t.Fatal(err)
	}
	q := &order{}
	if _, err := s.Collect(t.Context(), q, at()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, query := range s.Queries() {
		names = append(names, query.Name)
	}
	if !slices.Equal(names, []string{"sent", "split"}) || len(q.asked) != 2 || !strings.Contains(q.asked[0], "asked{}") {
		t.Errorf("queries %v, asked %v", names, q.asked)
	}
}

// order notes what is asked.
type order struct{ asked []string }

func (o *order) Query(_ context.Context, query string, _ time.Time, _ func(telemetry.Series) error) error {
	o.asked = append(o.asked, query)
	return nil
}

// TestKindsThatAreLeftOut: each is counted by its reason.
func TestKindsThatAreLeftOut(t *testing.T) {
	for _, k := range []Kind{External, Passthrough, Elsewhere, Ambiguous, Unknown} {
		reason, ok := k.leftOut()
		if !ok || reason.String() != string(k) && k != Elsewhere || !slices.Contains(Kinds(), k) {
			t.Errorf("%s is left out as %v, %v", k, reason, ok)
		}
		s, err := New(Options{Name: "mine", Window: 5 * time.Minute, Definition: Definition{
			Queries: []Query{query("sent", Sent)},
			Client:  []End{{NamespaceLabel: "a_ns", NameLabel: "a"}},
			Server:  []End{{Label: "b", Pattern: "(?P<namespace>.+)/(?P<name>.+)"}, {Kind: k, Label: "b", Pattern: "x.*"}, {Kind: External, Label: "b"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Collect(t.Context(), promtest.New(t, `load 30s
			sent{a_ns="shop",a="web",b="shop/db"} 0+300x20
			sent{a_ns="shop",a="web",b="x1"} 0+60x20
			sent{a_ns="shop",a="web",b="y"} 0+30x20
			sent{a_ns="shop",a="web"} 0+90x20`), at())
		if err != nil {
			t.Fatal(err)
		}
		want := map[telemetry.Reason]telemetry.LeftOut{reason: {Series: 1, BytesPerSecond: 2}, telemetry.External: {Series: 1, BytesPerSecond: 1}, telemetry.MissingLabel: {Series: 1, BytesPerSecond: 3}}
		if k == External {
			want[reason] = telemetry.LeftOut{Series: 2, BytesPerSecond: 3}
		}
		if diff := cmp.Diff(want, o.LeftOut); diff != "" || len(o.Flows) != 1 || o.Flows[0].To != (flowgraph.WorkloadID{Namespace: "shop", Name: "db"}) {
			t.Errorf("%s: flows %v, left out (-want +got):\n%s", k, lines(o.Flows), diff)
		}
	}
}
