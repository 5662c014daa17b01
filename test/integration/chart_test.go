package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"
)

// TestChart takes a release through its life with the real helm: a dry run, installed, tested,
// upgraded, rolled back, uninstalled. At each stage it places a pod.
func TestChart(t *testing.T) {
	h := newHelmed(t)
	a := h.newApp(t)
	if out := h.must(t, "install", "vicinity", chart, "--create-namespace", "--dry-run=server"); !strings.Contains(out, "kind: Deployment") {
		t.Errorf("the dry run shows no Deployment:\n%s", out)
	}
	h.noNamespace(t, systemNamespace)
	h.install(t)
	h.leads(t, systemNamespace, "vicinity-scheduler")
	h.schedules(t, a, "installed", "vicinity")
	first, firstPods := h.file(t, "scheduler.yaml"), h.replicas(t)
	if len(firstPods) != 2 {
		t.Errorf("the pods are %v, want two", firstPods)
	}
	h.logs(t, firstPods[0], a.namespace, "installed")
	if out := h.must(t, "test", "vicinity"); !strings.Contains(out, "Succeeded") {
		t.Errorf("helm test says:\n%s", out)
	}

	h.must(t, "upgrade", "vicinity", chart, "--wait", "--set", "profile=availability,replicas=3,networkPolicy.enabled=false")
	if got := h.file(t, "scheduler.yaml"); !strings.Contains(got, "weight: 2") {
		t.Errorf("after the upgrade the configuration is\n%s", got)
	}
	upgraded := h.replicas(t)
	if len(upgraded) != 3 || slices.ContainsFunc(upgraded, func(name string) bool { return slices.Contains(firstPods, name) }) {
		t.Errorf("after the upgrade the pods are %v, before they were %v", upgraded, firstPods)
	}
	if _, err := h.client.NetworkingV1().NetworkPolicies(systemNamespace).Get(t.Context(), "vicinity-scheduler", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the NetworkPolicy is still there: %v", err)
	}
	h.schedules(t, a, "upgraded", "vicinity")

	h.must(t, "rollback", "vicinity", "--wait")
	if diff := cmp.Diff(first, h.file(t, "scheduler.yaml")); diff != "" || len(h.replicas(t)) != 2 {
		t.Errorf("after the rollback there are pods %v and the configuration differs by (-before +after):\n%s", h.replicas(t), diff)
	}
	h.schedules(t, a, "rolled-back", "vicinity")

	h.must(t, "uninstall", "vicinity", "--wait")
	eventually(t, "nothing of the release is left", func() error {
		left, err := h.left(t.Context(), "vicinity")
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("there are %v", left)
		}
		return err
	})
}

// logs reads the log of a pod of the chart as kubectl logs does, and those that do not exist.
func (h *helmed) logs(t *testing.T, pod, otherNamespace, simulated string) {
	t.Helper()
	read := func(namespace, name string, o corev1.PodLogOptions) (string, error) {
		stream, err := h.client.CoreV1().Pods(namespace).GetLogs(name, &o).Stream(t.Context())
		if err != nil {
			return "", err
		}
		defer stream.Close()
		text, err := io.ReadAll(stream)
		return string(text), err
	}
	const begins = "Attempting to acquire leader lease"
	eventually(t, "its log is there", func() error {
		text, err := read(systemNamespace, pod, corev1.PodLogOptions{Timestamps: true, SinceSeconds: new(int64(3600))})
		if err == nil && !strings.Contains(text, begins) {
			err = fmt.Errorf("it is %s", text)
		}
		return err
	})
	if text, err := read(systemNamespace, pod, corev1.PodLogOptions{TailLines: new(int64(1))}); err != nil || strings.Count(text, "\n") != 1 {
		t.Errorf("its last line is %q, %v", text, err)
	}
	stream, err := h.client.CoreV1().Pods(systemNamespace).GetLogs(pod, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for lines := bufio.NewScanner(stream); !strings.Contains(lines.Text(), begins); {
		if !lines.Scan() {
			t.Fatalf("following its log ends: %v", lines.Err())
		}
	}
	for wanted, ask := range map[string]func() (string, error){
		`previous terminated container "scheduler" in pod "` + pod + `" not found`: func() (string, error) {
			return read(systemNamespace, pod, corev1.PodLogOptions{Previous: true})
		},
		`in pod "` + simulated + `" is simulated`: func() (string, error) { return read(otherNamespace, simulated, corev1.PodLogOptions{}) },
	} {
		if _, err := ask(); !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), wanted) {
			t.Errorf("without a log: %v, want %s", err, wanted)
		}
	}
}

// TestSecondRelease: a release that serves the same scheduler name is refused, and one that
// serves another runs in the same namespace.
func TestSecondRelease(t *testing.T) {
	h := newHelmed(t)
	a := h.newApp(t)
	h.install(t)
	_, err := h.run(t.Context(), "install", "near", chart)
	const wanted = `the scheduler name "vicinity" is served by release vicinity in namespace vicinity-system`
	if err == nil || !strings.Contains(err.Error(), wanted) {
		t.Errorf("installing it again: %v, want %s", err, wanted)
	}
	t.Cleanup(func() {
		if _, err := h.run(context.WithoutCancel(t.Context()), "uninstall", "near", "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
	h.must(t, "install", "near", chart, "--wait", "--set", "schedulerName=near")
	h.leads(t, systemNamespace, "near-scheduler")
	h.schedules(t, a, "first", "vicinity")
	h.schedules(t, a, "second", "near")
}

// TestBesideManifests: the chart is refused where manifests/base is installed.
func TestBesideManifests(t *testing.T) {
	h := newHelmed(t)
	h.scene.install(t)
	_, err := h.run(t.Context(), "install", "vicinity", chart)
	const wanted = `the scheduler name "vicinity" is served by an installation without Helm`
	if err == nil || !strings.Contains(err.Error(), wanted) {
		t.Errorf("installing the chart: %v, want %s", err, wanted)
	}
}

// TestKubeSystem installs manifests/kube-system: the lease is there, and pods are placed.
func TestKubeSystem(t *testing.T) {
	h := newHelmed(t)
	a := h.newApp(t)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, object := range h.kustomization(t, "kube-system") {
			if err := object.into.Delete(ctx, object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	})
	for _, object := range h.kustomization(t, "kube-system") {
		if _, err := object.into.Apply(t.Context(), object.GetName(), object.Unstructured, metav1.ApplyOptions{FieldManager: "test"}); err != nil {
			t.Fatalf("applying %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	h.leads(t, metav1.NamespaceSystem, "vicinity-scheduler")
	h.schedules(t, a, "pod", "vicinity")
}

// TestOperatorKinds: without the operator's kinds the chart says what is missing, and with them
// it creates them.
func TestOperatorKinds(t *testing.T) {
	h := newHelmed(t)
	for _, kind := range []string{"serviceMonitor", "prometheusRule"} {
		_, err := h.run(t.Context(), "install", "vicinity", chart, "--set", kind+".enabled=true")
		if err == nil || !strings.Contains(err.Error(), "install the Prometheus operator's CustomResourceDefinitions first, or set "+kind+".enabled=false") {
			t.Errorf("without the operator's kinds: %v", err)
		}
	}
	client := h.operatorKinds(t)
	h.install(t, "--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true")
	for _, resource := range []string{"servicemonitors", "prometheusrules"} {
		_, err := client.Resource(schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: resource}).
			Namespace(systemNamespace).Get(t.Context(), "vicinity-scheduler", metav1.GetOptions{})
		if err != nil {
			t.Error(err)
		}
	}
}

// operatorKinds creates the Prometheus operator's kinds until the test ends.
func (h *helmed) operatorKinds(t *testing.T) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(h.cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/operator-kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := kinds.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := kinds.Delete(context.WithoutCancel(t.Context()), object.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "the kinds are served", func() error {
		list, err := h.client.Discovery().ServerResourcesForGroupVersion("monitoring.coreos.com/v1")
		if err != nil {
			return err
		}
		return want("the number of kinds", len(list.APIResources), 2)
	})
	return client
}

// TestMetricsAccess reads the metrics of the chart's pods with tokens of several accounts, and
// with none: the API server is asked about each.
func TestMetricsAccess(t *testing.T) {
	h := newHelmed(t)
	a := h.newApp(t)
	h.install(t, "--set", "metrics.service=true,metrics.token=true,metrics.readers[0].namespace="+a.namespace+",metrics.readers[0].name=default")
	url := h.serving(t)
	of := func(namespace, name string) string {
		r, err := h.client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status.Token
	}
	for who, c := range map[string]struct {
		token string
		want  []int
	}{
		"the token of the Secret":          {h.token(t, "vicinity-scheduler-metrics"), []int{http.StatusOK}},
		"an account among metrics.readers": {of(a.namespace, "default"), []int{http.StatusOK}},
		"another account":                  {of(systemNamespace, "default"), []int{http.StatusForbidden}},
		"the scheduler's own account":      {of(systemNamespace, "vicinity-scheduler"), []int{http.StatusForbidden}},
		"a forged token":                   {"forged", []int{http.StatusUnauthorized}},
		"nobody":                           {"", []int{http.StatusUnauthorized, http.StatusForbidden}},
	} {
		got, err := codeOf(t.Context(), url+"/metrics", c.token)
		if err != nil || !slices.Contains(c.want, got) {
			t.Errorf("%s gets %d, want %v: %v", who, got, c.want, err)
		}
	}
	eventually(t, "the Service has both pods", func() error {
		list, err := h.client.DiscoveryV1().EndpointSlices(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=vicinity-scheduler"})
		if err != nil {
			return err
		}
		n := 0
		for _, slice := range list.Items {
			n += len(slice.Endpoints)
			if len(slice.Ports) != 1 || *slice.Ports[0].Port != 10259 {
				return fmt.Errorf("its ports are %+v", slice.Ports)
			}
		}
		return want("the number of endpoints", n, 2)
	})
}

// serving waits until a pod of the chart serves and returns its URL.
func (h *helmed) serving(t *testing.T) (url string) {
	t.Helper()
	eventually(t, "a pod serves", func() error {
		for _, pod := range h.kubelet.Pods() {
			if url = pod.URL; url != "" {
				if _, err := codeOf(t.Context(), url+"/livez", ""); err == nil {
					return nil
				}
			}
		}
		return errors.New("none does")
	})
	return url
}

// TestMetricsCertificate reads from a pod that serves the certificate of a Secret, and verifies
// it.
func TestMetricsCertificate(t *testing.T) {
	h := newHelmed(t)
	certificate, key, err := cert.GenerateSelfSignedCertKey("vicinity-scheduler", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		t.Fatal("no certificate was made")
	}
	h.install(t, "--set", "replicas=1")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "certificate"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
	}
	if _, err := h.client.CoreV1().Secrets(systemNamespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.must(t, "upgrade", "vicinity", chart, "--wait", "--set", "replicas=1,metrics.tlsSecret=certificate")
	eventually(t, "the certificate is verified", func() error {
		connection, err := tls.Dial("tcp", strings.TrimPrefix(h.serving(t), "https://"), &tls.Config{RootCAs: roots, ServerName: "vicinity-scheduler"})
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

// codeOf gets a URL with a token, as a scraper that does not verify certificates, and returns
// the answer's code.
func codeOf(ctx context.Context, url, token string) (int, error) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode == http.StatusOK && strings.HasSuffix(url, "/metrics") && !bytes.Contains(body, []byte("vicinity_graph_age_seconds")) {
		err = errors.New("the answer has no metrics of Vicinity")
	}
	return response.StatusCode, err
}
