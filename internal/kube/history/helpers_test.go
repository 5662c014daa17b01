package history

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// describe writes workloads as a test can have them at a glance:
// name x replicas, requests, what is not as usual, nodes.
func describe(r *Replayable) []string {
	var all []string
	for i, w := range r.Cluster.Workloads {
		line := fmt.Sprintf("%s x%d %dm %d", w.ID, w.Replicas, w.Requests.MilliCPU, w.Requests.Memory)
		if w.Routing != 0 {
			line += " " + w.Routing.String()
		}
		if w.Fixed {
			line += " fixed"
		}
		if w.Bare {
			line += " bare"
		}
		if r.Cluster.Assigned != nil {
			for _, n := range r.Cluster.Assigned[i] {
				line += " " + r.Cluster.Nodes[n].Node
			}
		}
		all = append(all, line)
	}
	return all
}

func translate(t *testing.T, input string) (*Replayable, []string, error) {
	t.Helper()
	o, unread, err := objects.ReadObjects(strings.NewReader(input), "f")
	if err != nil || len(unread) > 0 {
		t.Fatalf("reading the input: %v, %v", err, unread)
	}
	r, warnings, err := Translate(o)
	return r, lines(warnings), err
}

// lines returns warnings as text.
func lines(warnings []objects.Warning) []string {
	var all []string
	for _, w := range warnings {
		all = append(all, w.String())
	}
	return all
}
