package history

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// FuzzReadObjects reads anything. What is accepted must make a valid cluster or
// an error, and templates that belong to their workloads.
func FuzzReadObjects(f *testing.F) {
	var list bytes.Buffer
	if err := Synthetic(smallCluster()).Write(&list); err != nil {
		f.Fatal(err)
	}
	f.Add(list.Bytes())
	f.Add([]byte(kubetest.TwoNodes + kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2") + kubetest.Pod("db-0", "StatefulSet/db", "n1", "app: db") +
		kubetest.Object("v1", "Service", "db", "selector: {app: db}, trafficDistribution: PreferSameNode")))
	f.Add([]byte(kubetest.TwoNodes + kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "web-h1", "replicas: 2"), "ReplicaSet/web-h1") +
		kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", "pod-template-hash: h1") + kubetest.Pod("etcd", "Node/n1", "n1", "")))
	f.Add([]byte(`{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},null],"metadata":{"continue":""}}{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}`))
	f.Add([]byte("a: &a [x, x]\nb: [*a, *a]\nkind: Node\napiVersion: v1\nmetadata: {name: n}\n---\n--- x\n"))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{"allocatable":{"cpu":"1e-100"}}}`))
	f.Add([]byte(kubetest.TwoNodes + kubetest.Object("v1", "Service", "db", "selector: {app: db}") + kubetest.Pod("db", "", "n1", "app: db") +
		kubetest.Object("networking.istio.io/v1", "DestinationRule", "db", "host: db, trafficPolicy: {outlierDetection: {}}")))
	f.Fuzz(func(t *testing.T, input []byte) {
		o, _, err := objects.ReadObjects(bytes.NewReader(input), "f")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("error without the file: %v", err)
			}
			return
		}
		r, warnings, err := Translate(o)
		if err != nil {
			return
		}
		if err := r.Cluster.Validate(); err != nil {
			t.Errorf("the cluster is not valid: %v", err)
		}
		for _, w := range warnings {
			if w.Count < 1 || w.Example == "" || strings.ContainsAny(w.String(), "\n\x1b") {
				t.Errorf("warning %q", w)
			}
		}
		checkTemplates(t, r)
	})
}
