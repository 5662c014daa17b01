package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// ReadRule reads an Istio DestinationRule as a dynamic client has it. Of one that
// has another form than Istio's the result is still good: calls to its host are
// divided evenly; the error says what is wrong.
func ReadRule(object *unstructured.Unstructured) (r *DestinationRule, err error) {
	r = &DestinationRule{}
	r.APIVersion, r.Kind = object.GetAPIVersion(), object.GetKind()
	r.Namespace, r.Name, r.ResourceVersion = object.GetNamespace(), object.GetName(), object.GetResourceVersion()
	r.CreationTimestamp = object.GetCreationTimestamp()
	defer func() {
		cause := recover() // the converter works by reflection
		if cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
		if err != nil {
			host, _, _ := unstructured.NestedString(object.Object, "spec", "host")
			r.Spec = DestinationRuleSpec{Host: host, TrafficPolicy: &TrafficPolicy{LoadBalancer: &LoadBalancer{LocalityLbSetting: &LocalitySetting{}}}}
			err = fmt.Errorf("DestinationRule %s: %w", FullName(r.Namespace, r.Name), err)
		}
	}()
	spec, _, err := unstructured.NestedMap(object.Object, "spec")
	if err != nil {
		return r, err
	}
	return r, runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &r.Spec)
}
