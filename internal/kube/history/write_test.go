package history

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// TestWriteObjects writes random clusters and reads them back.
func TestWriteObjects(t *testing.T) {
	for seed := range uint64(20) {
		want := randomCluster(rand.New(rand.NewPCG(seed, 1)))
		synthetic := Synthetic(want)
		var list bytes.Buffer
		if err := synthetic.Write(&list); err != nil {
			t.Fatal(err)
		}
		objects, warnings, err := objects.ReadObjects(&list, "list.json")
		if err != nil || len(warnings) > 0 {
			t.Fatalf("seed %d: %v, %v", seed, err, warnings)
		}
		got, _, err := Translate(objects) // warns of the DaemonSets, which are not written
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got.Cluster); diff != "" {
			t.Fatalf("seed %d: cluster (-want +got):\n%s", seed, diff)
		}
	}
}
