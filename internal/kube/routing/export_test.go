package routing

import (
	"fmt"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

// RoutingCase is a row of the routing tables for tests outside of the package: Services
// and DestinationRules as YAML documents, and how calls to a pod of shop with the labels
// app=web, tier=front are divided, by the namespace of the caller: "*" stands for others.
type RoutingCase struct {
	Objects string
	Want    map[string]affinity.Routing
}

// RoutingCases returns every row.
func RoutingCases() map[string]RoutingCase {
	all := map[string]RoutingCase{}
	rule := func(namespace, name string, day int, spec string) string {
		text := kubetest.Created(kubetest.Object("networking.istio.io/v1", "DestinationRule", name, spec[1:len(spec)-1]), day)
		return strings.Replace(text, "namespace: shop", "namespace: "+namespace, 1)
	}
	web := func(spec string) string {
		return kubetest.Object("v1", "Service", "web", strings.Trim(spec+", selector: {app: web}", ", "))
	}
	fromShop := func(r affinity.Routing) map[string]affinity.Routing { return map[string]affinity.Routing{"shop": r} }
	for name, c := range routesCases() {
		text := ""
		for i, service := range c.services {
			text += fmt.Sprintf("---\nkind: Service\napiVersion: v1\n%s\n", inShop(service, string(rune('a'+i))))
		}
		all["Services/"+name] = RoutingCase{text, fromShop(c.want)}
	}
	for name, c := range ruleCases() {
		all["rule/"+name] = RoutingCase{web(c.service) + rule("shop", "web", 1, c.rule), fromShop(c.want)}
	}
	for name, c := range callerCases() {
		text := web(c.service)
		for i, r := range c.rules {
			text += rule(r.namespace, string(rune('a'+i)), r.day, r.spec)
		}
		all["caller/"+name] = RoutingCase{text, c.want}
	}
	all["annotation of the Namespace"] = RoutingCase{
		web("") + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {" + TrafficDistributionAnnotation + ": PreferClose}}}\n", fromShop(affinity.SameZone),
	}
	all["annotation against rules"] = RoutingCase{
		strings.Replace(web(""), "namespace: shop", "annotations: {"+DestinationRulesAnnotation+": "+Ignored+"}, namespace: shop", 1) + rule("shop", "web", 1, toZone), fromShop(affinity.Uniform),
	}
	return all
}

// inShop completes the metadata of a Service.
func inShop(service, name string) string {
	metadata, found := "metadata: {", strings.HasPrefix(service, "metadata: {")
	if !found {
		return metadata + "namespace: shop, name: " + name + "}\n" + service
	}
	if !strings.Contains(service, "namespace: ") {
		name += ", namespace: shop"
	}
	return strings.Replace(service, metadata, metadata+"name: "+name+", ", 1)
}
