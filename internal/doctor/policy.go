package doctor

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// destination is where the scheduler's calls to Prometheus arrive: what NetworkPolicies see.
type destination struct {
	address   string // "" where it is not known
	port      int32
	portName  string
	namespace *corev1.Namespace // nil outside the cluster
	labels    map[string]string // of the pod
}

func lookPolicies(ctx context.Context, s *clusterState, in *installation) []Result {
	namespace := in.deployment.Namespace
	list, err := s.Client.NetworkingV1().NetworkPolicies(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return notChecked(needs(err, "list", "networking.k8s.io", "networkpolicies", namespace))
	}
	var binding []*networkingv1.NetworkPolicy
	var names []string
	for i := range list.Items {
		p := &list.Items[i]
		if selects(&p.Spec.PodSelector, in.deployment.Spec.Template.Labels) && slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			binding, names = append(binding, p), append(names, p.Name)
		}
	}
	if len(binding) == 0 {
		return allRight("No NetworkPolicy limits where the scheduler's pods may connect to.")
	}
	at, err := s.prometheus(ctx)
	if err != nil {
		return withoutTelemetry(err)
	}
	if isLoopback(at.host) {
		return allRight("Prometheus is asked within the pod (%s), which NetworkPolicies do not limit.", at.host)
	}
	all, what, err := s.destinations(ctx, at)
	if err != nil {
		return notChecked(err)
	}
	if len(all) == 0 {
		return allRight("Where %s leads is not known, so the NetworkPolicies are not compared with it.", at.url)
	}
	for _, d := range all {
		if slices.ContainsFunc(binding, func(p *networkingv1.NetworkPolicy) bool { return d.isAllowed(p) }) {
			return allRight("The NetworkPolicies let the scheduler reach %s.", what)
		}
	}
	return finding(Error, fmt.Sprintf("NetworkPolicy %s in namespace %s does not let the scheduler reach Prometheus: %s.", inOrder(names), namespace, what),
		"Where the network enforces policies, the scheduler cannot read the traffic, so pods are scheduled as by kube-scheduler.",
		fmt.Sprintf("Allow it with an egress rule (docs/install.md, \"The network\"): kubectl -n %s edit networkpolicy %s", namespace, names[0]))
}

// destinations returns the pods, or else the address, behind a server, and what they are
// called.
func (s *clusterState) destinations(ctx context.Context, at server) (all []destination, what string, err error) {
	if at.name == "" {
		return []destination{{address: at.host, port: at.port}}, fmt.Sprintf("%s, port %d", at.host, at.port), nil
	}
	service, err := s.Client.CoreV1().Services(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
	if err != nil {
		return nil, "", unlessMissing(needs(err, "get", "", "services", at.namespace))
	}
	namespace, err := s.Client.CoreV1().Namespaces().Get(ctx, at.namespace, metav1.GetOptions{})
	if err != nil {
		return nil, "", unlessMissing(needs(err, "get", "", "namespaces", ""))
	}
	port := portOf(service, at.port)
	if err := s.Inventory.without(kindPod); err != nil || port == nil {
		return nil, "", err
	}
	numbers := map[int32]bool{}
	for _, pod := range s.Inventory.behind(service) {
		d := destination{address: pod.Status.PodIP, namespace: namespace, labels: pod.Labels}
		d.port, d.portName = targetOf(port, pod)
		numbers[d.port] = true
		all = append(all, d)
	}
	what = fmt.Sprintf("namespace %s", at.namespace)
	for number := range numbers {
		what = fmt.Sprintf("%s, port %d", what, number)
	}
	return all, what, nil
}

// unlessMissing returns no error where the object is not there, which prometheus-service says.
func unlessMissing(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// targetOf is the port of a pod that a port of a Service leads to.
func targetOf(port *corev1.ServicePort, pod *corev1.Pod) (number int32, name string) {
	named := func(is func(p corev1.ContainerPort) bool) *corev1.ContainerPort {
		for i := range pod.Spec.Containers {
			ports := pod.Spec.Containers[i].Ports
			if k := slices.IndexFunc(ports, is); k >= 0 {
				return &ports[k]
			}
		}
		return nil
	}
	number = port.TargetPort.IntVal
	if port.TargetPort.Type == intstr.String {
		if p := named(func(p corev1.ContainerPort) bool { return p.Name == port.TargetPort.StrVal }); p != nil {
			return p.ContainerPort, p.Name
		}
	}
	if number == 0 {
		number = port.Port
	}
	if p := named(func(p corev1.ContainerPort) bool { return p.ContainerPort == number }); p != nil {
		name = p.Name
	}
	return number, name
}

// isAllowed reports whether a policy allows connections to the destination.
func (d *destination) isAllowed(p *networkingv1.NetworkPolicy) bool {
	for _, rule := range p.Spec.Egress {
		ports := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, d.isPort)
		to := len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(peer networkingv1.NetworkPolicyPeer) bool { return d.isPeer(&peer, p.Namespace) })
		if ports && to {
			return true
		}
	}
	return false
}

func (d *destination) isPort(p networkingv1.NetworkPolicyPort) bool {
	switch {
	case p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP:
		return false
	case p.Port == nil:
		return true
	case p.Port.Type == intstr.String:
		return p.Port.StrVal == d.portName
	case p.EndPort != nil:
		return d.port >= p.Port.IntVal && d.port <= *p.EndPort
	}
	return d.port == p.Port.IntVal
}

// isPeer reports whether the destination is among those that a rule of a policy in a
// namespace names. Behind a name outside the cluster any address may be.
func (d *destination) isPeer(peer *networkingv1.NetworkPolicyPeer, own string) bool {
	if b := peer.IPBlock; b != nil {
		return d.namespace == nil && !isAddress(d.address) || isIn(d.address, b.CIDR, b.Except)
	}
	if d.namespace == nil {
		return false
	}
	if peer.NamespaceSelector == nil && d.namespace.Name != own {
		return false
	}
	if peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, namespaceLabels(d.namespace)) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, d.labels)
}

// namespaceLabels are the labels of a Namespace with its name, which the API server adds.
func namespaceLabels(n *corev1.Namespace) map[string]string {
	all := map[string]string{corev1.LabelMetadataName: n.Name}
	for key, value := range n.Labels {
		all[key] = value
	}
	return all
}

func isAddress(text string) bool { return isIn(text, "0.0.0.0/0", nil) || isIn(text, "::/0", nil) }
