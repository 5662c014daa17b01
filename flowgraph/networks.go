package flowgraph

import (
	"maps"
	"sync/atomic"
)

// NodeNetworks is what the networks of nodes take at one moment. It never changes: any
// number of goroutines may read it. The zero value knows of none.
type NodeNetworks struct {
	generation uint64
	capacity   map[string]float64 // by node
}

// Generation counts what was published; it is 0 before anything was.
func (n *NodeNetworks) Generation() uint64 { return n.generation }

// Capacity returns what the network of a node takes in each direction, in bytes per
// second; 0 when that is not known.
func (n *NodeNetworks) Capacity(node string) float64 { return n.capacity[node] }

// NodeNetworkStore holds the newest NodeNetworks. Loading them is one atomic read. The
// zero value holds those of no node.
type NodeNetworkStore struct {
	p atomic.Pointer[NodeNetworks]
}

// Load returns the newest NodeNetworks, never nil. A nil store has those of no node.
func (s *NodeNetworkStore) Load() *NodeNetworks {
	if s != nil {
		if n := s.p.Load(); n != nil {
			return n
		}
	}
	return &NodeNetworks{}
}

// Publish says what the network of each node takes in each direction, in bytes per second
// by the node's name, instead of what was said before. The map must not change any more.
// Where it says the same as before, the generation stays. One goroutine publishes at a
// time.
func (s *NodeNetworkStore) Publish(capacity map[string]float64) {
	was := s.Load()
	if was.generation > 0 && maps.Equal(was.capacity, capacity) {
		return
	}
	s.p.Store(&NodeNetworks{was.generation + 1, capacity})
}
