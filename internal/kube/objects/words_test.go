package objects

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

func anonymizedAs[T runtime.Object](t *testing.T, object T) T {
	t.Helper()
	renamed, err := NewAnonymizer([]byte("key")).Object(object)
	if err != nil {
		t.Fatal(err)
	}
	return renamed.(T)
}

// What a replay reads stays; a number of one's own, or a word that is near one of
// Kubernetes', does not.
func TestAnonymizedWords(t *testing.T) {
	kept := "kept"
	cases := map[string]struct{ key, value, want string }{
		"distribution":             {"networking.istio.io/traffic-distribution", "PreferClose", kept},
		"distribution, other case": {"networking.istio.io/traffic-distribution", "prefersamenode", "PreferSameNode"},
		"no distribution":          {"networking.istio.io/traffic-distribution", "PreferShop", unknownWord},
		"empty":                    {"networking.istio.io/traffic-distribution", "", kept},
		"no rules":                 {"vicinity.dev/destination-rules", "Ignore", kept},
		"no rules, other case":     {"vicinity.dev/destination-rules", "ignore", unknownWord},
		"topology mode":            {"service.kubernetes.io/topology-mode", "Auto", kept},
		"replicas":                 {"deployment.kubernetes.io/desired-replicas", "12", kept},
		"replicas, padded":         {"deployment.kubernetes.io/desired-replicas", "+0012", "12"},
		"replicas, a word":         {"rollout.argoproj.io/desired-replicas", "12 shop", unknownWord},
		"mirror pod":               {"kubernetes.io/config.mirror", "5f2c", unknownWord},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.want == kept {
				tc.want = tc.value
			}
			service := anonymizedAs(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "db", Annotations: map[string]string{tc.key: tc.value}}})
			if got := service.Annotations[tc.key]; got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAnonymizedLabels(t *testing.T) {
	labels := map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "shop", "cores": "64", "shop.kubernetes.io/tier": "true", "app": "web"}
	node := anonymizedAs(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: labels}})
	a := NewAnonymizer([]byte("key"))
	want := map[string]string{
		"kubernetes.io/os": "linux", "kubernetes.io/arch": a.hash("v", "shop"), a.hash("k", "cores"): "64",
		"anonymized.vicinity.dev/" + a.hash("k", "shop.kubernetes.io/tier"): "true", a.hash("k", "app"): a.hash("v", "web"),
	}
	if diff := cmp.Diff(want, node.Labels); diff != "" {
		t.Errorf("of a node (-want +got):\n%s", diff)
	}
	service := anonymizedAs(t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "db", Labels: labels}})
	want[a.hash("k", "cores")] = a.hash("v", "64")
	if diff := cmp.Diff(want, service.Labels); diff != "" {
		t.Errorf("of a Service (-want +got):\n%s", diff)
	}
	pod := anonymizedAs(t, &corev1.Pod{Spec: corev1.PodSpec{NodeSelector: labels}})
	if diff := cmp.Diff(node.Labels, pod.Spec.NodeSelector); diff != "" {
		t.Errorf("a selector finds its node no more (-node +selector):\n%s", diff)
	}
}

func TestAnonymizedResources(t *testing.T) {
	list := corev1.ResourceList{}
	for _, name := range []string{"cpu", "memory", "pods", "hugepages-2Mi", "hugepages-shop", "hugepages-1e-999999999", "hugepages-Mi", "attachable-volumes-shop", "shop.example/gpu", "shop"} {
		list[corev1.ResourceName(name)] = resource.MustParse("1")
	}
	node := anonymizedAs(t, &corev1.Node{Status: corev1.NodeStatus{Allocatable: list}})
	a := NewAnonymizer([]byte("key"))
	want := []string{
		"cpu", "memory", "pods", "hugepages-2Mi", "hugepages-" + a.hash("k", "shop"), "hugepages-" + a.hash("k", "1e-999999999"), "hugepages-" + a.hash("k", "Mi"), "attachable-volumes-" + a.hash("k", "shop"),
		"anonymized.vicinity.dev/" + a.hash("k", "shop.example/gpu"), a.hash("k", "shop"),
	}
	slices.Sort(want)
	var got []string
	for _, name := range slices.Sorted(maps.Keys(node.Status.Allocatable)) {
		got = append(got, string(name))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnonymizedPercentages(t *testing.T) {
	for text, want := range map[string]string{"50%": "50%", "shop%": unknownWord, "50": unknownWord, "-5%": unknownWord} {
		budget := anonymizedAs(t, &policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromString(text))}})
		if got := budget.Spec.MinAvailable.StrVal; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// An operator may call its kind as Kubernetes does, and version names may be anything: the
// pods are of the same workload with other names.
func TestAnonymizedOwners(t *testing.T) {
	cases := map[string]struct{ version, kind, name, wantVersion string }{
		"Kubernetes":        {"batch/v1", "Job", "nightly-28000000", "batch/v1"},
		"an operator's Job": {"batch.volcano.sh/v1alpha1", "Job", "nightly-28000000", "anonymized.vicinity.dev/v1"},
		"another version":   {"batch/shop", "Job", "nightly-28000000", "anonymized.vicinity.dev/v1"},
		"an operator":       {"shop.example/v1", "Shop", "nightly", "anonymized.vicinity.dev/v1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: tc.name + "-x", GenerateName: tc.name + "-",
				OwnerReferences: []metav1.OwnerReference{{APIVersion: tc.version, Kind: tc.kind, Name: tc.name, Controller: new(true)}},
			}}
			renamed := anonymizedAs(t, pod)
			if got := renamed.OwnerReferences[0].APIVersion; got != tc.wantVersion {
				t.Errorf("version %s, want %s", got, tc.wantVersion)
			}
			want := NewAnonymizer([]byte("key")).Workload(kube.WorkloadOf(pod))
			if got := kube.WorkloadOf(renamed); got != want {
				t.Errorf("the pod is of %s, want %s", fmt.Sprint(got), want)
			}
		})
	}
}
