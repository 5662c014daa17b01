package flowgraph

import "testing"

func TestNodeNetworkStore(t *testing.T) {
	var none *NodeNetworkStore
	if n := none.Load(); n.Generation() != 0 || n.Capacity("n1") != 0 {
		t.Errorf("no store knows %v of n1 in generation %d", n.Capacity("n1"), n.Generation())
	}
	s := &NodeNetworkStore{}
	steps := []struct {
		publish    map[string]float64
		generation uint64
		want       float64
	}{
		{nil, 1, 0},
		{map[string]float64{"n1": 5}, 2, 5},
		{map[string]float64{"n1": 5}, 2, 5},
		{map[string]float64{"n1": 6, "n2": 1}, 3, 6},
		{map[string]float64{}, 4, 0},
	}
	before := s.Load()
	for i, step := range steps {
		s.Publish(step.publish)
		if n := s.Load(); n.Generation() != step.generation || n.Capacity("n1") != step.want {
			t.Errorf("step %d: n1 has %v in generation %d, want %v in %d", i, n.Capacity("n1"), n.Generation(), step.want, step.generation)
		}
	}
	if before.Generation() != 0 || before.Capacity("n1") != 0 {
		t.Error("what was loaded before has changed")
	}
}
