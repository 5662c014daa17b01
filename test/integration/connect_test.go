package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// TestConnect finds Prometheus in the cluster, as the verbs do to which nobody says where it
// is: none, one, several, and where the account may not use the API server's proxy.
func TestConnect(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	a.deploy(t, workload{name: "db"})
	a.deploy(t, workload{name: "web", replicas: 2})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	s.hasTraffic(t, a, "web", "db")
	admin := s.cluster.Kubeconfig()

	said := s.fails(t, admin, "graph")
	contains(t, said, "no Service in the cluster looks like Prometheus", "vicinity graph --prometheus svc:NAMESPACE/NAME:PORT")

	s.publish(t, "monitoring")
	const found = "Prometheus: monitoring/prometheus:9090, through the API server\n"
	t.Run("graph", func(t *testing.T) {
		out, said := s.succeeds(t, admin, "graph", "-n", a.namespace, "--window", "10s")
		contains(t, said, found)
		contains(t, out, a.namespace+"/web", a.namespace+"/db")
	})
	t.Run("record", func(t *testing.T) {
		_, said := s.succeeds(t, admin, "record", "--duration", "4s", "--step", "2s", "--window", "10s", filepath.Join(t.TempDir(), "recording"))
		contains(t, said, found)
	})
	t.Run("explain", func(t *testing.T) {
		out, said := s.succeeds(t, admin, "explain", "workload", "web", "-n", a.namespace, "--window", "10s")
		contains(t, said, found)
		contains(t, out, "db")
	})
	t.Run("locality", func(t *testing.T) {
		_, said := s.succeeds(t, admin, "locality", "--window", "10s")
		contains(t, said, found)
	})
	t.Run("sources detect", func(t *testing.T) {
		out, said := s.succeeds(t, admin, "sources", "detect", "-o", "yaml", "--window", "10s")
		contains(t, said, found)
		contains(t, out, "url: http://prometheus.monitoring.svc:9090\n") // as a scheduler in the cluster reaches it
	})
	t.Run("documentation", func(t *testing.T) { s.testDocumented(t, a) })
	t.Run("by a port-forward", func(t *testing.T) { s.testForward(t, a) })
	t.Run("kubectl port-forward", func(t *testing.T) { s.testKubectl(t) })
	t.Run("several", func(t *testing.T) {
		s.publish(t, a.namespace)
		said := s.fails(t, admin, "record", "--duration", "2s", "--step", "1s", filepath.Join(t.TempDir(), "recording"))
		contains(t, said, "2 servers of the Prometheus API", "type: vicinity record --prometheus svc:monitoring/prometheus:9090, or vicinity record --prometheus svc:"+a.namespace+"/prometheus:9090")
		_, said = s.succeeds(t, admin, "sources", "detect", "-n", a.namespace, "--window", "10s")
		contains(t, said, "Prometheus: "+a.namespace+"/prometheus:9090, ")
		_, said = s.succeeds(t, admin, "record", "--namespace", "monitoring", "--duration", "2s", "--step", "1s", "--window", "10s", filepath.Join(t.TempDir(), "recording"))
		contains(t, said, found)
		_, said = s.succeeds(t, admin, "graph", "--prometheus", "svc:monitoring/prometheus:9090", "--window", "10s")
		contains(t, said, found)
	})
	t.Run("completion", func(t *testing.T) { s.testCompletion(t, a) })
}

// publish makes the scene's Prometheus a Service of a namespace.
func (s *scene) publish(t *testing.T, namespace string) {
	t.Helper()
	if err := sandbox.PublishPrometheus(t.Context(), s.cluster, s.Telemetry, namespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		err := errors.Join(
			s.client.CoreV1().Services(namespace).Delete(ctx, "prometheus", metav1.DeleteOptions{}),
			s.client.CoreV1().Pods(namespace).Delete(ctx, "prometheus-0", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
		if err != nil {
			t.Errorf("removing Prometheus from namespace %s: %v", namespace, err)
		}
		if namespace == "monitoring" { // the others are an app's
			if err := s.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
				t.Errorf("removing namespace %s: %v", namespace, err)
			}
		}
	})
}

// testForward has an account that may not use the API server's proxy, and then one that may do
// nothing else either.
func (s *scene) testForward(t *testing.T, a *app) {
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "pods"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"get", "create"}},
	}
	may := s.account(t, a, "may-forward", rules)
	_, said := s.succeeds(t, may, "graph", "--window", "10s")
	contains(t, said, "Prometheus: monitoring/prometheus:9090, through a port-forward\n")
	_, said = s.succeeds(t, may, "sources", "detect", "--prometheus", "svc:monitoring/prometheus", "--window", "10s")
	contains(t, said, "Prometheus: monitoring/prometheus:9090, through a port-forward\n")
	mayNot := s.account(t, a, "may-look", rules[:1])
	contains(t, s.fails(t, mayNot, "graph"), "monitoring/prometheus:9090: the account may not use the API server's proxy (get services/proxy)",
		"the account may not forward ports (create pods/portforward)")
	contains(t, s.fails(t, s.account(t, a, "may-nothing", nil), "graph"), "listing Services: ", "Name it instead: vicinity graph --prometheus svc:NAMESPACE/NAME:PORT")
	// Only GET through the proxy of this Service, and no Services to be seen.
	named := s.account(t, a, "may-get", []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"services/proxy"}, ResourceNames: []string{"prometheus:9090"}, Verbs: []string{"get"}}})
	_, said = s.succeeds(t, named, "graph", "--prometheus", "svc:monitoring/prometheus:9090", "--window", "10s")
	contains(t, said, "Prometheus: monitoring/prometheus:9090, through the API server\n")
}

// testDocumented types what docs/connecting.md says to type, as it is written there, and finds
// Prometheus with no more permissions than it says.
func (s *scene) testDocumented(t *testing.T, a *app) {
	text, err := os.ReadFile("../../docs/connecting.md")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(s.cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts["prod"] = config.Contexts["sandbox"]
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	typed := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "vicinity ")
		if !ok || !strings.HasPrefix(line, "    ") {
			continue
		}
		typed++
		_, said := s.succeeds(t, kubeconfig, strings.Fields(command)...)
		contains(t, said, "Prometheus: monitoring/prometheus:9090, through the API server\n")
	}
	if typed != 4 {
		t.Errorf("docs/connecting.md has %d commands, want 4", typed)
	}
	_, role, _ := strings.Cut(string(text), "```yaml\napiVersion: rbac")
	role, _, _ = strings.Cut("apiVersion: rbac"+role, "```")
	var documented rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(role), &documented); err != nil {
		t.Fatal(err)
	}
	_, said := s.succeeds(t, s.account(t, a, "as-documented", documented.Rules), "graph")
	contains(t, said, "Prometheus: monitoring/prometheus:9090, through the API server\n")
}

// account makes a ServiceAccount with rules for the whole cluster, and returns its kubeconfig.
func (s *scene) account(t *testing.T, a *app, name string, rules []rbacv1.PolicyRule) string {
	t.Helper()
	ctx, cluster := t.Context(), a.namespace+"-"+name
	_, err1 := s.client.CoreV1().ServiceAccounts(a.namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	_, err2 := s.client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: cluster}, Rules: rules}, metav1.CreateOptions{})
	_, err3 := s.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: cluster},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: cluster},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: a.namespace, Name: name}},
	}, metav1.CreateOptions{})
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(s.client.RbacV1().ClusterRoleBindings().Delete(ctx, cluster, metav1.DeleteOptions{}), s.client.RbacV1().ClusterRoles().Delete(ctx, cluster, metav1.DeleteOptions{})); err != nil {
			t.Error(err)
		}
	})
	kubeconfig, err := s.cluster.ServiceAccountKubeconfig(ctx, a.namespace, name)
	if err := errors.Join(err1, err2, err3, err); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// testKubectl forwards a port with the code of kubectl port-forward.
func (s *scene) testKubectl(t *testing.T) {
	transport, upgrader, err := spdy.RoundTripperFor(s.cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	to := s.client.CoreV1().RESTClient().Post().Resource("pods").Namespace("monitoring").Name("prometheus-0").SubResource("portforward").URL()
	dialer := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, to)
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewOnAddressesForStreaming(dialer, []string{"127.0.0.1"}, []string{":9090"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- forwarder.ForwardPorts() }() // until stop
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.succeeds(t, "", "graph", "--prometheus", fmt.Sprintf("http://127.0.0.1:%d", ports[0].Local), "--window", "10s", "-o", "json")
	contains(t, out, `"web"`)
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// testCompletion asks for what the shell completes with the cluster's help.
func (s *scene) testCompletion(t *testing.T, a *app) {
	pod := a.pods(t, "db")[0].Name
	for _, c := range []struct {
		words []string
		want  []string
	}{
		{[]string{"graph", "--context", ""}, []string{"sandbox\tsandbox\n"}},
		{[]string{"locality", "--namespace", ""}, []string{"kube-system\n", a.namespace + "\n"}},
		{[]string{"explain", "workload", "-n", a.namespace, ""}, []string{"db\nweb\n"}},
		{[]string{"explain", "pod", "--namespace", a.namespace, ""}, []string{pod + "\n"}},
		{[]string{"explain", "pod", a.namespace + "/"}, []string{a.namespace + "/" + pod + "\n"}},
		{[]string{"graph", "--prometheus", "svc:"}, []string{"svc:monitoring/prometheus:9090\n"}},
		{[]string{"replay", "mesh:"}, []string{"mesh:online-boutique\t"}},
	} {
		out, _ := s.succeeds(t, s.cluster.Kubeconfig(), append([]string{"__complete"}, c.words...)...)
		contains(t, out, c.want...)
	}
}

// vicinity runs the CLI with a kubeconfig, as KUBECONFIG has it.
func (s *scene) vicinity(t *testing.T, kubeconfig string, args ...string) (out, said string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), s.program(t, "vicinity"), args...)
	cmd.Env = append(cmd.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

func (s *scene) succeeds(t *testing.T, kubeconfig string, args ...string) (out, said string) {
	t.Helper()
	out, said, err := s.vicinity(t, kubeconfig, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, said)
	}
	return out, said
}

func (s *scene) fails(t *testing.T, kubeconfig string, args ...string) (said string) {
	t.Helper()
	out, said, err := s.vicinity(t, kubeconfig, args...)
	if err == nil || out != "" {
		t.Fatalf("%v: error %v, want one and no output\n%s%s", args, err, out, said)
	}
	return said
}

// contains checks that a text has all parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in\n%s", part, text)
		}
	}
}
