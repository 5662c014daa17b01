package history

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// Translate returns the cluster that objects are of, for a replay, as a History has it
// that begins with them. Nodes and workloads come in the order of their names. The
// warnings say what a replay cannot take over; an error says which object makes one
// impossible. The traffic is not among the objects: Cluster.Edges is the caller's to fill.
func Translate(o *objects.Objects) (*Replayable, []objects.Warning, error) {
	return momentOf(o, nil)
}

// Now translates the cluster as it is at the moment, by positions of its own,
// with the Services as they are (assumed or not).
func (h *History) Now(assumed bool) (*Replayable, []objects.Warning, error) {
	o := &objects.Objects{}
	for _, object := range h.current {
		if service, ok := object.(*corev1.Service); ok && assumed && h.assume != nil {
			object = h.assume(service)
		}
		o.Add(object)
	}
	for _, t := range h.pods {
		o.Add(t.object)
	}
	return momentOf(o, h.all.Cluster.Scale)
}

// momentOf is Translate, with the labels of nodes that tell levels.
func momentOf(o *objects.Objects, scale locality.Scale) (*Replayable, []objects.Warning, error) {
	if len(objects.Of[*corev1.Node](o)) == 0 {
		return nil, nil, errors.New("there is no node among the objects; get nodes too: kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,services,namespaces -A -o json")
	}
	h, err := New(nil)
	if err != nil {
		return nil, nil, err
	}
	h.SetScale(scale)
	happened, err := h.Begin(o, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	m := &moment{History: h, controllers: newControllers(h)}
	for _, c := range happened.Objects {
		m.result.Objects = append(m.result.Objects, c.Object)
	}
	if err := m.cluster(); err != nil {
		return nil, nil, err
	}
	return &m.result, h.Warnings(), nil
}

// moment is what a cluster is at the only moment of a History.
type moment struct {
	*History
	controllers *controllers
	result      Replayable
}

func (m *moment) cluster() error {
	there := len(m.keys("Node")) // those that only pods name come behind
	all, r := m.all, &m.result
	r.Nodes = all.Nodes[:there]
	r.Cluster = &cluster.Cluster{Scale: all.Cluster.Scale, Nodes: all.Cluster.Nodes[:there]}
	for w, workload := range all.Cluster.Workloads {
		if err := m.workload(w, workload); err != nil {
			return fmt.Errorf("workload %s: %w", kube.FullName(workload.ID.Namespace, workload.ID.Name), err)
		}
	}
	for _, id := range m.controllers.withoutPods(m.workloads) {
		m.warnings.Add("a workload has no pods to make others like them, and is left out", id.String())
	}
	c := r.Cluster
	if c.Assigned.Pods()+c.Idle.Pods() == 0 {
		c.Assigned = nil
	}
	if c.Idle.Pods() == 0 {
		c.Idle = nil
	}
	m.fillTemplates()
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the objects make no cluster: %w", err)
	}
	return nil
}

// workload adds one, with as many pods as are wanted at the moment.
func (m *moment) workload(w int, is cluster.Workload) error {
	f, template, id := &m.followed[w], m.all.Templates[w], is.ID.String()
	var pods []*corev1.Pod
	for _, t := range f.pods {
		pods = append(pods, t.object)
		if problem := m.controllers.problem(t.object); problem != "" {
			m.warnings.Add(problem, nameOf(t.object))
		}
	}
	if f.differ {
		m.warnings.Add("the Services of a workload differ in how calls to them are divided; that which keeps less is assumed", id)
	}
	var err error
	if is.Replicas, err = m.controllers.desired(is.ID, pods); err != nil {
		return err
	}
	if is.Replicas == 0 {
		m.warnings.Add("a workload wants no pods but has some, and is left out", id)
		return nil
	}
	differs := func(pod *corev1.Pod) bool { return !reflect.DeepEqual(asTemplate(is.ID, pod).Spec, template.Spec) }
	if !is.Fixed && slices.ContainsFunc(pods, differs) {
		m.warnings.Add("the pods of a workload differ (a rollout?); the replay makes all of them like the newest", id)
	}
	serving, idle := m.assigned(f.pods)
	c := m.result.Cluster
	c.Workloads, c.Assigned, c.Idle = append(c.Workloads, is), append(c.Assigned, serving), append(c.Idle, idle)
	m.result.Templates = append(m.result.Templates, template)
	return nil
}

// assigned returns the nodes of a workload's pods: those that serve, and the others.
func (m *moment) assigned(pods []*tracked) (serving, idle []int32) {
	for _, t := range pods {
		node, named := m.nodes[t.object.Spec.NodeName]
		switch {
		case !named || int(node) >= len(m.result.Nodes):
		case !t.unready:
			serving = append(serving, node)
		default:
			m.warnings.Add("a pod is not ready: it takes room and no calls; a pod that is replayed counts as ready", nameOf(t.object))
			idle = append(idle, node)
		}
	}
	return serving, idle
}

// fillTemplates gives the controllers among the objects that are looked up the
// templates of their workloads: those that were read are not held.
func (m *moment) fillTemplates() {
	byID := make(map[flowgraph.WorkloadID]*corev1.Pod, len(m.result.Templates))
	for i, template := range m.result.Templates {
		byID[m.result.Cluster.Workloads[i].ID] = template
	}
	fill := func(t *corev1.PodTemplateSpec, made *corev1.Pod) {
		if template := byID[kube.WorkloadOf(made)]; template != nil {
			t.Spec, t.Annotations = template.Spec, template.Annotations
		}
	}
	for i, object := range m.result.Objects {
		switch o := object.(type) {
		case *appsv1.ReplicaSet:
			filled := *o
			fill(&filled.Spec.Template, kube.PodOf(o, "ReplicaSet", &o.Spec.Template, o.Spec.Selector))
			m.result.Objects[i] = &filled
		case *appsv1.StatefulSet:
			filled := *o
			fill(&filled.Spec.Template, kube.PodOf(o, "StatefulSet", &o.Spec.Template, o.Spec.Selector))
			m.result.Objects[i] = &filled
		}
	}
}
