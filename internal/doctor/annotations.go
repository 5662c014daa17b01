package doctor

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// ignored collects the annotations that are ignored. Many pods have the same template.
type ignored struct {
	seen    map[string]bool
	results []Result
}

func (i *ignored) add(what, next string) {
	if i.seen[what] {
		return
	}
	i.seen[what] = true
	i.results = append(i.results, Result{Severity: Warning, What: what, Why: "The annotation is ignored; what the workload or the namespace says, or the default, counts instead.", Next: next})
}

// isWrong reports whether annotations have a choice that is ignored.
func isWrong(annotations map[string]string) (value string, wrong bool) {
	value, there := annotations[kube.LocalityAnnotation]
	return value, there && kube.ChoiceOf(annotations) == kube.Unsaid
}

// onObject looks at the choice on an object itself.
func (i *ignored) onObject(kind string, object metav1.Object) {
	value, wrong := isWrong(object.GetAnnotations())
	if !wrong {
		return
	}
	kubectl := "kubectl "
	if namespace := object.GetNamespace(); namespace != "" {
		kubectl += "-n " + namespace + " "
	}
	i.add(fmt.Sprintf("%s %s has %s: %q, which is neither on nor off.", kind, kube.FullName(object.GetNamespace(), object.GetName()), kube.LocalityAnnotation, value),
		fmt.Sprintf("%sannotate --overwrite %s %s %s=on", kubectl, strings.ToLower(kind), object.GetName(), kube.LocalityAnnotation))
}

// onPod looks at the annotations of a pod, which stand in the template of its workload.
func (i *ignored) onPod(pod *corev1.Pod) {
	id := kube.WorkloadOf(pod)
	next := "Correct it in the pod template: " + edits(pod)
	if value, wrong := isWrong(pod.Annotations); wrong {
		i.add(fmt.Sprintf("The pod template of %s has %s: %q, which is neither on nor off.", id, kube.LocalityAnnotation, value), next)
	}
	if text, ok := pod.Annotations[coldstart.PeersAnnotation]; ok {
		if _, err := coldstart.ParsePeers(text, pod.Namespace); err != nil {
			i.add(fmt.Sprintf("The pod template of %s has an annotation %s that cannot be read: %s", id, coldstart.PeersAnnotation, fullStop(err.Error())), next)
		}
	}
}

func (i *ignored) onService(service *corev1.Service) {
	value, there := service.Annotations[routing.DestinationRulesAnnotation]
	if !there || value == routing.Ignored {
		return
	}
	i.add(fmt.Sprintf("Service %s has %s: %q, which is not %s.", kube.FullName(service.Namespace, service.Name), routing.DestinationRulesAnnotation, value, routing.Ignored),
		fmt.Sprintf("kubectl -n %s annotate --overwrite service %s %s=%s", service.Namespace, service.Name, routing.DestinationRulesAnnotation, routing.Ignored))
}

func lookAnnotations(_ context.Context, _ *clusterState, o *Inventory) []Result {
	i := ignored{seen: map[string]bool{}}
	for _, n := range objects.Of[*corev1.Namespace](o.all) {
		i.onObject("Namespace", n)
	}
	for _, d := range objects.Of[*appsv1.Deployment](o.all) {
		i.onObject("Deployment", d)
	}
	for _, set := range objects.Of[*appsv1.StatefulSet](o.all) {
		i.onObject("StatefulSet", set)
	}
	for _, rs := range objects.Of[*appsv1.ReplicaSet](o.all) {
		// A Deployment copies its annotations to its ReplicaSets.
		if owner := metav1.GetControllerOfNoCopy(rs); owner == nil || owner.Kind != "Deployment" {
			i.onObject("ReplicaSet", rs)
		}
	}
	for _, d := range objects.Of[*appsv1.DaemonSet](o.all) {
		if _, there := d.Annotations[kube.LocalityAnnotation]; there {
			i.add(fmt.Sprintf("DaemonSet %s has %s, which is not read there.", kube.FullName(d.Namespace, d.Name), kube.LocalityAnnotation),
				"Move the annotation to its pod template: kubectl -n "+d.Namespace+" edit daemonset "+d.Name)
		}
	}
	for _, pod := range o.pods {
		i.onPod(pod)
	}
	for _, service := range objects.Of[*corev1.Service](o.all) {
		i.onService(service)
	}
	if err := o.without(kindNamespace, kindDeployment, kindStatefulSet, kindReplicaSet, kindDaemonSet, kindPod, kindService); err != nil {
		i.results = append(i.results, notChecked(err)...)
	}
	return or(i.results, "No annotation of Vicinity is ignored.")
}
