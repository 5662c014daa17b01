package objects

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// destinationRuleKind is Istio's. A rule is recorded as JSON with some of its fields, and
// held as the routing reads it.
func destinationRuleKind() Kind {
	return Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "DestinationRule"},
		DecidesRouting:   true,
		versions:         []string{"v1beta1", "v1alpha3"},
		resource:         "destinationrules",
		types:            []reflect.Type{reflect.TypeFor[*routing.DestinationRule]()},

		convert: func(u *unstructured.Unstructured) (runtime.Object, error) {
			if u.GetKind() != "DestinationRule" {
				return nil, fmt.Errorf("is a %s", u.GetKind())
			}
			return u, nil
		},
		keep: func(object runtime.Object) runtime.Object {
			rule, ok := object.(*unstructured.Unstructured)
			if !ok {
				return object // what has been read has no more than what is kept
			}
			return recordedRule(rule)
		},
		anonymize: func(a *Anonymizer, object runtime.Object) {
			if rule, ok := object.(*unstructured.Unstructured); ok {
				a.destinationRule(rule)
			}
		},
		read:  readRule,
		store: func(s *Stores, c kube.ObjectChange) error { return c.Into(s.Rules.Store()) },
	}
}

// readRule reads a rule as a scheduler does. One that cannot be decoded is held as one
// that covers no Service.
func readRule(raw []byte, note func(string)) (heldObject, error) {
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(raw, &u.Object); err != nil {
		return nil, err
	}
	rule, err := routing.ReadRule(recordedRule(u))
	if err != nil {
		note("a DestinationRule cannot be decoded, and is skipped")
	}
	return rule, nil
}

// field is a field of an object of which Go knows no type: the fields below it that are
// kept, or how its value is renamed. A field with neither is kept as it is.
type field struct {
	below  fields
	rename func(*Anonymizer, any) any
}

type fields map[string]field

// ruleFields returns the fields of a DestinationRule's spec that are kept: those that say
// where calls go, not those that name a cookie, a header or a Secret. Without
// outlierDetection Istio's locality settings have no effect.
func ruleFields() fields {
	balancer := fields{
		"simple":             {},
		"warmup":             {},
		"localityLbSetting":  {below: localityFields()},
		"zoneAwareLbSetting": {below: localityFields()},
	}
	port := fields{"port": {below: fields{"number": {}}}, "loadBalancer": {below: balancer}, "outlierDetection": {}}
	policy := fields{"loadBalancer": {below: balancer}, "outlierDetection": {}, "portLevelSettings": {below: port}}
	return fields{
		"host":             {rename: eachText((*Anonymizer).host)},
		"exportTo":         {rename: eachText((*Anonymizer).exportTo)},
		"workloadSelector": {below: fields{"matchLabels": {rename: (*Anonymizer).labelMap}}},
		"subsets":          {below: fields{"name": {rename: eachText((*Anonymizer).name)}, "trafficPolicy": {below: policy}}},
		"trafficPolicy":    {below: policy},
	}
}

// localityFields are the fields of both settings that name localities.
func localityFields() fields {
	return fields{
		"enabled":          {},
		"distribute":       {below: fields{"from": {rename: eachText((*Anonymizer).place)}, "to": {rename: (*Anonymizer).placeMap}}},
		"failover":         {below: fields{"from": {rename: eachText((*Anonymizer).place)}, "to": {rename: eachText((*Anonymizer).place)}}},
		"failoverPriority": {rename: eachText((*Anonymizer).priorityLabel)},
		"minClusterSize":   {},
	}
}

// keep returns the fields of a value, which is an object or a list of objects.
func (f fields) keep(value any) any {
	return f.each(value, func(f field, value any) any { return value })
}

// anonymize returns a value with its texts renamed.
func (f fields) anonymize(a *Anonymizer, value any) any {
	return f.each(value, func(f field, value any) any {
		if f.rename == nil {
			return value
		}
		return f.rename(a, value)
	})
}

// each returns a value with what leaf makes of the fields that have none below. A value
// that should be an object and is none has no fields, and is dropped.
func (f fields) each(value any, leaf func(field, any) any) any {
	switch value := value.(type) {
	case []any:
		var all []any
		for _, element := range value {
			all = append(all, f.each(element, leaf))
		}
		return all
	case map[string]any:
		kept := map[string]any{}
		for name, of := range f {
			switch inner, there := value[name]; {
			case !there:
			case of.below != nil:
				kept[name] = of.below.each(inner, leaf)
			default:
				kept[name] = leaf(of, inner)
			}
		}
		return kept
	}
	return nil
}

func recordedRule(o *unstructured.Unstructured) *unstructured.Unstructured {
	r := &unstructured.Unstructured{Object: map[string]any{"apiVersion": o.GetAPIVersion(), "kind": o.GetKind()}}
	m := recordedMeta(o)
	if meta, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&m); err == nil {
		r.Object["metadata"] = meta
	}
	if spec, ok := o.Object["spec"].(map[string]any); ok {
		r.Object["spec"] = ruleFields().keep(spec)
	}
	r.Object = runtime.DeepCopyJSON(r.Object)
	return r
}

func (a *Anonymizer) destinationRule(o *unstructured.Unstructured) {
	namespace := o.GetNamespace()
	o.SetOwnerReferences(nil)
	o.SetNamespace(a.namespace(namespace))
	o.SetName(a.name(o.GetName()))
	o.SetGenerateName("")
	if labels := o.GetLabels(); labels != nil {
		o.SetLabels(a.labels(labels))
	}
	if spec, ok := o.Object["spec"]; ok {
		o.Object["spec"] = ruleFields().anonymize(a, spec)
	}
}

// eachText returns how a text, or each text of a list, is renamed. Whatever is no text is
// dropped.
func eachText(rename func(*Anonymizer, string) string) func(*Anonymizer, any) any {
	return func(a *Anonymizer, value any) any {
		switch value := value.(type) {
		case string:
			return rename(a, value)
		case []any:
			var renamed []any
			for _, element := range value {
				if text, ok := element.(string); ok {
					renamed = append(renamed, rename(a, text))
				}
			}
			return renamed
		}
		return nil
	}
}

func (a *Anonymizer) exportTo(namespace string) string {
	if namespace == "." || namespace == "*" || namespace == "~" {
		return namespace
	}
	return a.namespace(namespace)
}

func (a *Anonymizer) labelMap(value any) any {
	match, _ := value.(map[string]any)
	renamed := map[string]any{}
	for key, value := range match {
		if text, ok := value.(string); ok {
			renamed[a.labelKey(key)] = a.labelValue(key, text)
		}
	}
	return renamed
}

// placeMap renames the keys, which are places; the values are percentages.
func (a *Anonymizer) placeMap(value any) any {
	to, _ := value.(map[string]any)
	renamed := map[string]any{}
	for place, percent := range to {
		renamed[a.place(place)] = percent
	}
	return renamed
}

// place renames "region/zone/subzone", of which each may be missing or *.
func (a *Anonymizer) place(place string) string {
	parts := strings.Split(place, "/")
	labels := [...]string{corev1.LabelTopologyRegion, corev1.LabelTopologyZone, "topology.istio.io/subzone"}
	for i, part := range parts {
		if part != "*" {
			parts[i] = a.labelValue(labels[min(i, len(labels)-1)], part)
		}
	}
	return strings.Join(parts, "/")
}

// priorityLabel renames "key" or "key=value".
func (a *Anonymizer) priorityLabel(label string) string {
	key, value, has := strings.Cut(label, "=")
	if !has {
		return a.labelKey(key)
	}
	return a.labelKey(key) + "=" + a.labelValue(key, value)
}

// host renames "service", "service.namespace" and "service.namespace.svc...". It keeps
// those that stand for all Services; other hosts are outside, and hashed as a whole.
func (a *Anonymizer) host(host string) string {
	parts := strings.Split(host, ".")
	switch {
	case host == "*.local", host == "*.cluster.local", host == "*.svc.cluster.local":
		return host
	case len(parts) == 1:
		return hostPart(host, a.name)
	case len(parts) == 2, parts[2] == "svc":
		renamed := hostPart(parts[0], a.name) + "." + hostPart(parts[1], a.namespace)
		if len(parts) > 2 {
			renamed += ".svc"
		}
		if strings.HasSuffix(host, ".svc.cluster.local") {
			renamed += ".cluster.local"
		}
		return renamed
	}
	return a.hash("host", host)
}

func hostPart(part string, rename func(string) string) string {
	if part == "*" {
		return part
	}
	return rename(part)
}
