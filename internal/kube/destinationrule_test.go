package kube

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// TestDestinationRulesInAClusterFile reads one, and reads it again from what
// WriteObjects makes of it. Callers of the namespace tenant have a rule of their own.
func TestDestinationRulesInAClusterFile(t *testing.T) {
	const toNode = "host: web, trafficPolicy: {outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/zone, kubernetes.io/hostname]}}}"
	const tenant = `host: "*", exportTo: ["."], trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}`
	r, warnings, err := translate(t, twoNodes+object("v1", "Service", "web", "selector: {app: web}")+
		object("apps/v1", "StatefulSet", "web", "replicas: 1")+pod("web-0", "StatefulSet/web", "n1", "app: web")+
		object("networking.istio.io/v1beta1", "DestinationRule", "web", toNode)+
		strings.Replace(object("networking.istio.io/v1", "DestinationRule", "all", tenant), "shop", "tenant", 1))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	var list bytes.Buffer
	if err := WriteObjects(&list, r); err != nil {
		t.Fatal(err)
	}
	again, _, err := translate(t, list.String())
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]*Replayable{"read": r, "once written and read again": again} {
		for caller, want := range map[string]affinity.Routing{"shop": affinity.SameNode, "front": affinity.SameNode, "tenant": affinity.Uniform} {
			if got := read.Cluster.Workloads[0].RouteFrom(caller).Routing; got != want {
				t.Errorf("%s: calls from %s to web are routed by %v, want %v", name, caller, got, want)
			}
		}
	}
}

// TestUndecodableDestinationRules are left out with a warning, and do not hinder others.
func TestUndecodableDestinationRules(t *testing.T) {
	o, warnings, err := ReadObjects(strings.NewReader(twoNodes+object("v1", "Service", "web", "selector: {app: web}")+
		object("apps/v1", "StatefulSet", "web", "replicas: 1")+pod("web-0", "StatefulSet/web", "n1", "app: web")+
		object("networking.istio.io/v1", "DestinationRule", "bad", "host: web, trafficPolicy: 5")+
		object("networking.istio.io/v1", "DestinationRule", "web", "host: web, trafficPolicy: {outlierDetection: {}}")), "f")
	if err != nil {
		t.Fatal(err)
	}
	if want := "a DestinationRule cannot be decoded, and is left out: shop/bad"; len(warnings) != 1 || warnings[0].String() != want {
		t.Errorf("warnings %v, want %q", warnings, want)
	}
	r, _, err := o.Cluster()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Cluster.Workloads[0].Routing; got != affinity.SameZone {
		t.Errorf("calls to web are routed by %v, want SameZone by the other rule", got)
	}
}
