package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

const (
	deploymentHash = "pod-template-hash"
	rolloutHash    = "rollouts-pod-template-hash"
)

// ownedPod is shop/pod with one owner that is its controller and has generated
// its name.
func ownedPod(kind, owner string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "pod", GenerateName: owner + "-", Labels: labels,
		OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: new(true)}},
	}}
}

// TestWorkloadOf has what Istio names source_workload and destination_workload:
// GetWorkloadMetaFromPod in istio/pkg/kube/util.go, and the variable
// ISTIO_META_WORKLOAD_NAME in the injector's template, which takes an empty label
// for none.
func TestWorkloadOf(t *testing.T) {
	hash := func(label, value string) map[string]string { return map[string]string{"app": "web", label: value} }
	cases := map[string]struct {
		kind, owner string
		labels      map[string]string
		want        string
	}{
		"Deployment":                               {"ReplicaSet", "web-6f7d9", hash(deploymentHash, "6f7d9"), "web"},
		"Deployment with dashes":                   {"ReplicaSet", "web-front-end-6f7d9", hash(deploymentHash, "6f7d9"), "web-front-end"},
		"Deployment whose name ends like a hash":   {"ReplicaSet", "web-5b8c4-6f7d9", hash(deploymentHash, "6f7d9"), "web-5b8c4"},
		"Deployment whose name ends with the hash": {"ReplicaSet", "web-6f7d9-6f7d9", hash(deploymentHash, "6f7d9"), "web-6f7d9"},
		"Deployment whose name ends like a Job's":  {"ReplicaSet", "web-29123456-6f7d9", hash(deploymentHash, "6f7d9"), "web-29123456"},
		"Argo Rollout":                             {"ReplicaSet", "web-6f7d9", hash(rolloutHash, "6f7d9"), "web"},
		"Argo Rollout over a Deployment's labels": {
			"ReplicaSet", "web-6f7d9", map[string]string{deploymentHash: "5b8c4", rolloutHash: "6f7d9"}, "web",
		},
		"ReplicaSet of its own":                     {"ReplicaSet", "web-6f7d9", nil, "web-6f7d9"},
		"ReplicaSet with an empty hash":             {"ReplicaSet", "web-", hash(deploymentHash, ""), "web-"},
		"ReplicaSet with the hash of another":       {"ReplicaSet", "web-6f7d9", hash(deploymentHash, "5b8c4"), "web-6f7d9"},
		"ReplicaSet that ends with half the hash":   {"ReplicaSet", "web6f7d9", hash(deploymentHash, "6f7d9"), "web6f7d9"},
		"ReplicaSet with the hash in the middle":    {"ReplicaSet", "web-6f7d9-blue", hash(deploymentHash, "6f7d9"), "web-6f7d9-blue"},
		"ReplicaSet of which nothing would be left": {"ReplicaSet", "-6f7d9", hash(deploymentHash, "6f7d9"), "pod"},
		"StatefulSet": {"StatefulSet", "db", map[string]string{"controller-revision-hash": "db-6f7d9"}, "db"},
		"StatefulSet whose name ends with a hash":  {"StatefulSet", "db-6f7d9", hash(deploymentHash, "6f7d9"), "db-6f7d9"},
		"StatefulSet whose name ends like a Job's": {"StatefulSet", "db-29123456", nil, "db-29123456"},
		"DaemonSet":                                    {"DaemonSet", "agent", nil, "agent"},
		"Job":                                          {"Job", "import", nil, "import"},
		"Job whose name ends in digits":                {"Job", "import-2026", nil, "import-2026"},
		"Job whose name ends in seven digits":          {"Job", "import-2912345", nil, "import-2912345"},
		"Job whose name ends in eleven digits":         {"Job", "import-29123456789", nil, "import-29123456789"},
		"Job whose name ends in eight word characters": {"Job", "import-2912345x", nil, "import-2912345x"},
		"Job whose name ends in eight digits, no dash": {"Job", "import29123456", nil, "import29123456"},
		"Job whose name is eight digits":               {"Job", "29123456", nil, "29123456"},
		"Job of which nothing would be left":           {"Job", "-29123456", nil, "-29123456"},
		"CronJob":                                      {"Job", "import-29123456", nil, "import"},
		"CronJob, nine digits":                         {"Job", "import-291234567", nil, "import"},
		"CronJob of Kubernetes before 1.21, by second": {"Job", "import-1747407360", nil, "import"},
		"ReplicationController":                        {"ReplicationController", "web-3", nil, "web-3"},
		"DeploymentConfig of OpenShift":                {"ReplicationController", "web-3", map[string]string{"deploymentconfig": "web"}, "web"},
		"DeploymentConfig with an empty label":         {"ReplicationController", "web-3", map[string]string{"deploymentconfig": ""}, "web-3"},
		"label of a DeploymentConfig on another kind":  {"StatefulSet", "db", map[string]string{"deploymentconfig": "web"}, "db"},
		"name by label":                                {"StatefulSet", "db", map[string]string{"service.istio.io/workload-name": "store"}, "store"},
		"name by label over a template's hash": {
			"ReplicaSet", "web-6f7d9", map[string]string{deploymentHash: "6f7d9", "service.istio.io/workload-name": "store"}, "store",
		},
		"name by an empty label":               {"StatefulSet", "db", map[string]string{"service.istio.io/workload-name": ""}, "db"},
		"CronJob with dashes":                  {"Job", "import-all-29123456", nil, "import-all"},
		"CronJob whose name ends like a Job's": {"Job", "import-29000000-29123456", nil, "import-29000000"},
		"controller of an unknown kind":        {"GameServer", "match-6f7d9", hash(deploymentHash, "6f7d9"), "match-6f7d9"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := flowgraph.WorkloadID{Namespace: "shop", Name: tc.want}
			if got := WorkloadOf(ownedPod(tc.kind, tc.owner, tc.labels)); got != want {
				t.Errorf("workload of a pod of %s %s = %v, want %v", tc.kind, tc.owner, got, want)
			}
		})
	}
}

func TestWorkloadOfOwners(t *testing.T) {
	cases := map[string]struct {
		owners []metav1.OwnerReference
		want   string
	}{
		"bare pod":                    {nil, "pod"},
		"owner that does not control": {[]metav1.OwnerReference{{Kind: "StatefulSet", Name: "db"}}, "pod"},
		"owner that says it does not": {[]metav1.OwnerReference{{Kind: "StatefulSet", Name: "db", Controller: new(false)}}, "pod"},
		"controller of Kubernetes, without a generated name": {[]metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", Controller: new(true)},
		}, "db"},
		// These name their pods themselves, each another one for Istio.
		"controller of another API":            {[]metav1.OwnerReference{{APIVersion: "postgresql.cnpg.io/v1", Kind: "Cluster", Name: "db", Controller: new(true)}}, "pod"},
		"controller of another API, same kind": {[]metav1.OwnerReference{{APIVersion: "batch.volcano.sh/v1alpha1", Kind: "Job", Name: "train", Controller: new(true)}}, "pod"},
		"pod of a pod":                         {[]metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "driver", Controller: new(true)}}, "pod"},
		"static pod":                           {[]metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n1", Controller: new(true)}}, "pod"},
		"controller behind other owners": {[]metav1.OwnerReference{
			{Kind: "ConfigMap", Name: "settings"},
			{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", Controller: new(true)},
		}, "db"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pod", OwnerReferences: tc.owners}}
			want := flowgraph.WorkloadID{Namespace: "shop", Name: tc.want}
			if got := WorkloadOf(pod); got != want {
				t.Errorf("workload = %v, want %v", got, want)
			}
		})
	}
}

func FuzzWorkloadOf(f *testing.F) {
	f.Add("shop", "web-6f7d9-abcde", "ReplicaSet", "web-6f7d9", "6f7d9", "", true)
	f.Add("shop", "web-6f7d9-abcde", "ReplicaSet", "-6f7d9", "", "6f7d9", true)
	f.Add("shop", "import-29123456-abcde", "Job", "import-29123456", "", "", true)
	f.Add("shop", "import-29123456-abcde", "Job", "-29123456", "", "", true)
	f.Add("shop", "db-0", "StatefulSet", "db", "", "", false)
	f.Add("", "", "Job", "-", "-", "-", true)
	f.Fuzz(func(t *testing.T, namespace, name, kind, owner, hash, rollout string, controller bool) {
		got := WorkloadOf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, GenerateName: owner,
			Labels:          map[string]string{deploymentHash: hash, rolloutHash: rollout},
			OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: &controller}},
		}})
		if got.Namespace != namespace {
			t.Errorf("namespace %q became %q", namespace, got.Namespace)
		}
		if name != "" && owner != "" && got.Name == "" {
			t.Errorf("no name of pod %q, %s %q, hashes %q and %q", name, kind, owner, hash, rollout)
		}
	})
}

func TestIsPeer(t *testing.T) {
	cases := map[string]struct {
		phase       corev1.PodPhase
		terminating bool
		want        bool
	}{
		"pending":                 {phase: corev1.PodPending, want: true},
		"running":                 {phase: corev1.PodRunning, want: true},
		"no phase yet":            {want: true},
		"phase unknown":           {phase: corev1.PodUnknown, want: true},
		"succeeded":               {phase: corev1.PodSucceeded},
		"failed":                  {phase: corev1.PodFailed},
		"running, terminating":    {phase: corev1.PodRunning, terminating: true},
		"pending and terminating": {phase: corev1.PodPending, terminating: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Status: corev1.PodStatus{Phase: tc.phase}}
			if tc.terminating {
				pod.DeletionTimestamp = new(metav1.Now())
			}
			if got := IsPeer(pod); got != tc.want {
				t.Errorf("IsPeer = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestLocalityOf(t *testing.T) {
	cases := map[string]struct {
		labels map[string]string
		want   locality.Locality
	}{
		"all labels": {
			labels: map[string]string{
				"topology.kubernetes.io/zone": "eu-1a", "topology.kubernetes.io/region": "eu-1",
				"kubernetes.io/hostname": "some-other-name",
			},
			want: locality.Locality{Node: "n1", Zone: "eu-1a", Region: "eu-1"},
		},
		"no labels": {want: locality.Locality{Node: "n1"}},
		"labels from before Kubernetes 1.17 do not count": {
			labels: map[string]string{
				"failure-domain.beta.kubernetes.io/zone": "eu-1a", "failure-domain.beta.kubernetes.io/region": "eu-1",
			},
			want: locality.Locality{Node: "n1"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: tc.labels}}
			if got := LocalityOf(node); got != tc.want {
				t.Errorf("locality = %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestWillServe(t *testing.T) {
	waiting := func(reason string) corev1.PodStatus {
		return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}},
		}}
	}
	cases := map[string]struct {
		status corev1.PodStatus
		want   bool
	}{
		"nothing is known":    {corev1.PodStatus{}, true},
		"pending":             {corev1.PodStatus{Phase: corev1.PodPending}, true},
		"not ready":           {corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}}, true},
		"being created":       {waiting("ContainerCreating"), true},
		"of unknown phase":    {corev1.PodStatus{Phase: corev1.PodUnknown}, false},
		"in a crash loop":     {waiting("CrashLoopBackOff"), false},
		"without its image":   {waiting("ErrImagePull"), false},
		"still without it":    {waiting("ImagePullBackOff"), false},
		"its image is loaded": {waiting(""), true},
	}
	for name, c := range cases {
		if got := WillServe(&corev1.Pod{Status: c.status}); got != c.want {
			t.Errorf("%s: WillServe = %v, want %v", name, got, c.want)
		}
	}
}

func TestIsUnreachable(t *testing.T) {
	for key, want := range map[string]bool{"node.kubernetes.io/unreachable": true, "node.kubernetes.io/not-ready": false, "dedicated": false} {
		node := &corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "a"}, {Key: key}}}}
		if got := IsUnreachable(node); got != want {
			t.Errorf("a node with the taint %s: IsUnreachable = %v, want %v", key, got, want)
		}
	}
}
