package manifests

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// base is what kustomize makes of the base, as far as the tests look at it.
type base struct {
	deployment appsv1.Deployment
	budget     policyv1.PodDisruptionBudget
	network    networkingv1.NetworkPolicy
	config     corev1.ConfigMap
	telemetry  v1.TelemetryConfiguration
}

func buildBase(t *testing.T) base {
	t.Helper()
	var b base
	build(t, "base", map[string]any{
		"Deployment": &b.deployment, "PodDisruptionBudget": &b.budget, "NetworkPolicy": &b.network, "ConfigMap": &b.config,
	})
	if err := yaml.UnmarshalStrict([]byte(b.config.Data["telemetry.yaml"]), &b.telemetry); err != nil {
		t.Fatal(err)
	}
	return b
}

// build runs kustomize and decodes the one object of each kind that is asked for.
func build(t *testing.T, dir string, into map[string]any) {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, r := range resources.Resources() {
		target, asked := into[r.GetKind()]
		if !asked {
			continue
		}
		found[r.GetKind()]++
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, target); err != nil {
			t.Fatalf("%s %s: %v", r.GetKind(), r.GetName(), err)
		}
	}
	for kind := range into {
		if found[kind] != 1 {
			t.Fatalf("%d objects of kind %s, want one", found[kind], kind)
		}
	}
}

func TestDeploymentIsHardened(t *testing.T) {
	d := buildBase(t).deployment
	pod := d.Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers, want one", len(pod.Containers))
	}
	c := pod.Containers[0]
	if c.SecurityContext == nil || pod.SecurityContext == nil {
		t.Fatal("no security context")
	}
	cases := map[string]bool{
		"two replicas":            d.Spec.Replicas != nil && *d.Spec.Replicas == 2,
		"not root":                isTrue(pod.SecurityContext.RunAsNonRoot) && *pod.SecurityContext.RunAsUser == 65532,
		"seccomp":                 pod.SecurityContext.SeccompProfile != nil && pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"read-only root":          isTrue(c.SecurityContext.ReadOnlyRootFilesystem),
		"no escalation":           c.SecurityContext.AllowPrivilegeEscalation != nil && !*c.SecurityContext.AllowPrivilegeEscalation,
		"no capabilities":         c.SecurityContext.Capabilities != nil && len(c.SecurityContext.Capabilities.Drop) == 1 && c.SecurityContext.Capabilities.Drop[0] == "ALL",
		"probes":                  c.StartupProbe != nil && c.LivenessProbe != nil && c.ReadinessProbe != nil,
		"requests":                !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(),
		"a limit of memory":       !c.Resources.Limits.Memory().IsZero(),
		"the limit known to it":   knowsItsLimit(c),
		"a priority":              pod.PriorityClassName != "",
		"its own service account": pod.ServiceAccountName == "vicinity-scheduler",
	}
	for what, holds := range cases {
		if !holds {
			t.Errorf("the pod lacks: %s", what)
		}
	}
}

// knowsItsLimit reports whether the container's limit is in the variable that the scheduler
// reads, in bytes.
func knowsItsLimit(c corev1.Container) bool {
	for _, v := range c.Env {
		if v.Name == "VICINITY_MEMORY_LIMIT" && v.ValueFrom != nil && v.ValueFrom.ResourceFieldRef != nil {
			ref := v.ValueFrom.ResourceFieldRef
			return ref.Resource == "limits.memory" && (ref.Divisor.IsZero() || ref.Divisor.Value() == 1)
		}
	}
	return false
}

// TestMemoryIsOfTheTable: the request and the limit are a row of the manual's table.
func TestMemoryIsOfTheTable(t *testing.T) {
	c := buildBase(t).deployment.Spec.Template.Spec.Containers[0]
	text, err := os.ReadFile("../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf("| %s | %s |\n", c.Resources.Requests.Memory(), c.Resources.Limits.Memory())
	_, section, ok := strings.Cut(string(text), "## How much memory\n")
	if section, _, _ = strings.Cut(section, "\n#"); !ok || !strings.Contains(section, row) {
		t.Errorf("docs/install.md has no row that ends in %s", row)
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// TestSelectorsSelectThePods: a selector that misses the pods protects nothing,
// and the API server accepts it.
func TestSelectorsSelectThePods(t *testing.T) {
	b := buildBase(t)
	pod := labels.Set(b.deployment.Spec.Template.Labels)
	for what, selector := range map[string]*metav1.LabelSelector{
		"Deployment": b.deployment.Spec.Selector, "PodDisruptionBudget": b.budget.Spec.Selector, "NetworkPolicy": &b.network.Spec.PodSelector,
	} {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Matches(pod) || s.Empty() {
			t.Errorf("the %s's selector %q is not for pods with %v only", what, s, pod)
		}
	}
}

func TestNetworkPolicyLetsThroughWhatIsNeeded(t *testing.T) {
	b := buildBase(t)
	if len(b.network.Spec.PolicyTypes) != 2 {
		t.Errorf("the policy is for %v, want both directions", b.network.Spec.PolicyTypes)
	}
	at, err := url.Parse(b.telemetry.Prometheus.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, namespace, _ := strings.Cut(at.Hostname(), ".")
	cases := map[string]struct {
		namespace string // of the other end; any when empty
		protocol  corev1.Protocol
		port      intstr.IntOrString
		want      bool
	}{
		"the Prometheus of config/telemetry.yaml": {namespace, corev1.ProtocolTCP, intstr.Parse(at.Port()), true},
		"a Prometheus elsewhere":                  {"elsewhere", corev1.ProtocolTCP, intstr.Parse(at.Port()), false},
		"a managed API server":                    {"", corev1.ProtocolTCP, intstr.FromInt32(443), true},
		"an API server":                           {"", corev1.ProtocolTCP, intstr.FromInt32(6443), true},
		"DNS":                                     {"kube-system", corev1.ProtocolUDP, intstr.FromInt32(53), true},
		"a web server":                            {"", corev1.ProtocolTCP, intstr.FromInt32(80), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := false
			for _, rule := range b.network.Spec.Egress {
				got = got || allows(t, rule.To, rule.Ports, tc.namespace, tc.protocol, tc.port)
			}
			if got != tc.want {
				t.Errorf("allowed = %v, want %v", got, tc.want)
			}
		})
	}
	port := b.deployment.Spec.Template.Spec.Containers[0].Ports[0]
	for from, want := range map[string]bool{"monitoring": true, "elsewhere": false} {
		got := false
		for _, rule := range b.network.Spec.Ingress {
			got = got || allows(t, rule.From, rule.Ports, from, corev1.ProtocolTCP, intstr.FromString(port.Name))
		}
		if got != want {
			t.Errorf("metrics for namespace %s: %v, want %v", from, got, want)
		}
	}
}

// allows reports whether one rule lets a connection through.
func allows(t *testing.T, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, namespace string, protocol corev1.Protocol, port intstr.IntOrString) bool {
	t.Helper()
	peer := len(peers) == 0
	for _, p := range peers {
		s, err := metav1.LabelSelectorAsSelector(p.NamespaceSelector)
		if err != nil {
			t.Fatal(err)
		}
		peer = peer || s.Matches(labels.Set{corev1.LabelMetadataName: namespace})
	}
	for _, p := range ports {
		if peer && *p.Protocol == protocol && *p.Port == port {
			return true
		}
	}
	return false
}

// TestComponents adds every component to the base.
func TestComponents(t *testing.T) {
	dir := t.TempDir()
	from := pathFrom(t, dir)
	write(t, dir, "kustomization.yaml", "resources:\n- "+from+"/base\ncomponents:\n- "+from+"/components/prometheus-rule\n- "+from+"/components/service-monitor\n- "+from+"/components/istio\n")
	var role rbacv1.ClusterRole
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for _, r := range resources.Resources() {
		counted[r.GetKind()]++
		if r.GetName() == "vicinity:destination-rules" && r.GetKind() == "ClusterRole" {
			text, err := r.AsYAML()
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.UnmarshalStrict(text, &role); err != nil {
				t.Fatal(err)
			}
		}
	}
	if counted["PrometheusRule"] != 2 || counted["ServiceMonitor"] != 1 || counted["Service"] != 1 {
		t.Errorf("the objects are %v, want the alerts, the recording rules and what scrapes", counted)
	}
	if diff := cmp.Diff([]rbacv1.PolicyRule{{
		APIGroups: []string{"networking.istio.io"}, Resources: []string{"destinationrules"}, Verbs: []string{"get", "list", "watch"},
	}}, role.Rules); diff != "" {
		t.Errorf("the ClusterRole for Istio (-want +got):\n%s", diff)
	}
}

// TestColdStartsComponent allows to read what the component says, and nothing else.
func TestColdStartsComponent(t *testing.T) {
	dir := t.TempDir()
	from := pathFrom(t, dir)
	write(t, dir, "kustomization.yaml", "resources:\n- "+from+"/base\ncomponents:\n- "+from+"/components/cold-starts\n")
	var role rbacv1.ClusterRole
	build(t, dir, map[string]any{"ClusterRole": &role})
	read := []string{"get", "list", "watch"}
	if diff := cmp.Diff([]rbacv1.PolicyRule{
		{APIGroups: []string{"appgroup.diktyo.x-k8s.io"}, Resources: []string{"appgroups"}, Verbs: read},
		{APIGroups: []string{"networking.istio.io"}, Resources: []string{"sidecars"}, Verbs: read},
	}, role.Rules); diff != "" {
		t.Errorf("the ClusterRole for cold starts (-want +got):\n%s", diff)
	}
}

// pathFrom returns the path from dir to this directory: kustomize refuses
// absolute ones.
func pathFrom(t *testing.T, dir string) string {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Rel(dir, here)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestInstallExamples builds the overlay of docs/install.md, with the base of
// this tree, and reads the other examples for kustomize as the programs would.
func TestInstallExamples(t *testing.T) {
	examples := installExamples(t)
	overlay, telemetry := examples["# kustomization.yaml"], examples["# telemetry.yaml"]
	dir := t.TempDir()
	remote := regexp.MustCompile(`https://\S+//manifests/base\?ref=\S+`)
	if !remote.MatchString(overlay) {
		t.Fatal("the overlay names no base")
	}
	write(t, dir, "kustomization.yaml", remote.ReplaceAllString(overlay, pathFrom(t, dir)+"/base")+examples["# in kustomization.yaml"])
	if _, err := config.LoadTelemetry(write(t, dir, "telemetry.yaml", telemetry)); err != nil {
		t.Error(err)
	}
	var b base
	build(t, dir, map[string]any{"Deployment": &b.deployment, "ConfigMap": &b.config})
	pod := b.deployment.Spec.Template.Spec
	if got := pod.Containers[0].Image; got != "registry.example.com/vicinity-sched/vicinity-scheduler:v0.1.0" {
		t.Errorf("image = %s", got)
	}
	if len(pod.Volumes) != 2 || len(pod.Containers[0].VolumeMounts) != 2 {
		t.Errorf("volumes = %v, mounts = %v, want those of the base and the Secret", pod.Volumes, pod.Containers[0].VolumeMounts)
	}
	if got := b.config.Data; got["telemetry.yaml"] != telemetry || got["scheduler.yaml"] == "" {
		t.Errorf("the ConfigMap has %v", got)
	}

	shipped := &schedulerv1.KubeSchedulerConfiguration{}
	if err := config.DecodeStrict([]byte(b.config.Data["scheduler.yaml"]), shipped); err != nil {
		t.Fatal(err)
	}
	got := &schedulerv1.KubeSchedulerConfiguration{}
	if err := config.DecodeStrict([]byte(examples["# scheduler.yaml, as shipped, without its comments"]), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shipped, got); diff != "" {
		t.Errorf("the example is called the shipped one (-shipped +example):\n%s", diff)
	}
	got = &schedulerv1.KubeSchedulerConfiguration{}
	if err := config.DecodeStrict([]byte(examples["# scheduler.yaml"]), got); err != nil {
		t.Fatal(err)
	}
	if len(got.Profiles) != 2 || *got.Profiles[0].SchedulerName != corev1.DefaultSchedulerName || got.LeaderElection.ResourceName != "kube-scheduler" {
		t.Errorf("the example in kube-scheduler's place is %+v", got)
	}
}

// installExamples returns the YAML of docs/install.md by its first line, a comment that says
// what it is. Those for Helm and for Prometheus are not for the tests here.
func installExamples(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(# .*?)```").FindAllSubmatch(text, -1) {
		title, _, _ := strings.Cut(string(m[1]), "\n")
		examples[title] = string(m[1])
	}
	for _, title := range []string{
		"# kustomization.yaml", "# telemetry.yaml", "# in kustomization.yaml", "# scheduler.yaml, as shipped, without its comments", "# scheduler.yaml",
	} {
		if examples[title] == "" {
			t.Fatalf("docs/install.md has no example %q", title)
		}
	}
	return examples
}

// TestKubeSystem: everything of the base but the Namespace is in kube-system, the lease
// included, and accounts are named where they are.
func TestKubeSystem(t *testing.T) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "kube-system")
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	// What is left is the configuration's resourceNamespace, which the flag replaces.
	if n := strings.Count(string(text), "vicinity-system"); n != 1 || strings.Contains(string(text), "kind: Namespace\n") {
		t.Errorf("vicinity-system is named %d times, want once, and no Namespace:\n%s", n, text)
	}
	var deployment appsv1.Deployment
	build(t, "kube-system", map[string]any{"Deployment": &deployment})
	// An overlay that gives it a telemetry.yaml.
	dir := t.TempDir()
	write(t, dir, "kustomization.yaml", "resources:\n- "+pathFrom(t, dir)+"/kube-system\n"+
		"configMapGenerator:\n- {name: vicinity-config, namespace: kube-system, behavior: merge, files: [telemetry.yaml]}\n")
	const telemetry = "kind: TelemetryConfiguration\n"
	write(t, dir, "telemetry.yaml", telemetry)
	var config corev1.ConfigMap
	build(t, dir, map[string]any{"ConfigMap": &config})
	if config.Data["telemetry.yaml"] != telemetry || config.Data["scheduler.yaml"] == "" {
		t.Errorf("the overlay's ConfigMap has %v", config.Data)
	}
	args := deployment.Spec.Template.Spec.Containers[0].Args
	if got := args[len(args)-1]; got != "--leader-elect-resource-namespace=kube-system" {
		t.Errorf("the last argument is %s", got)
	}
}
