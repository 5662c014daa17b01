package integration

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestOwnPermissions: with rbac.create=false the chart uses the permissions that somebody else
// has given, under the names of manifests/base too.
func TestOwnPermissions(t *testing.T) {
	h := newHelmed(t)
	a := h.newApp(t)
	if _, err := h.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, object := range h.base(t) {
		if !strings.Contains(object.GetKind(), "Role") {
			continue
		}
		if _, err := object.into.Apply(t.Context(), object.GetName(), object.Unstructured, metav1.ApplyOptions{FieldManager: "test"}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := object.into.Delete(context.WithoutCancel(t.Context()), object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		})
	}
	h.install(t, "--set", "rbac.create=false")
	h.schedules(t, a, "pod", "vicinity")
}
