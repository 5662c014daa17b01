package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/recorder"
)

// profileByDefault is the schedulerName of the shipped profile.
const profileByDefault = "vicinity"

// The kinds of objects that checks look at, as package objects calls them.
const (
	kindNode        = "Node"
	kindNamespace   = "Namespace"
	kindService     = "Service"
	kindDeployment  = "Deployment"
	kindReplicaSet  = "ReplicaSet"
	kindStatefulSet = "StatefulSet"
	kindDaemonSet   = "DaemonSet"
	kindRule        = "DestinationRule"
	kindAppGroup    = "AppGroup"
	kindSidecar     = "Sidecar"
	kindPod         = "Pod"
)

// Inventory is what was read of a cluster's objects, once for all checks.
type Inventory struct {
	// all have of each object what checks look at.
	all *objects.Objects
	// refused are the kinds that may not be listed, in the order of reading, and permissions
	// what is missing for each.
	refused     []string
	permissions map[string]*notAllowed
	// err is why nothing could be read.
	err   error
	nodes []*corev1.Node
	// pods are those that have not finished: no scheduler holds the others.
	pods []*corev1.Pod
	// stores has what a scheduler's informers would have.
	stores *objects.Stores
	// selecting are Services by label, nil until they are asked for.
	selecting map[label][]*corev1.Service
}

// ReadInventory reads the objects that checks look at, page by page, and keeps of each what
// they look at. What cannot be read is a result of the checks that need it.
func ReadInventory(ctx context.Context, client dynamic.Interface) *Inventory {
	o := &Inventory{permissions: map[string]*notAllowed{}}
	wanted := func(k *objects.Kind) bool { return slices.Contains(readKinds(), k.Kind) }
	o.all, o.err = recorder.ReadAllowed(ctx, client, wanted, (*objects.Kind).Checked, func(k *objects.Kind, err error) error {
		o.refused = append(o.refused, k.Kind)
		o.permissions[k.Kind] = &notAllowed{permissions.Permission{Verb: "list", Group: k.Group, Resource: k.GroupVersionResource().Resource}, err}
		return nil
	})
	if o.err != nil {
		o.all = &objects.Objects{}
		return o
	}
	o.nodes = objects.Of[*corev1.Node](o.all)
	o.pods = slices.DeleteFunc(objects.Of[*corev1.Pod](o.all), kube.IsFinished)
	o.stores, o.err = storesOf(o.all)
	return o
}

// storesOf returns what a scheduler's informers would have of the objects.
func storesOf(all *objects.Objects) (*objects.Stores, error) {
	stores, err := objects.NewStores()
	if err != nil {
		return nil, err
	}
	for _, object := range all.All((*objects.Kind).LookedUp) {
		if err := stores.Put(kube.ObjectChange{Object: object}); err != nil {
			return nil, err
		}
	}
	return stores, nil
}

// Resolvable returns the objects by which workloads are found behind what telemetry names; nil
// where they are not known, and why.
func (o *Inventory) Resolvable() (all *objects.Objects, why string) {
	if err := o.without(kindPod, kindService, kindReplicaSet); err != nil {
		return nil, "The cluster cannot be read: " + whyNot(err) + "."
	}
	return o.all, ""
}

// without returns why the objects of some kinds are not known, nil where all are.
func (o *Inventory) without(kinds ...string) error {
	if o.err != nil {
		return o.err
	}
	for _, kind := range kinds {
		if missing := o.permissions[kind]; missing != nil {
			return missing
		}
	}
	return nil
}

// readKinds are all kinds of objects that checks look at.
func readKinds() []string {
	return []string{kindNode, kindNamespace, kindService, kindDeployment, kindReplicaSet, kindStatefulSet, kindDaemonSet, kindRule, kindAppGroup, kindSidecar, kindPod}
}

// onObjects is a check that needs the cluster's objects of some kinds.
func onObjects(look func(context.Context, *clusterState, *Inventory) []Result, kinds ...string) func(context.Context, *clusterState) []Result {
	return func(ctx context.Context, s *clusterState) []Result {
		if err := s.Inventory.without(kinds...); err != nil {
			return notChecked(err)
		}
		return look(ctx, s, s.Inventory)
	}
}

// traffic is what workloads exchange, nil where it is not known.
func (s *clusterState) traffic() *flowgraph.Snapshot {
	if s.Traffic == nil {
		return nil
	}
	return s.Traffic()
}

// profileNames are the schedulerNames of the profiles with TrafficLocality, in shadow mode too;
// the shipped one where the configuration cannot be read.
func (s *clusterState) profileNames(ctx context.Context) []string {
	parsed, err := s.parsedScheduler(ctx)
	if err != nil {
		return []string{profileByDefault}
	}
	return parsed.names()
}

// servedNames are the schedulerNames of all profiles.
func (s *clusterState) servedNames(ctx context.Context) []string {
	parsed, err := s.parsedScheduler(ctx)
	if err != nil {
		return []string{profileByDefault}
	}
	return parsed.served()
}

// patience is how long a pod may wait before that is a finding.
const patience = time.Minute

// isPending reports whether a pod has waited for a node, and how its PodScheduled condition
// is; nil without one.
func (s *clusterState) isPending(pod *corev1.Pod) (scheduled *corev1.PodCondition, pending bool) {
	if pod.Spec.NodeName != "" || !kube.IsPeer(pod) || len(pod.Spec.SchedulingGates) > 0 || s.Now().Sub(pod.CreationTimestamp.Time) < patience {
		return nil, false
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodScheduled {
			return c, true
		}
	}
	return nil, true
}

// podsByDefault are those that ask for the shipped profile: without a node, and with one.
func (s *clusterState) podsByDefault() (waiting, placed []string) {
	for _, pod := range s.Inventory.pods {
		switch {
		case pod.Spec.SchedulerName != profileByDefault || !kube.IsPeer(pod):
		case pod.Spec.NodeName == "":
			waiting = append(waiting, podName(pod))
		default:
			placed = append(placed, podName(pod))
		}
	}
	return waiting, placed
}

// workload is one with pods that take part in traffic.
type workload struct {
	id flowgraph.WorkloadID
	// pods are in the order in which the API server lists them.
	pods []*corev1.Pod
}

// workloadsOf returns the workloads of pods with one of the schedulerNames, by name; nil
// schedulerNames are all.
func (o *Inventory) workloadsOf(schedulerNames []string) []workload {
	byID := map[flowgraph.WorkloadID]int{}
	var all []workload
	for _, pod := range o.pods {
		if !kube.IsPeer(pod) || schedulerNames != nil && !slices.Contains(schedulerNames, pod.Spec.SchedulerName) {
			continue
		}
		id := kube.WorkloadOf(pod)
		i, known := byID[id]
		if !known {
			i = len(all)
			byID[id], all = i, append(all, workload{id: id})
		}
		all[i].pods = append(all[i].pods, pod)
	}
	slices.SortFunc(all, func(a, b workload) int {
		return cmp.Or(cmp.Compare(a.id.Namespace, b.id.Namespace), cmp.Compare(a.id.Name, b.id.Name))
	})
	return all
}

// mostListed is how many names a result lists.
const mostListed = 5

// listed joins names, of many the first ones.
func listed(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return inOrder(slices.Compact(names))
}

// inOrder joins names as they are, of many the first ones.
func inOrder(names []string) string {
	if more := len(names) - mostListed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostListed], ", "), more)
	}
	return strings.Join(names, ", ")
}

// workloadOf is how kubectl takes the object in whose pod template a pod's fields are set.
func workloadOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return "pod " + pod.Name
	}
	name := kube.ControllerOf(pod)
	switch {
	case owner.Kind != "ReplicaSet" && owner.Kind != "Job":
		return strings.ToLower(owner.Kind) + " " + name
	case name == owner.Name:
		return strings.ToLower(owner.Kind) + " " + name
	case owner.Kind == "Job":
		return "cronjob " + name
	case pod.Labels[kube.RolloutHashLabel] != "":
		return "rollout " + name
	}
	return "deployment " + name
}

// edits is the command that edits it.
func edits(pod *corev1.Pod) string {
	return "kubectl -n " + pod.Namespace + " edit " + workloadOf(pod)
}
