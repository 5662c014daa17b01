package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/internal/doctor"
)

// plantedFault is something wrong with an installation, and what doctor must say of it.
type plantedFault struct {
	name string
	// plant makes the fault and returns how to undo it; nil is never, for the last ones.
	plant    func(*testing.T, *patient) (undo func())
	check    string
	severity doctor.Severity
	names    string // is part of what doctor says; APP is the namespace of the app
	// later is how much later doctor looks: pods may wait for a minute.
	later time.Duration
	// change changes how doctor looks at the cluster.
	change func(*testing.T, *patient, *doctor.Cluster)
}

// patch merges a patch in JSON into an object of the namespace; its resource may name a
// subresource, as "pods/status".
func (a *app) patch(t *testing.T, what, name, patch string) {
	t.Helper()
	kind, sub, _ := strings.Cut(what, "/")
	core, client := "/api/v1", a.client.CoreV1().RESTClient()
	switch kind {
	case "deployments":
		core, client = "/apis/apps/v1", a.client.AppsV1().RESTClient()
	case "networkpolicies":
		core, client = "/apis/networking.k8s.io/v1", a.client.NetworkingV1().RESTClient()
	case "poddisruptionbudgets":
		core, client = "/apis/policy/v1", a.client.PolicyV1().RESTClient()
	}
	path := []string{core}
	if kind != "nodes" && kind != "namespaces" {
		path = append(path, "namespaces", a.namespace)
	}
	path = append(path, kind, name)
	if sub != "" {
		path = append(path, sub)
	}
	how := types.MergePatchType
	if kind == "deployments" { // whose containers are merged by name
		how = types.StrategicMergePatchType
	}
	if err := client.Patch(how).AbsPath(strings.Join(path, "/")).Body([]byte(patch)).Do(t.Context()).Error(); err != nil {
		t.Fatalf("patching %s %s: %v", what, name, err)
	}
}

// system is the installation as an app.
func (d *patient) system() *app { return &app{scene: d.scene, namespace: systemNamespace} }

// patching plants a fault by a patch of the installation, which applying the manifests undoes.
func patching(what, name, patch string) func(*testing.T, *patient) func() {
	return func(t *testing.T, d *patient) func() {
		d.system().patch(t, what, name, patch)
		return func() { d.apply(t) }
	}
}

// inContainer plants a fault by a patch of the Deployment's container.
func inContainer(patch string) func(*testing.T, *patient) func() {
	return patching("deployments", "vicinity-scheduler", `{"spec":{"template":{"spec":{"containers":[{"name":"scheduler",`+patch+`}]}}}}`)
}

// configuring plants a fault by a change of a file of the ConfigMap.
func configuring(file, old, text string) func(*testing.T, *patient) func() {
	return func(t *testing.T, d *patient) func() {
		config := d.configMap(t)
		if !strings.Contains(config.Data[file], old) {
			t.Fatalf("%s has no %q:\n%s", file, old, config.Data[file])
		}
		config.Data[file] = strings.Replace(config.Data[file], old, text, 1)
		if _, err := d.scene.client.CoreV1().ConfigMaps(systemNamespace).Update(t.Context(), &config, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		return func() { d.apply(t) }
	}
}

// unbinding plants a fault by deleting a binding.
func unbinding(binding string) func(*testing.T, *patient) func() {
	return func(t *testing.T, d *patient) func() {
		d.unbind(t, binding)
		return func() { d.apply(t) }
	}
}

// ailing plants a fault by a status of one of the scheduler's pods, of which its controller
// makes another when it is deleted.
func ailing(status string) func(*testing.T, *patient) func() {
	return func(t *testing.T, d *patient) func() {
		pods, err := d.scene.client.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(pods.Items) == 0 {
			t.Fatalf("%d pods: %v", len(pods.Items), err)
		}
		name := pods.Items[0].Name
		d.system().patch(t, "pods/status", name, status)
		return func() {
			if err := d.scene.client.CoreV1().Pods(systemNamespace).Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// waiting plants a pod that no node takes, or that nobody looks at.
func waiting(scheduler, cpu string) func(*testing.T, *patient) func() {
	return func(t *testing.T, d *patient) func() {
		pods := d.scene.client.CoreV1().Pods(d.app.namespace)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "waiting"}, Spec: workload{scheduler: scheduler, cpu: cpu}.podSpec()}
		if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// onApp plants a fault by a patch of an object of the app, and undoes it by another.
func onApp(what, name, patch, undo string) func(*testing.T, *patient) func() {
	return func(t *testing.T, d *patient) func() {
		if name == "APP" {
			name = d.app.namespace
		}
		d.app.patch(t, what, name, patch)
		return func() { d.app.patch(t, what, name, undo) }
	}
}

func plantedFaults() []plantedFault {
	const later = 2 * time.Minute
	full := systemNamespace + "/vicinity-scheduler"
	return append([]plantedFault{
		{name: "one replica", plant: patching("deployments", "vicinity-scheduler", `{"spec":{"replicas":1}}`), check: "scheduler-replicas", severity: doctor.Warning, names: full},
		{name: "another version", plant: inContainer(`"image":"registry.example.com/vicinity-sched/vicinity-scheduler:v9.0.0"`), check: "scheduler-version", severity: doctor.Warning, names: "v9.0.0"},
		{name: "a crash loop", plant: ailing(`{"status":{"containerStatuses":[{"name":"scheduler","image":"","imageID":"","ready":false,"restartCount":9,"state":{"running":null,"waiting":{"reason":"CrashLoopBackOff"}}}]}}`),
			check: "scheduler-pods", severity: doctor.Warning, names: systemNamespace + "/vicinity-scheduler-"},
		{name: "no image", plant: ailing(`{"status":{"containerStatuses":[{"name":"scheduler","image":"","imageID":"","ready":false,"restartCount":0,"state":{"running":null,"waiting":{"reason":"ImagePullBackOff","message":"not found"}}}]}}`),
			check: "scheduler-pods", severity: doctor.Warning, names: "ImagePullBackOff"},
		{name: "too little memory", plant: ailing(`{"status":{"containerStatuses":[{"name":"scheduler","image":"","imageID":"","ready":true,"restartCount":1,"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}}`),
			check: "scheduler-pods", severity: doctor.Warning, names: "more memory"},
		{name: "pods are refused", plant: refused, check: "scheduler-pods-created", severity: doctor.Error, names: full},
		{name: "two installations", plant: second, check: "scheduler-single", severity: doctor.Warning, names: "APP/vicinity-scheduler"},
		{name: "no eviction", plant: patching("poddisruptionbudgets", "vicinity-scheduler", `{"spec":{"maxUnavailable":0}}`), check: "disruption-budget", severity: doctor.Warning, names: full},
		{name: "another port of Prometheus", plant: patching("networkpolicies", "vicinity-scheduler", `{"spec":{"egress":[{"ports":[{"port":443,"protocol":"TCP"}]}]}}`),
			check: "network-policy", severity: doctor.Error, names: "namespace monitoring, port 9090"},
		{name: "too small a limit", plant: inContainer(`"resources":{"limits":{"memory":"200Ki"},"requests":{"memory":"100Ki"}}`), check: "memory-limit", severity: doctor.Warning, names: full},
		{name: "no limit for Go", plant: inContainer(`"env":[{"name":"VICINITY_MEMORY_LIMIT","$patch":"delete"}]`), check: "memory-variable", severity: doctor.Warning, names: full},
		{name: "no stock role", plant: unbinding("vicinity:kube-scheduler"), check: "permissions-scheduling", severity: doctor.Error, names: "ServiceAccount " + full + " may not list nodes"},
		{name: "no volume role", plant: unbinding("vicinity:volume-scheduler"), check: "permissions-scheduling", severity: doctor.Error, names: "storageclasses"},
		{name: "no authentication role", plant: unbinding("kube-system/vicinity:authentication-reader"), check: "permissions-scheduling", severity: doctor.Warning, names: "extension-apiserver-authentication"},
		{name: "no lease", plant: unbinding(systemNamespace + "/vicinity:leader-election"), check: "permissions-lease", severity: doctor.Error, names: full},
		{name: "a pod of nobody", plant: waiting("vicinty", ""), check: "scheduler-name-unserved", severity: doctor.Error, names: "APP/waiting", later: later},
		{name: "a pod too large", plant: waiting("vicinity", "100"), check: "pods-pending", severity: doctor.Warning, names: "APP/waiting", later: later},
		{name: "not scraped", plant: func(*testing.T, *patient) func() { return func() {} }, check: "scheduler-scraped", severity: doctor.Warning, names: "vicinity_graph_generation",
			change: func(t *testing.T, d *patient, c *doctor.Cluster) { c.Metrics = prometheusAt(t, d.Metrics.URL()) }},
		{name: "nobody may be asked", plant: admitViewers, check: "permissions-scheduling", severity: doctor.Unchecked, names: "create subjectaccessreviews", change: asViewer},
	}, append(configurationFaults(), workloadFaults()...)...)
}

func configurationFaults() []plantedFault {
	args := func(text string) func(*testing.T, *patient) func() {
		return configuring("scheduler.yaml", "kind: TrafficLocalityArgs", "kind: TrafficLocalityArgs\n      "+text)
	}
	return []plantedFault{
		{name: "a misspelt field", plant: configuring("scheduler.yaml", "percentageOfNodesToScore", "percentOfNodesToScore"), check: "config-scheduler", severity: doctor.Error, names: "percentOfNodesToScore"},
		{name: "a misspelt source", plant: configuring("telemetry.yaml", "istio-sidecar", "istio"), check: "config-telemetry", severity: doctor.Error, names: "sources"},
		{name: "not enabled", plant: configuring("scheduler.yaml", "weight: 5", "weight: 0"), check: "config-enabled", severity: doctor.Error, names: "TrafficLocality"},
		{name: "no power", plant: configuring("scheduler.yaml", "weight: 5", "weight: 1"), check: "config-weight", severity: doctor.Warning, names: "profile vicinity"},
		{name: "nobody opted in", plant: args("optIn: true"), check: "config-opt-in", severity: doctor.Warning, names: "Profile vicinity"},
		{name: "shadow mode", plant: args("shadow: true"), check: "config-shadow", severity: doctor.Note, names: "Profile vicinity"},
		{name: "stale at once", plant: args("staleAfter: 40s"), check: "config-ages", severity: doctor.Warning, names: "40s"},
		{name: "another mesh", plant: configuring("telemetry.yaml", "istio-sidecar", "linkerd"), check: "mesh-routing", severity: doctor.Warning, names: "linkerd"},
		{name: "no such Service", plant: configuring("telemetry.yaml", "prometheus.monitoring", "prometheus-server.monitoring"), check: "prometheus-service", severity: doctor.Error, names: "monitoring/prometheus-server"},
		{name: "a token that is not mounted", plant: configuring("telemetry.yaml", "prometheus:\n", "prometheus:\n  bearerTokenFile: /etc/prometheus/token\n"), check: "config-files", severity: doctor.Error, names: "/etc/prometheus/token"},
	}
}

func workloadFaults() []plantedFault {
	const later = 2 * time.Minute
	anti := `{"spec":{"template":{"spec":{"affinity":%s}}}}`
	return []plantedFault{
		{name: "even routing", plant: onApp("services", "db", `{"spec":{"trafficDistribution":null}}`, `{"spec":{"trafficDistribution":"PreferSameNode"}}`), check: "workloads-routing", severity: doctor.Warning, names: "APP/db (2.0 MiB/s)"},
		{name: "a node without a zone", plant: onApp("nodes", "zone-b-1", `{"metadata":{"labels":{"topology.kubernetes.io/zone":null}}}`, `{"metadata":{"labels":{"topology.kubernetes.io/zone":"zone-b"}}}`),
			check: "topology-labels", severity: doctor.Warning, names: "zone-b-1"},
		{name: "an annotation that is ignored", plant: onApp("namespaces", "APP", `{"metadata":{"annotations":{"vicinity.dev/locality":"no"}}}`, `{"metadata":{"annotations":{"vicinity.dev/locality":null}}}`),
			check: "annotations", severity: doctor.Warning, names: "Namespace APP"},
		{name: "kept apart", plant: onApp("deployments", "web",
			fmt.Sprintf(anti, `{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"db"}}}]}}`), fmt.Sprintf(anti, "null")),
			check: "workloads-kept-apart", severity: doctor.Warning, names: "APP/web and APP/db"},
		{name: "the scheduler is gone", plant: func(_ *testing.T, d *patient) func() { d.scheduler.process.Stop(); return nil }, check: "scheduler-leads", severity: doctor.Error, names: systemNamespace + "/vicinity-scheduler", later: later},
		{name: "pods wait for what is gone", plant: func(t *testing.T, d *patient) func() { waiting("vicinity", "")(t, d); return nil }, check: "scheduler-name-unserved", severity: doctor.Error, names: "APP/waiting", later: later},
		{name: "no Deployment", plant: func(t *testing.T, d *patient) func() {
			if err := d.scene.client.AppsV1().Deployments(systemNamespace).Delete(t.Context(), "vicinity-scheduler", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			return nil
		}, check: "scheduler-installed", severity: doctor.Error, names: "APP/waiting", later: later},
	}
}

// refused has Pod Security refuse the scheduler's pods.
func refused(t *testing.T, d *patient) func() {
	d.system().patch(t, "deployments", "vicinity-scheduler", `{"spec":{"template":{"spec":{"hostPID":true}}}}`)
	return func() {
		d.system().patch(t, "deployments", "vicinity-scheduler", `{"spec":{"template":{"spec":{"hostPID":null}}}}`)
	}
}

// second makes a second Deployment of a scheduler, without pods.
func second(t *testing.T, d *patient) func() {
	labels := map[string]string{"app.kubernetes.io/name": "vicinity-scheduler"}
	deployments := d.scene.client.AppsV1().Deployments(d.app.namespace)
	_, err := deployments.Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "vicinity-scheduler", Labels: labels},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: workload{}.podSpec()}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := deployments.Delete(t.Context(), "vicinity-scheduler", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// asViewer has doctor look as somebody who may read nearly everything, and may not ask what
// others may do.
func asViewer(t *testing.T, d *patient, c *doctor.Cluster) {
	t.Helper()
	client, untyped := d.as(t, rest.ImpersonationConfig{UserName: "viewer", Groups: []string{"viewers", "system:authenticated"}})
	c.Client, c.Inventory = client, doctor.ReadInventory(t.Context(), untyped)
}

// admitViewers lets viewers read everything.
func admitViewers(t *testing.T, d *patient) func() {
	rbac := d.scene.client.RbacV1()
	_, err := rbac.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "viewers"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get", "list"}, APIGroups: []string{"*"}, Resources: []string{"*"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = rbac.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "viewers"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "viewers"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "viewers"}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(rbac.ClusterRoleBindings().Delete(t.Context(), "viewers", metav1.DeleteOptions{}), rbac.ClusterRoles().Delete(t.Context(), "viewers", metav1.DeleteOptions{})); err != nil {
			t.Fatal(err)
		}
	}
}
