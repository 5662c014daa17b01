// Package locality says where a node is and how close two nodes are: on the
// same node, in the same zone, in the same region, or none of these. It holds
// positions and levels only; what traffic makes of them is package affinity's
// and package cut's matter.
package locality

import "fmt"

// Level is a kind of topology domain: the wider, the greater. Between Node, Zone
// and Region, and beyond, there are levels for node labels ([Level.Labelled]).
type Level int

const (
	// Remote is the zero Level: two nodes that share no domain.
	Remote Level = 0
	// Node says that both ends run on one node.
	Node Level = 1
	// Zone says that both ends run in one zone.
	Zone = Node + 1 + MaxLabels
	// Region says that both ends run in one region.
	Region = Zone + 1 + MaxLabels
)

// Levels lists the levels that are domains in every cluster, the nearest first.
func Levels() []Level { return []Level{Node, Zone, Region} }

// String returns the level's name as it stands in config files and reports.
func (l Level) String() string {
	switch l {
	case Remote:
		return "Remote"
	case Node:
		return "Node"
	case Zone:
		return "Zone"
	case Region:
		return "Region"
	default:
		return fmt.Sprintf("Level(%d)", int(l))
	}
}

// Locality is the position of a node. An empty zone or region is unknown, and
// an unknown domain is shared with nobody.
type Locality struct {
	Node, Zone, Region string
}

// LevelOf returns the nearest level that a and b share, Remote when none.
// Zones are only compared within one region, as two regions may use the same
// zone name.
func LevelOf(a, b Locality) Level {
	switch {
	case a.Node != "" && a.Node == b.Node:
		return Node
	case a.Zone != "" && a.Zone == b.Zone && a.Region == b.Region:
		return Zone
	case a.Region != "" && a.Region == b.Region:
		return Region
	default:
		return Remote
	}
}

// Domain returns the key of the topology domain that l belongs to at a level,
// "" when it is unknown. Keys of one level are equal exactly when LevelOf of
// the two localities is that level or a nearer one, given node names that are
// unique.
func (l Locality) Domain(level Level) string {
	switch {
	case level == Node:
		return l.Node
	case level == Zone && l.Zone != "":
		return l.Region + "/" + l.Zone
	case level == Region:
		return l.Region
	default:
		return ""
	}
}
