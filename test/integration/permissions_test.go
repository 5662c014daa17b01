package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
)

// TestPermissions takes away each binding of manifests/base/rbac.yaml in turn.
// The log must name what is missing, once, and pods must be bound: at once where
// the scheduler can do without, and without a restart as soon as the binding is
// back where it cannot.
func TestPermissions(t *testing.T) {
	s := newScene(t)
	s.install(t)
	kubeconfig, err := s.cluster.ServiceAccountKubeconfig(t.Context(), systemNamespace, "vicinity-scheduler")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		binding   string // "namespace/name" or "name"
		missing   []string
		doWithout bool
	}{
		{"kube-system/vicinity:authentication-reader", []string{"get configmaps kube-system/extension-apiserver-authentication"}, true},
		{systemNamespace + "/vicinity:leader-election", []string{
			"get leases.coordination.k8s.io vicinity-system/vicinity-scheduler", "update leases.coordination.k8s.io vicinity-system/vicinity-scheduler"}, false},
		{"vicinity:volume-scheduler", []string{"list storageclasses.storage.k8s.io"}, false},
		{"vicinity:kube-scheduler", []string{"list nodes", "create leases.coordination.k8s.io in vicinity-system"}, false},
	} {
		t.Run(c.binding, func(t *testing.T) {
			s.unbind(t, c.binding)
			restore := func() { s.apply(t) }
			defer restore()
			process := s.startAs(t, kubeconfig, strings.ReplaceAll(filepath.Base(c.binding), ":", "-"))
			log := func() string {
				text, err := os.ReadFile(process.LogPath)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			eventually(t, "the log names what is missing", func() error {
				if err := process.Err(); err != nil {
					t.Fatal(err)
				}
				var errs []error
				for _, permission := range c.missing {
					errs = append(errs, want(permission, countLines(log(), fmt.Sprintf("%q permission=%q", "Permission missing", permission)), 1))
				}
				return errors.Join(errs...)
			})
			if !c.doWithout {
				restore()
			}
			a := s.newApp(t)
			a.podBound(t, "web", "vicinity")
			if n := countLines(log(), `"Permission missing"`); n != len(c.missing) {
				t.Errorf("%d lines name missing permissions, want %d:\n%s", n, len(c.missing), log())
			}
		})
	}
}

// startAs runs a vicinity-scheduler with the shipped configuration and somebody's
// kubeconfig until the test ends. It does not wait until it is ready.
func (s *scene) startAs(t *testing.T, kubeconfig, name string) *sandbox.Process {
	t.Helper()
	o := s.options(t, name)
	o.config = &schedulerv1.KubeSchedulerConfiguration{}
	if err := yaml.UnmarshalStrict([]byte(s.configMap(t).Data["scheduler.yaml"]), o.config); err != nil {
		t.Fatal(err)
	}
	o.config.ClientConnection.Kubeconfig = kubeconfig
	electSoon(&o)
	dir := t.TempDir()
	config, err := sandbox.WriteConfig(dir, "scheduler.yaml", o.config)
	if err != nil {
		t.Fatal(err)
	}
	process, err := sandbox.StartProcess(t.Context(), name, filepath.Join(s.dir, name+".log"),
		s.program(t, "vicinity-scheduler"), "--config="+config,
		"--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1", fmt.Sprint("--secure-port=", freePort(t)), "--cert-dir="+dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	return process
}

// unbind deletes a RoleBinding or ClusterRoleBinding.
func (s *scene) unbind(t *testing.T, binding string) {
	t.Helper()
	var err error
	if namespace, name, namespaced := strings.Cut(binding, "/"); namespaced {
		err = s.client.RbacV1().RoleBindings(namespace).Delete(t.Context(), name, metav1.DeleteOptions{})
	} else {
		err = s.client.RbacV1().ClusterRoleBindings().Delete(t.Context(), binding, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRoles checks that all we may do beyond kube-scheduler is what
// docs/install.md says.
func TestRoles(t *testing.T) {
	text, err := os.ReadFile("../../manifests/base/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stock := map[string][]rbacv1.PolicyRule{}
	var ours, theirs []rbacv1.PolicyRule
	for _, role := range bootstrappolicy.ClusterRoles() {
		stock[role.Name] = role.Rules
	}
	for _, roles := range bootstrappolicy.NamespaceRoles() {
		for _, role := range roles {
			stock[role.Name] = role.Rules
		}
	}
	for _, name := range []string{"system:kube-scheduler", "system:volume-scheduler", "extension-apiserver-authentication-reader"} {
		theirs = append(theirs, stock[name]...)
	}
	own := map[string][]rbacv1.PolicyRule{}
	var bound []string
	for _, document := range strings.Split(string(text), "\n---\n") {
		var object struct {
			metav1.TypeMeta
			Metadata metav1.ObjectMeta
			Rules    []rbacv1.PolicyRule
			RoleRef  rbacv1.RoleRef
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object.RoleRef.Name == "" {
			own[object.Metadata.Name] = object.Rules
		} else {
			bound = append(bound, object.RoleRef.Name)
		}
	}
	for _, name := range bound {
		rules := append(stock[name], own[name]...)
		if len(rules) == 0 {
			t.Errorf("role %s has no rules", name)
		}
		ours = append(ours, rules...)
	}
	_, more := validation.Covers(theirs, ours)
	var got []string
	for _, rule := range more {
		got = append(got, fmt.Sprint(rule.Verbs, " ", rule.APIGroups, " ", rule.Resources, " ", rule.ResourceNames))
	}
	wanted := []string{"[get] [coordination.k8s.io] [leases] [vicinity-scheduler]", "[update] [coordination.k8s.io] [leases] [vicinity-scheduler]"}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("what we may do beyond kube-scheduler (-want +got):\n%s", diff)
	}
	if docs, err := os.ReadFile("../../docs/install.md"); err != nil || strings.Count(string(docs), " | no | ") != 1 ||
		!strings.Contains(string(docs), "| `get`, `update` of the lease `vicinity-scheduler` in its namespace | leader election | no |") {
		t.Errorf("docs/install.md says otherwise: %v", err)
	}
}
