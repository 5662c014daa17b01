package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// podsOfWorkload is how many pods each workload has.
const podsOfWorkload = 10

// size is that of a cluster.
type size struct{ pods, nodes, edges, former int }

func (s size) workloads() int { return s.pods / podsOfWorkload }

func workloadName(w int) string  { return fmt.Sprintf("checkout-service-%d", w) }
func namespaceName(w int) string { return fmt.Sprintf("team-%d", w/20) }
func hashOf(revision int) string { return fmt.Sprintf("6f7d9c8b%d", revision) }

// graph has edges from each workload to random others.
func (s size) graph(at time.Time) *flowgraph.Graph {
	random := rand.New(rand.NewPCG(1, 2))
	id := func(w int) flowgraph.WorkloadID {
		return flowgraph.WorkloadID{Namespace: namespaceName(w), Name: workloadName(w)}
	}
	flows := make([]flowgraph.Flow, s.edges)
	for i := range flows {
		flows[i] = flowgraph.Flow{
			From: id(i % s.workloads()), To: id(random.IntN(s.workloads())), ObservedAt: at,
			Rates: flowgraph.Rates{SentBytesPerSecond: 1e5 * random.ExpFloat64(), ReceivedBytesPerSecond: 1e5, RequestsPerSecond: 50},
		}
	}
	g := flowgraph.NewGraph(flowgraph.Options{HalfLife: 10 * time.Minute, RetainFor: time.Hour})
	g.Observe(at, flows)
	return g
}

// meta is the metadata of an object that three managers have written.
func meta(kind, namespace, name string, labels map[string]string) metav1.ObjectMeta {
	fields := strings.TrimSuffix(strings.Repeat(`"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{".":{},"f:image":{},"f:resources":{}}}},`, 12), ",")
	m := metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: labels, ResourceVersion: "1", UID: types.UID(fmt.Sprintf("%s-%s-%s-0000", kind, namespace, name)),
		CreationTimestamp: metav1.NewTime(time.Unix(1.7e9, 0)),
	}
	for _, manager := range []string{"kube-controller-manager", "kubelet", "argocd-controller"} {
		m.ManagedFields = append(m.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1("{" + fields + "}"), Time: &m.CreationTimestamp,
		})
	}
	return m
}

func amounts(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

// template is of a workload with the sidecar, as Istio injects it.
func template(w, revision int) corev1.PodTemplateSpec {
	name := workloadName(w)
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{
				"app": name, "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/version": fmt.Sprintf("1.%d.0", revision),
				"pod-template-hash": hashOf(revision), "service.istio.io/canonical-name": name, "service.istio.io/canonical-revision": "latest", "security.istio.io/tlsMode": "istio",
			},
			Annotations: map[string]string{
				"prometheus.io/scrape": "true", "prometheus.io/port": "15020", "prometheus.io/path": "/stats/prometheus", "kubectl.kubernetes.io/default-container": "app",
				"sidecar.istio.io/status": `{"initContainers":["istio-init"],"containers":["istio-proxy"],"volumes":["workload-socket","workload-certs","istio-envoy","istio-data","istio-podinfo","istio-token","istiod-ca-cert"],"imagePullSecrets":null,"revision":"default"}`,
			},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: name, DNSPolicy: corev1.DNSClusterFirst, RestartPolicy: corev1.RestartPolicyAlways, SchedulerName: "vicinity",
			InitContainers: []corev1.Container{initContainer()}, Containers: []corev1.Container{appContainer(), proxyContainer()},
			Volumes: volumes(),
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
				{Key: "node.kubernetes.io/unreachable", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
			},
		},
	}
}

// variables are an environment of so many.
func variables(n int, prefix string) []corev1.EnvVar {
	all := make([]corev1.EnvVar, n)
	for i := range all {
		all[i] = corev1.EnvVar{Name: fmt.Sprintf("%s_SETTING_%d", prefix, i), Value: fmt.Sprintf("https://%s-%d.shop.svc.cluster.local:8443/api", strings.ToLower(prefix), i)}
		if i%4 == 0 {
			all[i].Value, all[i].ValueFrom = "", &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}
		}
	}
	return all
}

func probe(path string, port int) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt(port), Scheme: corev1.URISchemeHTTP}},
		PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
	}
}

func mounts(names ...string) []corev1.VolumeMount {
	var all []corev1.VolumeMount
	for _, name := range names {
		all = append(all, corev1.VolumeMount{Name: name, MountPath: "/var/run/secrets/" + name, ReadOnly: true})
	}
	return all
}

func secured() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true), RunAsUser: new(int64(1337)), RunAsGroup: new(int64(1337)),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func container(name, image string) corev1.Container {
	return corev1.Container{
		Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent, SecurityContext: secured(),
		TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
}

func appContainer() corev1.Container {
	c := container("app", "registry.shop.example/team/checkout-service@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	c.Command, c.Args = []string{"/usr/local/bin/checkout"}, []string{"--listen=:8080", "--metrics=:9090", "--config=/etc/checkout/config.yaml", "--log-format=json"}
	c.Env = variables(25, "CHECKOUT")
	c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, {Name: "metrics", ContainerPort: 9090, Protocol: corev1.ProtocolTCP}}
	c.Resources = corev1.ResourceRequirements{Requests: amounts("100m", "256Mi"), Limits: amounts("1", "512Mi")}
	c.LivenessProbe, c.ReadinessProbe = probe("/healthz", 8080), probe("/readyz", 8080)
	c.VolumeMounts = mounts("config", "kube-api-access-x7k2p")
	return c
}

func proxyContainer() corev1.Container {
	c := container("istio-proxy", "docker.io/istio/proxyv2:1.29.0")
	c.Args = []string{
		"proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning", "--proxyComponentLogLevel=misc:error", "--log_output_level=default:info",
	}
	c.Env = variables(24, "ISTIO_META")
	c.Ports = []corev1.ContainerPort{{Name: "http-envoy-prom", ContainerPort: 15090, Protocol: corev1.ProtocolTCP}}
	c.Resources = corev1.ResourceRequirements{Requests: amounts("100m", "128Mi"), Limits: amounts("2", "1Gi")}
	c.ReadinessProbe, c.StartupProbe = probe("/healthz/ready", 15021), probe("/healthz/ready", 15021)
	c.VolumeMounts = mounts("workload-socket", "workload-certs", "istio-envoy", "istio-data", "istio-podinfo", "istio-token", "istiod-ca-cert", "kube-api-access-x7k2p")
	return c
}

func initContainer() corev1.Container {
	c := container("istio-init", "docker.io/istio/proxyv2:1.29.0")
	c.Args = []string{"istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"}
	c.Resources = corev1.ResourceRequirements{Requests: amounts("100m", "128Mi"), Limits: amounts("2", "1Gi")}
	c.VolumeMounts = mounts("kube-api-access-x7k2p")
	return c
}

func volumes() []corev1.Volume {
	var all []corev1.Volume
	for _, name := range []string{"workload-socket", "workload-certs", "istio-envoy", "istio-data"} {
		all = append(all, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	}
	for _, name := range []string{"config", "istiod-ca-cert"} {
		all = append(all, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, DefaultMode: new(int32(420)),
		}}})
	}
	for _, name := range []string{"istio-podinfo", "istio-token", "kube-api-access-x7k2p"} {
		token := &corev1.ServiceAccountTokenProjection{Audience: "istio-ca", ExpirationSeconds: new(int64(43200)), Path: "token"}
		all = append(all, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: token}}, DefaultMode: new(int32(420)),
		}}})
	}
	return all
}

// replicaSet returns one of a workload's: the newest first, which wants the pods.
func (s size) replicaSet(i int) *appsv1.ReplicaSet {
	w, revision := i/(1+s.former), i%(1+s.former)
	of := template(w, revision)
	rs := &appsv1.ReplicaSet{ObjectMeta: meta("rs", namespaceName(w), workloadName(w)+"-"+hashOf(revision), of.Labels)}
	rs.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: workloadName(w), Controller: new(true)}}
	rs.Spec = appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Template: of, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": workloadName(w), "pod-template-hash": hashOf(revision)}}}
	if revision == 0 {
		rs.Spec.Replicas = new(int32(podsOfWorkload))
	}
	return rs
}

// pod returns one that runs, on any of the nodes.
func (s size) pod(i int) *corev1.Pod {
	w := i / podsOfWorkload % s.workloads()
	of := template(w, 0)
	pod := &corev1.Pod{ObjectMeta: meta("pod", namespaceName(w), fmt.Sprintf("%s-%s-%05d", workloadName(w), hashOf(0), i), of.Labels), Spec: of.Spec}
	pod.Annotations, pod.GenerateName = of.Annotations, workloadName(w)+"-"+hashOf(0)+"-"
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: workloadName(w) + "-" + hashOf(0), UID: "rs", Controller: new(true), BlockOwnerDeletion: new(true),
	}}
	pod.Spec.NodeName, pod.Spec.Priority = nodeName(i*7919%s.nodes), new(int32(0))
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.1.2.3", HostIP: "10.0.0.1", QOSClass: corev1.PodQOSBurstable, StartTime: &pod.CreationTimestamp}
	for _, of := range []corev1.PodConditionType{"PodReadyToStartContainers", corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: of, Status: corev1.ConditionTrue, LastTransitionTime: pod.CreationTimestamp})
	}
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "containerd://0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Ready: true, Started: new(true),
			State:              corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: pod.CreationTimestamp}},
			AllocatedResources: c.Resources.Requests, Resources: &c.Resources,
		})
	}
	return pod
}

func nodeName(n int) string {
	return fmt.Sprintf("ip-10-0-%d-%d.eu-central-1.compute.internal", n/250, n%250)
}

// node returns one with fifty images, of three zones.
func (s size) node(n int) *corev1.Node {
	zone := fmt.Sprintf("eu-central-1%c", 'a'+n%3)
	node := &corev1.Node{ObjectMeta: meta("node", "", nodeName(n), map[string]string{
		corev1.LabelHostname: nodeName(n), corev1.LabelTopologyZone: zone, corev1.LabelTopologyRegion: "eu-central-1",
		corev1.LabelInstanceTypeStable: "m7i.8xlarge", corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	})}
	room := amounts("64", "256Gi")
	room[corev1.ResourcePods] = resource.MustParse("250")
	node.Status.Capacity, node.Status.Allocatable = room, room
	for _, of := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeReady} {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
			Type: of, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status", LastHeartbeatTime: node.CreationTimestamp,
		})
	}
	for i := range 50 {
		name := fmt.Sprintf("registry.shop.example/team/checkout-service-%d", i)
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names: []string{name + "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", name + ":1.0"}, SizeBytes: 1 << 28,
		})
	}
	return node
}
