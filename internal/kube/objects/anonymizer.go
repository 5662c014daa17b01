package objects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Anonymizer replaces names by names that say nothing: a keyed hash of the old one. The
// same name always gets the same new one, so that what belongs together still does;
// without the key nobody can try names out. It keeps the names of Kubernetes' own
// namespaces, labels, taints and priority classes, label values that are numbers or
// booleans, amounts and times.
type Anonymizer struct {
	key   []byte
	table *Table
}

// NewAnonymizer returns an Anonymizer. The key should be random, used once and forgotten.
func NewAnonymizer(key []byte) *Anonymizer {
	return &Anonymizer{key: slices.Clone(key), table: NewTable()}
}

// Object returns a renamed copy of an object that has been recorded or read.
func (a *Anonymizer) Object(object runtime.Object) (runtime.Object, error) {
	k := a.table.KindOf(object)
	if k == nil {
		return nil, fmt.Errorf("cannot rename a %T", object)
	}
	object = object.DeepCopyObject()
	k.anonymize(a, object)
	return object, nil
}

// Workload returns the new name of a workload.
func (a *Anonymizer) Workload(id flowgraph.WorkloadID) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: a.namespace(id.Namespace), Name: a.name(id.Name)}
}

// hash returns a new name that begins with prefix. It is a valid name of all
// that Kubernetes names.
func (a *Anonymizer) hash(prefix, name string) string {
	if name == "" {
		return ""
	}
	const length = 12 // 60 bits: no two names of a cluster meet
	h := hmac.New(sha256.New, a.key)
	fmt.Fprintf(h, "%s\x00%s", prefix, name)
	text := base32.HexEncoding.EncodeToString(h.Sum(nil))
	return prefix + "-" + strings.ToLower(text[:length])
}

// name renames workloads, Services and what else is in a namespace.
func (a *Anonymizer) name(name string) string { return a.hash("w", name) }

func (a *Anonymizer) uid(uid types.UID) types.UID { return types.UID(a.hash("uid", string(uid))) }

func (a *Anonymizer) node(name string) string { return a.hash("node", name) }

// image renames an image, so that ImageLocality finds the same ones on the same nodes: it
// completes a name without a tag before it looks for it, and the new one has a tag.
func (a *Anonymizer) image(name string) string {
	if name == "" {
		return ""
	}
	return a.hash("image", name) + ":anonymized"
}

func (a *Anonymizer) namespace(name string) string {
	switch name {
	case metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, "istio-system":
		return name
	}
	return a.hash("ns", name)
}

func (a *Anonymizer) class(name string) string {
	if strings.HasPrefix(name, "system-") {
		return name
	}
	return a.hash("class", name)
}

func (a *Anonymizer) scheduler(name string) string {
	if name == corev1.DefaultSchedulerName || name == "vicinity" {
		return name
	}
	return a.name(name)
}

// labelKey keeps the keys that Kubernetes and Istio read.
func (a *Anonymizer) labelKey(key string) string {
	switch key {
	case "app", "version", kube.DeploymentConfigLabel, kube.RolloutHashLabel,
		appsv1.DefaultDeploymentUniqueLabelKey, appsv1.ControllerRevisionHashLabelKey:
		return key
	}
	domain, name, ok := strings.Cut(key, "/")
	switch {
	case !ok:
		return a.hash("k", key)
	case domain == "node-role.kubernetes.io" && name != "control-plane" && name != "master":
		return domain + "/" + a.hash("k", name) // people name roles
	}
	for _, kept := range [...]string{"kubernetes.io", "k8s.io", "istio.io"} {
		if domain == kept || strings.HasSuffix(domain, "."+kept) {
			return key
		}
	}
	return "anonymized.vicinity.dev/" + a.hash("k", key)
}

// labelValue renames the value of a label by what the label is about.
func (a *Anonymizer) labelValue(key, value string) string {
	switch key {
	case corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone:
		return a.hash("zone", value)
	case corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion:
		return a.hash("region", value)
	case corev1.LabelHostname:
		return a.node(value)
	case corev1.LabelMetadataName:
		return a.namespace(value)
	case corev1.LabelOSStable, corev1.LabelArchStable:
		return value
	case kube.WorkloadNameLabel, kube.DeploymentConfigLabel:
		return a.name(value)
	}
	if value == "true" || value == "false" || len(value) <= 10 && strings.Trim(value, "0123456789") == "" {
		return value
	}
	return a.hash("v", value)
}

func (a *Anonymizer) labels(labels map[string]string) map[string]string {
	if labels == nil {
		return nil
	}
	renamed := make(map[string]string, len(labels))
	for key, value := range labels {
		renamed[a.labelKey(key)] = a.labelValue(key, value)
	}
	return renamed
}

func (a *Anonymizer) selector(s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	s.MatchLabels = a.labels(s.MatchLabels)
	for i := range s.MatchExpressions {
		e := &s.MatchExpressions[i]
		for j, value := range e.Values {
			e.Values[j] = a.labelValue(e.Key, value)
		}
		e.Key = a.labelKey(e.Key)
	}
}

// resource renames resources that devices bring; those of Kubernetes are kept.
func (a *Anonymizer) resources(list corev1.ResourceList) corev1.ResourceList {
	if list == nil {
		return nil
	}
	renamed := corev1.ResourceList{}
	for name, amount := range list {
		if strings.Contains(string(name), "/") {
			name = corev1.ResourceName(a.labelKey(string(name)))
		}
		renamed[name] = amount
	}
	return renamed
}

// controllerName renames the controller of pods so that WorkloadOf finds the
// renamed workload: what it cuts off a name stays behind the new one. labels are
// the old ones of the object that has the controller.
func (a *Anonymizer) controllerName(kind, name string, labels map[string]string) string {
	switch kind {
	case "Node":
		return a.node(name)
	case "Job":
		if cron := kube.CronJobOf(name); cron != name {
			return a.name(cron) + strings.TrimPrefix(name, cron)
		}
	case "ReplicaSet":
		for _, label := range [...]string{appsv1.DefaultDeploymentUniqueLabelKey, kube.RolloutHashLabel} {
			if of, ok := strings.CutSuffix(name, "-"+labels[label]); ok && of != "" && labels[label] != "" {
				return a.name(of) + "-" + a.labelValue(label, labels[label])
			}
		}
	}
	return a.name(name)
}

// owners renames the owners of an object that has these labels still.
func (a *Anonymizer) owners(m *metav1.ObjectMeta) {
	for i := range m.OwnerReferences {
		o := &m.OwnerReferences[i]
		o.Name, o.UID = a.controllerName(o.Kind, o.Name, m.Labels), a.uid(o.UID)
		group, _, _ := strings.Cut(o.APIVersion, "/")
		switch group {
		case "v1", appsv1.GroupName, batchv1.GroupName, "argoproj.io":
		default: // of an operator
			o.APIVersion, o.Kind = "anonymized.vicinity.dev/v1", a.hash("kind", o.Kind)
		}
	}
}

// meta renames what the metadata of all kinds has; name is the new name.
func (a *Anonymizer) meta(m *metav1.ObjectMeta, name string) {
	a.owners(m)
	m.Namespace, m.Name, m.UID, m.Labels = a.namespace(m.Namespace), name, a.uid(m.UID), a.labels(m.Labels)
	if m.GenerateName != "" {
		m.GenerateName = name + "-"
	}
	if _, mirror := m.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		m.Annotations[corev1.MirrorPodAnnotationKey] = "anonymized"
	}
}
