package schedulerconfig

import (
	"fmt"

	"k8s.io/kubernetes/pkg/scheduler/apis/config"

	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Names of kube-scheduler's own score plugins that spread pods.
const (
	PodTopologySpread      = "PodTopologySpread"
	ResourcesFit           = "NodeResourcesFit"
	ResourcesBalanced      = "NodeResourcesBalancedAllocation"
	fewestNodes            = 100 // kube-scheduler scores at least so many
	smallestPercentage     = 5
	adaptivePercentageFrom = 50
)

// Profile is what a profile says about how much TrafficLocality counts there.
type Profile struct {
	Name string
	// Weights are by the names of the enabled plugins. TrafficLocality has none where it is
	// not enabled, or is switched off by the weight 0.
	Weights map[string]int32
	// Args are those of TrafficLocality, with defaults.
	Args *configv1.TrafficLocalityArgs
	// SpreadsByDefault says that pods without topologySpreadConstraints are spread too.
	SpreadsByDefault bool
	// Percentage is how many of the nodes are scored; 0 leaves it to their number.
	Percentage int32
}

// Weight is that of TrafficLocality, 0 where it does not score.
func (p *Profile) Weight() int32 { return p.Weights[trafficlocality.Name] }

// NodesScored is how many of the nodes that could take a pod kube-scheduler scores, at most
// (numFeasibleNodesToFind in its schedule_one.go).
func (p *Profile) NodesScored(nodes int) int {
	percentage := int(p.Percentage)
	if percentage == 0 {
		percentage = max(adaptivePercentageFrom-nodes/125, smallestPercentage)
	}
	return min(nodes, max(nodes*percentage/100, fewestNodes))
}

// Profiles returns all of them. Its errors name the profile, the field and the rule.
func (c *Config) Profiles() ([]Profile, error) {
	var all []Profile
	for i := range c.Scheduler.Profiles {
		of := &c.Scheduler.Profiles[i]
		p := Profile{Name: of.SchedulerName, Weights: map[string]int32{}, SpreadsByDefault: true}
		if of.Plugins != nil {
			p.setWeights(of.Plugins)
		}
		if c.off[of.SchedulerName] {
			delete(p.Weights, trafficlocality.Name)
		}
		for _, percentage := range []*int32{c.Scheduler.PercentageOfNodesToScore, of.PercentageOfNodesToScore} {
			if percentage != nil {
				p.Percentage = *percentage
			}
		}
		if err := p.setArgs(of); err != nil {
			return nil, fmt.Errorf("profile %s: %s: %w", of.SchedulerName, configv1.TrafficLocalityArgsKind, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// setWeights takes the weights over. kube-scheduler reads 0 as 1, and what stands under score
// takes precedence.
func (p *Profile) setWeights(plugins *config.Plugins) {
	for _, plugin := range plugins.MultiPoint.Enabled {
		p.Weights[plugin.Name] = max(plugin.Weight, 1)
	}
	for _, plugin := range plugins.Score.Disabled {
		if plugin.Name == "*" {
			clear(p.Weights)
		}
		delete(p.Weights, plugin.Name)
	}
	for _, plugin := range plugins.Score.Enabled {
		p.Weights[plugin.Name] = max(plugin.Weight, 1)
	}
}

func (p *Profile) setArgs(of *config.KubeSchedulerProfile) (err error) {
	if p.Args, err = trafficlocality.DecodeArgs(nil); err != nil {
		return err
	}
	for _, plugin := range of.PluginConfig {
		switch args := plugin.Args.(type) {
		case *config.PodTopologySpreadArgs:
			p.SpreadsByDefault = args.DefaultingType == config.SystemDefaulting || len(args.DefaultConstraints) > 0
		default:
			if plugin.Name != trafficlocality.Name {
				continue
			}
			if p.Args, err = trafficlocality.DecodeArgs(plugin.Args); err != nil {
				return err
			}
		}
	}
	return nil
}
