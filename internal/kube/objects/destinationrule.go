package objects

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	typev1beta1 "istio.io/api/type/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// destinationRuleKind is Istio's. A rule is read as the routing reads it: one that cannot
// be decoded is held as one that has nothing but its name, and covers no Service.
func destinationRuleKind() Kind {
	k := typed[routing.DestinationRule, *routing.DestinationRule]{
		group: "networking.istio.io", version: "v1", resource: "destinationrules", decidesRouting: true,
		keep: keepRule, anonymize: (*Anonymizer).destinationRule,
	}.kind()
	k.versions = []string{"v1beta1", "v1alpha3"}
	k.convert = func(u *unstructured.Unstructured) (runtime.Object, error) {
		// It is noted when the recording is read.
		rule, _ := routing.ReadRule(u)
		return rule, nil
	}
	k.read = func(raw []byte, note func(string)) (heldObject, error) {
		rule, err := routing.DecodeRule(raw)
		if err != nil {
			note("a DestinationRule cannot be decoded, and is skipped")
		}
		kept, _ := k.keep(rule).(*routing.DestinationRule)
		return kept, nil
	}
	k.store = func(s *Stores, c kube.ObjectChange) error { return c.Into(s.Rules.Store()) }
	return k
}

// keepRule keeps what says where calls go, not what names a cookie, a header or a Secret.
// Without outlierDetection Istio's locality settings have no effect.
func keepRule(to, from *routing.DestinationRule) {
	to.Spec.Host, to.Spec.ExportTo = from.Spec.Host, from.Spec.ExportTo
	if s := from.Spec.WorkloadSelector; s != nil {
		to.Spec.WorkloadSelector = &typev1beta1.WorkloadSelector{MatchLabels: s.MatchLabels}
	}
	to.Spec.Subsets = keepEach(from.Spec.Subsets, func(s *networking.Subset) *networking.Subset {
		return &networking.Subset{Name: s.GetName(), TrafficPolicy: recordedPolicy(s.GetTrafficPolicy())}
	})
	to.Spec.TrafficPolicy = recordedPolicy(from.Spec.TrafficPolicy)
}

func recordedPolicy(p *networking.TrafficPolicy) *networking.TrafficPolicy {
	if p == nil {
		return nil
	}
	return &networking.TrafficPolicy{
		LoadBalancer: recordedBalancer(p.LoadBalancer), OutlierDetection: p.OutlierDetection,
		PortLevelSettings: keepEach(p.PortLevelSettings, func(own *networking.TrafficPolicy_PortTrafficPolicy) *networking.TrafficPolicy_PortTrafficPolicy {
			return &networking.TrafficPolicy_PortTrafficPolicy{
				Port: own.GetPort(), LoadBalancer: recordedBalancer(own.GetLoadBalancer()), OutlierDetection: own.GetOutlierDetection(),
			}
		}),
	}
}

func recordedBalancer(b *networking.LoadBalancerSettings) *networking.LoadBalancerSettings {
	if b == nil {
		return nil
	}
	kept := &networking.LoadBalancerSettings{
		LocalityLbSetting: b.LocalityLbSetting, ZoneAwareLbSetting: b.ZoneAwareLbSetting, Warmup: b.Warmup,
	}
	if simple, ok := b.LbPolicy.(*networking.LoadBalancerSettings_Simple); ok {
		kept.LbPolicy = simple
	}
	return kept
}

func (a *Anonymizer) destinationRule(r *routing.DestinationRule) {
	a.meta(&r.ObjectMeta, a.name(r.Name))
	spec := &r.Spec
	spec.Host = a.host(spec.Host)
	renameEach(spec.ExportTo, a.exportTo)
	if s := spec.WorkloadSelector; s != nil {
		s.MatchLabels = a.labels(s.MatchLabels)
	}
	for _, subset := range spec.Subsets {
		subset.Name = a.name(subset.Name)
		a.trafficPolicy(subset.TrafficPolicy)
	}
	a.trafficPolicy(spec.TrafficPolicy)
}

func (a *Anonymizer) trafficPolicy(p *networking.TrafficPolicy) {
	a.balancer(p.GetLoadBalancer())
	for _, own := range p.GetPortLevelSettings() {
		a.balancer(own.GetLoadBalancer())
	}
}

func (a *Anonymizer) balancer(b *networking.LoadBalancerSettings) {
	locality, zoneAware := b.GetLocalityLbSetting(), b.GetZoneAwareLbSetting()
	for _, d := range locality.GetDistribute() {
		to := map[string]uint32{}
		for place, percent := range d.To {
			to[a.place(place)] = percent
		}
		d.From, d.To = a.place(d.From), to
	}
	for _, f := range locality.GetFailover() {
		f.From, f.To = a.place(f.From), a.place(f.To)
	}
	for _, f := range zoneAware.GetFailover() {
		f.From, f.To = a.place(f.From), a.place(f.To)
	}
	renameEach(locality.GetFailoverPriority(), a.priorityLabel)
	renameEach(zoneAware.GetFailoverPriority(), a.priorityLabel)
}

// renameEach renames texts in place.
func renameEach(texts []string, rename func(string) string) {
	for i := range texts {
		texts[i] = rename(texts[i])
	}
}

func (a *Anonymizer) exportTo(namespace string) string {
	if namespace == "." || namespace == "*" || namespace == "~" {
		return namespace
	}
	return a.namespace(namespace)
}

// place renames "region/zone/subzone", of which each may be missing or *.
func (a *Anonymizer) place(place string) string {
	parts := strings.Split(place, "/")
	labels := [...]string{corev1.LabelTopologyRegion, corev1.LabelTopologyZone, routing.SubzoneLabel}
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
