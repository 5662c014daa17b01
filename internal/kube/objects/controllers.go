package objects

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

func replicationControllerKind() Kind {
	return typed[corev1.ReplicationController, *corev1.ReplicationController]{
		version: "v1", resource: "replicationcontrollers",
		keep: func(to, from *corev1.ReplicationController) {
			to.Spec = corev1.ReplicationControllerSpec{Replicas: from.Spec.Replicas, Selector: from.Spec.Selector}
		},
		anonymize: func(a *Anonymizer, rc *corev1.ReplicationController) {
			a.meta(&rc.ObjectMeta, a.name(rc.Name))
			rc.Spec.Selector = a.labels(rc.Spec.Selector)
		},
		informer: func(f informers.SharedInformerFactory) cache.SharedIndexInformer {
			return f.Core().V1().ReplicationControllers().Informer()
		},
		wants: func(rc *corev1.ReplicationController) (*int32, bool) { return rc.Spec.Replicas, true },
	}.kind()
}

func deploymentKind() Kind {
	return typed[appsv1.Deployment, *appsv1.Deployment]{
		group: appsv1.GroupName, version: "v1", resource: "deployments",
		keep: func(to, from *appsv1.Deployment) {
			to.Spec = appsv1.DeploymentSpec{Replicas: from.Spec.Replicas, Selector: from.Spec.Selector}
		},
		anonymize: func(a *Anonymizer, d *appsv1.Deployment) {
			a.meta(&d.ObjectMeta, a.name(d.Name))
			a.selector(d.Spec.Selector)
		},
		wants: func(d *appsv1.Deployment) (*int32, bool) { return d.Spec.Replicas, true },
	}.kind()
}

func replicaSetKind() Kind {
	return typed[appsv1.ReplicaSet, *appsv1.ReplicaSet]{
		group: appsv1.GroupName, version: "v1", resource: "replicasets",
		keep: func(to, from *appsv1.ReplicaSet) {
			to.Spec = appsv1.ReplicaSetSpec{Replicas: from.Spec.Replicas, Selector: from.Spec.Selector}
		},
		anonymize: func(a *Anonymizer, rs *appsv1.ReplicaSet) {
			labels := rs.Labels
			if rs.Spec.Selector != nil { // it has the hash whatever people do to the labels
				labels = rs.Spec.Selector.MatchLabels
			}
			a.meta(&rs.ObjectMeta, a.controllerName("ReplicaSet", rs.Name, labels))
			a.selector(rs.Spec.Selector)
		},
		informer: func(f informers.SharedInformerFactory) cache.SharedIndexInformer {
			return f.Apps().V1().ReplicaSets().Informer()
		},
		wants: func(rs *appsv1.ReplicaSet) (*int32, bool) { return rs.Spec.Replicas, true },
	}.kind()
}

func statefulSetKind() Kind {
	return typed[appsv1.StatefulSet, *appsv1.StatefulSet]{
		group: appsv1.GroupName, version: "v1", resource: "statefulsets",
		keep: func(to, from *appsv1.StatefulSet) {
			to.Spec = appsv1.StatefulSetSpec{Replicas: from.Spec.Replicas, Selector: from.Spec.Selector}
		},
		anonymize: func(a *Anonymizer, set *appsv1.StatefulSet) {
			a.meta(&set.ObjectMeta, a.name(set.Name))
			a.selector(set.Spec.Selector)
		},
		informer: func(f informers.SharedInformerFactory) cache.SharedIndexInformer {
			return f.Apps().V1().StatefulSets().Informer()
		},
		wants: func(set *appsv1.StatefulSet) (*int32, bool) { return set.Spec.Replicas, true },
	}.kind()
}

func daemonSetKind() Kind {
	return typed[appsv1.DaemonSet, *appsv1.DaemonSet]{
		group: appsv1.GroupName, version: "v1", resource: "daemonsets",
		keep: func(to, from *appsv1.DaemonSet) { to.Spec.Selector = from.Spec.Selector },
		anonymize: func(a *Anonymizer, set *appsv1.DaemonSet) {
			a.meta(&set.ObjectMeta, a.name(set.Name))
			a.selector(set.Spec.Selector)
		},
		wants: func(*appsv1.DaemonSet) (*int32, bool) { return nil, false },
	}.kind()
}
