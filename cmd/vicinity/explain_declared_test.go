package main

import (
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/explain"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestExplainCountsWhatAManifestDeclares of a pod that does not exist yet.
func TestExplainCountsWhatAManifestDeclares(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := &v1.TelemetryConfiguration{}
	cfg.SetDefaults()
	subject, err := explain.ReadPod([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {vicinity.dev/peers: db=1Mi/s}}
spec: {template: {spec: {containers: [{name: c}]}}}
`), "web.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	past := &telemetrysetup.Past{Snapshot: flowgraph.NewSnapshot(1, now, nil)}
	if err := addDeclaredTo(past, cfg, &objects.Objects{}, subject.Pod, now); err != nil {
		t.Fatal(err)
	}
	web, db := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, flowgraph.WorkloadID{Namespace: "shop", Name: "db"}
	if !past.Snapshot.HasEdge(web, db) || past.Snapshot.DeclaredCount() != 1 {
		t.Errorf("the graph has %d edges, %d of them declared", past.Snapshot.EdgeCount(), past.Snapshot.DeclaredCount())
	}
	if !subject.Pod.CreationTimestamp.IsZero() {
		t.Error("the pod has changed")
	}
}
