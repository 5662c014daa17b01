package integration

import (
	"bytes"
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/manifests"
)

// TestSchedulerNamePolicy applies the example, and creates pods in a namespace with the label and
// in one without.
func TestSchedulerNamePolicy(t *testing.T) {
	s := newScene(t)
	data, err := manifests.Examples.ReadFile("examples/scheduler-name-policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(s.cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	resources := map[string]string{"MutatingAdmissionPolicy": "mutatingadmissionpolicies", "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings"}
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			t.Fatal(err)
		}
		resource := client.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: resources[object.GetKind()]})
		if _, err := resource.Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := resource.Delete(context.WithoutCancel(t.Context()), object.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	labelled, other := s.newApp(t), s.newApp(t)
	namespace, err := s.client.CoreV1().Namespaces().Get(t.Context(), labelled.namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	namespace.Labels["vicinity.dev/scheduler"] = "vicinity"
	if _, err := s.client.CoreV1().Namespaces().Update(t.Context(), namespace, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	// given is the scheduler of a pod that asks for one.
	given := func(a *app, asks string, owner []metav1.OwnerReference) (string, error) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", OwnerReferences: owner}, Spec: workload{scheduler: asks}.podSpec()}
		made, err := s.client.CoreV1().Pods(a.namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return "", err
		}
		return made.Spec.SchedulerName, nil
	}
	eventually(t, "the policy acts", func() error {
		got, err := given(labelled, "", nil)
		if err == nil {
			err = want("the scheduler of a pod that asks for none", got, "vicinity")
		}
		return err
	})
	daemon := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent", UID: "1", Controller: new(true)}}
	for what, test := range map[string]struct {
		app   *app
		asks  string
		owner []metav1.OwnerReference
		want  string
	}{
		"another scheduler is asked for": {labelled, "special", nil, "special"},
		"the namespace has no label":     {other, "", nil, "default-scheduler"},
		"the pod is one of a DaemonSet":  {labelled, "", daemon, "default-scheduler"},
		"the default one is asked for":   {labelled, "default-scheduler", nil, "vicinity"},
	} {
		if got, err := given(test.app, test.asks, test.owner); err != nil || got != test.want {
			t.Errorf("%s: the pod has %q, want %q: %v", what, got, test.want, err)
		}
	}
}
