package history

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

const outliers = "outlierDetection: {consecutive5xxErrors: 5}"

// TestDestinationRulesInAClusterFile reads one, and reads it again from what
// WriteObjects makes of it.
func TestDestinationRulesInAClusterFile(t *testing.T) {
	r, warnings, err := translate(t, kubetest.TwoNodes+kubetest.Object("v1", "Service", "web", "selector: {app: web}")+
		kubetest.Object("apps/v1", "StatefulSet", "web", "replicas: 1")+kubetest.Pod("web-0", "StatefulSet/web", "n1", "app: web")+
		kubetest.Object("networking.istio.io/v1beta1", "DestinationRule", "web", "host: web, trafficPolicy: {"+outliers+", loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/zone, kubernetes.io/hostname]}}}"))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if got := r.Cluster.Workloads[0].Routing; got != affinity.SameNode {
		t.Errorf("calls to web are routed by %v, want SameNode", got)
	}
	var list bytes.Buffer
	if err := r.Write(&list); err != nil {
		t.Fatal(err)
	}
	again, _, err := translate(t, list.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Cluster.Workloads[0].Routing; got != affinity.SameNode {
		t.Errorf("once written and read, calls to web are routed by %v, want SameNode", got)
	}
}

// TestSharesInAClusterFile has rules for the only Service of web, but for one case.
func TestSharesInAClusterFile(t *testing.T) {
	const (
		service = "selector: {app: web}"
		entries = "{distribute: [{from: r/a/*, to: {r/a/*: 80, r/b: 20}}, {from: r/b, to: {r/b: 100}}, {from: r/b, to: {r/a: 100}}]}"
	)
	want := cluster.Shares{"r/a": {"r/a": 80, "r/b": 20}, "r/b": {"r/b": 100}}
	balancer := "loadBalancer: {localityLbSetting: " + entries + "}"
	one := kubetest.Object("v1", "Service", "web", service)
	cases := map[string]struct {
		services, rule string
		want           cluster.Shares
	}{
		"of one rule":               {one, "host: web, trafficPolicy: {" + balancer + "}", want},
		"a zone in two spellings":   {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 50, r/a/*: 50}}]}}}", cluster.Shares{"r/a": {"r/a": 100}}},
		"no rule":                   {one, "host: db, trafficPolicy: {" + balancer + "}", nil},
		"no shares":                 {one, "host: web, trafficPolicy: {" + outliers + "}", nil},
		"two Services":              {one + kubetest.Object("v1", "Service", "web2", service), "host: \"*\", trafficPolicy: {" + balancer + "}", want},
		"every subset alike":        {one, "host: web, subsets: [{name: v1, trafficPolicy: {" + outliers + "}}], trafficPolicy: {" + balancer + "}", want},
		"a subset of its own":       {one, "host: web, subsets: [{name: v1, trafficPolicy: {" + balancer + "}}], trafficPolicy: {" + outliers + "}", nil},
		"a subset without":          {one, "host: web, trafficPolicy: {" + balancer + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}]", nil},
		"for some callers":          {one, "host: web, workloadSelector: {}, trafficPolicy: {" + balancer + "}", nil},
		"one is about a region":     {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 80, s: 20}}]}}}", nil},
		"the callers are of all":    {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: \"*\", to: {r/a: 80, r/b: 20}}]}}}", nil},
		"zone-aware in their place": {one, "host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}, localityLbSetting: " + entries + "}}", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, _, err := translate(t, kubetest.TwoNodes+c.services+kubetest.Object("apps/v1", "StatefulSet", "web", "replicas: 1")+
				kubetest.Pod("web-0", "StatefulSet/web", "n1", "app: web")+kubetest.Object("networking.istio.io/v1", "DestinationRule", "web", c.rule))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.Cluster.Workloads[0].Shares); diff != "" {
				t.Errorf("shares (-want +got):\n%s", diff)
			}
		})
	}
}
