package kube

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// maxObjects bounds how many objects are held; the largest clusters that
// Kubernetes is tested with have 150,000 pods.
const maxObjects = 2_000_000

// collector takes the objects of a file one by one.
type collector struct {
	file    string
	objects Objects
	held    int
	notes   notes
	// like has a pod of each owner.
	like map[objectKey]*corev1.Pod
	// keepReady keeps of a pod whether it is ready.
	keepReady bool
}

// add takes an object of a kind that a replay looks at. raw may be written over
// afterwards.
func (c *collector) add(h header, raw []byte) error {
	o := &c.objects
	switch h {
	case header{"v1", "Node"}:
		return hold(c, h, raw, &o.Nodes, slimNode)
	case header{"v1", "Pod"}:
		return hold(c, h, raw, &o.Pods, c.slimPod)
	case header{"v1", "Service"}:
		return hold(c, h, raw, &o.Services, slimService)
	case header{"v1", "Namespace"}:
		return hold(c, h, raw, &o.Namespaces, nil)
	case header{"v1", "ReplicationController"}:
		return hold(c, h, raw, &o.ReplicationControllers, slimReplicationController)
	case header{"apps/v1", "ReplicaSet"}:
		return hold(c, h, raw, &o.ReplicaSets, slimReplicaSet)
	case header{"apps/v1", "StatefulSet"}:
		return hold(c, h, raw, &o.StatefulSets, slimStatefulSet)
	case header{"apps/v1", "Deployment"}:
		return hold(c, h, raw, &o.Deployments, slimDeployment)
	case header{"apps/v1", "DaemonSet"}:
		return hold(c, h, raw, &o.DaemonSets, slimDaemonSet)
	case header{"networking.istio.io/v1", "DestinationRule"}, header{"networking.istio.io/v1beta1", "DestinationRule"},
		header{"networking.istio.io/v1alpha3", "DestinationRule"}:
		return c.holdRule(raw)
	case header{"policy/v1", "PodDisruptionBudget"}, header{"scheduling.k8s.io/v1", "PriorityClass"}:
		return nil // as recordings have them; nothing is evicted, and a pod's priority is in its spec
	}
	if h.kind == "" || h.apiVersion == "" {
		return errors.New("an object without kind and apiVersion; must be what kubectl get -A -o json writes")
	}
	text, example := fmt.Sprintf("a replay does not look at %s %s", printable(h.apiVersion), printable(h.kind)), ""
	if _, known := c.notes.at[text]; !known {
		example = nameOf(raw)
	}
	c.notes.add(text, example)
	return nil
}

// hold decodes an object, strips it and keeps it.
func hold[T any, P interface {
	*T
	metav1.Object
}](c *collector, h header, raw []byte, into *[]P, slim func(P)) error {
	if c.held++; c.held > maxObjects {
		return fmt.Errorf("more than %d objects", maxObjects)
	}
	object := P(new(T))
	if err := checkQuantities(raw); err != nil {
		return fmt.Errorf("%s %s: %w", h.kind, nameOf(raw), err)
	}
	if err := utiljson.Unmarshal(raw, object); err != nil {
		return fmt.Errorf("%s %s: %w", h.kind, nameOf(raw), err)
	}
	if object.GetName() == "" {
		return fmt.Errorf("a %s without a name", h.kind)
	}
	if object.GetNamespace() == "" && h.kind != "Node" && h.kind != "Namespace" {
		object.SetNamespace(metav1.NamespaceDefault)
	}
	slimMeta(object)
	if slim != nil {
		slim(object)
	}
	*into = append(*into, object)
	return nil
}

// holdRule keeps a DestinationRule. Of one that is not of Istio's form only the name is
// kept, so that it covers nothing.
func (c *collector) holdRule(raw []byte) error {
	if c.held++; c.held > maxObjects {
		return fmt.Errorf("more than %d objects", maxObjects)
	}
	rule, err := routing.DecodeRule(raw)
	if err != nil {
		c.notes.add("a DestinationRule cannot be decoded, and is left out", nameOf(raw))
	}
	if rule.Name == "" {
		return errors.New("a DestinationRule without a name")
	}
	if rule.Namespace == "" {
		rule.Namespace = metav1.NamespaceDefault
	}
	c.objects.DestinationRules = append(c.objects.DestinationRules, rule)
	return nil
}

func (c *collector) slimPod(pod *corev1.Pod) {
	ready := readyCondition(pod)
	slimPod(pod)
	if c.keepReady && ready != nil {
		pod.Status.Conditions = []corev1.PodCondition{{Type: ready.Type, Status: ready.Status}}
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return
	}
	key := objectKey{owner.Kind, pod.Namespace, owner.Name}
	if other, known := c.like[key]; known {
		share(pod, other)
		return
	}
	if c.like == nil {
		c.like = map[objectKey]*corev1.Pod{}
	}
	c.like[key] = pod
}

// nameOf is "namespace/name" of any object, as far as it has them.
func nameOf(raw []byte) string {
	var object struct {
		Metadata struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
	}
	// An object that is malformed has no name; what is wrong with it is the
	// caller's to say.
	_ = utiljson.Unmarshal(raw, &object)
	return fullName(object.Metadata.Namespace, object.Metadata.Name)
}

func fullName(namespace, name string) string {
	if namespace == "" {
		return printable(name)
	}
	return printable(namespace + "/" + name)
}

// nameOfPod is what warnings and errors call a pod.
func nameOfPod(pod *corev1.Pod) string { return fullName(pod.Namespace, pod.Name) }

// printable returns names as they are when they may stand in a terminal.
func printable(name string) string {
	const most = 300 // no valid name of namespace and object is as long
	if len(name) > most {
		name = name[:most] + "..."
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(name)
	}
	return name
}

// notes gathers warnings; equal ones are counted.
type notes struct {
	list []Warning
	at   map[string]int // by text, in list
}

func (n *notes) add(text, example string) {
	i, known := n.at[text]
	if !known {
		if n.at == nil {
			n.at = map[string]int{}
		}
		i = len(n.list)
		n.at[text] = i
		n.list = append(n.list, Warning{Text: text, Example: example})
	}
	n.list[i].Count++
}
