package coldstart

import (
	"fmt"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestSelectorsAreBounded: a namespace with as many selectors as workloads is not compared
// pair by pair, and those of another namespace count all the same.
func TestSelectorsAreBounded(t *testing.T) {
	w := NewWorkloads(Options{})
	add := func(namespace string, n int, labels map[string]string) {
		id := flowgraph.WorkloadID{Namespace: namespace, Name: fmt.Sprint("w", n)}
		if w.within[namespace] == nil {
			w.within[namespace] = map[flowgraph.WorkloadID]*workload{}
		}
		w.within[namespace][id] = &workload{facts: facts{id: id, labels: labels}}
	}
	for n := range 5000 {
		labels := map[string]string{"app": fmt.Sprint(n)}
		for bit := range 13 {
			labels[fmt.Sprint("bit", bit)] = "x"
		}
		add("tenant", n, labels)
	}
	add("shop", 0, map[string]string{"app": "db", "tier": "data"})
	w.found = newFound()
	for n := range 5000 {
		selector := map[string]string{} // a set of labels that all workloads have
		for bit := range 13 {
			if n&(1<<bit) != 0 {
				selector[fmt.Sprint("bit", bit)] = "x"
			}
		}
		if len(selector) > 0 {
			w.selected("tenant", selector)
		}
	}
	if got := w.selected("tenant", map[string]string{"app": "7"}); len(got) != 0 {
		t.Errorf("beyond the bound a selector stands for %v", got)
	}
	if got := w.selected("shop", map[string]string{"tier": "data", "app": "db"}); len(got) != 1 || got[0].share != 1 {
		t.Errorf("the selector of another namespace stands for %v", got)
	}
	w.found = newFound()
	if got := w.selected("tenant", map[string]string{"app": "7", "bit0": "x"}); len(got) != 1 || got[0].id.Name != "w7" {
		t.Errorf("the next time it stands for %v", got)
	}
	if looked := w.found.looked["tenant"]; looked != 1 {
		t.Errorf("one selector was compared with %d workloads, want 1", looked)
	}
}
