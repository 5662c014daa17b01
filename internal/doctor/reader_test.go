package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// readerFaults are of somebody who may read a part of the cluster: what depends on the rest is
// unchecked, and what does not is checked.
func readerFaults() map[string]fault {
	hides := func(what ...string) func(*world) { return func(w *world) { w.hidden = what } }
	uninstalled := func(hidden ...string) func(*world) {
		return func(w *world) {
			remove[*appsv1.Deployment](w, schedulerName)
			remove[*coordinationv1.Lease](w, schedulerName)
			remove[*corev1.Pod](w, "vicinity-scheduler-0")
			remove[*corev1.Pod](w, "vicinity-scheduler-1")
			w.hidden = hidden
		}
	}
	rules := func(w *world) {
		w.hidden = []string{"list destinationrules"}
		of[*corev1.Service](w, "db").Spec.TrafficDistribution = nil
	}
	return map[string]fault{
		"all may be read":                       {func(*world) {}, "cluster-access", Fine, "You may list all that the checks look at in all namespaces."},
		"what is read in one namespace":         {hides("list networkpolicies"), "cluster-access", Fine, "in all namespaces."},
		"nodes hidden":                          {hides("list nodes"), "cluster-access", Unchecked, "Some checks cannot be made, or not in full: you may not list nodes."},
		"nodes hidden, what to type":            {hides("list nodes"), "cluster-access", Unchecked, "kubectl create clusterrole vicinity-doctor --verb=get,list --resource=nodes && kubectl create clusterrolebinding vicinity-doctor --clusterrole=vicinity-doctor --user=USER"},
		"nodes hidden from their check":         {hides("list nodes"), "topology-labels", Unchecked, "you may not list nodes"},
		"nodes hidden from another check":       {hides("list nodes"), "pods-pending", Fine, "No pod of Vicinity's profiles is Pending"},
		"nodes hidden from sampling":            {hides("list nodes"), "config-node-sampling", Unchecked, "you may not list nodes"},
		"nodes hidden from the sizes":           {hides("list nodes"), "memory-limit", Unchecked, "you may not list nodes"},
		"optional kinds hidden":                 {hides("list destinationrules", "list sidecars"), "cluster-access", Unchecked, "you may not list destinationrules.networking.istio.io, sidecars.networking.istio.io."},
		"leases hidden from access":             {hides("list leases"), "cluster-access", Unchecked, "--resource=leases.coordination.k8s.io &&"},
		"pods hidden from access":               {hides("list pods"), "cluster-access", Unchecked, "Some checks cannot be made, or not in full: you may not list pods."},
		"pods hidden, nothing found":            {uninstalled("list pods"), "cluster-access", Unchecked, "Nothing essential of the cluster can be looked at: you may not list pods."},
		"all hidden":                            {hides(hideAll()...), "cluster-access", Unchecked, "Nothing essential of the cluster can be looked at: you may not list nodes, namespaces, services, deployments.apps, pods, leases.coordination.k8s.io."},
		"Services hidden":                       {hides("list services"), "workloads-routing", Unchecked, "you may not list services"},
		"Services hidden from sessions":         {hides("list services"), "workloads-sessions", Unchecked, "you may not list services"},
		"rules hidden from routing":             {hides("list destinationrules"), "workloads-routing", Unchecked, "you may not list destinationrules.networking.istio.io"},
		"rules hidden, but Services are seen":   {rules, "workloads-routing", Warning, "shop/db"},
		"rules hidden from permissions":         {hides("list destinationrules"), "permissions-routing", Unchecked, "you may not list destinationrules.networking.istio.io"},
		"Sidecars hidden":                       {hides("list sidecars"), "permissions-declared", Unchecked, "you may not list sidecars.networking.istio.io"},
		"namespaces hidden":                     {hides("list namespaces"), "workloads-kept-apart", Unchecked, "you may not list namespaces"},
		"DaemonSets hidden":                     {hides("list daemonsets"), "annotations", Unchecked, "you may not list daemonsets.apps"},
		"Prometheus' pods hidden":               {hides("list pods"), "prometheus-service", Unchecked, "you may not list pods"},
		"Prometheus' Service hidden":            {hides("get services"), "network-policy", Unchecked, "you may not get services in monitoring"},
		"Prometheus' namespace hidden":          {hides("get namespaces"), "network-policy", Unchecked, "you may not get namespaces"},
		"nothing found where one may look":      {uninstalled("list deployments everywhere"), "scheduler-installed", Unchecked, "you may not list deployments.apps"},
		"nothing found without leases":          {uninstalled("list leases"), "scheduler-installed", Unchecked, "you may not list leases.coordination.k8s.io"},
		"nothing found without pods":            {uninstalled("list pods"), "scheduler-installed", Unchecked, "you may not list pods"},
		"another installation may be elsewhere": {hides("list deployments everywhere"), "scheduler-single", Unchecked, "you may not list deployments.apps"},
		"nobody may say whether pods have opted": {func(w *world) {
			edit(w, "scheduler.yaml", "kind: TrafficLocalityArgs", "kind: TrafficLocalityArgs\n      optIn: true")
			w.hidden = []string{"list replicasets"}
		}, "config-opt-in", Unchecked, "you may not list replicasets.apps"},
		"nobody may say who uses a profile":       {hides("list pods"), "scheduler-name-unused", Unchecked, "you may not list pods"},
		"a permission, and how to check it again": {hides("list pods"), "workloads-handed-over", Unchecked, "kubectl auth can-i list pods --all-namespaces"},
	}
}

// TestBlind: a doctor that could look at nothing essential says so, and what to do.
func TestBlind(t *testing.T) {
	cases := map[string]struct {
		plant func(*world)
		want  string // "" for no error
	}{
		"healthy":                  {func(*world) {}, ""},
		"pods alone are hidden":    {func(w *world) { w.hidden = []string{"list pods"} }, ""},
		"schedulers alone are":     {func(w *world) { w.hidden = []string{"list deployments", "list leases"} }, ""},
		"both are":                 {func(w *world) { w.hidden = []string{"list deployments", "list leases", "list pods"} }, "nothing essential of the cluster could be looked at: you may not list deployments.apps, pods, leases.coordination.k8s.io. Have an administrator type"},
		"everything is":            {func(w *world) { w.hidden = hideAll() }, "kubectl create clusterrolebinding vicinity-doctor --clusterrole=vicinity-doctor --user=USER"},
		"the server cannot be had": {func(w *world) { w.broken = errors.New("connection refused") }, "nothing essential of the cluster could be looked at: listing nodes: connection refused"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.plant(w)
			report, _, _ := w.examine(t)
			err := report.Blind()
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	if err := (Report{Results: []Result{good(nameReachable, "It is.")}}).Blind(); err != nil {
		t.Errorf("without checks of a cluster: %v", err)
	}
}

// TestReadKinds: the kinds that checks name are in the table, and each is listed once.
func TestReadKinds(t *testing.T) {
	w := newWorld(t)
	_, typed, dynamic := w.examine(t)
	listed := map[string]int{}
	for _, a := range dynamic.Actions() {
		listed[a.GetResource().Resource]++
	}
	var found []string
	for _, k := range objects.NewTable().Kinds() {
		if slices.Contains(readKinds(), k.Kind) {
			found = append(found, k.Kind)
			if n := listed[k.GroupVersionResource().Resource]; n != 1 {
				t.Errorf("%s are listed %d times", k.ResourceName(), n)
			}
		}
	}
	if len(found) != len(readKinds()) || len(listed) != len(found) {
		t.Errorf("of the kinds %q, %q are in the table; %d are listed", readKinds(), found, len(listed))
	}
	for _, a := range typed.Actions() {
		if a.GetVerb() == "list" && a.GetNamespace() == "" && a.GetResource().Resource != "deployments" && a.GetResource().Resource != "leases" {
			t.Errorf("%s of all namespaces are listed whole", a.GetResource().Resource)
		}
	}
}

// TestConfigurationsAreReadOnce: however many names pods wait for, the configuration of another
// Deployment is asked for once.
func TestConfigurationsAreReadOnce(t *testing.T) {
	w := newWorld(t)
	second := deployment(w).DeepCopy()
	second.Namespace = "other"
	w.add(second)
	deployment(w).Status.ReadyReplicas = 1
	for _, name := range []string{"web-0", "web-1", "db-0", "db-1"} {
		pending(w, name, "nobody-"+name, "")
	}
	report, typed, _ := w.examine(t)
	unserved := 0
	for _, r := range report.Results {
		if r.Check == "scheduler-name-unserved" {
			unserved++
		}
	}
	asked := 0
	for _, a := range typed.Actions() {
		if a.Matches("get", "configmaps") && a.GetNamespace() == "other" {
			asked++
		}
	}
	if unserved != 4 || asked != 1 {
		t.Errorf("of %d names that nobody serves, the other configuration is read %d times", unserved, asked)
	}
}

// TestManySchedulers: of many Deployments, the next step names as many as results name.
func TestManySchedulers(t *testing.T) {
	w := newWorld(t)
	deployment(w).Status.ReadyReplicas = 1
	for i := range mostListed + 2 {
		other := deployment(w).DeepCopy()
		other.Namespace, other.Status.ReadyReplicas = fmt.Sprint("other-", i), 0
		w.add(other)
	}
	report, _, _ := w.examine(t)
	for _, r := range report.Results {
		if r.Check != "scheduler-single" {
			continue
		}
		if n := strings.Count(r.Next, "vicinity doctor --scheduler other-"); n != mostListed || !strings.HasSuffix(r.Next, "/vicinity-scheduler; and so on for 2 more") {
			t.Errorf("there are %d commands: %s", n, r.Next)
		}
	}
}

// TestLargeFile: a file that is far too large is refused as any wrong one, and not read whole.
func TestLargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.yaml")
	text := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" + strings.Repeat("#\n", 9<<20)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.change = func(c *Cluster) { c.SchedulerConfig = path }
	report, _, _ := w.examine(t)
	for _, r := range report.Results {
		if r.Check == "config-scheduler" && (r.Severity != Error || r.What != path+": is larger than 16 MiB, want a KubeSchedulerConfiguration.") {
			t.Errorf("it is %s: %s", r.Severity, r.What)
		}
	}
}

// TestDocumentedRole: the ClusterRole in the documentation allows what the checks read, whatever
// they meet, and no more.
func TestDocumentedRole(t *testing.T) {
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(text), "```yaml\napiVersion: rbac.authorization.k8s.io/v1\n")
	block, _, end := strings.Cut(block, "```")
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(block), &role); err != nil || !ok || !end {
		t.Fatalf("docs/doctor.md has no ClusterRole: %v", err)
	}
	allowed, asked := map[string]bool{}, map[string]bool{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				allowed[verb+" "+strings.TrimSuffix(resource+"."+rule.APIGroups[0], ".")] = true
			}
		}
	}
	for _, f := range clusterFaults() {
		w := newWorld(t)
		f.plant(w)
		_, typed, dynamic := w.examine(t)
		for _, a := range append(typed.Actions(), dynamic.Actions()...) {
			if a.GetResource().Resource != "version" { // which everybody may ask for
				asked[a.GetVerb()+" "+a.GetResource().GroupResource().String()] = true
			}
		}
	}
	for permission := range asked {
		if !allowed[permission] {
			t.Errorf("the ClusterRole does not allow to %s", permission)
		}
	}
	for permission := range allowed {
		if !asked[permission] {
			t.Errorf("the ClusterRole allows to %s, which no check does", permission)
		}
	}
}

// TestCanceledReading ends without results.
func TestCanceledReading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, dynamic := newWorld(t).clients()
	dynamic.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, ctx.Err() })
	if o := ReadInventory(ctx, dynamic); !errors.Is(o.without(kindPod), context.Canceled) {
		t.Errorf("error %v", o.without(kindPod))
	}
}

// TestResolvable: workloads are looked for among the objects only where all of those are known
// that telemetry names.
func TestResolvable(t *testing.T) {
	for hidden, want := range map[string]string{
		"": "", "list nodes": "", "list pods": "you may not list pods", "list services": "you may not list services", "list replicasets": "you may not list replicasets.apps",
	} {
		w := newWorld(t)
		w.hidden = []string{hidden}
		_, dynamic := w.clients()
		all, why := ReadInventory(t.Context(), dynamic).Resolvable()
		if (all == nil) != (want != "") || !strings.Contains(why, want) {
			t.Errorf("without %q: objects are %v, because %q", hidden, all != nil, why)
		}
	}
}
