package mesh

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// at reads "node", "node@zone" or "node@region/zone".
func at(text string) locality.Locality {
	node, place, _ := strings.Cut(text, "@")
	region, zone, ok := strings.Cut(place, "/")
	if !ok {
		region, zone = "", place
	}
	return locality.Locality{Node: node, Zone: zone, Region: region}
}

func TestChoose(t *testing.T) {
	cases := map[string]struct {
		distribution string
		client       string
		endpoints    string
		want         []int
	}{
		"uniform: locality does not matter":        {"", "n1@a", "n1@a n2@a n3@b", []int{0, 1, 2}},
		"an unknown distribution is uniform":       {"PreferSameRack", "n1@a", "n1@a n3@b", []int{0, 1}},
		"uniform: no endpoints":                    {"", "n1@a", "", nil},
		"same node: the local endpoint":            {"PreferSameNode", "n1@a", "n2@a n1@a n3@b", []int{1}},
		"same node: all local endpoints":           {"PreferSameNode", "n1@a", "n1@a n2@a n1@a", []int{0, 2}},
		"same node: widens to the zone":            {"PreferSameNode", "n1@a", "n2@a n3@b n4@a", []int{0, 2}},
		"same node: widens to all":                 {"PreferSameNode", "n1@a", "n3@b n4@c", []int{0, 1}},
		"same node: client without zone":           {"PreferSameNode", "n1", "n2 n1 n3@a", []int{1}},
		"same node: no zones, widens to all":       {"PreferSameNode", "n1", "n2 n3", []int{0, 1}},
		"same node: no endpoints":                  {"PreferSameNode", "n1@a", "", nil},
		"same zone: the local node is not special": {"PreferSameZone", "n1@a", "n1@a n2@a n3@b", []int{0, 1}},
		"same zone: widens to all":                 {"PreferSameZone", "n1@a", "n3@b n4@c", []int{0, 1}},
		"same zone: endpoint without zone":         {"PreferSameZone", "n1@a", "n2 n3@a", []int{1}},
		"same zone: client without zone":           {"PreferSameZone", "n1", "n2 n3@a", []int{0, 1}},
		"same zone: another region's namesake":     {"PreferSameZone", "n1@eu/a", "n2@us/a n3@eu/a", []int{1}},
		"same zone: only another region's":         {"PreferSameZone", "n1@eu/a", "n2@us/a n3@us/b", []int{0, 1}},
		"close means same zone":                    {"PreferClose", "n1@a", "n1@a n2@a n3@b", []int{0, 1}},
		"close: widens to all":                     {"PreferClose", "n1@a", "n3@b n4@c", []int{0, 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var endpoints []locality.Locality
			for _, e := range strings.Fields(tc.endpoints) {
				endpoints = append(endpoints, at(e))
			}
			got := choose(tc.distribution, at(tc.client), endpoints)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("chosen endpoints (-want +got):\n%s", diff)
			}
		})
	}
}

// What a mesh does not follow makes no difference.
func TestMeshesFollowServices(t *testing.T) {
	none := Istio()
	none.Name, none.Closest, none.annotation, none.internal = "none", "", false, false
	cases := map[string]struct {
		set  func(*corev1.Service)
		want map[string]float64 // part of the calls that stays on the node, by mesh
	}{
		"nothing": {
			func(*corev1.Service) {},
			map[string]float64{"istio": 0.25, "istio-ambient": 0.25, "linkerd": 0.25, "obi": 0.25, "none": 0.25},
		},
		"PreferSameNode": {
			func(s *corev1.Service) { s.Spec.TrafficDistribution = new("PreferSameNode") },
			map[string]float64{"istio": 1, "istio-ambient": 1, "linkerd": 0.5, "obi": 1, "none": 0.25},
		},
		"PreferSameZone": {
			func(s *corev1.Service) { s.Spec.TrafficDistribution = new("PreferSameZone") },
			map[string]float64{"istio": 0.5, "istio-ambient": 0.5, "linkerd": 0.5, "obi": 0.5, "none": 0.25},
		},
		"Istio's annotation": {
			func(s *corev1.Service) {
				s.Annotations = map[string]string{"networking.istio.io/traffic-distribution": "PreferSameNode"}
			},
			map[string]float64{"istio": 1, "istio-ambient": 1, "linkerd": 0.25, "obi": 0.25, "none": 0.25},
		},
		"internalTrafficPolicy": {
			func(s *corev1.Service) { s.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal) },
			map[string]float64{"istio": 1, "istio-ambient": 1, "linkerd": 1, "obi": 1, "none": 0.25},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, kind := range append(Types(), none) {
				want, ok := tc.want[kind.Name]
				if !ok { // Consul, Kuma and Open Service Mesh
					want = tc.want["none"]
				}
				c := newClusterWith(t, kind, "n1@a: web db; n2@a: db; n3@b: db; n4@b: db", "", "web -> db")
				s := service("db", "")
				tc.set(s)
				c.add(s)
				c.flow(time.Second)
				near, all := 0.0, 0.0
				for _, sample := range scrape(t, c.Mesh) {
					if sample.Metric[model.MetricNameLabel] != "sandbox_traffic_bytes_total" {
						continue
					}
					all += float64(sample.Value)
					if sample.Metric["same_node"] == "true" {
						near += float64(sample.Value)
					}
				}
				if got := near / all; math.Abs(got-want) > 1e-9 {
					t.Errorf("%s: %v of the calls stay on the node, want %v", kind.Name, got, want)
				}
			}
		})
	}
}
