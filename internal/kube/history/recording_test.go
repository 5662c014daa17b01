package history

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
)

// TestOldRecording reads a recording from before DestinationRules had their subsets and
// Services their ports: such rules decide as if they had neither.
func TestOldRecording(t *testing.T) {
	source, err := recordingfile.Open(filepath.Join("testdata", "without-subsets-and-ports"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	r, err := recording.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	steps, edges := 0, 0
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Apply(s.Changes); err != nil {
			t.Fatal(err)
		}
		steps, edges = steps+1, edges+len(s.Edges)
	}
	if steps != 4 || edges != 8 || len(h.Warnings()) != 0 {
		t.Errorf("%d steps and %d edges, warnings %v; want 4, 8 and none", steps, edges, h.Warnings())
	}
	now, warnings, err := h.Now(false)
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	want := []string{
		"shop/cart x1 500m 268435456 SameZone n3",
		"shop/db x2 500m 268435456 SameZone n4 n2",
		"shop/web x2 500m 268435456 n1 n3",
	}
	if diff := cmp.Diff(want, describe(now)); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	for _, w := range now.Cluster.Workloads {
		if over := &h.all.Cluster.Workloads[h.workloads[w.ID]]; !over.RoutesEqual(&w) {
			t.Errorf("calls to %s are divided by %v along the recording, at its end by %v", w.ID, over.Route, w.Route)
		}
	}
}
