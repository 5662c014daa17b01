package promql

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// simple is a definition without mistakes.
func simple() Definition {
	return Definition{
		Queries: []Query{{Measures: Sent, Query: "sum by ($labels) (rate(a_total{$selector}[$window]))"}},
		Client:  []End{{NamespaceLabel: "from_ns", NameLabel: "from"}},
		Server:  []End{{NamespaceLabel: "to_ns", NameLabel: "to"}},
	}
}

func TestCheck(t *testing.T) {
	agreed := telemetry.Trust{ReporterLabel: "namespace", Agreed: true}
	cases := map[string]struct {
		change   func(*Definition)
		trust    telemetry.Trust
		selector string
		cluster  string
		want     []string // fields of mistakes
	}{
		"none": {change: func(*Definition) {}},
		"nothing": {
			change: func(d *Definition) { *d = Definition{} },
			want:   []string{"client", "queries", "server"},
		},
		"too many queries": {
			change: func(d *Definition) {
				for i := range 9 {
					d.Queries = append(d.Queries, Query{Name: fmt.Sprint(i), Measures: Requests, Query: "a"})
				}
			},
			want: []string{"queries"},
		},
		"a query twice": {
			change: func(d *Definition) { d.Queries = append(d.Queries, d.Queries[0]) },
			want:   []string{"queries[1].name"},
		},
		"wrong words": {
			change: func(d *Definition) {
				d.Queries[0].Unit, d.Client[0].Kind, d.Reporters = "bit", "deployment", Reporters{By: "node", Instances: "mean"}
				d.Queries = append(d.Queries, Query{Measures: "up", Query: "a"}, Query{Measures: Requests, Unit: Bits, Query: "a"})
			},
			want: []string{"client[0].kind", "queries[0].unit", "queries[1].measures", "queries[2].unit", "reporters.by", "reporters.instances"},
		},
		"wanted labels": {
			change: func(d *Definition) {
				d.Wanted = []Wanted{{Labels: []string{"a"}, Why: "b", Do: "c"}, {}, {Labels: []string{"x y"}, Why: "b"}}
			},
			want: []string{"wanted[1].labels", "wanted[1].why", "wanted[2].labels", "wanted[2].why"},
		},
		"labels that are none": {
			change: func(d *Definition) {
				d.Client = []End{{KindLabel: "a\"b", NamespaceLabel: "{}", NameLabel: "x y", ClusterLabel: ","}}
				d.Reporters = Reporters{By: ByBoth, Label: "a\\b", ClientValue: "a", ServerValue: "b", Instances: Maximum, InstanceLabel: "\n"}
			},
			want: []string{"client[0].clusterLabel", "client[0].kindLabel", "client[0].nameLabel", "client[0].namespaceLabel", "reporters.instanceLabel", "reporters.label"},
		},
		"ends without names": {
			change: func(d *Definition) { d.Client, d.Server = []End{{NamespaceLabel: "a"}}, []End{{NameLabel: "a"}} },
			want:   []string{"client[0].nameLabel", "server[0].namespaceLabel"},
		},
		"a namespace from two places": {
			change: func(d *Definition) { d.Client[0].Namespace = "shop" },
			want:   []string{"client[0].namespaceLabel"},
		},
		"a constant namespace": {
			change: func(d *Definition) { d.Client[0].NamespaceLabel, d.Client[0].Namespace = "", "shop" },
		},
		"a namespace that is none": {
			change: func(d *Definition) { d.Client[0].NamespaceLabel, d.Client[0].Namespace = "", "Shop" },
			want:   []string{"client[0].namespace"},
		},
		"a service of any namespace": {
			change: func(d *Definition) { d.Server = []End{{Kind: "service", NameLabel: "to"}} },
		},
		"an address has no namespace": {
			change: func(d *Definition) {
				d.Client, d.Server = []End{{Kind: "address", NameLabel: "ip"}}, []End{{Kind: "address", NameLabel: "ip", NamespaceLabel: "ns"}}
			},
			want: []string{"server[0].namespaceLabel"},
		},
		"a pattern": {
			change: func(d *Definition) {
				d.Server = []End{{Kind: "service", Label: "to", Pattern: `(?P<namespace>[^/]+)/(?P<name>[^|]+)\|\d+`}, {Kind: External}}
			},
		},
		"patterns with mistakes": {
			change: func(d *Definition) {
				d.Server = []End{
					{Label: "to", Pattern: `(`},
					{Label: "to", NamespaceLabel: "ns", Pattern: `(?P<nome>.*)`},
					{Label: "to", NameLabel: "name", NamespaceLabel: "ns"},
					{Pattern: "a", NameLabel: "name", NamespaceLabel: "ns"},
				}
			},
			want: []string{
				"server[0].nameLabel", "server[0].namespaceLabel", "server[0].pattern", "server[1].nameLabel", "server[1].pattern",
				"server[2].pattern", "server[3].label",
			},
		},
		"what hides the rest": {
			change: func(d *Definition) { d.Server = slices.Insert(d.Server, 0, End{Kind: External}) },
			want:   []string{"server[0].kind"},
		},
		"what is left out by nothing": {
			change: func(d *Definition) { d.Server = []End{{Kind: Ambiguous}, {Kind: Passthrough}, {Kind: Unknown}} },
			want:   []string{"server[0].label", "server[1].label", "server[2].label"},
		},
		"what is left out needs neither name nor namespace": {
			change: func(d *Definition) {
				d.Server = []End{
					{Kind: Passthrough, Label: "to", Pattern: "p"}, {Kind: Elsewhere, Label: "peer"}, {Kind: Ambiguous, Label: "to", Pattern: ".*_svc"}, {Kind: Unknown, Label: "to"}, {Kind: External},
				}
			},
		},
		"a service of Consul has no namespace of Kubernetes": {
			change: func(d *Definition) { d.Server = []End{{Kind: "consul-service", NameLabel: "to"}} },
		},
		"a split": {
			change: func(d *Definition) {
				d.Split = &Split{Query: "sum by ($labels) (rate(a{$selector}[$window]))", Client: WorkloadLabels{"a", "b"}, Server: WorkloadLabels{"c", "d"}}
			},
			selector: `job="a"`,
		},
		"a split with mistakes": {
			change: func(d *Definition) {
				d.Split = &Split{Query: "sum by (b) (a[5m])", Client: WorkloadLabels{"", "b"}, Server: WorkloadLabels{"c", "d e"}}
			},
			want: []string{"split.client.namespaceLabel", "split.query", "split.server.nameLabel"},
		},
		"a split that drops labels": {
			change: func(d *Definition) {
				d.Split = &Split{Query: "sum by (a, b, c, d) (rate(a[$window]))", Client: WorkloadLabels{"a", "b"}, Server: WorkloadLabels{"c", "d"}}
			},
			trust: telemetry.Trust{ReporterLabel: "namespace"},
			want:  []string{"split.query"},
		},
		"a query with the name of the split": {
			change: func(d *Definition) {
				d.Queries[0].Name = "split"
				d.Split = &Split{Query: "a", Client: WorkloadLabels{"a", "b"}, Server: WorkloadLabels{"c", "d"}}
			},
			want: []string{"queries[0].name"},
		},
		"another cluster": {
			change: func(d *Definition) { d.Server = slices.Insert(d.Server, 0, End{Kind: Elsewhere, Label: "mirrored"}) },
		},
		"another cluster that nothing shows": {
			change: func(d *Definition) { d.Server = append(d.Server, End{Kind: Elsewhere}) },
			want:   []string{"server[1].label"},
		},
		"a kind beside a label for it": {
			change: func(d *Definition) { d.Server[0].KindLabel, d.Server[0].Kind = "kind", "pod" },
			want:   []string{"server[0].kind"},
		},
		"a pod label of no app": {
			change: func(d *Definition) { d.Server[0].PodLabel = "app" },
			want:   []string{"server[0].podLabel"},
		},
		"both ends without a label": {
			change: func(d *Definition) { d.Reporters.By = ByBoth },
			want:   []string{"reporters.label"},
		},
		"one end with one": {
			change: func(d *Definition) { d.Reporters.Label = "reporter" },
			want:   []string{"reporters.label"},
		},
		"both ends alike": {
			change: func(d *Definition) {
				d.Reporters = Reporters{By: ByBoth, Label: "a", ClientValue: "b", ServerValue: "b"}
			},
			want: []string{"reporters.clientValue"},
		},
		"instances that cannot be told apart": {
			change: func(d *Definition) { d.Reporters.Instances = Maximum },
			want:   []string{"reporters.instanceLabel"},
		},
		"labels that an aggregation drops": {
			change: func(d *Definition) { d.Queries[0].Query = "sum by (from_ns, from, to_ns, to) (rate(a[$window]))" },
			trust:  telemetry.Trust{ReporterLabel: "namespace"},
			want:   []string{"queries[0].query"},
		},
		"a selector that has no place": {
			change:   func(d *Definition) { d.Queries[0].Query = "sum by ($labels) (rate(a[$window]))" },
			selector: `job="a"`,
			want:     []string{"queries[0].query"},
		},
		"a cluster that nothing names": {
			change:  func(*Definition) {},
			cluster: "east",
			want:    []string{"server"},
		},
		"a cluster that a label names": {
			change:  func(d *Definition) { d.Server[0].ClusterLabel = "to_cluster" },
			cluster: "east",
		},
		"one end cannot agree": {
			change: func(*Definition) {},
			trust:  agreed,
			want:   []string{"reporters.by"},
		},
		"both ends can": {
			change: func(d *Definition) {
				d.Reporters = Reporters{By: ByBoth, Label: "a", ClientValue: "b", ServerValue: "c"}
			},
			trust: agreed,
		},
		"agents that nobody trusts": {
			change: func(d *Definition) { d.Reporters.By = ByAgents },
			trust:  agreed,
			want:   []string{"reporters.by"},
		},
		"agents that nobody knows cannot agree": {
			change: func(d *Definition) { d.Reporters.By = ByAgents },
			trust:  telemetry.Trust{Agreed: true},
			want:   []string{"reporters.by"},
		},
		"trusted agents": {
			change: func(d *Definition) { d.Reporters.By = ByAgents },
			trust:  telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"agents"}, Agreed: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := simple()
			tc.change(&d)
			d.SetDefaults()
			var got []string
			for _, m := range d.Check(Use{tc.cluster, tc.selector, &tc.trust}) {
				if m.Text == "" {
					t.Errorf("%s: no text", m.Field)
				}
				got = append(got, m.Field)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}
