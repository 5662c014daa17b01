package kube

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/tools/cache"
)

// newReplicas returns Replicas over listers that hold the given objects.
func newReplicas(t *testing.T, objects ...metav1.Object) Replicas {
	t.Helper()
	byNamespace := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	replicaSets := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	statefulSets := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	for _, o := range objects {
		into := replicaSets
		if _, ok := o.(*appsv1.StatefulSet); ok {
			into = statefulSets
		}
		if err := into.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return Replicas{
		ReplicaSets:  appslisters.NewReplicaSetLister(replicaSets),
		StatefulSets: appslisters.NewStatefulSetLister(statefulSets),
	}
}

// replicaSet is shop/name; annotation "" is none.
func replicaSet(name string, replicas *int32, annotation string) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       appsv1.ReplicaSetSpec{Replicas: replicas},
	}
	if annotation != "" {
		rs.Annotations = map[string]string{"deployment.kubernetes.io/desired-replicas": annotation}
	}
	return rs
}

// rolloutSet is a ReplicaSet as Argo Rollouts makes them
// (argo-rollouts/rollout/sync.go, createDesiredReplicaSet): of a Rollout, with
// the Rollout's replicas in an annotation of Argo's own.
func rolloutSet(name string, replicas int32, annotation string) *appsv1.ReplicaSet {
	rs := replicaSet(name, &replicas, "")
	rs.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web", Controller: new(true),
	}}
	if annotation != "" {
		annotated(rs, "rollout.argoproj.io/desired-replicas", annotation)
	}
	return rs
}

// named gives a pod the name of a workload in Istio's telemetry.
func named(pod *corev1.Pod, workload string) *corev1.Pod {
	metav1.SetMetaDataLabel(&pod.ObjectMeta, "service.istio.io/workload-name", workload)
	return pod
}

func annotated(rs *appsv1.ReplicaSet, key, value string) *appsv1.ReplicaSet {
	metav1.SetMetaDataAnnotation(&rs.ObjectMeta, key, value)
	return rs
}

func statefulSet(name string, replicas *int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       appsv1.StatefulSetSpec{Replicas: replicas},
	}
}

func TestDesired(t *testing.T) {
	deploymentPod := func(owner, hash string) *corev1.Pod {
		return ownedPod("ReplicaSet", owner, map[string]string{deploymentHash: hash})
	}
	rolloutPod := func(owner, hash string) *corev1.Pod {
		return ownedPod("ReplicaSet", owner, map[string]string{rolloutHash: hash})
	}
	elsewhere := replicaSet("web-6f7d9", new(int32(5)), "")
	elsewhere.Namespace = "other"

	cases := map[string]struct {
		objects []metav1.Object
		pod     *corev1.Pod
		want    int32
		wantOK  bool
	}{
		"Deployment at rest": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(3)), "3")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 3, wantOK: true,
		},
		"rollout, a pod of the new template": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(8)), "10"), replicaSet("web-5b8c4", new(int32(5)), "10")},
			pod:     deploymentPod("web-5b8c4", "5b8c4"), want: 10, wantOK: true,
		},
		"rollout, a pod of the old template": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(8)), "10"), replicaSet("web-5b8c4", new(int32(5)), "10")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 10, wantOK: true,
		},
		"Deployment scaled to nothing": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(1)), "0")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 0, wantOK: true,
		},
		"annotation that is no number": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(3)), "ten")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 3, wantOK: true,
		},
		"annotation that is negative": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(3)), "-2")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 3, wantOK: true,
		},
		"annotation beyond 32 bits": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(3)), "4294967297")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 3, wantOK: true,
		},
		"Argo Rollout that has not noted its replicas": {
			objects: []metav1.Object{rolloutSet("web-6f7d9", 4, "")},
			pod:     rolloutPod("web-6f7d9", "6f7d9"), want: 4, wantOK: true,
		},
		"canary of an Argo Rollout, a canary pod": {
			objects: []metav1.Object{rolloutSet("web-6f7d9", 9, "10"), rolloutSet("web-5b8c4", 1, "10")},
			pod:     rolloutPod("web-5b8c4", "5b8c4"), want: 10, wantOK: true,
		},
		"canary of an Argo Rollout, a stable pod": {
			objects: []metav1.Object{rolloutSet("web-6f7d9", 9, "10"), rolloutSet("web-5b8c4", 1, "10")},
			pod:     rolloutPod("web-6f7d9", "6f7d9"), want: 10, wantOK: true,
		},
		"Argo Rollout that was just created": {
			objects: []metav1.Object{rolloutSet("web-6f7d9", 0, "4")},
			pod:     rolloutPod("web-6f7d9", "6f7d9"), want: 4, wantOK: true,
		},
		"Argo Rollout with a Deployment's annotation": {
			objects: []metav1.Object{annotated(rolloutSet("web-6f7d9", 9, "10"), "deployment.kubernetes.io/desired-replicas", "3")},
			pod:     rolloutPod("web-6f7d9", "6f7d9"), want: 10, wantOK: true,
		},
		"Deployment with an Argo Rollout's annotation": {
			objects: []metav1.Object{annotated(replicaSet("web-6f7d9", new(int32(8)), "10"), "rollout.argoproj.io/desired-replicas", "3")},
			pod:     deploymentPod("web-6f7d9", "6f7d9"), want: 10, wantOK: true,
		},
		"ReplicaSet of its own": {
			objects: []metav1.Object{replicaSet("web", new(int32(2)), "")},
			pod:     ownedPod("ReplicaSet", "web", nil), want: 2, wantOK: true,
		},
		"ReplicaSet without replicas": {
			objects: []metav1.Object{replicaSet("web", nil, "")},
			pod:     ownedPod("ReplicaSet", "web", nil), want: 1, wantOK: true,
		},
		"StatefulSet": {
			objects: []metav1.Object{statefulSet("db", new(int32(3)))},
			pod:     ownedPod("StatefulSet", "db", nil), want: 3, wantOK: true,
		},
		"StatefulSet without replicas": {
			objects: []metav1.Object{statefulSet("db", nil)},
			pod:     ownedPod("StatefulSet", "db", nil), want: 1, wantOK: true,
		},
		"template that the listers do not know": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(3)), "3")},
			pod:     deploymentPod("web-5b8c4", "5b8c4"),
		},
		"namesake in another namespace": {
			objects: []metav1.Object{elsewhere},
			pod:     deploymentPod("web-6f7d9", "6f7d9"),
		},
		"name by label of a controller that has it": {
			objects: []metav1.Object{replicaSet("web-6f7d9", new(int32(8)), "10")},
			pod:     named(deploymentPod("web-6f7d9", "6f7d9"), "web"), want: 10, wantOK: true,
		},
		// There may be other controllers whose pods have the same label.
		"name by label": {
			objects: []metav1.Object{replicaSet("canary-6f7d9", new(int32(1)), "1"), replicaSet("stable-5b8c4", new(int32(9)), "9")},
			pod:     named(deploymentPod("canary-6f7d9", "6f7d9"), "web"),
		},
		"name by label, that of another controller": {
			objects: []metav1.Object{statefulSet("db", new(int32(3))), replicaSet("web-6f7d9", new(int32(8)), "10")},
			pod:     named(deploymentPod("web-6f7d9", "6f7d9"), "db"),
		},
		"both hashes, that of the Rollout counts": {
			objects: []metav1.Object{rolloutSet("web-6f7d9", 9, "10")},
			pod:     ownedPod("ReplicaSet", "web-6f7d9", map[string]string{deploymentHash: "5b8c4", rolloutHash: "6f7d9"}), want: 10, wantOK: true,
		},
		"DaemonSet with the name of a StatefulSet": {
			objects: []metav1.Object{statefulSet("agent", new(int32(3)))},
			pod:     ownedPod("DaemonSet", "agent", nil),
		},
		"bare pod with the name of a StatefulSet": {
			objects: []metav1.Object{statefulSet("pod", new(int32(3)))},
			pod:     &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pod"}},
		},
		"DaemonSet":         {pod: ownedPod("DaemonSet", "agent", nil)},
		"CronJob":           {pod: ownedPod("Job", "import-29123456", nil)},
		"bare pod":          {pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pod"}}},
		"nothing is listed": {pod: deploymentPod("web-6f7d9", "6f7d9")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := newReplicas(t, tc.objects...).Desired(WorkloadOf(tc.pod), tc.pod)
			if got != tc.want || ok != tc.wantOK {
				t.Errorf("Desired = %d, %v, want %d, %v", got, ok, tc.want, tc.wantOK)
			}
		})
	}
}

// TestDesiredOfAFormerController: the listers have the later one of its name.
func TestDesiredOfAFormerController(t *testing.T) {
	rs, set := replicaSet("web-6f7d9", new(int32(2)), "2"), statefulSet("db", new(int32(3)))
	rs.UID, set.UID = "new", "new"
	replicas := newReplicas(t, rs, set)
	for _, owner := range []metav1.OwnerReference{{Kind: "ReplicaSet", Name: rs.Name}, {Kind: "StatefulSet", Name: set.Name}} {
		for uid, want := range map[types.UID]bool{"new": true, "": true, "old": false} {
			owner.APIVersion, owner.UID, owner.Controller = "apps/v1", uid, new(true)
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", Labels: map[string]string{"pod-template-hash": "6f7d9"}, OwnerReferences: []metav1.OwnerReference{owner}}}
			if _, ok := replicas.Desired(WorkloadOf(pod), pod); ok != want {
				t.Errorf("%s with the UID %q: known is %v, want %v", owner.Kind, uid, ok, want)
			}
		}
	}
}
