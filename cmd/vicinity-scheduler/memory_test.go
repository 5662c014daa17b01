package main

import (
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

func TestMemoryLimit(t *testing.T) {
	cases := map[string]struct {
		limit, gomemlimit string
		want              int64
		wantErr           bool
	}{
		"none":             {},
		"a gibibyte":       {limit: "1073741824", want: 966367642},
		"GOMEMLIMIT set":   {limit: "1073741824", gomemlimit: "800MiB"},
		"GOMEMLIMIT alone": {gomemlimit: "800MiB"},
		"a quantity":       {limit: "1Gi", wantErr: true},
		"nothing":          {limit: "0", wantErr: true},
		"negative":         {limit: "-1", wantErr: true},
		"too much":         {limit: "99999999999999999999", wantErr: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := memoryLimit(func(key string) string {
				return map[string]string{memoryLimitVariable: tc.limit, "GOMEMLIMIT": tc.gomemlimit}[key]
			})
			if got != tc.want || (err != nil) != tc.wantErr {
				t.Errorf("got %d, %v; want %d", got, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), memoryLimitVariable) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestInformersAreTrimmed: unless an extender is sent the pods.
func TestInformersAreTrimmed(t *testing.T) {
	for name, extenders := range map[string]int{"usual": 0, "with an extender": 1} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { informersAreTrimmed(t, extenders) }) })
	}
}

func informersAreTrimmed(t *testing.T, extenders int) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}}}
	pod.Spec.Containers = []corev1.Container{{Name: "web", Image: "web:1", Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}}
	factory := informers.NewSharedInformerFactory(fake.NewClientset(pod), 0)
	cc := schedulerserverconfig.Config{InformerFactory: factory}
	cc.ComponentConfig.Extenders = make([]schedulerconfig.Extender, extenders)
	completed := cc.Complete()
	if err := trimInformers(&completed); err != nil {
		t.Fatal(err)
	}
	lister := factory.Core().V1().Pods().Lister()
	factory.Start(t.Context().Done())
	t.Cleanup(factory.Shutdown)
	factory.WaitForCacheSync(t.Context().Done())
	held, err := lister.Pods("shop").Get("web")
	if err != nil {
		t.Fatal(err)
	}
	if whole := len(held.Spec.Containers[0].Env) > 0; whole != (extenders > 0) || held.Spec.Containers[0].Image != "web:1" {
		t.Errorf("the informer holds %+v", held.Spec.Containers)
	}
}
