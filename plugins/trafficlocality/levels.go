package trafficlocality

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// scoredLevel is a level that has a say.
type scoredLevel struct {
	level    locality.Level
	position int     // of the level in the scale
	step     float64 // what a byte is worth more here than at the next wider level
	bound    int     // its position in scorer.maxShare, -1 when it has none
}

// ScaleOf returns the levels at which a plugin with these arguments tells nodes apart.
func ScaleOf(a *configv1.TrafficLocalityArgs) locality.Scale { return newScorer(a).topology }

// scaleOf returns the levels that arguments name, and the closeness of each, by
// its position.
func scaleOf(a *configv1.TrafficLocalityArgs) (locality.Scale, []float64) {
	named := configv1.Closeness{}
	if a.Cost == nil {
		named = *a.Closeness
	}
	closeness := func(value, cost *float64) float64 {
		if a.Cost != nil {
			return a.Cost.Closeness(*cost)
		}
		return *value
	}
	costs := cmp.Or(a.Cost, &configv1.Cost{})
	type known struct {
		level     locality.Level
		label     string
		closeness float64
	}
	all := []known{
		{level: locality.Node, closeness: closeness(named.Node, costs.Node)},
		{level: locality.Zone, closeness: closeness(named.Zone, costs.Zone)},
		{level: locality.Region, closeness: closeness(named.Region, costs.Region)},
	}
	for _, l := range a.Levels {
		all = append(all, known{label: l.Label, closeness: closeness(l.Closeness, l.Cost)})
	}
	slices.SortStableFunc(all, func(a, b known) int { return cmp.Compare(b.closeness, a.closeness) })
	var scale locality.Scale
	values := make([]float64, len(all))
	nearer, i := locality.Node, 0
	for k, l := range all {
		values[k] = l.closeness
		if l.label == "" {
			nearer, i = l.level, 0
			continue
		}
		scale = append(scale, locality.Label{Level: nearer.Labelled(i), Key: l.label})
		i++
	}
	return scale, values
}

// scored returns the levels that have a say, of a scale with the given closeness:
// those with a positive step or a bound.
func scored(scale locality.Scale, closeness []float64, maxShare [2]float64) []scoredLevel {
	var levels []scoredLevel
	for i, level := range scale.Levels() {
		l := scoredLevel{level: level, position: i, step: closeness[i], bound: -1}
		if i+1 < len(closeness) {
			l.step -= closeness[i+1]
		}
		switch {
		case level == locality.Node && maxShare[0] < 1:
			l.bound = 0
		case level == locality.Zone && maxShare[1] < 1:
			l.bound = 1
		}
		if l.step > 0 || l.bound >= 0 {
			levels = append(levels, l)
		}
	}
	return levels
}
