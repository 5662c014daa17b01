package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recorder"
)

// profileByDefault is the schedulerName of the shipped profile.
const profileByDefault = "vicinity"

// inventory is what was read of a cluster's objects.
type inventory struct {
	all *objects.Objects
	// unread are the kinds that may not be listed, as kubectl takes them.
	unread []string
	nodes  []*corev1.Node
	pods   []*corev1.Pod
	// stores has what a scheduler's informers would have.
	stores *objects.Stores
	// selecting are Services by label, nil until they are asked for.
	selecting map[label][]*corev1.Service
}

// inventory reads the objects that a scheduler looks at, once.
func (s *clusterState) inventory(ctx context.Context) (*inventory, error) {
	return s.objects.get(func() (*inventory, error) {
		all, unread, err := recorder.ReadObjects(ctx, s.Dynamic, isRead, (*objects.Kind).Whole)
		if apierrors.IsForbidden(err) {
			for _, k := range objects.NewTable().Kinds() {
				if isRead(&k) && k.Required && strings.Contains(err.Error(), k.ResourceName()) {
					return nil, needs(err, "list", k.Group, k.GroupVersionResource().Resource, "")
				}
			}
		}
		if err != nil {
			return nil, err
		}
		o := &inventory{all: all, unread: unread, nodes: objects.Of[*corev1.Node](all), pods: objects.Of[*corev1.Pod](all)}
		if o.stores, err = objects.NewStores(); err != nil {
			return nil, err
		}
		for _, object := range all.All((*objects.Kind).LookedUp) {
			if err := o.stores.Put(kube.ObjectChange{Object: object}); err != nil {
				return nil, err
			}
		}
		return o, nil
	})
}

// isRead reports whether the checks look at objects of a kind.
func isRead(k *objects.Kind) bool {
	return k.Required || k.LookedUp() || k.Controls() || k.DecidesRouting || k.Kind == "AppGroup" || k.Kind == "Sidecar"
}

// onObjects is a check that needs the cluster's objects.
func onObjects(look func(context.Context, *clusterState, *inventory) []Result) func(context.Context, *clusterState) []Result {
	return func(ctx context.Context, s *clusterState) []Result {
		o, err := s.inventory(ctx)
		if err != nil {
			return notChecked(err)
		}
		return look(ctx, s, o)
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
func (s *clusterState) servedNames(ctx context.Context) (names []string) {
	parsed, err := s.parsedScheduler(ctx)
	if err != nil {
		return []string{profileByDefault}
	}
	for _, profile := range parsed.profiles {
		names = append(names, profile.Name)
	}
	return names
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

// waitingPods are those that wait for the shipped profile.
func (s *clusterState) waitingPods(ctx context.Context) (names []string) {
	o, err := s.inventory(ctx)
	if err != nil {
		return nil
	}
	for _, pod := range o.pods {
		if pod.Spec.SchedulerName == profileByDefault && pod.Spec.NodeName == "" && kube.IsPeer(pod) {
			names = append(names, kube.FullName(pod.Namespace, pod.Name))
		}
	}
	return names
}

// workload is one with pods that take part in traffic.
type workload struct {
	id flowgraph.WorkloadID
	// pods are in the order in which the API server lists them.
	pods []*corev1.Pod
}

// workloadsOf returns the workloads of pods with one of the schedulerNames, by name; nil
// schedulerNames are all.
func (o *inventory) workloadsOf(schedulerNames []string) []workload {
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
