package integration

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// TestGraph shows the traffic of the simulated mesh with the CLI, as a user
// does before anything else.
func TestGraph(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	a.deploy(t, workload{name: "db"})
	a.deploy(t, workload{name: "web", replicas: 2})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	s.hasTraffic(t, a, "web", "db")
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), s.program(t, "vicinity"), "graph",
		"--prometheus", s.Metrics.URL(), "--window", "10s", "--namespace", a.namespace, "-o", "json")
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	type end struct{ Namespace, Name string }
	var graph struct {
		Edges []struct {
			From, To               end
			SentBytesPerSecond     float64
			ReceivedBytesPerSecond float64
		}
	}
	if err := json.Unmarshal(out.Bytes(), &graph); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if len(graph.Edges) != 1 || graph.Edges[0].From != (end{a.namespace, "web"}) || graph.Edges[0].To != (end{a.namespace, "db"}) {
		t.Fatalf("the edges are %+v, want one from web to db", graph.Edges)
	}
	// The rates are still rising; their ratio is that of the sizes from the start.
	e := graph.Edges[0]
	if ratio := e.ReceivedBytesPerSecond / e.SentBytesPerSecond; ratio < 19 || ratio > 21 {
		t.Errorf("it receives %v times of what it sends, want 20", ratio)
	}
}
