package telemetry

import "github.com/vicinity-sched/vicinity/flowgraph"

// SeenBy returns the names of the sources whose last answer has traffic from one workload to
// another, in their order. There is none for an edge that is only retained.
func (m *Manager) SeenBy(from, to flowgraph.WorkloadID) (names []string) {
	m.round.Lock()
	defer m.round.Unlock()
	for _, s := range m.states[:len(m.options.Sources)] {
		for i := range s.seen.Flows {
			if f := &s.seen.Flows[i]; f.From == from && f.To == to {
				names = append(names, s.status.Name)
				break
			}
		}
	}
	return names
}
