package doctor

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
)

// fault is something wrong with a cluster, and what finds it.
type fault struct {
	plant    func(*world)
	check    string
	severity Severity
	what     string // part of What or Next
}

// clusterFaults are by what is wrong.
func clusterFaults() map[string]fault {
	all := map[string]fault{}
	for _, some := range []map[string]fault{installationFaults(), secondFaults(), readerFaults(), podFaults(), networkFaults(), accessFaults(), fileFaults(), profileFaults(), workloadFaults(), manyFaults(), memoryFaults(), metricFaults()} {
		maps.Copy(all, some)
	}
	return all
}

func deployment(w *world) *appsv1.Deployment { return of[*appsv1.Deployment](w, schedulerName) }
func container(w *world) *corev1.Container {
	return &deployment(w).Spec.Template.Spec.Containers[0]
}

func secondFaults() map[string]fault {
	two := func(w *world) {
		second := deployment(w).DeepCopy()
		second.Namespace = "other"
		w.add(second)
	}
	twoNames := func(w *world) {
		two(w)
		deployment(w).Status.ReadyReplicas = 1
		w.add(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "vicinity-config"}, Data: map[string]string{
			"scheduler.yaml": strings.Replace(of[*corev1.ConfigMap](w, "vicinity-config").Data["scheduler.yaml"], "schedulerName: vicinity", "schedulerName: second", 1),
		}})
	}
	choose := func(namespace, name string) func(*world) {
		return func(w *world) { w.change = func(c *Cluster) { c.Namespace, c.Name = namespace, name } }
	}
	return map[string]fault{
		"two Deployments": {two, "scheduler-single", Warning, "looked at other/vicinity-scheduler (0 ready pods), and not at vicinity-system/vicinity-scheduler (0 ready pods)"},
		"two Deployments, one ready": {func(w *world) { two(w); deployment(w).Status.ReadyReplicas = 1 }, "scheduler-single", Warning,
			"There are 2 installations. Doctor looked at vicinity-system/vicinity-scheduler (1 ready pod), and not at other/vicinity-scheduler (0 ready pods)."},
		"how to look at the second":  {func(w *world) { two(w); deployment(w).Status.ReadyReplicas = 1 }, "scheduler-single", Warning, "vicinity doctor --scheduler other/vicinity-scheduler"},
		"the second":                 {func(w *world) { two(w); deployment(w).Status.ReadyReplicas = 1; choose("other", schedulerName)(w) }, "scheduler-installed", Fine, "Deployment other/vicinity-scheduler."},
		"the second, with the first": {func(w *world) { two(w); deployment(w).Status.ReadyReplicas = 1; choose("other", schedulerName)(w) }, "scheduler-single", Warning, "vicinity doctor --scheduler vicinity-system/vicinity-scheduler"},
		"neither of two":             {func(w *world) { two(w); choose("third", schedulerName)(w) }, "scheduler-installed", Error, "vicinity doctor --scheduler other/vicinity-scheduler; vicinity doctor --scheduler vicinity-system/vicinity-scheduler"},
		"neither of two, its pods":   {func(w *world) { two(w); choose("third", schedulerName)(w) }, "scheduler-pods", Unchecked, "Resolve scheduler-installed first"},
		"neither of two, are they":   {func(w *world) { two(w); choose("third", schedulerName)(w) }, "scheduler-single", Unchecked, "scheduler-installed"},
		"the second, where one may not look everywhere": {func(w *world) {
			two(w)
			w.hidden = []string{"list deployments everywhere"}
			choose("other", schedulerName)(w)
		}, "scheduler-installed", Fine, "Deployment other/vicinity-scheduler."},
		"two Deployments of other names":            {twoNames, "scheduler-single", Note, "serve different names"},
		"how to look at the second, of other names": {twoNames, "scheduler-single", Note, "vicinity doctor --scheduler other/vicinity-scheduler"},
		"pods wait for the second":                  {func(w *world) { twoNames(w); pending(w, "web-0", "second", "") }, "scheduler-name-unserved", Error, "though Deployment other/vicinity-scheduler should serve it: shop/web-0"},
		"two leases": {func(w *world) {
			second := of[*coordinationv1.Lease](w, schedulerName).DeepCopy()
			second.Namespace = "other"
			w.add(second)
		}, "scheduler-single", Warning, "other/vicinity-scheduler"},
	}
}

func installationFaults() map[string]fault {
	alone := func(w *world) {
		remove[*appsv1.Deployment](w, schedulerName)
		remove[*coordinationv1.Lease](w, schedulerName)
		remove[*corev1.Pod](w, "vicinity-scheduler-0")
		remove[*corev1.Pod](w, "vicinity-scheduler-1")
	}
	return map[string]fault{
		"not installed": {func(w *world) {
			alone(w)
			for _, pod := range []string{"web-0", "web-1", "db-0", "db-1"} {
				remove[*corev1.Pod](w, pod)
			}
		}, "scheduler-installed", Note, "not installed"},
		"not installed, pods wait": {func(w *world) {
			alone(w)
			of[*corev1.Pod](w, "web-0").Spec.NodeName = ""
		}, "scheduler-installed", Error, "shop/web-0"},
		"not installed any more, pods run": {alone, "scheduler-installed", Warning, "kubectl get pods -A --field-selector spec.schedulerName=vicinity"},
		"as a static pod": {func(w *world) {
			alone(w)
			pod := podOf("kube-system", "kube-scheduler", 0, "node-a", "", nil)
			pod.Spec.Containers[0].Image = "example.com/vicinity-scheduler:v0.1.0"
			w.add(pod)
		}, "scheduler-installed", Note, "kube-system/kube-scheduler-0"},
		"as a process": {func(w *world) {
			remove[*appsv1.Deployment](w, schedulerName)
			remove[*corev1.Pod](w, "vicinity-scheduler-0")
			remove[*corev1.Pod](w, "vicinity-scheduler-1")
		}, "scheduler-installed", Note, "vicinity-scheduler-0_abc"},
		"named, but not there": {func(w *world) {
			alone(w)
			w.change = func(c *Cluster) { c.Namespace, c.Name = "vicinity-system", "scheduler" }
		}, "scheduler-installed", Error, "vicinity-system/scheduler"},
		"no quota": {func(w *world) {
			deployment(w).Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "insufficient quota to match these scopes: [{PriorityClass In [system-cluster-critical]}]"}}
		}, "scheduler-pods-created", Error, "ResourceQuota for the priority class system-cluster-critical"},
		"one replica":            {func(w *world) { *deployment(w).Spec.Replicas = 1 }, "scheduler-replicas", Warning, "kubectl -n vicinity-system scale deployment vicinity-scheduler"},
		"no replica":             {func(w *world) { *deployment(w).Spec.Replicas = 0 }, "scheduler-replicas", Error, "scaled to zero"},
		"another version":        {func(w *world) { container(w).Image = "example.com/vicinity-scheduler:v0.2.0" }, "scheduler-version", Warning, "v0.2.0"},
		"another patch":          {func(w *world) { container(w).Image = "example.com/vicinity-scheduler:v0.1.7" }, "scheduler-version", Note, "v0.1.7"},
		"another, with a digest": {func(w *world) { container(w).Image = "example.com:5000/vicinity-scheduler:v0.2.0@sha256:aa" }, "scheduler-version", Warning, "scheduler=example.com:5000/vicinity-scheduler:v0.1.0"},
		"no version":             {func(w *world) { container(w).Image = "example.com:5000/vicinity-scheduler@sha256:aa" }, "scheduler-version", Note, "sha256:aa"},
		"a later server":         {func(w *world) { w.server.Minor = "39" }, "kubernetes-version", Error, "1.39"},
		"an old server":          {func(w *world) { w.server.Minor = "30" }, "kubernetes-version", Error, "1.30"},
		"nobody ever led":        {func(w *world) { remove[*coordinationv1.Lease](w, schedulerName) }, "scheduler-leads", Error, "vicinity-system/vicinity-scheduler"},
		"a stale lease": {func(w *world) {
			old := metav1.NewMicroTime(worldTime.Add(-10 * time.Minute))
			of[*coordinationv1.Lease](w, schedulerName).Spec.RenewTime = &old
		}, "scheduler-leads", Error, "last renewed at 2026-11-30T11:50:00Z"},
		"a leader elsewhere": {func(w *world) {
			holder := "laptop_abc"
			of[*coordinationv1.Lease](w, schedulerName).Spec.HolderIdentity = &holder
		}, "scheduler-leads", Note, "laptop_abc"},
		"no replica to read a log of": {func(w *world) {
			*deployment(w).Spec.Replicas = 0
			remove[*coordinationv1.Lease](w, schedulerName)
		}, "scheduler-leads", Error, "kubectl -n vicinity-system scale deployment vicinity-scheduler --replicas=2"},
		"no leader election": {func(w *world) { edit(w, "scheduler.yaml", "leaderElect: true", "leaderElect: false") }, "scheduler-leads", Error, "2 replicas"},
	}
}

// edit changes a file of the ConfigMap.
func edit(w *world, file, old, text string) {
	data := of[*corev1.ConfigMap](w, "vicinity-config").Data
	if !strings.Contains(data[file], old) {
		panic(file + " has no " + old)
	}
	data[file] = strings.Replace(data[file], old, text, 1)
}

func podFaults() map[string]fault {
	waiting := func(reason, message string) func(*world) {
		return func(w *world) {
			for _, name := range []string{"vicinity-scheduler-0", "vicinity-scheduler-1"} {
				pod := of[*corev1.Pod](w, name)
				pod.Status.Conditions[1].Status = corev1.ConditionFalse
				pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "scheduler", RestartCount: 7, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
			}
		}
	}
	first := func(change func(*corev1.Pod)) func(*world) {
		return func(w *world) { change(of[*corev1.Pod](w, "vicinity-scheduler-0")) }
	}
	return map[string]fault{
		"a crash loop": {waiting("CrashLoopBackOff", "back-off"), "scheduler-pods", Error, "kubectl -n vicinity-system logs vicinity-scheduler-0 --previous"},
		"no image":     {waiting("ImagePullBackOff", "not found"), "scheduler-pods", Error, "set image deployment/vicinity-scheduler scheduler="},
		"too little memory": {first(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 1, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled"}}}}
		}), "scheduler-pods", Warning, "more memory"},
		"too little memory, long ago": {first(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 1, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", FinishedAt: metav1.NewTime(worldTime.Add(-48 * time.Hour))}}}}
		}), "scheduler-pods", Fine, "2 of 2 pods are ready"},
		"no node": {first(func(pod *corev1.Pod) {
			pod.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available: 3 Insufficient memory."}
			pod.Status.Conditions[1].Status = corev1.ConditionFalse
		}), "scheduler-pods", Warning, "3 Insufficient memory."},
		"not ready": {first(func(pod *corev1.Pod) { pod.Status.Conditions[1].Status = corev1.ConditionFalse }), "scheduler-pods", Warning, "vicinity-scheduler-0 is not ready"},
		"no pods": {func(w *world) {
			remove[*corev1.Pod](w, "vicinity-scheduler-0")
			remove[*corev1.Pod](w, "vicinity-scheduler-1")
		}, "scheduler-pods", Error, "No pod of Deployment vicinity-system/vicinity-scheduler is ready"},
		"nobody serves a name": {func(w *world) { pending(w, "web-0", "vicinty", "") }, "scheduler-name-unserved", Error, "vicinty, for which pods wait: shop/web-0"},
		"our name is unserved": {func(w *world) { pending(w, "web-0", "vicinity", "") }, "scheduler-name-unserved", Error, "shop/web-0"},
		"a pending pod":        {func(w *world) { pending(w, "web-0", "vicinity", "0/3 nodes are available: 3 Insufficient cpu.") }, "pods-pending", Warning, "shop/web-0. 0/3 nodes are available: 3 Insufficient cpu."},
	}
}

// pending makes a pod wait for a scheduler, which has looked at it if it has a message.
func pending(w *world, name, scheduler, message string) {
	pod := of[*corev1.Pod](w, name)
	pod.Spec.SchedulerName, pod.Spec.NodeName, pod.Status.Phase, pod.Status.Conditions = scheduler, "", corev1.PodPending, nil
	if message != "" {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message}}
	}
}

func networkFaults() map[string]fault {
	url := func(address string) func(*world) {
		return func(w *world) { edit(w, "telemetry.yaml", "http://prometheus.monitoring:9090", address) }
	}
	return map[string]fault{
		"a budget of none": {func(w *world) {
			b := of[*policyv1.PodDisruptionBudget](w, schedulerName)
			two := intstr.FromInt32(2)
			b.Spec.MaxUnavailable, b.Spec.MinAvailable = nil, &two
		}, "disruption-budget", Warning, "vicinity-system/vicinity-scheduler"},
		"no budget":           {func(w *world) { remove[*policyv1.PodDisruptionBudget](w, schedulerName) }, "disruption-budget", Note, "No PodDisruptionBudget"},
		"no Service":          {url("http://prometheus-server.monitoring.svc:9090"), "prometheus-service", Error, "monitoring/prometheus-server"},
		"no namespace":        {url("http://prometheus.observability:9090"), "prometheus-service", Warning, "namespace observability"},
		"a bare name":         {url("http://prometheus:9090"), "prometheus-service", Error, "vicinity-system/prometheus"},
		"another port":        {url("http://prometheus.monitoring.svc.cluster.local"), "prometheus-service", Error, "no port 80; it has 9090"},
		"no ready Prometheus": {func(w *world) { of[*corev1.Pod](w, "prometheus-0").Status.Conditions[1].Status = corev1.ConditionFalse }, "prometheus-service", Warning, "monitoring/prometheus"},
		"Prometheus elsewhere": {func(w *world) {
			url("http://prometheus.shop:9090")(w)
			w.add(podOf("shop", "prometheus", 0, "node-a", "", nil), serviceFor("shop", "prometheus", 9090))
		}, "network-policy", Error, "namespace shop, port 9090"},
		"another pod port":   {func(w *world) { of[*corev1.Pod](w, "prometheus-0").Spec.Containers[0].Ports[0].ContainerPort = 9091 }, "network-policy", Error, "port 9091"},
		"an address outside": {url("http://192.0.2.7:9090"), "network-policy", Error, "192.0.2.7, port 9090"},
		"a proxy beside it":  {url("http://localhost:9090"), "network-policy", Fine, "within the pod"},
		"the same by number": {url("http://127.0.0.1:9090"), "network-policy", Fine, "within the pod"},
		"nothing may leave": {func(w *world) {
			of[*networkingv1.NetworkPolicy](w, schedulerName).Spec.Egress = nil
		}, "network-policy", Error, "kubectl -n vicinity-system edit networkpolicy vicinity-scheduler"},
	}
}

func accessFaults() map[string]fault {
	lacks := func(permissions ...string) func(*world) { return func(w *world) { w.denied = permissions } }
	rule := func(w *world) {
		w.rules = []runtime.Object{ruleFor("shop", "db", nil)}
		w.denied = []string{"list destinationrules", "watch destinationrules"}
	}
	return map[string]fault{
		"no stock role":           {lacks("list nodes"), "permissions-scheduling", Error, "--clusterrole=system:kube-scheduler --serviceaccount=vicinity-system:vicinity-scheduler"},
		"no volume role":          {lacks("list storageclasses"), "permissions-scheduling", Error, "storageclasses.storage.k8s.io"},
		"no authentication role":  {lacks("get configmaps"), "permissions-scheduling", Warning, "kube-system/extension-apiserver-authentication"},
		"no lease":                {lacks("update leases"), "permissions-lease", Error, "update leases.coordination.k8s.io vicinity-system/vicinity-scheduler"},
		"rules that are not read": {rule, "permissions-routing", Warning, "1 DestinationRule, and ServiceAccount vicinity-system/vicinity-scheduler may not list"},
		"nobody may ask":          {func(w *world) { w.hidden = []string{"create subjectaccessreviews"} }, "permissions-scheduling", Unchecked, "--as=system:serviceaccount:vicinity-system:vicinity-scheduler"},
	}
}

// ruleFor returns a DestinationRule for a Service.
func ruleFor(namespace, host string, policy map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": map[string]any{"namespace": namespace, "name": host},
		"spec": map[string]any{"host": host, "trafficPolicy": policy},
	}}
}

func fileFaults() map[string]fault {
	return map[string]fault{
		"a misspelt field": {func(w *world) { edit(w, "scheduler.yaml", "percentageOfNodesToScore", "percentOfNodesToScore") }, "config-scheduler", Error, "percentOfNodesToScore"},
		"a wrong argument": {func(w *world) {
			edit(w, "scheduler.yaml", "kind: TrafficLocalityArgs", "kind: TrafficLocalityArgs\n      strategy: Best")
		}, "config-scheduler", Error, "strategy"},
		"a misspelt source":            {func(w *world) { edit(w, "telemetry.yaml", "istio-sidecar", "istio") }, "config-telemetry", Error, "sources"},
		"no ConfigMap":                 {func(w *world) { remove[*corev1.ConfigMap](w, "vicinity-config") }, "config-scheduler", Error, "vicinity-system/vicinity-config"},
		"no key":                       {func(w *world) { delete(of[*corev1.ConfigMap](w, "vicinity-config").Data, "telemetry.yaml") }, "config-telemetry", Error, "no key telemetry.yaml"},
		"no telemetry flag":            {func(w *world) { container(w).Args = container(w).Args[:1] }, "config-telemetry", Error, "--telemetry-config"},
		"no mount":                     {func(w *world) { container(w).VolumeMounts = nil }, "config-scheduler", Error, "/etc/vicinity/scheduler.yaml"},
		"a local file":                 {func(w *world) { w.change = func(c *Cluster) { c.SchedulerConfig = "cluster.go" } }, "config-scheduler", Error, "cluster.go"},
		"a token not mounted":          {func(w *world) { edit(w, "telemetry.yaml", "url:", "bearerTokenFile: /etc/prometheus/token\n  url:") }, "config-files", Error, "/etc/prometheus/token"},
		"not allowed to read":          {func(w *world) { w.hidden = []string{"get configmaps"} }, "config-scheduler", Unchecked, "get configmaps in vicinity-system"},
		"Deployments hidden":           {func(w *world) { w.hidden = []string{"list deployments"} }, "scheduler-installed", Unchecked, "list deployments.apps"},
		"Deployments hidden elsewhere": {func(w *world) { w.hidden = []string{"list deployments everywhere"} }, "scheduler-installed", Fine, "Deployment vicinity-system/vicinity-scheduler."},
		"leases hidden":                {func(w *world) { w.hidden = []string{"list leases"} }, "scheduler-single", Unchecked, "list leases.coordination.k8s.io"},
		"pods hidden":                  {func(w *world) { w.hidden = []string{"list pods"} }, "pods-pending", Unchecked, "list pods"},
		"everything is hidden":         {func(w *world) { w.hidden = hideAll() }, "network-policy", Unchecked, "list deployments.apps"},
	}
}

func hideAll() (all []string) {
	for _, r := range []string{"deployments", "pods", "nodes", "leases", "configmaps", "services", "namespaces", "networkpolicies", "poddisruptionbudgets", "subjectaccessreviews"} {
		all = append(all, "list "+r, "get "+r, "create "+r)
	}
	return all
}

func profileFaults() map[string]fault {
	scheduler := func(old, text string) func(*world) { return func(w *world) { edit(w, "scheduler.yaml", old, text) } }
	args := func(text string) func(*world) {
		return scheduler("kind: TrafficLocalityArgs", "kind: TrafficLocalityArgs\n      "+text)
	}
	return map[string]fault{
		"not enabled":      {scheduler("name: TrafficLocality", "name: ImageLocality"), "config-enabled", Error, "No profile"},
		"weight 0":         {scheduler("weight: 5", "weight: 0"), "config-enabled", Error, "above 0"},
		"weight 1":         {scheduler("weight: 5", "weight: 1"), "config-weight", Warning, "1 x 100 = 100"},
		"weight 2":         {scheduler("weight: 5", "weight: 2"), "config-weight", Warning, "2 x 100 = 200"},
		"weight 3":         {scheduler("weight: 5", "weight: 3"), "config-weight", Note, "4 x 100 = 400"},
		"a second profile": {scheduler("- schedulerName: vicinity", "- schedulerName: plain\n- schedulerName: vicinity"), "config-enabled", Note, "plain"},
		"nodes are sampled": {func(w *world) {
			scheduler("percentageOfNodesToScore: 100", "")(w)
			for i := range 300 {
				w.add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n" + strconv.Itoa(i)}})
			}
		}, "config-node-sampling", Warning, "after 145 of 303"},
		"NetMARKS":      {args("strategy: NetMARKS"), "config-strategy", Note, "NetMARKS"},
		"shadow":        {args("shadow: true"), "config-shadow", Note, "vicinity locality --shadow"},
		"nobody is in":  {args("optIn: true"), "config-opt-in", Warning, "optIn: true"},
		"stale at once": {args("staleAfter: 40s"), "config-ages", Warning, "40s"},
		"a profile that nobody uses": {scheduler("- schedulerName: vicinity", "- schedulerName: cost\n  plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}\n- schedulerName: vicinity"),
			"scheduler-name-unused", Note, "cost"},
		"a mesh of its own ways": {func(w *world) { edit(w, "telemetry.yaml", "istio-sidecar", "linkerd") }, "mesh-routing", Warning, "linkerd"},
	}
}

func memoryFaults() map[string]fault {
	limit := func(amount string) func(*world) {
		return func(w *world) { container(w).Resources.Limits[corev1.ResourceMemory] = resource.MustParse(amount) }
	}
	return map[string]fault{
		"below the table": {limit("256Mi"), "memory-limit", Note, "512Mi"},
		"far too little": {func(w *world) {
			limit("8Mi")(w)
			for i := range 300 {
				pod := podOf("many", "many", 0, "node-c", "", nil)
				pod.Name = "many-" + strconv.Itoa(i)
				w.add(pod)
			}
		}, "memory-limit", Warning, "set resources deployment vicinity-scheduler --requests=memory=320Mi --limits=memory=512Mi"},
		"pods that have finished, which no scheduler holds": {func(w *world) {
			limit("8Mi")(w)
			for i := range 300 {
				pod := podOf("many", "many", 0, "node-c", "", nil)
				pod.Name = "done-" + strconv.Itoa(i)
				pod.Status.Phase = corev1.PodSucceeded
				w.add(pod)
			}
		}, "memory-limit", Note, "512Mi"},
		"no limit":        {func(w *world) { container(w).Resources.Limits = nil }, "memory-limit", Note, "no memory limit"},
		"no variable":     {func(w *world) { container(w).Env = nil }, "memory-variable", Warning, "VICINITY_MEMORY_LIMIT"},
		"a wrong value":   {func(w *world) { container(w).Env = []corev1.EnvVar{{Name: "VICINITY_MEMORY_LIMIT", Value: "1Gi"}} }, "memory-variable", Error, `"1Gi"`},
		"a wrong divisor": {func(w *world) { container(w).Env[0].ValueFrom.ResourceFieldRef.Divisor = resource.MustParse("1Mi") }, "memory-variable", Warning, "1Mi"},
	}
}

func metricFaults() map[string]fault {
	all := map[string]fault{
		"not scraped":   {func(w *world) { w.answers = nil }, "scheduler-scraped", Warning, "10259"},
		"no Prometheus": {func(w *world) { w.noProm = true }, "scheduler-scraped", Unchecked, "vicinity doctor --prometheus URL"},
		"no traffic":    {func(w *world) { w.answers["increase(vicinity_cycles_skipped_total[1h])"][0].Value = 1000 }, "scheduler-cycles", Warning, "1000 of 1050 pods"},
		"never read, just started": {func(w *world) {
			w.isNew = true
			w.answers["vicinity_graph_age_seconds > 300"] = model.Vector{sampleOf(math.Inf(1), "instance", "10.0.0.9:10259")}
		}, "scheduler-data-age", Note, "has never read the traffic. It has been so for less than 5m."},
		"never read": {func(w *world) {
			w.answers["vicinity_graph_age_seconds > 300"] = model.Vector{sampleOf(math.Inf(1), "instance", "10.0.0.9:10259")}
		}, "scheduler-data-age", Error, "10.0.0.9:10259 has never read the traffic."},
		"no cycles": {func(w *world) {
			delete(w.answers, "increase(vicinity_cycles_skipped_total[1h])")
			delete(w.answers, "increase(vicinity_score_spread_points_count[1h])")
		}, "scheduler-cycles", Note, "No pod was scored"},
		"another Kubernetes": {func(w *world) {
			w.answers["kubernetes_build_info"] = model.Vector{sampleOf(1, "git_version", "v1.35.4")}
		}, "kubernetes-version", Error, "vicinity-scheduler of 1.35"},
	}
	for _, alert := range schedulermetrics.Alerts() {
		for _, a := range alertChecks() {
			if a.alert == alert.Name {
				all["alert "+a.alert] = fault{func(w *world) {
					w.answers[alert.PromQL] = model.Vector{sampleOf(400, "source", "istio-sidecar", "instance", "10.0.0.9:10259", "condition", "scraped-twice", "task", "telemetry", "permission", "list:nodes")}
				}, a.check, a.severity, ""}
			}
		}
	}
	return all
}
