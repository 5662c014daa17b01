package objects

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// TestChoicesAreRecorded: what a scheduler reads of whether traffic counts is in a recording, and of
// other values no word where names are renamed.
func TestChoicesAreRecorded(t *testing.T) {
	meta := func(value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{kube.LocalityAnnotation: value}}
	}
	for value, wantRenamed := range map[string]string{"on": "on", "off": "off", "secret": unknownWord} {
		for _, object := range []runtime.Object{
			&corev1.Pod{ObjectMeta: meta(value)}, &corev1.Namespace{ObjectMeta: meta(value)},
			&appsv1.ReplicaSet{ObjectMeta: meta(value)}, &appsv1.StatefulSet{ObjectMeta: meta(value)},
		} {
			kept := NewTable().KindOf(object).keep(object)
			if got := kept.(metav1.Object).GetAnnotations()[kube.LocalityAnnotation]; got != value {
				t.Errorf("%T: %q is recorded as %q", object, value, got)
			}
			renamed, err := NewAnonymizer([]byte("key")).Object(kept)
			if err != nil {
				t.Fatal(err)
			}
			if got := renamed.(metav1.Object).GetAnnotations()[kube.LocalityAnnotation]; got != wantRenamed {
				t.Errorf("%T: %q is renamed to %q, want %q", object, value, got, wantRenamed)
			}
		}
	}
}
