package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

func TestCluster(t *testing.T) {
	web := "app: web, pod-template-hash: h1"
	webSet := kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "web-h1", "replicas: 3"), "Deployment/web")
	webDeployment := kubetest.Object("apps/v1", "Deployment", "web", "replicas: 3")
	cases := map[string]struct {
		input        string
		want         []string
		wantWarnings []string
	}{
		"Deployment, one pod pending": {
			input: webDeployment + webSet + kubetest.Pod("web-h1-b", "ReplicaSet/web-h1", "n1", web) +
				kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n2", web) + kubetest.Pod("web-h1-c", "ReplicaSet/web-h1", `""`, web),
			want: []string{"shop/web x3 100m 1048576 n2 n1"},
		},
		"Deployment whose ReplicaSet is not in the file": {
			input:        webDeployment + kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", web),
			want:         []string{"shop/web x3 100m 1048576 n1"},
			wantWarnings: []string{"the ReplicaSet that owns a pod is not in the input: shop/web-h1-a"},
		},
		"ReplicaSet whose Deployment is not in the file": {
			input:        webSet + kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", web),
			want:         []string{"shop/web x3 100m 1048576 n1"},
			wantWarnings: []string{"the Deployment that owns a pod is not in the input: shop/web-h1-a"},
		},
		"no controller in the file": {
			input: kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", web) + kubetest.Pod("web-h1-b", "ReplicaSet/web-h1", "n1", web),
			want:  []string{"shop/web x2 100m 1048576 n1 n1"},
			wantWarnings: []string{
				"the ReplicaSet that owns a pod is not in the input: 2, the first is shop/web-h1-a",
			},
		},
		"StatefulSet, Job, ReplicationController, controller of an unknown kind": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2") + kubetest.Pod("db-0", "StatefulSet/db", "n1", "") +
				kubetest.Object("v1", "ReplicationController", "old", "replicas: 4") + kubetest.Pod("old-x", "ReplicationController/old", "n1", "") +
				kubetest.Pod("import-29123456-x", "Job/import-29123456", "n1", "") + kubetest.Generated(kubetest.Pod("match-1", "GameServer/match", "n1", ""), "match-") +
				kubetest.Generated(strings.Replace(kubetest.Pod("set-1", "StatefulSet/set", "n1", ""), "apps/v1", "apps.kruise.io/v1beta1", 1), "set-"),
			want: []string{
				"shop/db x2 100m 1048576 n1", "shop/import x1 100m 1048576 n1",
				"shop/match x1 100m 1048576 n1", "shop/old x4 100m 1048576 n1", "shop/set x1 100m 1048576 n1",
			},
		},
		"an operator's pods, each with a name of its own": {
			input: kubetest.Pod("pg-1", "Cluster/pg", "n1", "") + kubetest.Pod("pg-2", "Cluster/pg", "n2", ""),
			want:  []string{"shop/pg-1 x1 100m 1048576 n1", "shop/pg-2 x1 100m 1048576 n2"},
		},
		"an owner without a name": {
			input: kubetest.Generated(strings.Replace(kubetest.Pod("match-1", "GameServer/x", "n1", ""), "name: x", `name: ""`, 1), "match-"),
			want:  []string{"shop/match-1 x1 100m 1048576 n1"},
		},
		"one name by label for several controllers": {
			input: kubetest.Object("apps/v1", "Deployment", "stable", "replicas: 9") + kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "stable-h1", "replicas: 9"), "Deployment/stable") +
				kubetest.Object("apps/v1", "Deployment", "canary", "replicas: 1") + kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "canary-h2", "replicas: 1"), "Deployment/canary") +
				kubetest.Object("apps/v1", "Deployment", "store", "replicas: 50") + kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "store-h3", "replicas: 50"), "Deployment/store") +
				kubetest.Pod("canary-h2-a", "ReplicaSet/canary-h2", "n1", "pod-template-hash: h2, service.istio.io/workload-name: store") +
				kubetest.Pod("stable-h1-a", "ReplicaSet/stable-h1", "n1", "pod-template-hash: h1, service.istio.io/workload-name: store") +
				kubetest.Pod("stable-h1-b", "ReplicaSet/stable-h1", "n2", "pod-template-hash: h1, service.istio.io/workload-name: store") +
				kubetest.Pod("import-29123456-x", "Job/import-29123456", "n2", "service.istio.io/workload-name: store"),
			want: []string{"shop/store x11 100m 1048576 n1 n1 n2 n2"},
		},
		"one name by label, the ReplicaSet is not in the input": {
			input: kubetest.Object("apps/v1", "Deployment", "web", "replicas: 4") + kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", web+", service.istio.io/workload-name: store"),
			want:  []string{"shop/store x4 100m 1048576 n1"},
			wantWarnings: []string{
				"the ReplicaSet that owns a pod is not in the input: shop/web-h1-a",
				"a workload has no pods to make others like them, and is left out: shop/web",
			},
		},
		"pods that stay where they are": {
			input: kubetest.Object("apps/v1", "DaemonSet", "agent", "") + kubetest.Pod("agent-a", "DaemonSet/agent", "n1", "") +
				kubetest.Pod("agent-b", "DaemonSet/agent", "n2", "") +
				kubetest.Pod("agent-c", "DaemonSet/agent", "n2", "|spec: {nodeName: NODE, containers: [{name: a}]}") + kubetest.Pod("etcd-n1", "Node/n1", "n1", "") + kubetest.Pod("proxy-n1", "Node/n1", "n1", "") +
				"---\n{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: old-static, annotations: {kubernetes.io/config.mirror: x}}}\n" +
				kubetest.Pod("bare", "", "n1", "") + kubetest.Pod("bare-pending", "", `""`, ""),
			want: []string{
				"shop/agent x3 0m 0 fixed n1 n2 n2", "shop/bare x1 100m 1048576 fixed bare n1", "shop/bare-pending x1 100m 1048576 fixed bare",
				"shop/etcd-n1 x1 100m 1048576 fixed n1", "shop/old-static x1 0m 0 fixed", "shop/proxy-n1 x1 100m 1048576 fixed n1",
			},
		},
		"pods that do not count": {
			input: webDeployment + webSet + kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", web) +
				kubetest.Pod("web-h1-b", "ReplicaSet/web-h1", "n1", web+"|status: {phase: Failed}") +
				strings.Replace(kubetest.Pod("web-h1-c", "ReplicaSet/web-h1", "n1", web), "metadata: {", "metadata: {deletionTimestamp: 2026-01-01T00:00:00Z, ", 1) +
				kubetest.Pod("web-h1-d", "ReplicaSet/web-h1", "gone", web) + kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n2", web),
			want: []string{"shop/web x3 100m 1048576 n1"},
			wantWarnings: []string{
				"a pod is in the input more than once; the first counts: shop/web-h1-a",
				"a finished or terminating pod is left out: 2, the first is shop/web-h1-b",
				"a pod is on a node that is not in the input; it counts as not assigned: shop/web-h1-d",
			},
		},
		"a controller that is there twice": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2") + kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 3") +
				kubetest.Pod("db-0", "StatefulSet/db", "n1", ""),
			want:         []string{"shop/db x2 100m 1048576 n1"},
			wantWarnings: []string{"a statefulset is in the input more than once; the first counts: shop/db"},
		},
		"workloads without pods": {
			input: webDeployment + webSet + kubetest.Object("apps/v1", "Deployment", "idle", "replicas: 0") + kubetest.Object("apps/v1", "StatefulSet", "db", ""),
			wantWarnings: []string{
				"a workload has no pods to make others like them, and is left out: 2, the first is shop/db",
			},
		},
		"workload that is scaled down": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 0") + kubetest.Pod("db-0", "StatefulSet/db", "n1", ""),
			wantWarnings: []string{
				"a workload wants no pods but has some, and is left out: shop/db",
			},
		},
		"owners that own each other": {
			input: kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", "web-h1", "replicas: 2"), "Deployment/web") +
				kubetest.Owned(kubetest.Object("apps/v1", "Deployment", "web", "replicas: 3"), "ReplicaSet/web-h1") + kubetest.Pod("web-h1-a", "ReplicaSet/web-h1", "n1", web),
			want:         []string{"shop/web x2 100m 1048576 n1"},
			wantWarnings: []string{"the owners of a pod own each other: shop/web-h1-a"},
		},
		"rollout that has just begun: the requests of the newest pod": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 3") +
				kubetest.Created(kubetest.Pod("db-0", "StatefulSet/db", "n1", "|spec: {nodeName: NODE, hostname: db-0, containers: [{name: a, resources: {requests: {cpu: 7m}}}]}"), 1) +
				kubetest.Created(kubetest.Pod("db-1", "StatefulSet/db", "n1", "|spec: {nodeName: NODE, containers: [{name: a, resources: {requests: {cpu: 8m}}}]}"), 2) +
				kubetest.Created(kubetest.Pod("db-2", "StatefulSet/db", "n2", "|spec: {nodeName: NODE, hostname: db-2, containers: [{name: a, resources: {requests: {cpu: 7m}}}]}"), 1),
			want:         []string{"shop/db x3 8m 0 n1 n1 n2"},
			wantWarnings: []string{"the pods of a workload differ (a rollout?); the replay makes all of them like the newest: shop/db"},
		},
		"rollout without times: the requests of the last pod by name": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2") +
				kubetest.Pod("db-10", "StatefulSet/db", "n1", "|spec: {nodeName: NODE, containers: [{name: a, resources: {requests: {cpu: 8m}}}]}") +
				kubetest.Pod("db-9", "StatefulSet/db", "n2", "|spec: {nodeName: NODE, containers: [{name: a, resources: {requests: {cpu: 7m}}}]}"),
			want:         []string{"shop/db x2 8m 0 n2 n1"},
			wantWarnings: []string{"the pods of a workload differ (a rollout?); the replay makes all of them like the newest: shop/db"},
		},
		"pods that differ in nothing but their own": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2") +
				kubetest.Pod("db-0", "StatefulSet/db", "n1", "|spec: {nodeName: NODE, hostname: db-0, containers: [{name: a, resources: {requests: {cpu: 1}}}]}") +
				kubetest.Pod("db-1", "StatefulSet/db", "n2", "|spec: {nodeName: NODE, hostname: db-1, containers: [{name: a, resources: {requests: {cpu: 1}}}]}"),
			want: []string{"shop/db x2 1000m 0 n1 n2"},
		},
		"requests as the scheduler counts them": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 1") + kubetest.Pod("db-0", "StatefulSet/db", "n1", `|spec: {nodeName: NODE,
  overhead: {cpu: 5m, memory: "10"},
  initContainers: [{name: i, resources: {requests: {cpu: "1", memory: "1"}}}, {name: s, restartPolicy: Always, resources: {requests: {cpu: 20m, memory: "200"}}}],
  containers: [{name: a, resources: {requests: {cpu: 100m, memory: "1000"}}}, {name: b, resources: {requests: {cpu: 300m}}}]}`),
			want: []string{"shop/db x1 1005m 1210 n1"},
		},
		"what a replay ignores": {
			input: kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2") +
				kubetest.Pod("db-0", "StatefulSet/db", "n1", "|spec: {nodeName: NODE, volumes: [{name: d, persistentVolumeClaim: {claimName: data-db-0}}]}") +
				kubetest.Pod("db-1", "StatefulSet/db", `""`, "|spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: data-db-1}}],"+
					"resourceClaims: [{name: gpu, resourceClaimName: g}], schedulingGates: [{name: wait}], schedulingGroup: {podGroupName: g}}") +
				kubetest.Object("apps/v1", "DaemonSet", "agent", "") + kubetest.Pod("agent-a", "DaemonSet/agent", "n1", "|spec: {volumes: [{name: d, ephemeral: {}}]}"),
			want: []string{"shop/agent x1 0m 0 fixed", "shop/db x2 0m 0 n1"},
			wantWarnings: []string{
				"the replay ignores the volumes of a pod: 2, the first is shop/db-0",
				"the replay ignores the resource claims of a pod: shop/db-1",
				"the replay ignores the pod group of a pod: shop/db-1",
				"the replay ignores the scheduling gates of a pod: shop/db-1",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, warnings, err := translate(t, kubetest.TwoNodes+tc.input)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, describe(r)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			checkTemplates(t, r)
		})
	}
}

func TestClusterRouting(t *testing.T) {
	sameNode := "selector: {app: web}, trafficDistribution: PreferSameNode"
	const differ = "the Services of a workload differ in how calls to them are divided; that which keeps less is assumed: shop/web"
	cases := map[string]struct {
		services     []string
		want         string
		wantWarnings []string
	}{
		"no Service":       {want: ""},
		"PreferSameNode":   {services: []string{sameNode}, want: " SameNode"},
		"PreferSameZone":   {services: []string{"selector: {app: web}, trafficDistribution: PreferSameZone"}, want: " SameZone"},
		"PreferClose":      {services: []string{"selector: {app: web}, trafficDistribution: PreferClose"}, want: " SameZone"},
		"no preference":    {services: []string{"selector: {app: web}"}},
		"Local":            {services: []string{"selector: {app: web}, internalTrafficPolicy: Local"}, want: " SameNode"},
		"Cluster":          {services: []string{"selector: {app: web}, internalTrafficPolicy: Cluster"}},
		"of another label": {services: []string{"selector: {app: db}, trafficDistribution: PreferSameNode"}},
		"two labels":       {services: []string{"selector: {app: web, tier: front}, trafficDistribution: PreferSameNode"}, want: " SameNode"},
		"one label more":   {services: []string{"selector: {a: b, app: web}, trafficDistribution: PreferSameNode"}},
		"one more, behind": {services: []string{"selector: {app: web, z: z}, trafficDistribution: PreferSameNode"}},
		"no selector":      {services: []string{"trafficDistribution: PreferSameNode"}},
		"headless":         {services: []string{sameNode + ", clusterIP: None"}},
		"ExternalName":     {services: []string{sameNode + ", type: ExternalName"}},
		"two that agree":   {services: []string{sameNode, sameNode}, want: " SameNode"},
		"a headless one beside": {
			services: []string{"selector: {app: web}, clusterIP: None", sameNode}, want: " SameNode",
		},
		"two that differ": {services: []string{sameNode, "selector: {app: web}"}, wantWarnings: []string{differ}},
		"one for each pod": {
			services: []string{sameNode, "selector: {statefulset.kubernetes.io/pod-name: web-0}"}, want: " SameNode",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			input := kubetest.TwoNodes + kubetest.Object("apps/v1", "StatefulSet", "web", "") +
				kubetest.Pod("web-0", "StatefulSet/web", "n1", "app: web, tier: front, statefulset.kubernetes.io/pod-name: web-0|spec: {containers: []}")
			for i, s := range tc.services {
				input += kubetest.Object("v1", "Service", fmt.Sprintf("s%d", i), s)
			}
			input += strings.ReplaceAll(kubetest.Object("v1", "Service", "elsewhere", sameNode), "shop", "other")
			r, warnings, err := translate(t, input)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"shop/web x1 0m 0" + tc.want}, describe(r)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClusterErrors(t *testing.T) {
	node := func(name, allocatable string) string {
		return fmt.Sprintf("---\n{apiVersion: v1, kind: Node, metadata: {name: %s}, status: {allocatable: {%s}}}\n", name, allocatable)
	}
	cases := map[string]struct{ input, want string }{
		"no nodes":               {kubetest.Pod("web-1", "", "n1", ""), "there is no node among the objects; get nodes too: kubectl get nodes,pods,"},
		"node that owes":         {node("n1", "cpu: -1, memory: 1Gi, pods: 10"), "node n1: allocatable cpu -1: no such amount"},
		"node beyond all bounds": {node("n1", "cpu: 1, memory: 1e30, pods: 10"), "node n1: allocatable memory 1e+30: no such amount"},
		"node with many pods":    {node("n1", "cpu: 1, memory: 1Gi, pods: 2147483648"), "node n1: allocatable pods 2147483648: no such amount"},
		"two nodes of one name":  {kubetest.TwoNodes + node("n1", "cpu: 1, memory: 1Gi, pods: 10"), "two nodes are called n1"},
		"pod that asks for less than nothing": {
			kubetest.TwoNodes + kubetest.Pod("web-1", "", "n1", "|spec: {containers: [{name: a, resources: {requests: {cpu: -1}}}]}"), "pod shop/web-1: cpu -1: no such amount",
		},
		"too many replicas": {
			kubetest.TwoNodes + kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 1000001") + kubetest.Pod("db-0", "StatefulSet/db", "n1", ""),
			"workload shop/db: wants 1000001 pods; must be at most 1000000",
		},
		"negative replicas": {
			kubetest.TwoNodes + kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: -1") + kubetest.Pod("db-0", "StatefulSet/db", "n1", ""), "workload shop/db: wants -1 pods",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, _, err := translate(t, tc.input)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if r != nil {
				t.Error("a cluster was returned along with the error")
			}
		})
	}
}

// TestControlPlane reads the labels of kubeadm, and those of other roles not.
func TestControlPlane(t *testing.T) {
	var input string
	for name, label := range map[string]string{"n1": "control-plane", "n2": "master", "n3": "worker"} {
		input += "---\n{apiVersion: v1, kind: Node, metadata: {name: " + name + `, labels: {node-role.kubernetes.io/` + label + `: ""}}}` + "\n"
	}
	r, _, err := translate(t, input+kubetest.Pod("bare", "", "n1", ""))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if got := r.Cluster.Nodes[i].ControlPlane; got != want {
			t.Errorf("node %s runs the control plane: %v, want %v", r.Cluster.Nodes[i].Node, got, want)
		}
	}
}

// The order of the input makes no difference.
func TestClusterOrder(t *testing.T) {
	input := strings.Split(kubetest.TwoNodes+kubetest.Object("apps/v1", "StatefulSet", "db", "replicas: 2")+kubetest.Object("apps/v1", "StatefulSet", "a", "")+
		kubetest.Object("v1", "Service", "b", "selector: {app: a}")+kubetest.Object("v1", "Service", "a", "selector: {app: a}")+
		kubetest.Pod("db-1", "StatefulSet/db", "n2", "app: db")+kubetest.Pod("db-0", "StatefulSet/db", "n1", "app: db")+kubetest.Pod("a-0", "StatefulSet/a", "n1", "app: a"), "---")
	first, _, err := translate(t, "---\n"+strings.Join(input, "---"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(input)
	second, _, err := translate(t, "---\n"+strings.Join(input, "---"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the input backwards (-forwards +backwards):\n%s", diff)
	}
	var objects []string
	for _, o := range first.Objects {
		switch o := o.(type) {
		case *corev1.Service:
			objects = append(objects, "service "+o.Name)
		default:
			objects = append(objects, fmt.Sprintf("%T", o))
		}
	}
	if diff := cmp.Diff([]string{"*v1.StatefulSet", "*v1.StatefulSet", "service a", "service b"}, objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// Without any pod on a node, nothing is known of an assignment.
func TestClusterUnassigned(t *testing.T) {
	for node, known := range map[string]bool{"n1": true, "gone": false, `""`: false} {
		r, _, err := translate(t, kubetest.TwoNodes+kubetest.Object("apps/v1", "StatefulSet", "db", "")+kubetest.Pod("db-0", "StatefulSet/db", node, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Cluster.Assigned != nil; got != known {
			t.Errorf("with a pod on node %s an assignment is known: %v, want %v", node, got, known)
		}
	}
}
