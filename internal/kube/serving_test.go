package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestServes(t *testing.T) {
	ready := func(s corev1.ConditionStatus) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: corev1.PodReady, Status: s}}
	}
	node := func(s corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: s}}}}
	}
	cases := map[string]struct {
		pod  corev1.PodStatus
		node *corev1.Node
		want bool
	}{
		"ready":                                 {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: ready(corev1.ConditionTrue)}, node(corev1.ConditionTrue), true},
		"not ready":                             {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: ready(corev1.ConditionFalse)}, node(corev1.ConditionTrue), false},
		"readiness unknown":                     {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: ready(corev1.ConditionUnknown)}, nil, false},
		"phase unknown":                         {corev1.PodStatus{Phase: corev1.PodUnknown}, node(corev1.ConditionTrue), false},
		"phase unknown, last seen ready":        {corev1.PodStatus{Phase: corev1.PodUnknown, Conditions: ready(corev1.ConditionTrue)}, nil, true},
		"nobody says anything":                  {corev1.PodStatus{Phase: corev1.PodPending}, nil, true},
		"a node that nobody says anything of":   {corev1.PodStatus{Phase: corev1.PodRunning}, &corev1.Node{}, true},
		"ready on a node out of reach":          {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: ready(corev1.ConditionTrue)}, node(corev1.ConditionUnknown), false},
		"ready on a node whose kubelet is sick": {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: ready(corev1.ConditionTrue)}, node(corev1.ConditionFalse), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Serves(&corev1.Pod{Status: tc.pod}, tc.node); got != tc.want {
				t.Errorf("serves: %v, want %v", got, tc.want)
			}
		})
	}
}
