package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// destinationRule renames in place. What it does not know it drops: fields that
// Istio may add to load balancing could name anything.
func (a *Anonymizer) destinationRule(o *unstructured.Unstructured) *unstructured.Unstructured {
	spec, _ := o.Object["spec"].(map[string]any)
	namespace := o.GetNamespace()
	o.SetOwnerReferences(nil)
	o.SetNamespace(a.namespace(namespace))
	o.SetName(a.name(o.GetName()))
	o.SetGenerateName("")
	if labels := o.GetLabels(); labels != nil {
		o.SetLabels(a.labels(labels))
	}
	renamed := map[string]any{}
	if host, ok := spec["host"].(string); ok {
		renamed["host"] = a.host(host)
	}
	if to, ok := spec["exportTo"].([]any); ok {
		renamed["exportTo"] = eachText(to, func(ns string) string {
			if ns == "." || ns == "*" || ns == "~" {
				return ns
			}
			return a.namespace(ns)
		})
	}
	if selector, ok := spec["workloadSelector"].(map[string]any); ok {
		match, _ := selector["matchLabels"].(map[string]any)
		labels := map[string]any{}
		for key, value := range match {
			if text, ok := value.(string); ok {
				labels[a.labelKey(key)] = a.labelValue(key, text)
			}
		}
		renamed["workloadSelector"] = map[string]any{"matchLabels": labels}
	}
	renamed["trafficPolicy"] = a.trafficPolicy(spec["trafficPolicy"])
	o.Object["spec"] = renamed
	return o
}

func (a *Anonymizer) trafficPolicy(object any) map[string]any {
	policy := pick(object, "port", "loadBalancer", "outlierDetection")
	if balancer, ok := policy["loadBalancer"].(map[string]any); ok {
		if setting, ok := balancer["localityLbSetting"].(map[string]any); ok {
			balancer["localityLbSetting"] = a.localitySetting(setting)
		}
	}
	all, _ := object.(map[string]any)
	if ports, ok := all["portLevelSettings"].([]any); ok {
		var renamed []any
		for _, port := range ports {
			renamed = append(renamed, a.trafficPolicy(port))
		}
		policy["portLevelSettings"] = renamed
	}
	return policy
}

func (a *Anonymizer) localitySetting(setting map[string]any) map[string]any {
	renamed := pick(setting, "enabled")
	if all, ok := setting["distribute"].([]any); ok {
		var rules []any
		for _, rule := range all {
			from, _ := pick(rule, "from")["from"].(string)
			to, _ := pick(rule, "to")["to"].(map[string]any)
			shares := map[string]any{}
			for place, share := range to {
				shares[a.place(place)] = share
			}
			rules = append(rules, map[string]any{"from": a.place(from), "to": shares})
		}
		renamed["distribute"] = rules
	}
	if all, ok := setting["failover"].([]any); ok {
		var rules []any
		for _, rule := range all {
			from, _ := pick(rule, "from")["from"].(string)
			to, _ := pick(rule, "to")["to"].(string)
			rules = append(rules, map[string]any{"from": a.place(from), "to": a.place(to)})
		}
		renamed["failover"] = rules
	}
	if all, ok := setting["failoverPriority"].([]any); ok {
		renamed["failoverPriority"] = eachText(all, func(label string) string {
			key, value, has := strings.Cut(label, "=")
			if !has {
				return a.labelKey(key)
			}
			return a.labelKey(key) + "=" + a.labelValue(key, value)
		})
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

// host renames "service", "service.namespace" and "service.namespace.svc...";
// other hosts are outside, and hashed as a whole.
func (a *Anonymizer) host(host string) string {
	parts := strings.Split(host, ".")
	switch {
	case len(parts) == 1:
		return a.hostPart(host, a.name)
	case len(parts) == 2, parts[2] == "svc":
		renamed := a.hostPart(parts[0], a.name) + "." + a.hostPart(parts[1], a.namespace)
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

func (a *Anonymizer) hostPart(part string, rename func(string) string) string {
	if part == "*" {
		return part
	}
	return rename(part)
}

func eachText(list []any, rename func(string) string) []any {
	var renamed []any
	for _, item := range list {
		if text, ok := item.(string); ok {
			renamed = append(renamed, rename(text))
		}
	}
	return renamed
}
