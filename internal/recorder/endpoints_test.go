package recorder

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
)

// addressed is a source that sees traffic from an address.
type addressed struct {
	source
	resolver telemetry.Resolver
}

func (a addressed) Collect(_ context.Context, _ telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	var o telemetry.Observation
	r := a.resolver.Resolve([]telemetry.Endpoint{{Kind: telemetry.AddressEndpoint, Name: "10.0.0.1"}})[0]
	for _, s := range r.Shares {
		f := flowgraph.Flow{From: s.Workload, To: flowgraph.WorkloadID{Namespace: "shop", Name: "db"}, ObservedAt: at}
		f.SentBytesPerSecond = float64(at.Minute())
		o.Flows = append(o.Flows, f)
	}
	return o, nil
}

// withAddress is a pod without a controller.
func withAddress(t *testing.T, name, address string) *unstructured.Unstructured {
	t.Helper()
	u := object("v1 Pod shop/"+name, 0)
	if err := unstructured.SetNestedSlice(u.Object, []any{map[string]any{"ip": address}}, "status", "podIPs"); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestEndpointsFollow: what the sources look up is as the cluster is at each step, by what
// is watched and by what is listed anew. No address is recorded.
func TestEndpointsFollow(t *testing.T) {
	c := &clock{now: begin}
	store := endpoints.NewStore()
	client := cluster(object("v1 Node n1", 0), withAddress(t, "old", "10.0.0.1"))
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("shop")
	r, err := New(t.Context(), Options{
		Sources: []telemetry.Source{addressed{source{name: "agents"}, store}}, Endpoints: store,
		Client: client, Step: time.Minute, Now: c.Now, Wait: c.Wait,
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	// Between the first look and the recording, one pod takes the place of another.
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	check(pods.Delete(t.Context(), "old", metav1.DeleteOptions{}))
	_, err = pods.Create(t.Context(), withAddress(t, "new", "10.0.0.1"), metav1.CreateOptions{})
	check(err)
	c.waits = func(n int) {
		switch n {
		case 1:
			check(pods.Delete(t.Context(), "new", metav1.DeleteOptions{}))
			_, err := pods.Create(t.Context(), withAddress(t, "newer", "10.0.0.1"), metav1.CreateOptions{})
			check(err)
			await(t, r, 4) // the node, new, its end, newer
		case 2:
			_, err := pods.Update(t.Context(), withAddress(t, "newer", "10.0.0.2"), metav1.UpdateOptions{})
			check(err)
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if at := store.Resolve([]telemetry.Endpoint{{Kind: telemetry.AddressEndpoint, Name: "10.0.0.2"}}); at[0].Reason == telemetry.Included {
					return
				}
			}
			t.Error("the address does not change")
		}
	}
	f := &files{}
	w := start(t, f)
	if _, err := r.Live(t.Context(), w, begin, begin.Add(3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	check(w.Close(true, ""))
	var steps []string
	for _, line := range told(t, f) {
		if !strings.Contains(line, " ADDED ") && !strings.Contains(line, " DELETED ") {
			steps = append(steps, line)
		}
	}
	want := []string{"21:01:00 new-db:1", "21:02:00 newer-db:2", "21:03:00 gap"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, content := range f.content {
		if strings.Contains(string(content), "10.0.0.") {
			t.Errorf("%s has an address: %s", name, content)
		}
	}
	var pod corev1.Pod
	if raw, err := json.Marshal(withAddress(t, "a", "10.0.0.1").Object); err != nil || json.Unmarshal(raw, &pod) != nil || len(pod.Status.PodIPs) != 1 {
		t.Errorf("the pods of the test have no address: %+v", pod)
	}
}
