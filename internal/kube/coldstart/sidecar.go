package coldstart

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Sidecar is Istio's. Nothing writes to one that has been read.
type Sidecar = networkingv1.Sidecar

// What Istio's Sidecars are called.
const (
	SidecarGroup    = "networking.istio.io"
	SidecarResource = "sidecars"
)

// SidecarVersions are those of the API that are read, the newest first.
func SidecarVersions() []string { return []string{"v1", "v1beta1"} }

// DecodeSidecar decodes an Istio Sidecar from JSON. Of one that cannot be decoded the result
// has the name alone, as far as there is one: it declares nothing.
func DecodeSidecar(text []byte) (*Sidecar, error) {
	s := &Sidecar{}
	if err := unmarshal(text, s); err != nil {
		named := &metav1.PartialObjectMetadata{}
		_ = json.Unmarshal(text, named) // it may have no name either
		s = &Sidecar{TypeMeta: named.TypeMeta, ObjectMeta: metav1.ObjectMeta{
			Namespace: named.Namespace, Name: named.Name, ResourceVersion: named.ResourceVersion,
		}}
		return s, fmt.Errorf("Sidecar %s: %w", kube.FullName(s.Namespace, s.Name), err)
	}
	s.Status.Reset()
	return s, nil
}

// unmarshal turns a panic of the decoder, which works by reflection, into an error.
func unmarshal(text []byte, into *Sidecar) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return json.Unmarshal(text, into)
}

// ReadSidecar decodes a Sidecar as a dynamic client has it: see DecodeSidecar.
func ReadSidecar(u *unstructured.Unstructured) (*Sidecar, error) {
	text, err := json.Marshal(u.Object)
	if err == nil {
		return DecodeSidecar(text)
	}
	s := &Sidecar{}
	s.APIVersion, s.Kind, s.Namespace, s.Name = u.GetAPIVersion(), u.GetKind(), u.GetNamespace(), u.GetName()
	return s, fmt.Errorf("Sidecar %s: %w", kube.FullName(s.Namespace, s.Name), err)
}

func isSidecar(object any) bool {
	s, ok := object.(*Sidecar)
	return ok && s != nil
}

// sidecar takes over a change of a Sidecar.
func (w *Workloads) sidecar(was, is any) bool {
	if old, ok := was.(*Sidecar); ok && old != nil {
		if delete(w.sidecars[old.Namespace], old.Name); len(w.sidecars[old.Namespace]) == 0 {
			delete(w.sidecars, old.Namespace)
		}
	}
	if now, ok := is.(*Sidecar); ok && now != nil {
		if w.sidecars[now.Namespace] == nil {
			w.sidecars[now.Namespace] = map[string]*Sidecar{}
		}
		w.sidecars[now.Namespace][now.Name] = now
	}
	w.unmerge()
	return len(w.recent) > 0
}

// sidecarOf returns the Sidecar of a workload: the first by name that selects its pods, or
// else the first that is for all of its namespace. The mesh-wide one says nothing about it.
func (w *Workloads) sidecarOf(is *workload) *Sidecar {
	all := w.sidecars[is.id.Namespace]
	if len(all) == 0 || !w.options.counts(flowgraph.FromSidecar) {
		return nil
	}
	var forAll, forIt string
	for name, sidecar := range all {
		switch selector := sidecar.Spec.GetWorkloadSelector().GetLabels(); {
		case len(selector) == 0:
			if forAll == "" || name < forAll {
				forAll = name
			}
		case (forIt == "" || name < forIt) && selects(selector, is.podLabels()):
			forIt = name
		}
	}
	return all[cmp.Or(forIt, forAll)]
}

// sidecarPeers returns the workloads behind the egress hosts of a workload's Sidecar that
// name one Service each. Patterns allow calls, and declare none.
func (w *Workloads) sidecarPeers(is *workload) []declared.Peer {
	sidecar := w.sidecarOf(is)
	if sidecar == nil {
		return nil
	}
	peers, known := w.found.egress[sidecar]
	if !known {
		peers = w.peersAt(sidecar)
		w.found.egress[sidecar] = peers
	}
	return without(is.id, peers)
}

// peersAt returns the peers of all workloads that a Sidecar is for.
func (w *Workloads) peersAt(sidecar *Sidecar) []declared.Peer {
	var all gathering
	allowed, excluded := map[objectName]bool{}, map[objectName]bool{}
	for _, listener := range sidecar.Spec.GetEgress() {
		for _, host := range listener.GetHosts() {
			of := allowed
			if rest, without := strings.CutPrefix(host, "~"); without && !strings.HasPrefix(rest, "/") {
				host, of = rest, excluded
			}
			if name, ok := serviceAt(host, sidecar.Namespace); ok {
				of[name] = true
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(allowed), func(a, b objectName) int {
		return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name)
	})
	for _, name := range names {
		if excluded[name] {
			continue
		}
		if all.isEnough() {
			break
		}
		all.add(w.behind(name.namespace, name.name), declared.Peer{Share: 1, Origin: flowgraph.FromSidecar})
	}
	return all.peers
}

// serviceAt returns the Service that an egress host of a namespace's Sidecar names, such as
// "shop/cart.shop.svc.cluster.local"; ok is false for a pattern, and for hosts outside.
func serviceAt(host, own string) (name objectName, ok bool) {
	namespace, dns, ok := strings.Cut(host, "/")
	if !ok {
		return name, false
	}
	parts := strings.Split(dns, ".")
	if len(parts) < 3 || parts[2] != "svc" || strings.Contains(dns, "*") {
		return name, false
	}
	name = objectName{parts[1], parts[0]}
	switch namespace {
	case "*":
	case ".":
		ok = name.namespace == own
	default:
		ok = namespace == name.namespace
	}
	return name, ok && flowgraph.ValidNamespace(name.namespace) && flowgraph.ValidName(name.name)
}
