package explain

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/decodeerror"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
)

// Subject is the pod that is asked about, as if it were pending.
type Subject struct {
	Pod *corev1.Pod
	// Node is where it is; "" for one that is pending or does not exist.
	Node string
	// Others are the workload's pods where the whole workload is asked about.
	Others []*corev1.Pod
	// Notes say how the pod that is looked at differs from the one that was named.
	Notes []string
}

// FindPod returns the pod of a name.
func FindPod(o *objects.Objects, namespace, name string) (*Subject, error) {
	for _, pod := range objects.Of[*corev1.Pod](o) {
		if pod.Namespace != namespace || pod.Name != name {
			continue
		}
		s := pending(pod)
		switch {
		case kube.IsFinished(pod):
			s.Notes = append(s.Notes, fmt.Sprintf("the pod has ended (%s): it is explained as if it were pending again", pod.Status.Phase))
		case s.Node != "":
			s.Notes = append(s.Notes, "the pod runs: it is explained as if it were pending again, with all other pods where they are now")
		}
		return s, nil
	}
	return nil, fmt.Errorf("there is no pod %s in namespace %s; see: kubectl get pods --namespace %s", name, namespace, namespace)
}

// FindWorkload returns the next pod of the workload of a name.
func FindWorkload(o *objects.Objects, namespace, name string) (*Subject, error) {
	id := flowgraph.WorkloadID{Namespace: namespace, Name: name}
	var pods []*corev1.Pod
	for _, pod := range objects.Of[*corev1.Pod](o) {
		if kube.WorkloadOf(pod) == id && kube.IsPeer(pod) {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	template, what := newestMade(o, id), "as its controller makes it"
	if len(pods) > 0 && (template == nil || len(template.Spec.Containers) == 0) {
		template, what = pods[len(pods)-1], "like its newest pod"
	}
	if template == nil {
		return nil, fmt.Errorf("there is no workload %s: %s", id, elsewhere(o, id))
	}
	s := pending(template)
	s.Pod.Name, s.Pod.UID, s.Node, s.Others = name+"-next", "", "", pods
	s.Notes = append(s.Notes, fmt.Sprintf("the next pod of the workload is explained, %s, with all pods where they are now", what))
	return s, nil
}

// elsewhere says where to look for a workload that is not there.
func elsewhere(o *objects.Objects, id flowgraph.WorkloadID) string {
	for _, pod := range objects.Of[*corev1.Pod](o) {
		if other := kube.WorkloadOf(pod); other.Name == id.Name {
			return fmt.Sprintf("there is one in another namespace: add --namespace %s", other.Namespace)
		}
	}
	return "no pod belongs to it, and no ReplicaSet or StatefulSet makes any; vicinity graph lists the workloads that have traffic, as NAMESPACE/NAME"
}

// newestMade returns a pod as the newest controller of a workload makes it, nil without one.
func newestMade(o *objects.Objects, id flowgraph.WorkloadID) (made *corev1.Pod) {
	var newest metav1.Time
	consider := func(controller metav1.Object, pod *corev1.Pod, wants *int32) {
		created := controller.GetCreationTimestamp()
		idle := wants != nil && *wants == 0
		if kube.WorkloadOf(pod) != id || idle || made != nil && created.Before(&newest) {
			return
		}
		made, newest = pod, created
	}
	for _, rs := range objects.Of[*appsv1.ReplicaSet](o) {
		consider(rs, kube.PodOf(rs, "ReplicaSet", &rs.Spec.Template, rs.Spec.Selector), rs.Spec.Replicas)
	}
	for _, set := range objects.Of[*appsv1.StatefulSet](o) {
		consider(set, kube.PodOf(set, "StatefulSet", &set.Spec.Template, set.Spec.Selector), set.Spec.Replicas)
	}
	return made
}

// pending returns a pod as if no node had been chosen for it, without what is not simulated.
func pending(pod *corev1.Pod) *Subject {
	s := &Subject{Pod: pod.DeepCopy(), Node: pod.Spec.NodeName}
	p := s.Pod
	p.Spec.NodeName, p.DeletionTimestamp = "", nil
	p.Status = corev1.PodStatus{Phase: corev1.PodPending}
	if len(p.Spec.SchedulingGates) > 0 {
		p.Spec.SchedulingGates = nil
		s.Notes = append(s.Notes, "the pod has scheduling gates, and waits until they are gone: it is explained as if they were")
	}
	if slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return objects.BindsToNode(&v) }) {
		s.Notes = append(s.Notes, "the pod's volumes are not looked at: they may exclude further nodes")
	}
	p.Spec.Volumes = slices.DeleteFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return objects.BindsToNode(&v) })
	if len(p.Spec.ResourceClaims) > 0 {
		p.Spec.ResourceClaims = nil
		for _, containers := range [...][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
			for i := range containers {
				containers[i].Resources.Claims = nil
			}
		}
		s.Notes = append(s.Notes, "the pod's resource claims are not looked at: they may exclude further nodes")
	}
	if p.Spec.SchedulingGroup != nil {
		p.Spec.SchedulingGroup = nil
		s.Notes = append(s.Notes, "the pod belongs to a pod group: it is explained as if it were scheduled by itself")
	}
	return s
}

// ReadPod reads a manifest of a pod, or of what makes pods, which need not exist. namespace
// takes precedence over none.
func ReadPod(data []byte, file, namespace string) (*Subject, error) {
	documents := slices.DeleteFunc(bytes.Split(append([]byte("\n"), data...), []byte("\n---")), func(d []byte) bool {
		text, err := utilyaml.ToJSON(d)
		return err == nil && (len(bytes.TrimSpace(d)) == 0 || string(text) == "null")
	})
	if len(documents) != 1 {
		return nil, fmt.Errorf("%s: has %d objects; must have one: a Pod, or what makes pods", file, len(documents))
	}
	var about metav1.TypeMeta
	if err := yaml.Unmarshal(documents[0], &about); err != nil {
		return nil, fmt.Errorf("%s: %w", file, decodeerror.Plain(err))
	}
	pod, err := podIn(documents[0], about)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	switch {
	case pod.Namespace != "" && namespace != "" && pod.Namespace != namespace:
		return nil, fmt.Errorf("%s: the object is in namespace %s, not in %s", file, pod.Namespace, namespace)
	case pod.Namespace == "":
		pod.Namespace = cmp.Or(namespace, metav1.NamespaceDefault)
	}
	if len(pod.Spec.Containers) == 0 {
		return nil, fmt.Errorf("%s: %s: spec.containers: is required", file, about.Kind)
	}
	kubesim.SetDefaults(pod)
	s := pending(pod)
	s.Node = ""
	return s, nil
}

// annotationsOf are those of a template, with what its controller says for its pods: nobody else
// knows of one that does not exist yet.
func annotationsOf(controller metav1.Object, t *corev1.PodTemplateSpec, kind string) map[string]string {
	all, own := maps.Clone(t.Annotations), controller.GetAnnotations()
	if kind == "Job" { // a scheduler does not read what it says itself
		return all
	}
	if all == nil {
		all = map[string]string{}
	}
	if peers := own[coldstart.PeersAnnotation]; peers != "" {
		all[coldstart.PeersAnnotation] = peers
	}
	if choice, says := own[kube.LocalityAnnotation]; says && kube.ChoiceOf(all) == kube.Unsaid {
		all[kube.LocalityAnnotation] = choice
	}
	return all
}

// podIn returns the pod of an object, or one that it makes.
func podIn(document []byte, about metav1.TypeMeta) (*corev1.Pod, error) {
	strictly := func(into runtime.Object) error {
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			return decodeerror.Plain(err)
		}
		return nil
	}
	made := func(o metav1.Object, t *corev1.PodTemplateSpec, err error) (*corev1.Pod, error) {
		if err != nil {
			return nil, err
		}
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: o.GetNamespace(), Name: o.GetName() + "-next", GenerateName: o.GetName() + "-",
				Labels: t.Labels, Annotations: annotationsOf(o, t, about.Kind),
				OwnerReferences: []metav1.OwnerReference{{APIVersion: about.APIVersion, Kind: about.Kind, Name: o.GetName(), Controller: new(true)}},
			},
			Spec: t.Spec,
		}, nil
	}
	switch about.APIVersion + " " + about.Kind {
	case "v1 Pod":
		pod := &corev1.Pod{}
		if err := strictly(pod); err != nil {
			return nil, err
		}
		if pod.Name == "" {
			pod.Name = strings.TrimSuffix(cmp.Or(pod.GenerateName, "pod-"), "-") + "-next"
		}
		return pod, nil
	case "apps/v1 Deployment":
		d := &appsv1.Deployment{}
		return made(d, &d.Spec.Template, strictly(d))
	case "apps/v1 ReplicaSet":
		rs := &appsv1.ReplicaSet{}
		return made(rs, &rs.Spec.Template, strictly(rs))
	case "apps/v1 StatefulSet":
		set := &appsv1.StatefulSet{}
		return made(set, &set.Spec.Template, strictly(set))
	case "batch/v1 Job":
		job := &batchv1.Job{}
		return made(job, &job.Spec.Template, strictly(job))
	case " ":
		return nil, fmt.Errorf("has no apiVersion and kind")
	}
	return nil, fmt.Errorf("is of kind %s (%s); must be a Pod, a Deployment, a ReplicaSet, a StatefulSet or a Job", about.Kind, about.APIVersion)
}
