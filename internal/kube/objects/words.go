package objects

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// What an anonymized object says in words of Kubernetes' or Istio's is in the lists of
// this file. A word that is in none of them may be anything, a name as well.

// unknownWord stands for a word that is none of those that may stand in its place: it
// means nothing to those who read it, as the word did.
const unknownWord = "anonymized"

// keptKeys are the keys of labels and taints that a replay, a scheduler plugin or a
// DestinationRule gives a meaning to. All others are only compared with each other.
func keptKeys() []string {
	return []string{
		corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion,
		corev1.LabelHostname, corev1.LabelMetadataName, corev1.LabelOSStable, corev1.LabelArchStable,
		routing.NetworkLabel, routing.SubzoneLabel,
		"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master",
		corev1.TaintNodeUnschedulable, corev1.TaintNodeUnreachable,
		kube.WorkloadNameLabel, kube.DeploymentConfigLabel, kube.RolloutHashLabel,
		appsv1.DefaultDeploymentUniqueLabelKey, appsv1.ControllerRevisionHashLabelKey,
		coldstart.AppGroupLabel, coldstart.AppGroupWorkloadLabel,
		coldstart.CanonicalNameLabel, coldstart.AppNameLabel, coldstart.AppInstanceLabel, coldstart.AppComponentLabel,
	}
}

// systems are the values of kubernetes.io/os and kubernetes.io/arch.
func systems() []string {
	return []string{"linux", "windows", "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64"}
}

// ownerKinds are the kinds of owners by which pods are told to be of a workload, and the
// versions that they are known in.
func ownerKinds() map[string]string {
	apps, batch, core := appsv1.SchemeGroupVersion.String(), batchv1.SchemeGroupVersion.String(), corev1.SchemeGroupVersion.String()
	return map[string]string{
		"Deployment": apps, "ReplicaSet": apps, "StatefulSet": apps, "DaemonSet": apps,
		"Job": batch, "CronJob": batch, "ReplicationController": core, "Node": core, "Rollout": "argoproj.io/v1alpha1",
	}
}

// vocabularies are the words of the types that are enumerations in Kubernetes' API. A
// type that is not in it has none.
func vocabularies() map[reflect.Type][]string {
	v := map[reflect.Type][]string{}
	add(v, corev1.NodeReady)
	add(v, corev1.PodReady)
	add(v, corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown)
	add(v, corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown)
	add(v, corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)
	add(v, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
	add(v, corev1.PreemptLowerPriority, corev1.PreemptNever)
	add(v, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
	add(v, corev1.TolerationOpExists, corev1.TolerationOpEqual, corev1.TolerationOpLt, corev1.TolerationOpGt)
	add(v, corev1.DoNotSchedule, corev1.ScheduleAnyway)
	add(v, corev1.NodeInclusionPolicyIgnore, corev1.NodeInclusionPolicyHonor)
	add(v, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)
	add(v, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist,
		corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt)
	add(v, corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName)
	add(v, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	return v
}

func add[T ~string](vocabularies map[reflect.Type][]string, words ...T) {
	for _, word := range words {
		vocabularies[reflect.TypeFor[T]()] = append(vocabularies[reflect.TypeFor[T]()], string(word))
	}
}

// words replaces the words that their types do not have, however deep they are. Texts of
// type string, and the keys and values of maps, have been renamed one by one.
func (a *Anonymizer) words(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			a.words(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			a.words(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[resource.Quantity]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				a.words(v.Field(i))
			}
		}
	case reflect.String:
		if t := v.Type(); t == reflect.TypeFor[string]() || t == reflect.TypeFor[types.UID]() || t == reflect.TypeFor[corev1.ResourceName]() {
			return
		}
		if word := v.String(); word != "" && !slices.Contains(a.vocabularies[v.Type()], word) {
			v.SetString(unknownWord)
		}
	}
}

// annotation returns the value of one of recordedAnnotations.
func annotation(key, value string) string {
	switch key {
	case routing.TrafficDistributionAnnotation:
		return distribution(value)
	case kube.DesiredReplicasAnnotation, kube.RolloutDesiredReplicasAnnotation,
		coldstart.DeploymentRevisionAnnotation, coldstart.RolloutRevisionAnnotation:
		if n, err := strconv.ParseInt(value, 10, 32); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case kube.LocalityAnnotation:
		return known(value, kube.On.String(), kube.Off.String())
	}
	return known(value, routing.Ignored, "Auto", "auto", "Disabled", "disabled")
}

// distribution returns a value of trafficDistribution, which is compared without regard
// to case.
func distribution(value string) string {
	for _, word := range [...]string{
		corev1.ServiceTrafficDistributionPreferSameNode, corev1.ServiceTrafficDistributionPreferSameZone,
		corev1.ServiceTrafficDistributionPreferClose, routing.AnyDistribution,
	} {
		if strings.EqualFold(value, word) {
			return word
		}
	}
	return known(value)
}

// known returns the word, or unknownWord if it is none of these.
func known(word string, words ...string) string {
	if word == "" || slices.Contains(words, word) {
		return word
	}
	return unknownWord
}

// percentage replaces a text that is no percentage.
func percentage(v *intstr.IntOrString) {
	if v == nil || v.Type == intstr.Int {
		return
	}
	digits, ok := strings.CutSuffix(v.StrVal, "%")
	if _, err := strconv.ParseUint(digits, 10, 31); !ok || err != nil {
		v.StrVal = unknownWord
	}
}

// resourceName keeps the resources that Kubernetes itself knows; device plugins and
// operators name others.
func (a *Anonymizer) resourceName(name string) string {
	switch name := corev1.ResourceName(name); name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourceStorage, corev1.ResourcePods:
		return string(name)
	}
	if size, ok := strings.CutPrefix(name, corev1.ResourceHugePagesPrefix); ok && isPageSize(size) {
		return name
	}
	for _, prefix := range [...]string{corev1.ResourceHugePagesPrefix, corev1.ResourceAttachableVolumesPrefix} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return prefix + a.hash("k", rest)
		}
	}
	return a.labelKey(name)
}

// isPageSize reports whether a text is one such as 2Mi. To parse any quantity may take for
// ever: 1e-999999999 is one.
func isPageSize(text string) bool {
	digits, ok := text, false
	for _, unit := range [...]string{"Ki", "Mi", "Gi"} {
		if digits, ok = strings.CutSuffix(text, unit); ok {
			break
		}
	}
	return ok && digits != "" && len(digits) <= 6 && strings.Trim(digits, "0123456789") == ""
}
