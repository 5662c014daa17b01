package replayinput

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

func TestWriteEdges(t *testing.T) {
	want := []flowgraph.Edge{
		{From: flowgraph.WorkloadID{Namespace: "a", Name: "x"}, To: flowgraph.WorkloadID{Namespace: "b", Name: "y"}, Rates: flowgraph.Rates{SentBytesPerSecond: 1.0 / 3, ReceivedBytesPerSecond: 1e12, RequestsPerSecond: 7}},
		{From: flowgraph.WorkloadID{Namespace: "a", Name: "x"}, To: flowgraph.WorkloadID{Namespace: "a", Name: "x"}},
	}
	var out bytes.Buffer
	if err := WriteEdges(&out, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadEdges(&out, "edges.csv")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}
