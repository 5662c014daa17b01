package kube

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWriteObjects writes random clusters and reads them back.
func TestWriteObjects(t *testing.T) {
	for seed := range uint64(20) {
		want := randomCluster(rand.New(rand.NewPCG(seed, 1)))
		synthetic := Synthetic(want)
		var list bytes.Buffer
		if err := WriteObjects(&list, synthetic); err != nil {
			t.Fatal(err)
		}
		objects, warnings, err := ReadObjects(&list, "list.json")
		if err != nil || len(warnings) > 0 {
			t.Fatalf("seed %d: %v, %v", seed, err, warnings)
		}
		got, _, err := objects.Cluster() // warns of the DaemonSets, which are not written
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got.Cluster); diff != "" {
			t.Fatalf("seed %d: cluster (-want +got):\n%s", seed, diff)
		}
	}
}
