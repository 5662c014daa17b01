package doctor

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// onPods changes both pods of a workload.
func onPods(prefix string, change func(*corev1.Pod)) func(*world) {
	return func(w *world) {
		change(of[*corev1.Pod](w, prefix+"-0"))
		change(of[*corev1.Pod](w, prefix+"-1"))
	}
}

// apart keeps a pod from the nodes of others.
func apart(app string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}}}}}
	}
}

// manyFaults are too many to list each.
func manyFaults() map[string]fault {
	return map[string]fault{
		"many reasons to wait": {func(w *world) {
			for i := range 9 {
				pod := podOf("shop", "waits", i, "", "vicinity", nil)
				w.add(pod)
				pending(w, pod.Name, "vicinity", "0/3 nodes are available: no volume "+pod.Name)
			}
		}, "pods-pending", Warning, "4 more reasons"},
		"many kept apart": {func(w *world) {
			labels := map[string]string{"app": "db"} // which the term of web is about
			for i := range 7 {
				name := "db" + string(rune('a'+i))
				w.add(podOf("shop", name, 0, "node-a", "vicinity", labels))
				w.edges = append(w.edges, flowgraph.Edge{From: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: name}, Rates: flowgraph.Rates{SentBytesPerSecond: 10}})
			}
			onPods("web", apart("db"))(w)
		}, "workloads-kept-apart", Warning, "3 more pairs"},
		"the largest kept apart": {func(w *world) {
			labels := map[string]string{"app": "db"}
			for i := range 7 {
				name := "da" + string(rune('a'+i))
				w.add(podOf("shop", name, 0, "node-a", "vicinity", labels))
				w.edges = append(w.edges, flowgraph.Edge{From: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: name}, Rates: flowgraph.Rates{SentBytesPerSecond: 10}})
			}
			onPods("web", apart("db"))(w)
		}, "workloads-kept-apart", Warning, "shop/web and shop/db exchange 1.0 MiB/s"},
	}
}

func workloadFaults() map[string]fault {
	evenly := func(w *world) { of[*corev1.Service](w, "db").Spec.TrafficDistribution = nil }
	annotate := func(key, value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Annotations = map[string]string{key: value} }
	}
	theirs := func(w *world) {
		for _, name := range []string{"web", "db"} {
			onPods(name, func(pod *corev1.Pod) { pod.Spec.SchedulerName = "default-scheduler" })(w)
		}
	}
	return map[string]fault{
		"nothing handed over, in shadow mode": {func(w *world) {
			theirs(w)
			edit(w, "scheduler.yaml", "kind: TrafficLocalityArgs", "kind: TrafficLocalityArgs\n      shadow: true")
		}, "workloads-handed-over", Note, "No workload is handed over"},
		"nothing handed over, not enabled": {func(w *world) {
			theirs(w)
			edit(w, "scheduler.yaml", "weight: 5", "weight: 0")
		}, "workloads-handed-over", Note, "No workload is handed over"},
		"a pending pod of a plain profile": {func(w *world) {
			edit(w, "scheduler.yaml", "- schedulerName: vicinity", "- schedulerName: plain\n- schedulerName: vicinity")
			pending(w, "web-0", "plain", "")
		}, "scheduler-name-unserved", Error, "though Vicinity should serve it: shop/web-0"},
		"nothing handed over":           {theirs, "workloads-handed-over", Note, `{"spec":{"template":{"spec":{"schedulerName":"vicinity"}}}}`},
		"even routing":                  {evenly, "workloads-routing", Warning, "shop/db (1.0 MiB/s)"},
		"even routing, nothing ours":    {func(w *world) { theirs(w); evenly(w) }, "workloads-routing", Note, "shop/db"},
		"even routing, unknown traffic": {func(w *world) { evenly(w); w.change = func(c *Cluster) { c.Traffic = nil } }, "workloads-routing", Warning, "kubectl -n shop patch service db"},
		"a rule spreads": {func(w *world) {
			w.rules = []runtime.Object{ruleFor("shop", "db", map[string]any{"loadBalancer": map[string]any{"localityLbSetting": map[string]any{"enabled": false}}})}
		}, "workloads-routing", Warning, "A DestinationRule has calls"},
		"sessions":      {func(w *world) { of[*corev1.Service](w, "db").Spec.SessionAffinity = corev1.ServiceAffinityClientIP }, "workloads-sessions", Note, "shop/db"},
		"a node's zone": {func(w *world) { delete(of[*corev1.Node](w, "node-b").Labels, corev1.LabelTopologyZone) }, "topology-labels", Warning, "kubectl label node node-b topology.kubernetes.io/zone=NAME"},
		"no zones": {func(w *world) {
			for _, n := range []string{"node-a", "node-b", "node-c"} {
				delete(of[*corev1.Node](w, n).Labels, corev1.LabelTopologyZone)
			}
		}, "topology-labels", Note, "No node has the label topology.kubernetes.io/zone"},
		"kept apart":                      {onPods("web", apart("db")), "workloads-kept-apart", Warning, "shop/web and shop/db exchange 1.0 MiB/s"},
		"kept apart from a third":         {onPods("web", apart("cache")), "workloads-kept-apart", Fine, "No workloads that exchange traffic"},
		"kept apart in another namespace": {onPods("web", func(pod *corev1.Pod) { apart("db")(pod); termOf(pod).Namespaces = []string{"other"} }), "workloads-kept-apart", Fine, "No workloads that exchange traffic"},
		"kept apart in selected namespaces": {onPods("web", func(pod *corev1.Pod) {
			apart("db")(pod)
			termOf(pod).NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "shop"}}
		}), "workloads-kept-apart", Warning, "shop/web and shop/db"},
		"unknown traffic": {func(w *world) { w.change = func(c *Cluster) { c.Traffic = nil } }, "workloads-kept-apart", Unchecked, "--prometheus"},
		"one pod a node":  {onPods("web", apart("web")), "workloads-spread", Note, "shop/web (one pod a node)"},
		"hard spread": {onPods("web", func(pod *corev1.Pod) {
			pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule}}
		}), "workloads-spread", Note, "shop/web (maxSkew 1 by zone)"},
		"one node":      {onPods("web", func(pod *corev1.Pod) { pod.Spec.NodeName = "node-a" }), "workloads-one-node", Note, "shop/web (2 pods on node-a)"},
		"an annotation": {onPods("web", annotate("vicinity.dev/locality", "true")), "annotations", Warning, `The pod template of shop/web has vicinity.dev/locality: "true"`},
		"peers":         {onPods("web", annotate("vicinity.dev/peers", "a/b/c/d=")), "annotations", Warning, "vicinity.dev/peers"},
		"a Namespace's": {func(w *world) {
			of[*corev1.Namespace](w, "shop").Annotations = map[string]string{"vicinity.dev/locality": "no"}
		}, "annotations", Warning, "kubectl annotate --overwrite namespace shop vicinity.dev/locality=on"},
		"a Service's": {func(w *world) {
			of[*corev1.Service](w, "db").Annotations = map[string]string{"vicinity.dev/destination-rules": "ignore"}
		}, "annotations", Warning, "Service shop/db"},
		"a DaemonSet's": {func(w *world) {
			w.add(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "agent", Annotations: map[string]string{"vicinity.dev/locality": "off"}}})
		}, "annotations", Warning, "DaemonSet shop/agent"},
	}
}

// termOf is the only term of a pod's anti-affinity.
func termOf(pod *corev1.Pod) *corev1.PodAffinityTerm {
	return &pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0]
}

// TestServicesOf finds the Services whose calls a proxy divides.
func TestServicesOf(t *testing.T) {
	all := &objects.Objects{}
	add := func(namespace, name string, selector map[string]string, change func(*corev1.ServiceSpec)) {
		s := serviceFor(namespace, name, 80)
		if s.Spec.Selector = selector; change != nil {
			change(&s.Spec)
		}
		all.Add(s)
	}
	add("shop", "two", map[string]string{"app": "web", "tier": "front"}, nil)
	add("shop", "one", map[string]string{"app": "web"}, nil)
	add("shop", "another value", map[string]string{"app": "db"}, nil)
	add("shop", "one label too many", map[string]string{"app": "web", "zone": "a"}, nil)
	add("shop", "none", nil, nil)
	add("other", "of another namespace", map[string]string{"app": "web"}, nil)
	add("shop", "headless", map[string]string{"app": "web"}, func(s *corev1.ServiceSpec) { s.ClusterIP = corev1.ClusterIPNone })
	add("shop", "a name", map[string]string{"app": "web"}, func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeExternalName })
	o := &Inventory{all: all}
	for range 2 {
		var names []string
		for _, s := range o.servicesOf(podOf("shop", "web", 0, "n", "vicinity", map[string]string{"app": "web", "tier": "front"})) {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, ","); got != "one,two" {
			t.Errorf("it has %s", got)
		}
	}
}
