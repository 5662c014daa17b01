package coldstart

import (
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Labels of pods that say which service they are a version of, or an instance.
const (
	CanonicalNameLabel = "service.istio.io/canonical-name"
	AppNameLabel       = "app.kubernetes.io/name"
	AppInstanceLabel   = "app.kubernetes.io/instance"
	AppComponentLabel  = "app.kubernetes.io/component"
)

// Annotations in which the controllers of ReplicaSets number them, from 1 on.
const (
	DeploymentRevisionAnnotation = "deployment.kubernetes.io/revision"
	RolloutRevisionAnnotation    = "rollout.argoproj.io/revision"
)

// facts are what an object says of its workload.
type facts struct {
	id      flowgraph.WorkloadID
	created time.Time
	// revision is that of a ReplicaSet, from 1 on, 0 where none is named. With a later one
	// the workload is older than the object.
	revision int64
	counts   bool // the workload is there as long as such an object is
	pods     int32
	labels   map[string]string // of its pods
	partial  bool              // what the pods are like is not known, but for some labels
	called   string            // the object that has the annotation, as a message names it
	owner    types.UID         // of several workloads
	// own is PeersAnnotation of a controller, template that of its pods.
	own, template string
}

// factsOf returns what a ReplicaSet, a StatefulSet or a pod says.
func factsOf(object any) (f facts, ok bool) {
	switch o := object.(type) {
	case *appsv1.ReplicaSet:
		if o == nil {
			return f, false
		}
		return factsOfController(o, "ReplicaSet", &o.Spec.Template, o.Spec.Selector, o.Spec.Replicas), true
	case *appsv1.StatefulSet:
		if o == nil {
			return f, false
		}
		return factsOfController(o, "StatefulSet", &o.Spec.Template, o.Spec.Selector, o.Spec.Replicas), true
	case *corev1.Pod:
		if o == nil {
			return f, false
		}
		return factsOfPod(o), true
	}
	return f, false
}

func factsOfController(o metav1.Object, kind string, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector, replicas *int32) facts {
	pod := kube.PodOf(o, kind, template, selector)
	f := facts{
		id: kube.WorkloadOf(pod), created: o.GetCreationTimestamp().Time, revision: revisionOf(o), counts: true,
		pods: max(ptr.Deref(replicas, 1), 0), labels: pod.Labels, called: kind + " " + kube.FullName(o.GetNamespace(), o.GetName()),
		partial: template.Labels == nil,
		own:     o.GetAnnotations()[PeersAnnotation], template: template.Annotations[PeersAnnotation],
	}
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil {
		switch owner.Kind {
		case "Deployment", "Rollout": // a workload each
			f.called = owner.Kind + " " + kube.FullName(o.GetNamespace(), owner.Name)
		default:
			f.owner = owner.UID
		}
	}
	return f
}

// revisionOf returns how the controller of a ReplicaSet has numbered it.
func revisionOf(o metav1.Object) int64 {
	for _, key := range [...]string{DeploymentRevisionAnnotation, RolloutRevisionAnnotation} {
		if n, err := strconv.ParseInt(o.GetAnnotations()[key], 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// precedes reports whether an object says more of how the workload is now than another.
func (f *facts) precedes(other *facts) bool {
	if f.revision != other.revision {
		return f.revision > other.revision
	}
	return !f.created.Before(other.created)
}

// isControlled reports whether a pod has a controller that says more of its workload.
func isControlled(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && (owner.Kind == "ReplicaSet" || owner.Kind == "StatefulSet")
}

func factsOfPod(pod *corev1.Pod) facts {
	f := facts{
		id: kube.WorkloadOf(pod), created: pod.CreationTimestamp.Time, counts: true,
		labels: pod.Labels, template: pod.Annotations[PeersAnnotation], called: "Pod " + kube.FullName(pod.Namespace, pod.Name),
	}
	if isControlled(pod) {
		f.counts = false
		return f
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		f.owner = owner.UID
	}
	if kube.IsPeer(pod) {
		f.pods = 1
	}
	return f
}

// serviceOf is what the versions of a service have in common, "" where pods do not say it:
// the mesh's name of the service, or else the labels that Helm charts set. Different
// releases and components of a chart are different services.
func serviceOf(labels map[string]string) string {
	if name := labels[CanonicalNameLabel]; name != "" {
		return "canonical\x00" + name
	}
	if name := labels[AppNameLabel]; name != "" {
		return strings.Join([]string{"app", name, labels[AppInstanceLabel], labels[AppComponentLabel]}, "\x00")
	}
	return ""
}
