package mesh

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestZoneAware divides the calls of the client n1@r/a.
func TestZoneAware(t *testing.T) {
	cases := map[string]struct {
		clients, endpoints string
		setting            *networking.ZoneAwareLoadBalancerSetting
		want               []float64
	}{
		"all stay":              {"n1@r/a n3@r/b", "n1@r/a n2@r/a n3@r/b n3@r/b", nil, []float64{0.5, 0.5, 0, 0}},
		"half stay":             {"n1@r/a n3@r/b", "n1@r/a n3@r/b n3@r/b n4@r/c", nil, []float64{0.5, 0, 0, 0.5}},
		"none are there":        {"n1@r/a n3@r/b", "n3@r/b n3@r/b n3@r/b n4@r/c", nil, []float64{0.5 / 3, 0.5 / 3, 0.5 / 3, 0.5}},
		"clients in one zone":   {"n1@r/a n1@r/a", "n1@r/a n2@r/a n3@r/b n3@r/b", nil, []float64{0.25, 0.25, 0.25, 0.25}},
		"endpoints in one zone": {"n1@r/a n3@r/b", "n3@r/b n3@r/b n3@r/b n3@r/b", nil, []float64{0.25, 0.25, 0.25, 0.25}},
		"too few endpoints":     {"n1@r/a n3@r/b", "n1@r/a n3@r/b", nil, []float64{0.5, 0.5}},
		"6 by default":          {"n1@r/a n3@r/b", "n1@r/a n2@r/a n3@r/b n3@r/b", &networking.ZoneAwareLoadBalancerSetting{}, []float64{0.25, 0.25, 0.25, 0.25}},
		"switched off":          {"n1@r/a n3@r/b", "n1@r/a n2@r/a n3@r/b n3@r/b", &networking.ZoneAwareLoadBalancerSetting{Enabled: wrapperspb.Bool(false), MinClusterSize: wrapperspb.UInt32(1)}, []float64{0.25, 0.25, 0.25, 0.25}},
	}
	places := func(text string) (all []locality.Locality) {
		for _, place := range strings.Fields(text) {
			all = append(all, at(place))
		}
		return all
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			setting := c.setting
			if setting == nil {
				setting = &networking.ZoneAwareLoadBalancerSetting{MinClusterSize: wrapperspb.UInt32(4)}
			}
			got := zoneAware(setting, at("n1@r/a"), places(c.clients), places(c.endpoints))
			if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("parts of the calls (-want +got):\n%s", diff)
			}
		})
	}
}
