package mesh

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestDivide has a client on n1 in zone a call db, under a rule as the API server
// has it.
func TestDivide(t *testing.T) {
	const outliers = `"outlierDetection": {"interval": "1s"}`
	priority := func(labels string) string {
		return `{"host": "db", "trafficPolicy": {` + outliers + `, "loadBalancer": {"localityLbSetting": {"failoverPriority": [` + labels + `]}}}}`
	}
	const endpoints = "n1@a n2@a n3@b"
	all, zone, node := []int{0, 1, 2}, []int{0, 1}, []int{0}
	cases := map[string]struct {
		rule, distribution, annotation string
		local                          bool
		endpoints                      string
		want                           []int
	}{
		"no rule":                      {want: all},
		"Istio's annotation":           {annotation: "prefersamezone", want: zone},
		"the field before it":          {annotation: "PreferSameZone", distribution: "PreferSameNode", want: node},
		"the policy Local":             {local: true, want: node},
		"the policy Local, none there": {local: true, endpoints: "n2@a"},
		"TLS only":                     {rule: `{"host": "db", "trafficPolicy": {"tls": {}}}`, distribution: "PreferSameZone", want: zone},
		"outliers":                     {rule: `{"host": "db", "trafficPolicy": {` + outliers + `}}`, want: zone},
		"the Service before these":     {rule: `{"host": "db", "trafficPolicy": {` + outliers + `}}`, distribution: "PreferSameNode", want: node},
		"fully named":                  {rule: `{"host": "db.shop.svc.cluster.local", "trafficPolicy": {` + outliers + `}}`, want: zone},
		"of another Service":           {rule: `{"host": "web", "trafficPolicy": {` + outliers + `}}`, want: all},
		"shares before the Service":    {rule: `{"host": "db", "trafficPolicy": {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "*", "to": {"*": 100}}]}}}}`, distribution: "PreferSameNode", endpoints: "n1@a n3@b", want: []int{0, 1}},
		"shares, switched off":         {rule: `{"host": "db", "trafficPolicy": {"loadBalancer": {"localityLbSetting": {"enabled": false, "distribute": [{"from": "*", "to": {"x": 100}}]}}}}`, want: all},
		"shares for nobody":            {rule: `{"host": "db", "trafficPolicy": {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "*", "to": {"x": 100}}]}}}}`},
		"shares, the policy Local":     {rule: `{"host": "db", "trafficPolicy": {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "*", "to": {"*": 100}}]}}}}`, local: true, want: node},
		"switched off":                 {rule: `{"host": "db", "trafficPolicy": {` + outliers + `, "loadBalancer": {"localityLbSetting": {"enabled": false}}}}`, distribution: "PreferSameNode", want: all},
		"without outliers":             {rule: `{"host": "db", "trafficPolicy": {"loadBalancer": {"localityLbSetting": {"enabled": true}}}}`, distribution: "PreferSameNode", want: all},
		"a setting":                    {rule: `{"host": "db", "trafficPolicy": {` + outliers + `, "loadBalancer": {"localityLbSetting": {"enabled": true}}}}`, want: zone},
		"node":                         {rule: priority(`"kubernetes.io/hostname"`), want: node},
		"node, none there":             {rule: priority(`"kubernetes.io/hostname"`), endpoints: "n2@a n3@b", want: zone},
		"zone, node":                   {rule: priority(`"topology.kubernetes.io/zone", "kubernetes.io/hostname"`), endpoints: "n2@a n3@b", want: node},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.rule == "" || r.URL.Path != "/apis/networking.istio.io/v1/destinationrules" {
					http.NotFound(w, r)
					return
				}
				_, _ = w.Write([]byte(`{"items": [{"metadata": {"namespace": "shop", "name": "any"}, "spec": ` + c.rule + `}]}`))
			}))
			defer server.Close()
			m := New(kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL}), Istio(), nil, nil)
			m.readRules(t.Context())
			s := service("db", c.distribution)
			if c.annotation != "" {
				s.Annotations = map[string]string{"networking.istio.io/traffic-distribution": c.annotation}
			}
			if policy := corev1.ServiceInternalTrafficPolicyLocal; c.local {
				s.Spec.InternalTrafficPolicy = &policy
			}
			places := endpoints
			if c.endpoints != "" {
				places = c.endpoints
			}
			var where []locality.Locality
			for _, e := range strings.Fields(places) {
				where = append(where, at(e))
			}
			if diff := cmp.Diff(evenly(c.want, len(where)), m.divide(s, at("n1@a"), nil, where)); diff != "" {
				t.Errorf("chosen endpoints (-want +got):\n%s", diff)
			}
		})
	}
}
