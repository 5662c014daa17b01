package objects

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

func nodeKind() Kind {
	return typed[corev1.Node, *corev1.Node]{
		version: "v1", resource: "nodes", required: true, clusterScoped: true,
		keep: func(to, from *corev1.Node) {
			to.Spec.Unschedulable = from.Spec.Unschedulable
			to.Spec.Taints = keepEach(from.Spec.Taints, func(t corev1.Taint) corev1.Taint {
				return corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect}
			})
			to.Status.Allocatable, to.Status.Images = from.Status.Allocatable, recordedImages(from.Status.Images)
			for _, c := range from.Status.Conditions {
				if c.Type == corev1.NodeReady {
					to.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
				}
			}
		},
		check: func(to, _ *corev1.Node) { to.Status.Allocatable, to.Status.Images = nil, nil },
		anonymize: func(a *Anonymizer, n *corev1.Node) {
			labels := a.nodeLabels(n.Labels)
			a.meta(&n.ObjectMeta, a.node(n.Name))
			n.Labels = labels
			for i := range n.Spec.Taints {
				t := &n.Spec.Taints[i]
				t.Key, t.Value = a.labelKey(t.Key), a.nodeValue(t.Key, t.Value)
			}
			n.Status.Allocatable = a.resources(n.Status.Allocatable)
			for _, image := range n.Status.Images {
				for i, name := range image.Names {
					image.Names[i] = a.image(name)
				}
			}
			n.Status.Images = recordedImages(n.Status.Images) // in an order that the old names say nothing about
		},
	}.kind()
}

// recordedImages is what ImageLocality reads of a node's images. They are in order, so
// that a kubelet that reports them in another one makes no event.
func recordedImages(images []corev1.ContainerImage) []corev1.ContainerImage {
	var kept []corev1.ContainerImage
	for _, image := range images {
		if len(image.Names) > 0 {
			names := slices.Clone(image.Names)
			slices.Sort(names)
			kept = append(kept, corev1.ContainerImage{Names: names, SizeBytes: image.SizeBytes})
		}
	}
	slices.SortStableFunc(kept, func(a, b corev1.ContainerImage) int {
		return cmp.Or(slices.Compare(a.Names, b.Names), cmp.Compare(a.SizeBytes, b.SizeBytes))
	})
	return kept
}
