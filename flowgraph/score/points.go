package score

// Points are scores by the number of a node, from 0 to MaxPoints. They never change, also
// when the Board does. All nodes of a class have the same, except those that are listed.
type Points struct {
	class   []int32 // of each node
	byClass []uint8
	listed  map[int32]uint8 // nodes with points of their own
	dense   []uint8         // instead, by node, where many have
}

// manyListed is the part of all nodes from which on more are listed than is worth a map.
const manyListed = 1. / 64

// newPoints returns the points of the nodes of a Board by class, of which so many nodes at
// most will have points of their own.
func newPoints(b *Board, byClass []uint8, listed int) *Points {
	if float64(listed) < manyListed*float64(b.Len()) {
		b.classIsShared = true
		return &Points{class: b.class, byClass: byClass, listed: make(map[int32]uint8, listed)}
	}
	p := &Points{dense: make([]uint8, b.Len())}
	for n, c := range b.class {
		p.dense[n] = byClass[c]
	}
	return p
}

// set gives a node points of its own.
func (p *Points) set(n int32, points uint8) {
	if p.dense != nil {
		p.dense[n] = points
		return
	}
	p.listed[n] = points
}

// Of returns the points of a node, 0 for one that has come to the Board later.
func (p *Points) Of(n int32) uint8 {
	if p.dense != nil {
		if int(n) < len(p.dense) {
			return p.dense[n]
		}
		return 0
	}
	if int(n) >= len(p.class) {
		return 0
	}
	if points, ok := p.listed[n]; ok {
		return points
	}
	return p.byClass[p.class[n]]
}
