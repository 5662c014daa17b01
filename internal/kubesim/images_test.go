package kubesim

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// withImages is a pod, and three nodes that are equal but for their images. The second has
// that of the pod, whose name ImageLocality completes; the third has more of another.
const withImages = `{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"10"}}},
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n2"},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"10"},
 "images":[{"names":["r.example/web@sha256:0a","r.example/web:latest"],"sizeBytes":900000000}]}},
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n3"},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"10"},
 "images":[{"names":["r.example/web:1"],"sizeBytes":990000000},{"sizeBytes":5}]}},
{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"web"},"spec":{"containers":[{"name":"c","image":"r.example/web"}]}}]}`

// TestImageLocality: images count alike from a cluster file, from a recording and from an
// anonymised recording.
func TestImageLocality(t *testing.T) {
	config, err := schedulerconfig.Load("")
	if err != nil {
		t.Fatal(err)
	}
	file, _, err := objects.ReadObjects(bytes.NewReader([]byte(withImages)), "cluster.json")
	if err != nil {
		t.Fatal(err)
	}
	fromFile, _, err := history.Translate(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]*history.Replayable{
		"a cluster file":          fromFile,
		"a recording":             recorded(t, nil),
		"an anonymised recording": recorded(t, objects.NewAnonymizer([]byte("key"))),
	} {
		p, err := New(t.Context(), in, Options{Config: config, Now: stopped})
		if err != nil {
			t.Fatal(err)
		}
		best, err := p.Best(t.Context(), in.Templates[0])
		if err != nil || len(best) != 1 {
			t.Fatalf("%s: %d nodes are best, %v; want one", name, len(best), err)
		}
		if images := best[0].Node().Status.Images; len(images) != 1 || images[0].SizeBytes != 900000000 {
			t.Errorf("%s: the pod goes to a node with %v, want that with its image", name, images)
		}
	}
}

// recorded is withImages as a recording has it.
func recorded(t *testing.T, a *objects.Anonymizer) *history.Replayable {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	if err := list.UnmarshalJSON([]byte(withImages)); err != nil {
		t.Fatal(err)
	}
	byName := map[string]objects.Kind{}
	for _, k := range objects.NewTable().Kinds() {
		byName[k.Kind] = k
	}
	var changes []recording.Change
	for i := range list.Items {
		k := byName[list.Items[i].GetKind()]
		object, err := k.Record(&list.Items[i])
		if err == nil && a != nil {
			object, err = a.Object(object)
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, recording.Change{Type: recording.Added, At: time.Unix(0, 0), Object: text})
	}
	h, err := history.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Apply(changes); err != nil {
		t.Fatal(err)
	}
	now, _, err := h.Now(false)
	if err != nil {
		t.Fatal(err)
	}
	return now
}
