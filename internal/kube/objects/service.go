package objects

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

func namespaceKind() Kind {
	return typed[corev1.Namespace, *corev1.Namespace]{
		version: "v1", resource: "namespaces", clusterScoped: true, decidesRouting: true,
		anonymize: func(a *Anonymizer, n *corev1.Namespace) { a.meta(&n.ObjectMeta, a.namespace(n.Name)) },
		informer: func(f informers.SharedInformerFactory) cache.SharedIndexInformer {
			return f.Core().V1().Namespaces().Informer()
		},
	}.kind()
}

func serviceKind() Kind {
	return typed[corev1.Service, *corev1.Service]{
		version: "v1", resource: "services", decidesRouting: true,
		keep: func(to, from *corev1.Service) {
			to.Spec = corev1.ServiceSpec{
				Selector: from.Spec.Selector, Type: from.Spec.Type,
				InternalTrafficPolicy: from.Spec.InternalTrafficPolicy, TrafficDistribution: from.Spec.TrafficDistribution,
				// DestinationRules have settings for ports, by their numbers.
				Ports: keepEach(from.Spec.Ports, func(p corev1.ServicePort) corev1.ServicePort {
					return corev1.ServicePort{Port: p.Port}
				}),
			}
			if from.Spec.ClusterIP == corev1.ClusterIPNone {
				to.Spec.ClusterIP = corev1.ClusterIPNone
			} else {
				to.Spec.ClusterIPs = from.Spec.ClusterIPs
			}
		},
		check: func(to, from *corev1.Service) { to.Spec.SessionAffinity = from.Spec.SessionAffinity },
		anonymize: func(a *Anonymizer, s *corev1.Service) {
			DropAddresses(s)
			a.meta(&s.ObjectMeta, a.name(s.Name))
			s.Spec.Selector = a.labels(s.Spec.Selector)
			if d := s.Spec.TrafficDistribution; d != nil {
				s.Spec.TrafficDistribution = new(distribution(*d))
			}
		},
		informer: func(f informers.SharedInformerFactory) cache.SharedIndexInformer {
			return f.Core().V1().Services().Informer()
		},
	}.kind()
}
