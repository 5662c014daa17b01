package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestBandwidth(t *testing.T) {
	const label = "karpenter.k8s.aws/instance-network-bandwidth"
	cases := map[string]struct {
		labels map[string]string
		unit   string
		want   float64
	}{
		"megabits":          {map[string]string{label: "10000"}, "1M", 1.25e9},
		"bits":              {map[string]string{label: "8"}, "1", 1},
		"with a suffix":     {map[string]string{label: "25G"}, "1", 3.125e9},
		"no label":          {map[string]string{"other": "10"}, "1", 0},
		"no labels":         {nil, "1", 0},
		"empty":             {map[string]string{label: ""}, "1", 0},
		"no quantity":       {map[string]string{label: "Up-to-10-Gigabit"}, "1", 0},
		"nothing":           {map[string]string{label: "0"}, "1", 0},
		"takes for ever":    {map[string]string{label: "1e-999999999"}, "1", 0},
		"beyond all":        {map[string]string{label: "1e999"}, "1", 0},
		"too much to count": {map[string]string{label: "1e99"}, "1e300", 0},
		"less than nothing": {map[string]string{label: "-5"}, "1", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: c.labels}}
			if got := Bandwidth(node, label, resource.MustParse(c.unit)); got != c.want {
				t.Errorf("got %v bytes/s, want %v", got, c.want)
			}
		})
	}
}
