package history

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// TestMoment follows random changes. A file of what is there at any moment gives the same
// cluster as the recording that has just reached this moment, and the events leave the
// pods that are there.
func TestMoment(t *testing.T) {
	replayed := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		h, err := New(nil)
		if err != nil {
			t.Fatal(err)
		}
		h.SetScale(locality.Scale{{Key: "topology.kubernetes.io/zone"}})
		there, pods := map[string]string{}, map[sim.Pod]bool{}
		for line := range 200 {
			key, text := randomObject(rng)
			kind := []string{"+", "~", "-"}[rng.IntN(3)]
			if kind == "-" {
				if was, known := there[key]; known {
					text = was
				}
				delete(there, key)
			} else {
				there[key] = text
			}
			got, err := h.Apply([]recording.Change{change(line+1, kind+text)})
			if err != nil {
				t.Fatal(err)
			}
			follow(t, pods, got.Events)
			if line%20 == 19 && sameMoment(t, h, fileOf(rng, there)) {
				replayed++
			}
		}
		peers := 0
		for _, text := range there {
			if strings.Contains(text, `"kind":"Pod"`) && !strings.Contains(text, "deletionTimestamp") && !strings.Contains(text, "Succeeded") {
				peers++
			}
		}
		if len(pods) != peers {
			t.Errorf("seed %d: %d pods have arrived and not left, want %d", seed, len(pods), peers)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, slices.Sorted(maps.Values(there)))
		}
	}
	if replayed < 400 {
		t.Errorf("%d of 600 moments make a cluster, want 400", replayed)
	}
}

// follow takes events over into the pods that are there.
func follow(t *testing.T, pods map[sim.Pod]bool, events []sim.Event) {
	t.Helper()
	for _, e := range events {
		switch {
		case e.Kind == sim.NodeUp || e.Kind == sim.NodeDown:
		case pods[e.Pod] == (e.Kind == sim.Arrive):
			t.Fatalf("%v of a pod that is there: %v", e, pods[e.Pod])
		case e.Kind == sim.Leave:
			delete(pods, e.Pod)
		default:
			pods[e.Pod] = true
		}
	}
}

// fileOf writes objects as kubectl does, but in a random order.
func fileOf(rng *rand.Rand, there map[string]string) string {
	all := slices.Sorted(maps.Values(there))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return `{"apiVersion":"v1","kind":"List","items":[` + strings.Join(all, ",") + `]}`
}

// sameMoment compares a History with a file of what is there, and reports whether there is
// a cluster.
func sameMoment(t *testing.T, h *History, file string) bool {
	t.Helper()
	o, _, err := objects.ReadObjects(strings.NewReader(file), "f")
	if err != nil {
		t.Fatal(err)
	}
	want, wantWarnings, wantErr := momentOf(o, h.all.Cluster.Scale)
	got, warnings, err := h.Now(false)
	if err != nil || wantErr != nil {
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("error %v, of the file %v", err, wantErr)
		}
		return false
	}
	for what, diff := range map[string]string{
		"cluster": cmp.Diff(want.Cluster, got.Cluster), "templates": cmp.Diff(want.Templates, got.Templates),
		"nodes": cmp.Diff(want.Nodes, got.Nodes), "objects": cmp.Diff(want.Objects, got.Objects),
		"warnings": cmp.Diff(lines(wantWarnings), lines(warnings)),
	} {
		if diff != "" {
			t.Errorf("%s (-file +recording):\n%s", what, diff)
		}
	}
	along := h.Replayable()
	for i, is := range want.Cluster.Workloads {
		at := h.workloads[is.ID]
		w := along.Cluster.Workloads[at]
		w.Replicas = is.Replicas // over time every pod that arrives counts
		if diff := cmp.Diff(is, w); diff != "" {
			t.Errorf("%s (-file +along the recording):\n%s", is.ID, diff)
		}
		if diff := cmp.Diff(want.Templates[i], along.Templates[at]); diff != "" {
			t.Errorf("template of %s (-file +along the recording):\n%s", is.ID, diff)
		}
	}
	for _, n := range want.Cluster.Nodes {
		if diff := cmp.Diff(n, along.Cluster.Nodes[h.nodes[n.Node]]); diff != "" {
			t.Errorf("node %s (-file +along the recording):\n%s", n.Node, diff)
		}
	}
	return true
}

// randomObject is one of a small cluster under way, and a key that is its own: its pods
// are of several revisions and ages, on nodes that may not be there.
func randomObject(rng *rand.Rand) (key, text string) {
	one := func(of ...string) string { return of[rng.IntN(len(of))] }
	app := one("app0", "app1", "app2")
	switch rng.IntN(8) {
	case 0, 1:
		name := one("n0", "n1", "n2", "n10")
		ready := `"status":{"conditions":[{"type":"Ready","status":"` + one("True", "True", "False") + `"}],`
		return "node/" + name, strings.Replace(recordedNodeText(name, one("a", "b"), one("4", "4", "0")), `"status":{`, ready, 1)
	case 2:
		return "service/" + app, serviceText(app, one("PreferSameZone", "PreferSameNode", ""))
	case 3:
		return "set/" + app, fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"namespace":"x","name":"%s-1","uid":%q},"spec":{"replicas":%d}}`, app, one("", "old", "new"), rng.IntN(4))
	}
	name := app + one("-1-a", "-1-b", "-1-c", "-1-10")
	pod := recordedPodText(app, name, one("", "n0", "n1", "n2", "n9"), one("", `,"creationTimestamp":"2026-01-01T00:00:00Z"`, `,"creationTimestamp":"2026-01-02T00:00:00Z"`))
	pod = strings.Replace(pod, "100m", one("100m", "200m"), 1)
	pod = strings.Replace(pod, `"app":"`+app, `"app":"`+one(app, app, "app0"), 1)
	pod = strings.Replace(pod, `"controller":true`, one(`"controller":true`, `"controller":true,"uid":"old"`), 1)
	switch rng.IntN(9) {
	case 0:
		name, pod = "bare", strings.NewReplacer(`"controller":true`, `"controller":false`, name, "bare").Replace(pod)
	case 1:
		name = strings.Replace(name, app, "agent", 1)
		pod = strings.NewReplacer(app+"-1-", "agent-1-", `"ReplicaSet"`, `"DaemonSet"`, `"name":"`+app+`-1"`, `"name":"agent"`).Replace(pod)
	case 2:
		pod = strings.Replace(pod, `"namespace"`, `"deletionTimestamp":"2026-01-03T00:00:00Z","namespace"`, 1)
	case 3:
		pod = strings.TrimSuffix(pod, "}") + `,"status":{"phase":"Succeeded"}}`
	case 4, 5:
		pod = withReady(pod, one("True", "False"))
	}
	return "pod/" + name, pod
}

// TestNodeWarnings has the same warnings of a file and along a recording.
func TestNodeWarnings(t *testing.T) {
	whole := recordedNodeText("n0", "a", "1")
	for text, want := range map[string]string{
		whole:                            "",
		recordedNodeText("n0", "a", "0"): "a node has no allocatable cpu, memory or pods; no pod is placed there",
		strings.Replace(whole, "topology", "failure-domain.beta", 1): "a node has its zone in the label failure-domain.beta.kubernetes.io/zone, which is not read; label it with topology.kubernetes.io/zone",
	} {
		h, err := New(nil)
		if err != nil {
			t.Fatal(err)
		}
		pod := recordedPodText("web", "web-1-a", "n0", "")
		if _, err := h.Apply([]recording.Change{change(1, "+"+text), change(2, "+"+pod)}); err != nil {
			t.Fatal(err)
		}
		_, ofFile, err := translate(t, text+pod)
		if err != nil {
			t.Fatal(err)
		}
		for input, got := range map[string][]string{"file": ofFile, "recording": lines(h.Warnings())} {
			if all := strings.Join(got, "\n"); strings.Contains(all, "a node") != (want != "") || !strings.Contains(all, want) {
				t.Errorf("%s: warnings %q, want %q", input, got, want)
			}
		}
	}
}
