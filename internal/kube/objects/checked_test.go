package objects

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// TestChecked: of each object there is what checks look at, and nothing else.
func TestChecked(t *testing.T) {
	cases := map[string]struct {
		sent string
		want runtime.Object
	}{
		"a pod that waits": {
			`{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-0, labels: {app: web}, annotations: {note: hunter2, vicinity.dev/locality: "off"}},
			spec: {schedulerName: vicinity, nodeSelector: {disk: ssd}, tolerations: [{key: a}], volumes: [{name: v, emptyDir: {}}], schedulingGates: [{name: g}],
				containers: [{name: c, image: i, env: [{name: PASSWORD, value: hunter2}], resources: {requests: {cpu: "1"}}, ports: [{name: http, containerPort: 80, protocol: TCP}]}]},
			status: {phase: Pending, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], containerStatuses: [{name: c}], conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: no node}, {type: Initialized, status: "True"}]}}`,
			&corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"vicinity.dev/locality": "off"}},
				Spec: corev1.PodSpec{
					SchedulerName: "vicinity", SchedulingGates: []corev1.PodSchedulingGate{{Name: "g"}},
					Containers: []corev1.Container{{Name: "c", Image: "i", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}}}},
				},
				Status: corev1.PodStatus{Phase: corev1.PodPending, PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}, Conditions: []corev1.PodCondition{
					{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no node"},
				}},
			},
		},
		"a pod that runs": {
			`{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-0}, spec: {nodeName: n1, hostNetwork: true, topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone}], initContainers: [{name: init}], containers: [{name: c}]},
			status: {phase: Running, conditions: [{type: PodScheduled, status: "True"}, {type: Ready, status: "True"}]}}`,
			&corev1.Pod{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0"},
				Spec: corev1.PodSpec{
					NodeName: "n1", HostNetwork: true, TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone"}},
					InitContainers: []corev1.Container{{Name: "init"}}, Containers: []corev1.Container{{Name: "c"}},
				},
				Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
			},
		},
		"a node": {
			`{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: a}}, status: {allocatable: {cpu: "4"}, images: [{names: [a]}], conditions: [{type: Ready, status: "True"}]}}`,
			&corev1.Node{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"zone": "a"}},
				Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
			},
		},
		"a Service": {
			`{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: db}, spec: {selector: {app: db}, sessionAffinity: ClientIP, externalName: x, ports: [{name: a, port: 80}]}}`,
			&corev1.Service{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"},
				Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "db"}, SessionAffinity: corev1.ServiceAffinityClientIP, Ports: []corev1.ServicePort{{Port: 80}}},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			sent := &unstructured.Unstructured{}
			text, err := yaml.YAMLToJSON([]byte(tc.sent))
			if err != nil {
				t.Fatal(err)
			}
			if err := sent.UnmarshalJSON(text); err != nil {
				t.Fatal(err)
			}
			got, err := NewTable().KindOf(tc.want).Checked(sent)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
