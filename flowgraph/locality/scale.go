package locality

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxLabels is how many levels of a Scale node labels tell at most.
const MaxLabels = 5

// Label is a level whose domains are the nodes with one value of a node label:
// racks, for example.
type Label struct {
	Level
	// Key is the label's key.
	Key string
}

// Labelled returns the i-th of the levels, from 0 to MaxLabels-1, that node labels
// tell and that are wider than l, which is Node, Zone or Region, and nearer than
// the next of these.
func (l Level) Labelled(i int) Level { return l + 1 + Level(i) }

// Scale is the levels that nodes are told apart by: Node, Zone and Region, and
// those that node labels tell. It lists the latter, the nearest first.
type Scale []Label

// Levels returns all levels, the nearest first.
func (s Scale) Levels() []Level {
	levels := Levels()
	for _, label := range s {
		levels = append(levels, label.Level)
	}
	slices.Sort(levels)
	return levels
}

// Name returns the name of a level as reports have it: the key of its label, or
// node, zone or region.
func (s Scale) Name(level Level) string {
	for _, label := range s {
		if label.Level == level {
			return label.Key
		}
	}
	return strings.ToLower(level.String())
}

// Domains returns the keys of the topology domains that a node belongs to, by the
// position of the level in Levels, "" where it is unknown. It is given the node's
// values of the labels, by their position in s; what is missing is unknown. A domain
// is told apart within the wider ones, as Locality.Domain tells zones apart within
// regions: a rack is another one in another zone. So domains nest.
func (s Scale) Domains(at Locality, values []string) []string {
	levels := s.Levels()
	keys := make([]string, len(levels))
	label := len(s)
	path := ""
	for i, level := range slices.Backward(levels) {
		var value string
		switch level {
		case Node:
			keys[i] = at.Node // nodes have names of their own
			continue
		case Zone:
			value = at.Zone
		case Region:
			value = at.Region
		default:
			if label--; label < len(values) {
				value = values[label]
			}
		}
		if i < len(levels)-1 {
			path += "/"
		}
		path += value
		if value != "" {
			keys[i] = path
		}
	}
	return keys
}

// Merge returns the scale that has the labels of all. It is an error when they
// have more than MaxLabels, or differ in the order of two levels.
func Merge(scales ...Scale) (Scale, error) {
	var left []Label // without the levels of labels, which Merge decides on
	nearer := order{}
	for _, s := range append(slices.Clip(scales), nil) {
		var last Label
		for _, level := range s.Levels() {
			l := s.unplaced(level)
			if !slices.Contains(left, l) {
				left = append(left, l)
			}
			nearer[[2]Label{last, l}] = true
			last = l
		}
	}
	if n := len(left) - len(Levels()); n > MaxLabels {
		return nil, fmt.Errorf("%d labels are levels, at most %d can be", n, MaxLabels)
	}
	var merged Scale
	last, i := Remote, 0
	for len(left) > 0 {
		next := slices.IndexFunc(left, func(l Label) bool { return nearer.isNearest(l, left) })
		if next < 0 {
			return nil, fmt.Errorf("which of the levels %s is nearer differs", nearer.ring(left))
		}
		if l := left[next]; l.Key == "" {
			last, i = l.Level, 0
		} else {
			merged = append(merged, Label{last.Labelled(i), l.Key})
			i++
		}
		left = slices.Delete(left, next, next+1)
	}
	return merged, nil
}

// unplaced is a level as it is the same one in every scale: of a label, only the
// key.
func (s Scale) unplaced(level Level) Label {
	for _, label := range s {
		if label.Level == level {
			return Label{Key: label.Key}
		}
	}
	return Label{Level: level}
}

// order has the pairs of a level and the next wider one in any of some scales.
type order map[[2]Label]bool

// isNearest reports whether none of the levels is nearer than one of them.
func (o order) isNearest(l Label, levels []Label) bool {
	return !slices.ContainsFunc(levels, func(other Label) bool { return o[[2]Label{other, l}] })
}

// ring names the levels that are nearer than one another.
func (o order) ring(levels []Label) string {
	ring := slices.Clone(levels)
	for {
		widest := slices.IndexFunc(ring, func(l Label) bool {
			return !slices.ContainsFunc(ring, func(other Label) bool { return o[[2]Label{l, other}] })
		})
		if widest < 0 {
			break
		}
		ring = slices.Delete(ring, widest, widest+1)
	}
	var names []string
	for _, l := range ring {
		names = append(names, cmp.Or(l.Key, strings.ToLower(l.String())))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
