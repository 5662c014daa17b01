package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

func networkChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"disruption-budget", groupInstallation,
			"Whether nodes with the scheduler's pods can be drained.", "warning: a PodDisruptionBudget forbids it; note: there is none"}, onDeployment(lookBudget)},
		{Doc{"prometheus-service", groupInstallation,
			"Whether `prometheus.url` of the TelemetryConfiguration names a Service of the cluster, one of its ports, and ready pods.",
			"error: there is no such Service or port; warning: no pod behind it is ready"}, lookPrometheus},
		{Doc{"network-policy", groupInstallation,
			"Whether the NetworkPolicies for the scheduler's pods let them reach Prometheus.", "error: they do not"}, onDeployment(lookPolicies)},
	}
}

func lookBudget(ctx context.Context, s *clusterState, in *installation) []Result {
	d := in.deployment
	list, err := s.Client.PolicyV1().PodDisruptionBudgets(d.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return notChecked(needs(err, "list", "policy", "poddisruptionbudgets", d.Namespace))
	}
	found := false
	for i := range list.Items {
		b := &list.Items[i]
		if !selects(b.Spec.Selector, d.Spec.Template.Labels) {
			continue
		}
		found = true
		if allowedToGo(b, int(in.replicas())) > 0 {
			continue
		}
		return finding(Warning, fmt.Sprintf("PodDisruptionBudget %s lets no pod of %s be evicted.", kube.FullName(b.Namespace, b.Name), in.name()),
			"A node with one of its pods cannot be drained, which stops upgrades of the cluster.",
			in.kubectl("patch poddisruptionbudget "+b.Name+` --type merge -p '{"spec":{"minAvailable":null,"maxUnavailable":1}}'`))
	}
	if !found && in.replicas() > 1 {
		return finding(Note, "No PodDisruptionBudget covers "+in.name()+".", "Draining several nodes may stop all of its pods at once; the pods that ask for it then wait.",
			in.kubectl("create poddisruptionbudget "+d.Name+" --selector="+metav1.FormatLabelSelector(d.Spec.Selector)+" --max-unavailable=1"))
	}
	return allRight("The scheduler's pods can be evicted one by one.")
}

// allowedToGo is how many of the pods a budget lets go when all are healthy.
func allowedToGo(b *policyv1.PodDisruptionBudget, pods int) int {
	scaled := func(v *intstr.IntOrString) int {
		n, err := intstr.GetScaledValueFromIntOrPercent(v, pods, true)
		if err != nil {
			return 0
		}
		return n
	}
	if b.Spec.MaxUnavailable != nil {
		return scaled(b.Spec.MaxUnavailable)
	}
	if b.Spec.MinAvailable != nil {
		return pods - scaled(b.Spec.MinAvailable)
	}
	return pods
}

// server is where a TelemetryConfiguration says that Prometheus is.
type server struct {
	url, host string
	port      int32
	// namespace and name are those of the Service that the host may name; "" for an address,
	// or a name outside the cluster.
	namespace, name string
	// surely says that the host can only be that of a Service.
	surely bool
}

// serverOf reads the URL. A name without a namespace is one in the scheduler's.
func serverOf(address, own string) (server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return server{}, err
	}
	at := server{url: address, host: u.Hostname(), port: map[string]int32{"https": 443}[u.Scheme]}
	at.port = cmp.Or(at.port, 80)
	if text := u.Port(); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return server{}, err
		}
		at.port = int32(n)
	}
	if net.ParseIP(at.host) != nil || at.host == "localhost" {
		return at, nil
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimSuffix(at.host, "."), ".cluster.local"), ".")
	switch {
	case len(parts) == 1 && own != "":
		at.namespace, at.name, at.surely = own, parts[0], true
	case len(parts) == 2:
		at.namespace, at.name = parts[1], parts[0]
	case len(parts) == 3 && parts[2] == "svc":
		at.namespace, at.name, at.surely = parts[1], parts[0], true
	}
	return at, nil
}

func (s *clusterState) prometheus(ctx context.Context) (server, error) {
	read, err := s.telemetry(ctx)
	if err != nil {
		return server{}, err
	}
	own := ""
	if in, err := s.installed(ctx); err == nil && in.deployment != nil {
		own = in.deployment.Namespace
	}
	return serverOf(read.Prometheus.URL, own)
}

func lookPrometheus(ctx context.Context, s *clusterState) []Result {
	at, err := s.prometheus(ctx)
	if err != nil {
		return withoutTelemetry(err)
	}
	if at.name == "" {
		return allRight("Prometheus is not behind a Service of this cluster: %s.", at.host)
	}
	service, err := s.Client.CoreV1().Services(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
	const why = "The scheduler cannot read the traffic, so pods are scheduled as by kube-scheduler."
	const list = "Find it with: kubectl get services -A | grep -i -e prometheus -e thanos -e mimir. Then set prometheus.url in the TelemetryConfiguration."
	full := kube.FullName(at.namespace, at.name)
	switch {
	case apierrors.IsNotFound(err):
		if _, missing := s.Client.CoreV1().Namespaces().Get(ctx, at.namespace, metav1.GetOptions{}); !at.surely && apierrors.IsNotFound(missing) {
			return finding(Warning, fmt.Sprintf("prometheus.url is %s, but there is no namespace %s in this cluster.", at.url, at.namespace),
				"If "+at.host+" is not a name outside the cluster either, t"+strings.TrimPrefix(why, "T"), list)
		}
		return finding(Error, fmt.Sprintf("prometheus.url is %s, but there is no Service %s.", at.url, full), why, list)
	case err != nil:
		return notChecked(needs(err, "get", "", "services", at.namespace))
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return allRight("Service %s stands for %s.", full, service.Spec.ExternalName)
	}
	port := portOf(service, at.port)
	if port == nil {
		var ports []string
		for _, p := range service.Spec.Ports {
			ports = append(ports, strconv.Itoa(int(p.Port)))
		}
		return finding(Error, fmt.Sprintf("prometheus.url is %s, but Service %s has no port %d; it has %s.", at.url, full, at.port, inOrder(ports)), why, "Set the port in prometheus.url of the TelemetryConfiguration.")
	}
	if len(service.Spec.Selector) == 0 {
		return allRight("prometheus.url names Service %s, which selects no pods.", full)
	}
	if err := s.Inventory.without(kindPod); err != nil {
		return notChecked(err)
	}
	if !slices.ContainsFunc(s.Inventory.behind(service), serves) {
		return finding(Warning, fmt.Sprintf("No pod behind Service %s, which prometheus.url names, is ready.", full), why, "kubectl -n "+at.namespace+" get pods -l "+labels.FormatLabels(service.Spec.Selector))
	}
	return allRight("prometheus.url names Service %s.", full)
}

func serves(pod *corev1.Pod) bool { return kube.Serves(pod, nil) }

func portOf(service *corev1.Service, number int32) *corev1.ServicePort {
	for i := range service.Spec.Ports {
		if service.Spec.Ports[i].Port == number {
			return &service.Spec.Ports[i]
		}
	}
	return nil
}

// behind are the pods that a Service selects.
func (o *Inventory) behind(service *corev1.Service) (pods []*corev1.Pod) {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range o.pods {
		if pod.Namespace == service.Namespace && kube.IsPeer(pod) && selector.Matches(labels.Set(pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// selects reports whether a label selector, which may be nil for none, selects labels.
func selects(selector *metav1.LabelSelector, of map[string]string) bool {
	if selector == nil {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(of))
}

// isIn reports whether an address is in a range but not in what is excepted from it.
func isIn(address, cidr string, except []string) bool {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	covers := func(text string) bool {
		prefix, err := netip.ParsePrefix(text)
		return err == nil && prefix.Contains(at.Unmap())
	}
	return covers(cidr) && !slices.ContainsFunc(except, covers)
}
