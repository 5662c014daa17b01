package main

import (
	"maps"
	"slices"

	ntv1alpha1 "github.com/diktyo-io/networktopology-api/pkg/apis/networktopology/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The costs in the plugin's documentation; it counts 0 on the same node and 1 in
// the same zone by itself.
const (
	zoneCost   = 5
	regionCost = 20
)

// What the plugin asks for unless told otherwise.
const (
	topologyName = "nt-default"
	weightsName  = "UserDefined"
)

// zoned puts nodes that have neither a zone nor a region into one of each. The
// plugin counts a node without them as the farthest, and would filter out all
// nodes but that of the pod's peers.
func zoned(c *cluster) {
	for _, node := range c.nodes {
		if node.Labels[corev1.LabelTopologyZone] != "" || node.Labels[corev1.LabelTopologyRegion] != "" {
			continue
		}
		labels := maps.Clone(node.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[corev1.LabelTopologyZone], labels[corev1.LabelTopologyRegion] = "none", "none"
		node.Labels = labels
	}
}

// networkTopology is the cost between any two zones and any two regions of the
// nodes.
func networkTopology(c *cluster) *ntv1alpha1.NetworkTopology {
	return &ntv1alpha1.NetworkTopology{
		TypeMeta:   metav1.TypeMeta{APIVersion: ntv1alpha1.SchemeGroupVersion.String(), Kind: "NetworkTopology"},
		ObjectMeta: metav1.ObjectMeta{Namespace: crNamespace, Name: topologyName, UID: topologyName, ResourceVersion: "1"},
		Spec: ntv1alpha1.NetworkTopologySpec{Weights: ntv1alpha1.WeightList{{
			Name: weightsName,
			// In the order of the keys: the plugin searches by halves.
			TopologyList: ntv1alpha1.TopologyList{
				{TopologyKey: ntv1alpha1.NetworkTopologyRegion, OriginList: costs(c, corev1.LabelTopologyRegion, regionCost)},
				{TopologyKey: ntv1alpha1.NetworkTopologyZone, OriginList: costs(c, corev1.LabelTopologyZone, zoneCost)},
			},
		}}},
	}
}

func costs(c *cluster, label string, cost int64) ntv1alpha1.OriginList {
	values := map[string]bool{}
	for _, node := range c.nodes {
		values[node.Labels[label]] = true
	}
	names := slices.Sorted(maps.Keys(values))
	var list ntv1alpha1.OriginList
	for _, origin := range names {
		info := ntv1alpha1.OriginInfo{Origin: origin}
		for _, destination := range names {
			if destination != origin {
				info.CostList = append(info.CostList, ntv1alpha1.CostInfo{Destination: destination, NetworkCost: cost})
			}
		}
		list = append(list, info)
	}
	return list
}
