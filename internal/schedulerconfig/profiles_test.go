package schedulerconfig

import (
	"strings"
	"testing"
)

// TestProfiles reads how much the plugins count from configurations.
func TestProfiles(t *testing.T) {
	const begin = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
	cases := map[string]struct {
		text                        string
		weight, spread, fit, scored int32 // of 1000 nodes
		spreads                     bool
	}{
		"as shipped": {"percentageOfNodesToScore: 100\nprofiles: [{plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}}]",
			5, 2, 1, 1000, true},
		"without":       {"profiles: [{}]", 0, 2, 1, 420, true},
		"no weight":     {"profiles: [{plugins: {multiPoint: {enabled: [{name: TrafficLocality}]}}}]", 1, 2, 1, 420, true},
		"off":           {"profiles: [{plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 0}]}}}]", 0, 2, 1, 420, true},
		"score counts":  {"profiles: [{plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}, score: {enabled: [{name: PodTopologySpread, weight: 7}]}}}]", 5, 7, 1, 420, true},
		"score without": {"profiles: [{plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}, score: {disabled: [{name: PodTopologySpread}]}}}]", 5, 0, 1, 420, true},
		"of a profile":  {"percentageOfNodesToScore: 10\nprofiles: [{percentageOfNodesToScore: 50}]", 0, 2, 1, 500, true},
		"few":           {"percentageOfNodesToScore: 1\nprofiles: [{}]", 0, 2, 1, 100, true},
		"no default spreading": {"profiles: [{pluginConfig: [{name: PodTopologySpread, args: {kind: PodTopologySpreadArgs, apiVersion: kubescheduler.config.k8s.io/v1, defaultingType: List}}]}]",
			0, 2, 1, 420, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config, err := Parse("scheduler.yaml", []byte(begin+c.text))
			if err != nil {
				t.Fatal(err)
			}
			profiles, err := config.Profiles()
			if err != nil {
				t.Fatal(err)
			}
			p := profiles[0]
			if p.Weight() != c.weight || p.Weights[PodTopologySpread] != c.spread || p.Weights[ResourcesFit] != c.fit ||
				int32(p.NodesScored(1000)) != c.scored || p.SpreadsByDefault != c.spreads {
				t.Errorf("weights %d, %d and %d, %d nodes are scored, spreads by default: %v", p.Weight(), p.Weights[PodTopologySpread], p.Weights[ResourcesFit], p.NodesScored(1000), p.SpreadsByDefault)
			}
			if n := p.NodesScored(99); n != 99 {
				t.Errorf("%d of 99 nodes are scored", n)
			}
		})
	}
	config, err := Parse("scheduler.yaml", []byte(begin+"profiles: [{schedulerName: a, pluginConfig: [{name: TrafficLocality, args: {apiVersion: config.vicinity.dev/v1, kind: TrafficLocalityArgs, strategy: Best}}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Profiles(); err == nil || !strings.HasPrefix(err.Error(), "profile a: TrafficLocalityArgs: strategy") {
		t.Errorf("error %v", err)
	}
}
