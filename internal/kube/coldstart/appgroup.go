package coldstart

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// What the AppGroups of sigs.k8s.io/scheduler-plugins are called.
const (
	AppGroupGroup    = "appgroup.diktyo.x-k8s.io"
	AppGroupVersion  = "v1alpha1"
	AppGroupResource = "appgroups"
	// AppGroupLabel is a pod's label with the name of its AppGroup, and
	// AppGroupWorkloadLabel that with the selector of its workload there.
	AppGroupLabel         = AppGroupGroup
	AppGroupWorkloadLabel = AppGroupGroup + ".workload"
)

// AppGroup has what is read of an AppGroup: which workload depends on which.
type AppGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec AppGroupSpec `json:"spec,omitempty"`
}

// AppGroupSpec has the workloads of an AppGroup.
type AppGroupSpec struct {
	Workloads []AppGroupWorkload `json:"workloads,omitempty"`
}

// AppGroupWorkload is a workload and those that it depends on.
type AppGroupWorkload struct {
	Workload     AppGroupWorkloadInfo `json:"workload"`
	Dependencies []AppGroupDependency `json:"dependencies,omitempty"`
}

// AppGroupDependency is a workload that another depends on.
type AppGroupDependency struct {
	Workload AppGroupWorkloadInfo `json:"workload"`
	// MinBandwidth has no unit that is documented anywhere: only its relation to those
	// of the other dependencies is read.
	MinBandwidth *resource.Quantity `json:"minBandwidth,omitempty"`
}

// AppGroupWorkloadInfo names a workload.
type AppGroupWorkloadInfo struct {
	Name      string `json:"name,omitempty"`
	Selector  string `json:"selector,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (g *AppGroup) DeepCopyObject() runtime.Object {
	c := &AppGroup{TypeMeta: g.TypeMeta, Spec: AppGroupSpec{Workloads: slices.Clone(g.Spec.Workloads)}}
	g.DeepCopyInto(&c.ObjectMeta)
	for i := range c.Spec.Workloads {
		w := &c.Spec.Workloads[i]
		w.Dependencies = slices.Clone(w.Dependencies)
		for k := range w.Dependencies {
			if q := w.Dependencies[k].MinBandwidth; q != nil {
				w.Dependencies[k].MinBandwidth = new(q.DeepCopy())
			}
		}
	}
	return c
}

// DecodeAppGroup decodes an AppGroup from JSON. Of one that cannot be decoded the result has
// the name alone, as far as there is one: it declares nothing.
func DecodeAppGroup(text []byte) (*AppGroup, error) {
	g := &AppGroup{}
	err := kube.CheckQuantities(text)
	if err == nil {
		err = json.Unmarshal(text, g)
	}
	if err != nil {
		named := &metav1.PartialObjectMetadata{}
		_ = json.Unmarshal(text, named) // it may have no name either
		g = &AppGroup{TypeMeta: named.TypeMeta, ObjectMeta: metav1.ObjectMeta{
			Namespace: named.Namespace, Name: named.Name, ResourceVersion: named.ResourceVersion,
		}}
		return g, fmt.Errorf("AppGroup %s: %w", kube.FullName(g.Namespace, g.Name), err)
	}
	return g, nil
}

// ReadAppGroup decodes an AppGroup as a dynamic client has it: see DecodeAppGroup.
func ReadAppGroup(u *unstructured.Unstructured) (*AppGroup, error) {
	text, err := json.Marshal(u.Object)
	if err == nil {
		return DecodeAppGroup(text)
	}
	g := &AppGroup{}
	g.APIVersion, g.Kind, g.Namespace, g.Name = u.GetAPIVersion(), u.GetKind(), u.GetNamespace(), u.GetName()
	return g, fmt.Errorf("AppGroup %s: %w", kube.FullName(g.Namespace, g.Name), err)
}

func isAppGroup(object any) bool {
	g, ok := object.(*AppGroup)
	return ok && g != nil
}

// group takes over a change of an AppGroup.
func (w *Workloads) group(was, is any) bool {
	if old, ok := was.(*AppGroup); ok && old != nil {
		delete(w.groups, objectName{old.Namespace, old.Name})
	}
	if now, ok := is.(*AppGroup); ok && now != nil {
		w.groups[objectName{now.Namespace, now.Name}] = now
	}
	w.unmerge()
	return len(w.recent) > 0
}

// unmerge has what is declared of the new workloads looked at again.
func (w *Workloads) unmerge() {
	for _, is := range w.recent {
		is.state++
	}
}

// groupOf returns the AppGroup of a workload, which speaks for its own namespace alone.
func (w *Workloads) groupOf(is *workload) *AppGroup {
	labels := is.podLabels()
	if labels[AppGroupLabel] == "" || labels[AppGroupWorkloadLabel] == "" || !w.options.counts(flowgraph.FromAppGroup) {
		return nil
	}
	return w.groups[objectName{is.id.Namespace, labels[AppGroupLabel]}]
}

// memberKey is a workload of an AppGroup, by its selector.
type memberKey struct {
	group    *AppGroup
	selector string
}

// groupPeers returns those that a workload depends on, and those that depend on it.
func (w *Workloads) groupPeers(is *workload) []declared.Peer {
	group := w.groupOf(is)
	if group == nil {
		return nil
	}
	key := memberKey{group, is.podLabels()[AppGroupWorkloadLabel]}
	peers, known := w.found.groups[key]
	if !known {
		peers = w.peersIn(group, key.selector)
		w.found.groups[key] = peers
	}
	return without(is.id, peers)
}

// peersIn returns the peers of all workloads with a selector in an AppGroup.
func (w *Workloads) peersIn(group *AppGroup, own string) []declared.Peer {
	var all gathering
	add := func(with *AppGroupWorkloadInfo, calls bool, share float64) {
		if !all.isEnough() {
			all.add(w.member(group, with), declared.Peer{Share: share, Calls: calls, Origin: flowgraph.FromAppGroup})
		}
	}
	for i := range group.Spec.Workloads {
		member := &group.Spec.Workloads[i]
		mean := 0.0 // 0 until it is needed
		for k := range member.Dependencies {
			d := &member.Dependencies[k]
			isOwn := member.Workload.Selector == own
			isCalled := d.Workload.Selector == own && w.namespaceOf(group, &d.Workload) == group.Namespace
			if !isOwn && !isCalled {
				continue
			}
			share := 1.0
			if bandwidth := bandwidthOf(d); bandwidth > 0 {
				if mean == 0 {
					mean = meanBandwidth(member.Dependencies)
				}
				share = bandwidth / mean
			}
			if isOwn {
				add(&d.Workload, false, share)
			}
			if isCalled {
				add(&member.Workload, true, share)
			}
		}
	}
	return all.peers
}

func (w *Workloads) namespaceOf(group *AppGroup, info *AppGroupWorkloadInfo) string {
	if info.Namespace == "" {
		return group.Namespace
	}
	return info.Namespace
}

// member returns the workloads whose pods have a selector in their label, or that of the
// name where there are none.
func (w *Workloads) member(group *AppGroup, info *AppGroupWorkloadInfo) (parts []part) {
	namespace := w.namespaceOf(group, info)
	parts = w.selected(namespace, map[string]string{AppGroupLabel: group.Name, AppGroupWorkloadLabel: info.Selector})
	if id := (flowgraph.WorkloadID{Namespace: namespace, Name: info.Name}); len(parts) == 0 && id.IsValid() {
		return []part{{id, 1}}
	}
	return parts
}

func bandwidthOf(d *AppGroupDependency) float64 {
	if d.MinBandwidth == nil {
		return 0
	}
	return max(d.MinBandwidth.AsApproximateFloat64(), 0)
}

// meanBandwidth is the mean of those that are named.
func meanBandwidth(all []AppGroupDependency) float64 {
	sum, n := 0.0, 0
	for i := range all {
		if bandwidth := bandwidthOf(&all[i]); bandwidth > 0 {
			sum, n = sum+bandwidth, n+1
		}
	}
	if n == 0 {
		return 1
	}
	return sum / float64(n)
}
