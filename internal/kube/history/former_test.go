package history

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

// TestFormerControllers has a controller that was deleted and made again while its pods
// are still there.
func TestFormerControllers(t *testing.T) {
	const noWarning = ""
	const gone = " that owns a pod is gone, and another one has its name; the pod counts beside those that the other one wants: "
	set := func(uid string) string {
		return kubetest.Identified(kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2"), uid, "")
	}
	db := func(name, node, owner string) string {
		return kubetest.Identified(kubetest.Pod(name, "StatefulSet/db", node, ""), "", owner)
	}
	deployment := func(uid, owner string) string {
		return kubetest.Identified(kubetest.Object("apps/v1", "Deployment", "web", "replicas: 3"), uid, "") +
			kubetest.Identified(kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "web-h1", "replicas: 3"), "Deployment/web"), "rs", owner)
	}
	web := kubetest.Identified(kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", "pod-template-hash: h1"), "", "rs")
	cases := map[string]struct {
		input, workload, warning string
	}{
		"its own pods":                         {set("new") + db("db-0", "n1", "new"), "shop/db x2 100m 1048576 n1", noWarning},
		"pods without the owner's UID":         {set("new") + db("db-0", "n1", ""), "shop/db x2 100m 1048576 n1", noWarning},
		"a controller without a UID":           {set("") + db("db-0", "n1", "old"), "shop/db x2 100m 1048576 n1", noWarning},
		"a pod of the former":                  {set("new") + db("db-0", "n1", "old"), "shop/db x1 100m 1048576 n1", "the StatefulSet" + gone + "shop/db-0"},
		"a pod of each":                        {set("new") + db("db-0", "n1", "new") + db("db-7", "n2", "old"), "shop/db x3 100m 1048576 n1 n2", "the StatefulSet" + gone + "shop/db-7"},
		"a ReplicaSet of the Deployment":       {deployment("new", "new") + web, "shop/web x3 100m 1048576 n1", noWarning},
		"a ReplicaSet of a former Deployment":  {deployment("new", "old") + web, "shop/web x1 100m 1048576 n1", "the Deployment" + gone + "shop/web-h1-a"},
		"a Deployment that is not in the file": {strings.Replace(deployment("new", "old"), "name: web}", "name: other}", 1) + web, "shop/web x3 100m 1048576 n1", "the Deployment that owns a pod is not in the input: shop/web-h1-a"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, warnings, err := translate(t, kubetest.TwoNodes+tc.input)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.workload}, describe(r)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			found := false
			for _, w := range warnings {
				found = found || w == tc.warning
			}
			if found != (tc.warning != noWarning) || tc.warning == noWarning && len(warnings) > 0 {
				t.Errorf("warnings %q, want %q", warnings, tc.warning)
			}
		})
	}
}

// TestRecreated follows objects that are deleted and made again under the same name. A
// deletion that comes after the new one is about the old one.
func TestRecreated(t *testing.T) {
	set := func(uid, replicas string) string {
		return `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"namespace":"x","name":"db","uid":"` + uid + `"},"spec":{"replicas":` + replicas + `}}`
	}
	pod := func(uid string) string { return recordedPodText("web", "web-1-a", "n1", `,"uid":"`+uid+`"`) }
	node := func(day string) string {
		return strings.Replace(recordedNodeText("n1", "a", "1"), `"name"`, `"creationTimestamp":"2026-01-0`+day+`T00:00:00Z","name"`, 1)
	}
	const late = "an object is deleted of whose name there is another one already, which stays"
	cases := map[string]struct {
		changes  []string
		events   []string
		objects  int // changes of what plugins look up
		warnings int
	}{
		"a controller":              {[]string{"+" + set("old", "1"), "-" + set("old", "1"), "+" + set("new", "2")}, nil, 3, 0},
		"a controller, in disorder": {[]string{"+" + set("old", "1"), "+" + set("new", "2"), "-" + set("old", "1")}, nil, 2, 1},
		"a deletion without a UID":  {[]string{"+" + set("old", "1"), "-" + strings.Replace(set("", "1"), `,"uid":""`, "", 1)}, nil, 2, 0},
		"a pod, in disorder":        {[]string{"+" + pod("old"), "~" + pod("new"), "-" + pod("old")}, []string{"arrive 0.0 n0", "leave 0.0", "arrive 0.1 n0"}, 0, 3},
		"a node, in disorder":       {[]string{"+" + node("1"), "~" + node("2"), "-" + node("1")}, []string{"up n0"}, 0, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h, err := New(nil)
			if err != nil {
				t.Fatal(err)
			}
			var changes []recording.Change
			for i, text := range tc.changes {
				changes = append(changes, change(i+1, text))
			}
			got, err := h.Apply(changes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.events, told(got.Events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if len(got.Objects) != tc.objects {
				t.Errorf("%d changes of objects, want %d", len(got.Objects), tc.objects)
			}
			warnings := lines(h.Warnings())
			if len(warnings) != tc.warnings || strings.Contains(strings.Join(warnings, "\n"), late) != strings.Contains(name, "disorder") {
				t.Errorf("warnings %q, want %d", warnings, tc.warnings)
			}
		})
	}
}

// TestAnotherKindOfController: a Deployment becomes a DaemonSet of the same name.
func TestAnotherKindOfController(t *testing.T) {
	h, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	daemon := strings.NewReplacer("ReplicaSet", "DaemonSet", `"name":"web-1",`, `"name":"web",`).Replace(recordedPodText("web", "web-b", "n1", ""))
	if _, err := h.Apply([]recording.Change{change(1, "+"+recordedNodeText("n1", "a", "1")), change(2, "+"+recordedPodText("web", "web-1-a", "n1", "")), change(3, "+"+daemon)}); err != nil {
		t.Fatal(err)
	}
	if got := lines(h.Warnings()); len(got) != 1 || !strings.Contains(got[0], "another kind than before") || len(h.Replayable().Templates) != 1 {
		t.Errorf("warnings %q, %d workloads", got, len(h.Replayable().Templates))
	}
}
