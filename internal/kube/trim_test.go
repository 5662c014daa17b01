package kube_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

var _ cache.TransformFunc = kube.Trim

// paths returns where in an object there are texts.
func paths(object any) []string {
	var found []string
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if v.String() != "" {
				found = append(found, v.String())
			}
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		}
	}
	walk(reflect.ValueOf(object))
	slices.Sort(found)
	return slices.Compact(found)
}

// TestTrim fills every field, whatever a later Kubernetes adds: all but what is named here
// is still there. A field that is added must not be read by a plugin of kube-scheduler.
func TestTrim(t *testing.T) {
	container := []string{
		"command", "args", "workingDir", "env", "envFrom", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
		"terminationMessagePath", "terminationMessagePolicy",
	}
	gone := func(path string) bool {
		_, path, _ = strings.Cut(path, ".") // the kind
		for _, list := range []string{".containers.", ".initContainers."} {
			if _, field, ok := strings.Cut(path, list); ok {
				field, _, _ = strings.Cut(field, ".")
				return slices.Contains(container, strings.TrimSuffix(field, "{}"))
			}
		}
		return strings.HasPrefix(path, "metadata.managedFields") || strings.HasPrefix(path, "spec.volumeClaimTemplates")
	}
	for kind, object := range map[string]runtime.Object{
		"Pod": &corev1.Pod{}, "ReplicaSet": &appsv1.ReplicaSet{}, "StatefulSet": &appsv1.StatefulSet{}, "Node": &corev1.Node{}, "Service": &corev1.Service{},
	} {
		kubetest.Fill(reflect.ValueOf(object).Elem(), kind, 18, func(path string) string { return path })
		want := slices.DeleteFunc(paths(object), gone)
		if len(want) < 20 {
			t.Errorf("%s has %d texts at first", kind, len(want))
		}
		trimmed, err := kube.Trim(object)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths(trimmed); !slices.Equal(got, want) {
			t.Errorf("%s: %v are missing, %v should be", kind, without(want, got), without(got, want))
		}
	}
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// TestTrimFormerReplicaSets: what a Deployment keeps to roll back to wants no pods, and says
// no more than which pods it selects.
func TestTrimFormerReplicaSets(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas *int32
		want     bool
	}{"by default one": {nil, true}, "some": {new(int32(3)), true}, "none": {new(int32(0)), false}} {
		rs := &appsv1.ReplicaSet{}
		kubetest.Fill(reflect.ValueOf(rs).Elem(), "ReplicaSet", 18, func(path string) string { return path })
		rs.Spec.Replicas = tc.replicas
		if _, err := kube.Trim(rs); err != nil {
			t.Fatal(err)
		}
		if got := len(rs.Spec.Template.Spec.Containers) > 0; got != tc.want || len(rs.Spec.Template.Labels) == 0 || rs.Spec.Selector == nil {
			t.Errorf("%s: %+v is left of the spec, labels %v", name, rs.Spec.Template.Spec, rs.Spec.Template.Labels)
		}
	}
}

// TestTrimmedAmounts: a container that was resized has amounts of its own, and what is equal
// stays equal.
func TestTrimmedAmounts(t *testing.T) {
	list := func(cpu string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("1Gi")}
	}
	pod := &corev1.Pod{}
	for _, name := range []string{"same", "resized"} {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: name, Resources: corev1.ResourceRequirements{Requests: list("100m"), Limits: list("1")},
		})
	}
	for name, cpu := range map[string]string{"same": "100m", "resized": "200m", "gone": "100m"} {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: name, AllocatedResources: list(cpu), Resources: &corev1.ResourceRequirements{Requests: list(cpu), Limits: list("1")},
		})
	}
	want := pod.DeepCopy()
	if _, err := kube.Trim(pod); err != nil {
		t.Fatal(err)
	}
	if !equality.Semantic.DeepEqual(pod, want) {
		t.Errorf("the pod is %+v, want %+v", pod, want)
	}
	for _, status := range pod.Status.ContainerStatuses {
		shared := reflect.ValueOf(status.AllocatedResources).Pointer() == reflect.ValueOf(pod.Spec.Containers[0].Resources.Requests).Pointer()
		if shared != (status.Name == "same") {
			t.Errorf("%s shares its amounts: %v", status.Name, shared)
		}
	}
}

func TestTrimAnnotationsAndTombstones(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}", "a": "b"}
	if _, err := kube.Trim(pod); err != nil || len(pod.Annotations) != 1 || pod.Annotations["a"] != "b" {
		t.Errorf("annotations %v, %v", pod.Annotations, err)
	}
	tombstone := cache.DeletedFinalStateUnknown{Key: "shop/web"}
	if got, err := kube.Trim(tombstone); err != nil || got != any(tombstone) {
		t.Errorf("a tombstone becomes %v, %v", got, err)
	}
}
