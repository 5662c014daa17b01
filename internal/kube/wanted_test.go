package kube

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

func TestDemand(t *testing.T) {
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
			var d Demand
			d.Read(newReplicas(t, c.objects...))
			got := d.Of(web)
			if got.Pods != c.pods || d.Total() != c.total {
				t.Fatalf("%d pods of %d, want %d of %d", got.Pods, d.Total(), c.pods, c.total)
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

func TestDemandSaysWhatChanged(t *testing.T) {
	web, db := templated(replicaSet("web-6f7d9", new(int32(2)), "2"), "new", 1), statefulSet("db", new(int32(1)))
	more := statefulSet("db", new(int32(2)))
	steps := []struct {
		objects []metav1.Object
		want    string
	}{
		{[]metav1.Object{web, db}, "shop/db shop/web"},
		{[]metav1.Object{web, db}, ""},
		{[]metav1.Object{web, more}, "shop/db"},
		{[]metav1.Object{more}, "shop/web"},
		{nil, "shop/db"},
	}
	var d Demand
	for i, s := range steps {
		changed := d.Read(newReplicas(t, s.objects...))
		slices.SortFunc(changed, func(a, b flowgraph.WorkloadID) int { return cmp.Compare(a.String(), b.String()) })
		var names []string
		for _, id := range changed {
			names = append(names, id.String())
		}
		if got := strings.Join(names, " "); got != s.want {
			t.Errorf("step %d: changed %q, want %q", i, got, s.want)
		}
	}
}
