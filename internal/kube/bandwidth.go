package kube

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Bandwidth returns what a node's network takes in each direction, in bytes per second:
// the quantity in a label, in units of so many bits per second. It returns 0 when the
// node has no such label, or no positive quantity in it.
func Bandwidth(node *corev1.Node, label string, unit resource.Quantity) float64 {
	value, ok := node.Labels[label]
	if !ok {
		return 0
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil || quantity.Sign() <= 0 {
		return 0
	}
	return quantity.AsApproximateFloat64() * unit.AsApproximateFloat64() / 8
}
