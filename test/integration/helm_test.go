package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/internal/sandbox/kubelet"
)

const chart = "../../charts/vicinity"

// helmed is a scene in which helm installs the chart, and pods of the scheduler's image run
// the program.
type helmed struct {
	*scene
	kubelet *kubelet.Kubelet
	helm    string
}

func newHelmed(t *testing.T) *helmed {
	t.Helper()
	s := newScene(t)
	helm, err := shared.helm()
	if err != nil {
		t.Fatal(err)
	}
	h := &helmed{scene: s, helm: helm}
	s.noNamespace(t, systemNamespace) // of the test before
	h.kubelet, err = kubelet.Start(t.Context(), kubelet.Options{
		Client: s.client, Kubeconfig: s.cluster.ServiceAccountKubeconfig, Dir: filepath.Join(s.dir, "pods"),
		Image: "vicinity-scheduler", Program: s.program(t, "vicinity-scheduler"),
		Addresses: map[string]string{"prometheus.monitoring:9090": strings.TrimPrefix(s.Metrics.URL(), "http://")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kubelet.Stop)
	s.cluster.ServeLogs(h.kubelet.ContainerLogs)
	return h
}

// run runs helm in the chart's usual namespace and returns its output.
func (h *helmed) run(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, h.helm, append(args, "--namespace", systemNamespace)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+h.cluster.Kubeconfig(), "HELM_CACHE_HOME="+h.dir, "HELM_CONFIG_HOME="+h.dir, "HELM_DATA_HOME="+h.dir)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// must runs helm, which must succeed.
func (h *helmed) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := h.run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// install installs the chart as release vicinity until the test ends.
func (h *helmed) install(t *testing.T, args ...string) {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := h.run(ctx, "uninstall", "vicinity", "--ignore-not-found")
		a := &app{scene: h.scene, namespace: systemNamespace}
		if err = errors.Join(err, a.remove(ctx)); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("removing the release: %v", err)
		}
	})
	h.must(t, append([]string{"install", "vicinity", chart, "--create-namespace", "--wait"}, args...)...)
}

// schedules waits until a new pod is bound by the scheduler of that name.
func (h *helmed) schedules(t *testing.T, a *app, pod, scheduler string) {
	t.Helper()
	a.podBound(t, pod, scheduler)
	eventually(t, "its event names the scheduler", func() error {
		by, err := a.boundBy(t.Context(), pod)
		if err != nil {
			return err
		}
		return want("the scheduler", by, scheduler)
	})
}

// file returns a file of the release's ConfigMap.
func (h *helmed) file(t *testing.T, name string) string {
	t.Helper()
	config, err := h.client.CoreV1().ConfigMaps(systemNamespace).Get(t.Context(), "vicinity-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return config.Data[name]
}

// replicas returns the names of the release's pods that are not being deleted.
func (h *helmed) replicas(t *testing.T) []string {
	t.Helper()
	list, err := h.client.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=vicinity-scheduler"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names
}

// left returns the objects of a release: what has its label, and helm's own record.
func (h *helmed) left(ctx context.Context, release string) ([]string, error) {
	client, err := dynamic.NewForConfig(h.cluster.RESTConfig())
	if err != nil {
		return nil, err
	}
	lists, err := h.client.Discovery().ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || strings.Contains(resource.Name, "/") {
				continue
			}
			for _, selector := range []string{"app.kubernetes.io/instance=" + release, "owner=helm,name=" + release} {
				objects, err := client.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{LabelSelector: selector})
				if err != nil {
					return nil, fmt.Errorf("listing %s: %w", resource.Name, err)
				}
				for _, object := range objects.Items {
					found = append(found, resource.Kind+" "+object.GetNamespace()+"/"+object.GetName())
				}
			}
		}
	}
	return found, nil
}

// token waits until a Secret has a token.
func (h *helmed) token(t *testing.T, secret string) (token string) {
	t.Helper()
	eventually(t, "the Secret has a token", func() error {
		s, err := h.client.CoreV1().Secrets(systemNamespace).Get(t.Context(), secret, metav1.GetOptions{})
		if err == nil && len(s.Data[corev1.ServiceAccountTokenKey]) == 0 {
			err = errors.New("it has none")
		}
		if err == nil {
			token = string(s.Data[corev1.ServiceAccountTokenKey])
		}
		return err
	})
	return token
}
