package kube

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Bandwidth returns what a node's network takes in each direction, in bytes per second:
// the quantity in a label, in units of so many bits per second. It returns 0 when the
// node has no such label, or no positive quantity in it that a network can take. Of what
// has an exponent of three digits or more, 1e-999999999 takes hours to parse: none is read.
func Bandwidth(node *corev1.Node, label string, unit resource.Quantity) float64 {
	value, ok := node.Labels[label]
	if !ok || hasLargeExponent([]byte(value)) {
		return 0
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil || quantity.Sign() <= 0 {
		return 0
	}
	bandwidth := quantity.AsApproximateFloat64() * unit.AsApproximateFloat64() / 8
	if math.IsInf(bandwidth, 1) {
		return 0
	}
	return bandwidth
}
