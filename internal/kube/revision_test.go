package kube

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func TestRevisionOf(t *testing.T) {
	hash := map[string]string{deploymentHash: "6f7d9"}
	cases := map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"of a Deployment":       {ownedPod("ReplicaSet", "web-6f7d9", hash), "web-6f7d9"},
		"of an Argo Rollout":    {ownedPod("ReplicaSet", "web-6f7d9", map[string]string{rolloutHash: "6f7d9"}), "web-6f7d9"},
		"of a StatefulSet":      {ownedPod("StatefulSet", "db", nil), ""},
		"of nobody":             {&corev1.Pod{}, ""},
		"of several by a label": {ownedPod("ReplicaSet", "web-6f7d9", map[string]string{deploymentHash: "6f7d9", WorkloadNameLabel: "store"}), ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if got := RevisionOf(test.pod); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestNextPod has the hash replaced wherever the API server or a controller writes it.
func TestNextPod(t *testing.T) {
	const before = `
metadata:
  namespace: shop
  labels: {app: web, pod-template-hash: 6f7d9}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-6f7d9, uid: u1, controller: true}]
spec:
  containers: null
  topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: zone
    whenUnsatisfiable: DoNotSchedule
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {app: web}
      matchExpressions: [{key: pod-template-hash, operator: In, values: [6f7d9]}]
  - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway}
  affinity:
    podAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 1
        podAffinityTerm: {topologyKey: zone, labelSelector: {matchExpressions: [{key: version, operator: In, values: [6f7d9]}]}}
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: node
        labelSelector: {matchLabels: {pod-template-hash: 6f7d9}}
status: {}
`
	const after = `
metadata:
  namespace: shop
  labels: {app: web, pod-template-hash: 6f7d9-next}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-6f7d9-next, uid: u1-next, controller: true}]
spec:
  containers: null
  topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: zone
    whenUnsatisfiable: DoNotSchedule
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {app: web}
      matchExpressions: [{key: pod-template-hash, operator: In, values: [6f7d9-next]}]
  - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway}
  affinity:
    podAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 1
        podAffinityTerm: {topologyKey: zone, labelSelector: {matchExpressions: [{key: version, operator: In, values: [6f7d9]}]}}
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: node
        labelSelector: {matchLabels: {pod-template-hash: 6f7d9-next}}
status: {}
`
	pod, want := read[corev1.Pod](t, before), read[corev1.Pod](t, after)
	got := NextPod(pod)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the next pod (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(read[corev1.Pod](t, before), pod); diff != "" {
		t.Errorf("the pod was written to (-before +after):\n%s", diff)
	}
	if WorkloadOf(got) != WorkloadOf(pod) || RevisionOf(got) == RevisionOf(pod) {
		t.Errorf("it is of %s, revision %s; before of %s, revision %s", WorkloadOf(got), RevisionOf(got), WorkloadOf(pod), RevisionOf(pod))
	}
}

// TestNoNextPod has pods that a rollout makes anew under the same controller.
func TestNoNextPod(t *testing.T) {
	for name, pod := range map[string]*corev1.Pod{
		"of a StatefulSet":           ownedPod("StatefulSet", "db", map[string]string{"controller-revision-hash": "db-6f7d9"}),
		"of a ReplicaSet of its own": ownedPod("ReplicaSet", "web-6f7d9", nil),
		"of nobody":                  {ObjectMeta: metav1.ObjectMeta{Name: "web"}},
	} {
		if NextPod(pod) != pod {
			t.Errorf("%s: the next pod is another one", name)
		}
	}
}

func TestNextReplicaSet(t *testing.T) {
	const before = `
metadata:
  namespace: shop
  name: web-6f7d9
  uid: u1
  creationTimestamp: "2026-03-01T12:00:00Z"
  annotations: {deployment.kubernetes.io/desired-replicas: "4"}
spec:
  replicas: 3
  selector: {matchLabels: {app: web, pod-template-hash: 6f7d9}}
  template:
    metadata: {labels: {app: web, pod-template-hash: 6f7d9}}
    spec:
      containers: null
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: zone
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: {matchLabels: {pod-template-hash: 6f7d9}}
`
	rs, want := read[appsv1.ReplicaSet](t, before), read[appsv1.ReplicaSet](t, before)
	want.Name, want.UID, want.CreationTimestamp = "web-6f7d9-next", "u1-next", metav1.NewTime(want.CreationTimestamp.Add(time.Second))
	for _, labels := range []map[string]string{
		want.Spec.Selector.MatchLabels, want.Spec.Template.Labels,
		want.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		labels[deploymentHash] = "6f7d9-next"
	}
	if diff := cmp.Diff(want, NextReplicaSet(rs)); diff != "" {
		t.Errorf("the next ReplicaSet (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(read[appsv1.ReplicaSet](t, before), rs); diff != "" {
		t.Errorf("the ReplicaSet was written to (-before +after):\n%s", diff)
	}
	for name, alone := range map[string]*appsv1.ReplicaSet{
		"without a selector": {ObjectMeta: metav1.ObjectMeta{Name: "web-6f7d9"}},
		"of its own":         {ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}},
	} {
		if next := NextReplicaSet(alone); next != nil {
			t.Errorf("a ReplicaSet %s has the next one %s", name, next.Name)
		}
	}
}

func read[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	return object
}
