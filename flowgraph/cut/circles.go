package cut

// condense makes one vertex of the workloads that call each other in circles, by
// Tarjan's algorithm for strongly connected components (SIAM J. Comput. 1, 1972),
// without recursion.
func (g *callGraph) condense() {
	n := len(g.begin) - 2
	g.vertex = make([]int32, n)
	t := tarjan{index: make([]int32, n), low: make([]int32, n), next: make([]int32, n)}
	for w := range g.vertex {
		g.vertex[w] = -1
	}
	for w := range g.vertex {
		if t.index[w] == 0 {
			g.visit(&t, int32(w))
		}
	}
	g.callers = make([][]int32, g.vertices)
	for i := range g.calls {
		if c := &g.calls[i]; c.from >= 0 && c.to >= 0 && g.vertex[c.from] != g.vertex[c.to] {
			g.callers[g.vertex[c.to]] = append(g.callers[g.vertex[c.to]], g.vertex[c.from])
		}
	}
}

// tarjan is the state of the algorithm, by workload. An index of 0 is not visited.
type tarjan struct {
	index, low, next []int32
	visited          int32
	open, path       []int32
}

func (g *callGraph) visit(t *tarjan, root int32) {
	enter := func(w int32) {
		t.visited++
		t.index[w], t.low[w] = t.visited, t.visited
		t.open, t.path = append(t.open, w), append(t.path, w)
	}
	enter(root)
	for len(t.path) > 0 {
		w := t.path[len(t.path)-1]
		if calls := g.out(w); int(t.next[w]) < len(calls) {
			to := calls[t.next[w]].to
			t.next[w]++
			switch {
			case to < 0:
			case t.index[to] == 0:
				enter(to)
			case g.vertex[to] < 0: // it is open
				t.low[w] = min(t.low[w], t.index[to])
			}
			continue
		}
		t.path = t.path[:len(t.path)-1]
		if len(t.path) > 0 {
			parent := t.path[len(t.path)-1]
			t.low[parent] = min(t.low[parent], t.low[w])
		}
		if t.low[w] == t.index[w] {
			g.close(t, w)
		}
	}
}

// close makes a vertex of the open workloads from w on.
func (g *callGraph) close(t *tarjan, w int32) {
	for {
		last := t.open[len(t.open)-1]
		t.open = t.open[:len(t.open)-1]
		g.vertex[last] = g.vertices
		if last == w {
			break
		}
	}
	g.vertices++
}
