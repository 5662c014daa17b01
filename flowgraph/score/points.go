package score

import (
	"cmp"
	"slices"
)

// Points are scores by the number of a node, from 0 to MaxPoints. They never change, also
// when the Board does. All nodes of a class have the same, except those that are listed.
type Points struct {
	class   []int32 // of each node
	byClass []uint8
	listed  []nodePoints // nodes with points of their own, sorted
	dense   []uint8      // instead, by node, where many have
}

type nodePoints struct {
	node   int32
	points uint8
}

// manyListed is the part of all nodes from which on more are listed than is worth a search.
const manyListed = 1. / 64

// newPoints returns the points of the nodes of a Board by class, of which so many nodes at
// most will have points of their own.
func newPoints(b *Board, byClass []uint8, listed int) *Points {
	if float64(listed) < manyListed*float64(b.Len()) {
		b.classIsShared = true
		return &Points{class: b.class, byClass: byClass, listed: make([]nodePoints, 0, listed)}
	}
	p := &Points{dense: make([]uint8, b.Len())}
	for n, c := range b.class {
		p.dense[n] = byClass[c]
	}
	return p
}

// set gives a node points of its own, always the same. sort is called after the last.
func (p *Points) set(n int32, points uint8) {
	if p.dense != nil {
		p.dense[n] = points
		return
	}
	p.listed = append(p.listed, nodePoints{n, points})
}

func (p *Points) sort() {
	slices.SortFunc(p.listed, func(a, b nodePoints) int { return cmp.Compare(a.node, b.node) })
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
	if at, ok := slices.BinarySearchFunc(p.listed, n, func(l nodePoints, n int32) int { return cmp.Compare(l.node, n) }); ok {
		return p.listed[at].points
	}
	return p.byClass[p.class[n]]
}
