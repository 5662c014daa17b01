package objects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// Anonymizer replaces names by names that say nothing: a keyed hash of the old one. The
// same name always gets the same new one, so that what belongs together still does;
// without the key nobody can try names out. It keeps the names of Kubernetes' own
// namespaces and priority classes, words that are in the lists of words.go, the values
// true and false of labels, integers that nodes are labelled with, amounts and times.
type Anonymizer struct {
	key          []byte
	table        *Table
	kept         map[string]bool // of keptKeys
	vocabularies map[reflect.Type][]string
	ownerKinds   map[string]string
}

// NewAnonymizer returns an Anonymizer. The key should be random, used once and forgotten.
func NewAnonymizer(key []byte) *Anonymizer {
	a := &Anonymizer{
		key: slices.Clone(key), table: NewTable(),
		kept: map[string]bool{}, vocabularies: vocabularies(), ownerKinds: ownerKinds(),
	}
	for _, key := range keptKeys() {
		a.kept[key] = true
	}
	return a
}

// Object returns a renamed copy of an object that has been recorded or read.
func (a *Anonymizer) Object(object runtime.Object) (runtime.Object, error) {
	k := a.table.KindOf(object)
	if k == nil {
		return nil, fmt.Errorf("cannot rename a %T", object)
	}
	object = object.DeepCopyObject()
	k.anonymize(a, object)
	a.words(reflect.ValueOf(object))
	return object, nil
}

// Workload returns the new name of a workload, or of a site, whose zone and region are
// renamed as those of nodes are.
func (a *Anonymizer) Workload(id flowgraph.WorkloadID) flowgraph.WorkloadID {
	if at, ok := id.Site(); ok {
		return flowgraph.SiteID(a.hash("site", id.Name), a.hash("region", at.Region), a.hash("zone", at.Zone))
	}
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

// Classes that every cluster has, of k8s.io/kubernetes/pkg/apis/scheduling.
const systemClusterCritical, systemNodeCritical = "system-cluster-critical", "system-node-critical"

func (a *Anonymizer) class(name string) string {
	if name == systemClusterCritical || name == systemNodeCritical {
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

// labelKey keeps the keys that have a meaning.
func (a *Anonymizer) labelKey(key string) string {
	switch {
	case a.kept[key]:
		return key
	case !strings.Contains(key, "/"):
		return a.hash("k", key)
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
	case routing.SubzoneLabel, routing.NetworkLabel:
		return a.hash("place", value)
	case corev1.LabelHostname:
		return a.node(value)
	case corev1.LabelMetadataName:
		return a.namespace(value)
	case corev1.LabelOSStable, corev1.LabelArchStable:
		if slices.Contains(systems(), value) {
			return value
		}
	case kube.WorkloadNameLabel, kube.DeploymentConfigLabel, coldstart.AppGroupLabel, coldstart.AppGroupWorkloadLabel:
		return a.name(value)
	}
	if value == "true" || value == "false" {
		return value
	}
	return a.hash("v", value)
}

// nodeValue renames the value of a node's label or taint. Integers stay: the operators
// Gt and Lt of affinities and tolerations compare them.
func (a *Anonymizer) nodeValue(key, value string) string {
	if renamed := a.labelValue(key, value); !strings.HasPrefix(renamed, "v-") {
		return renamed
	}
	if len(value) <= 10 && strings.Trim(value, "0123456789") == "" {
		return value
	}
	return a.hash("v", value)
}

func (a *Anonymizer) labels(labels map[string]string) map[string]string {
	return a.renamed(labels, a.labelValue)
}

// nodeLabels renames the labels of nodes, and what selects nodes by them.
func (a *Anonymizer) nodeLabels(labels map[string]string) map[string]string {
	return a.renamed(labels, a.nodeValue)
}

func (a *Anonymizer) renamed(labels map[string]string, value func(key, value string) string) map[string]string {
	if labels == nil {
		return nil
	}
	renamed := make(map[string]string, len(labels))
	for key, old := range labels {
		renamed[a.labelKey(key)] = value(key, old)
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

func (a *Anonymizer) resources(list corev1.ResourceList) corev1.ResourceList {
	if list == nil {
		return nil
	}
	renamed := corev1.ResourceList{}
	for name, amount := range list {
		renamed[corev1.ResourceName(a.resourceName(string(name)))] = amount
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
		version, isKnown := a.ownerKinds[o.Kind]
		if !isKnown {
			o.Kind = a.hash("kind", o.Kind)
		}
		if !isKnown || o.APIVersion != version { // of an operator, which may call its kind Job too
			o.APIVersion = "anonymized.vicinity.dev/v1"
		}
	}
}

// meta renames what the metadata of all kinds has; name is the new name.
func (a *Anonymizer) meta(m *metav1.ObjectMeta, name string) {
	a.owners(m)
	if text, declares := m.Annotations[coldstart.PeersAnnotation]; declares {
		m.Annotations[coldstart.PeersAnnotation] = a.peers(m.Namespace, text)
	}
	m.Namespace, m.Name, m.UID, m.Labels = a.namespace(m.Namespace), name, a.uid(m.UID), a.labels(m.Labels)
	m.ResourceVersion = ""
	if m.GenerateName != "" {
		m.GenerateName = name + "-"
	}
	for key, value := range m.Annotations {
		if key != coldstart.PeersAnnotation {
			m.Annotations[key] = annotation(key, value)
		}
	}
}
