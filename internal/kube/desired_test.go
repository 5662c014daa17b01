package kube

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// templated gives a ReplicaSet the template that a Deployment's has, with one
// container of an image.
func templated(rs *appsv1.ReplicaSet, image string, day int) *appsv1.ReplicaSet {
	name, hash, _ := cutLast(rs.Name, "-")
	rs.CreationTimestamp = metav1.NewTime(time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC))
	rs.Spec.Template = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name, deploymentHash: hash}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Image: image}}},
	}
	return rs
}

// TestRecreatedController: an informer that missed the deletion of a controller says of the
// one that has its name now that it has changed.
func TestRecreatedController(t *testing.T) {
	made := func(uid types.UID, image string, day int) *appsv1.ReplicaSet {
		rs := templated(replicaSet("web-6f7d9", new(int32(2)), "2"), image, day)
		rs.UID, rs.Generation = uid, 1
		return rs
	}
	var d DesiredStates
	d.Put(made("old", "old", 1))
	d.Put(made("new", "new", 3))
	d.Put(templated(replicaSet("web-5b8c4", new(int32(5)), "5"), "other", 2))
	got := d.Of(flowgraph.WorkloadID{Namespace: "shop", Name: "web"})
	if got.Pods != 2 || got.Pod.Spec.Containers[0].Image != "new" {
		t.Errorf("%d pods of %s are wanted, want 2 of the new controller, which is the youngest", got.Pods, got.Pod.Spec.Containers[0].Image)
	}
}

func TestDesiredStates(t *testing.T) {
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	two, none := new(int32(2)), new(int32(0))
	recorded := replicaSet("web-6f7d9", two, "2")
	recorded.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{deploymentHash: "6f7d9"}}
	labelled := templated(replicaSet("canary-6f7d9", two, "2"), "new", 1)
	labelled.Spec.Template.Labels[WorkloadNameLabel] = "web"
	cases := map[string]struct {
		objects []metav1.Object
		pods    int32
		image   string
		total   int64
	}{
		"nothing":                 {},
		"a Deployment":            {objects: []metav1.Object{templated(replicaSet("web-6f7d9", two, "2"), "new", 1)}, pods: 2, image: "new", total: 2},
		"an old ReplicaSet":       {objects: []metav1.Object{templated(replicaSet("web-5b8c4", none, "9"), "old", 1), templated(replicaSet("web-6f7d9", two, "2"), "new", 2)}, pods: 2, image: "new", total: 2},
		"a newer one without any": {objects: []metav1.Object{templated(replicaSet("web-5b8c4", none, "9"), "old", 3), templated(replicaSet("web-6f7d9", two, "2"), "new", 2)}, pods: 2, image: "new", total: 2},
		"a rollout":               {objects: []metav1.Object{templated(replicaSet("web-6f7d9", two, "4"), "new", 2), templated(replicaSet("web-5b8c4", two, "3"), "old", 1)}, pods: 4, image: "new", total: 4},
		"scaled to zero":          {objects: []metav1.Object{templated(replicaSet("web-6f7d9", none, "0"), "new", 1)}},
		"a StatefulSet":           {objects: []metav1.Object{statefulSet("web", new(int32(3)))}, pods: 3, total: 3},
		"no template":             {objects: []metav1.Object{recorded}, pods: 2, total: 2},
		"name by label":           {objects: []metav1.Object{labelled}},
		"another workload":        {objects: []metav1.Object{statefulSet("db", new(int32(3)))}, total: 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var d DesiredStates
			all := totals{}
			d.Observe(all)
			for _, o := range c.objects {
				d.Put(o)
			}
			got := d.Of(web)
			if got.Pods != c.pods || all.sum() != c.total {
				t.Fatalf("%d pods of %d, want %d of %d", got.Pods, all.sum(), c.pods, c.total)
			}
			if got.Pods == 0 {
				return
			}
			image := ""
			if len(got.Pod.Spec.Containers) > 0 {
				image = got.Pod.Spec.Containers[0].Image
			}
			if image != c.image || WorkloadOf(got.Pod) != web {
				t.Errorf("a pod of %v with image %q, want %q", WorkloadOf(got.Pod), image, c.image)
			}
		})
	}
}

// totals is how many pods are wanted of each workload.
type totals map[flowgraph.WorkloadID]int32

func (t totals) DesiredChanged(id flowgraph.WorkloadID, state DesiredState) { t[id] = state.Pods }

func (t totals) sum() (n int64) {
	for _, pods := range t {
		n += int64(pods)
	}
	return n
}

// changes are the workloads that something changed for, and how many pods are wanted.
type changes []string

func (c *changes) DesiredChanged(id flowgraph.WorkloadID, state DesiredState) {
	*c = append(*c, fmt.Sprintf("%s=%d", id, state.Pods))
}

func TestDesiredStatesSayWhatChanged(t *testing.T) {
	generation := func(o metav1.Object, n int64) metav1.Object {
		o.SetGeneration(n)
		return o
	}
	steps := []struct {
		name   string
		put    metav1.Object
		delete metav1.Object
		want   string
	}{
		{name: "a Deployment", put: generation(templated(replicaSet("web-6f7d9", new(int32(2)), "2"), "new", 2), 1), want: "shop/web=2"},
		{name: "its status", put: generation(templated(replicaSet("web-6f7d9", new(int32(2)), "2"), "new", 2), 1)},
		{name: "its replicas, by the annotation", put: generation(templated(replicaSet("web-6f7d9", new(int32(2)), "5"), "new", 2), 1), want: "shop/web=5"},
		{name: "its template", put: generation(templated(replicaSet("web-6f7d9", new(int32(2)), "5"), "newer", 2), 2), want: "shop/web=5"},
		{name: "an older revision", put: templated(replicaSet("web-5b8c4", new(int32(1)), "5"), "old", 1)},
		{name: "a newer revision", put: templated(replicaSet("web-7c8d9", new(int32(1)), "6"), "newest", 3), want: "shop/web=6"},
		{name: "a revision without pods", put: templated(replicaSet("web-1a2b3", new(int32(0)), "6"), "ancient", 1)},
		{name: "the newest is rolled back", put: templated(replicaSet("web-7c8d9", new(int32(0)), "6"), "newest", 3), want: "shop/web=5"},
		{name: "the next goes", delete: templated(replicaSet("web-6f7d9", new(int32(2)), "5"), "newer", 2), want: "shop/web=5"},
		{name: "one that is not known goes", delete: templated(replicaSet("web-6f7d9", new(int32(2)), "5"), "newer", 2)},
		{name: "a StatefulSet", put: statefulSet("db", new(int32(1))), want: "shop/db=1"},
		{name: "of one name with another kind", put: templated(replicaSet("db-6f7d9", new(int32(1)), ""), "new", 1), want: "shop/db=1"},
		{name: "the StatefulSet goes", delete: statefulSet("db", new(int32(1)))},
		{name: "the last goes", delete: templated(replicaSet("web-5b8c4", new(int32(1)), "5"), "old", 1), want: "shop/web=0"},
	}
	var d DesiredStates
	var seen changes
	d.Observe(&seen)
	for _, s := range steps {
		seen = nil
		if s.put != nil {
			d.Put(s.put)
		} else {
			d.Delete(cache.DeletedFinalStateUnknown{Obj: s.delete})
		}
		if got := strings.Join(seen, " "); got != s.want {
			t.Errorf("%s: changed %q, want %q", s.name, got, s.want)
		}
	}
	late := totals{}
	d.Observe(late)
	if len(late) != 1 || late[flowgraph.WorkloadID{Namespace: "shop", Name: "db"}] != 1 {
		t.Errorf("an observer that comes late is told %v, want one pod of db", late)
	}
}

// TestDesiredStatesFollowInformers starts informers over a fake API server.
func TestDesiredStatesFollowInformers(t *testing.T) {
	synctest.Test(t, desiredStatesFollowInformers)
}

func desiredStatesFollowInformers(t *testing.T) {
	rs := templated(replicaSet("web-6f7d9", new(int32(2)), "2"), "new", 1)
	client := fake.NewClientset(rs, statefulSet("db", new(int32(3))))
	factory := informers.NewSharedInformerFactory(client, 0)
	var d DesiredStates
	apps := factory.Apps().V1()
	if err := d.Follow(apps.ReplicaSets().Informer(), apps.StatefulSets().Informer()); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	t.Cleanup(factory.Shutdown)
	factory.WaitForCacheSync(t.Context().Done())
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	check := func(what string, pods int32) {
		t.Helper()
		synctest.Wait() // until the informers have delivered everything
		if web, db := d.Of(web).Pods, d.Of(flowgraph.WorkloadID{Namespace: "shop", Name: "db"}).Pods; web != pods || db != 3 {
			t.Fatalf("%s: %d pods of web and %d of db are wanted, want %d and 3", what, web, db, pods)
		}
	}
	check("at first", 2)
	if _, err := client.AppsV1().ReplicaSets("shop").Update(t.Context(), annotated(rs.DeepCopy(), DesiredReplicasAnnotation, "4"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	check("scaled", 4)
	if err := client.AppsV1().ReplicaSets("shop").Delete(t.Context(), rs.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	check("deleted", 0)
}
