package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// DestinationRule is Istio's. Nothing writes to one that has been read.
type DestinationRule = networkingv1.DestinationRule

// DecodeRule decodes an Istio DestinationRule from JSON, into Istio's own types. Fields
// that these do not have are ignored. Of a rule that cannot be decoded the result has
// nothing but its name: it covers no Service, as if it were not there. Of the
// metadata it keeps what decides which rule counts.
func DecodeRule(text []byte) (*DestinationRule, error) {
	r := &DestinationRule{}
	err := decode(text, r)
	if err == nil && r.Spec.Host == "" {
		err = errors.New("spec.host is missing")
	}
	meta := metav1.ObjectMeta{
		Namespace: r.Namespace, Name: r.Name, UID: r.UID, ResourceVersion: r.ResourceVersion, CreationTimestamp: r.CreationTimestamp,
	}
	if err != nil {
		named := &metav1.PartialObjectMetadata{}
		if json.Unmarshal(text, named) == nil {
			meta.Namespace, meta.Name, meta.ResourceVersion = named.Namespace, named.Name, named.ResourceVersion
		}
		return &DestinationRule{TypeMeta: named.TypeMeta, ObjectMeta: meta}, fmt.Errorf("DestinationRule %s/%s: %w", meta.Namespace, meta.Name, err)
	}
	r.ObjectMeta = meta
	r.Status.Reset()
	return r, nil
}

// ReadRule decodes a DestinationRule as a dynamic client has it: see DecodeRule.
func ReadRule(object *unstructured.Unstructured) (*DestinationRule, error) {
	text, err := json.Marshal(object.Object)
	if err == nil {
		return DecodeRule(text)
	}
	r := &DestinationRule{}
	r.APIVersion, r.Kind = object.GetAPIVersion(), object.GetKind()
	r.Namespace, r.Name, r.ResourceVersion = object.GetNamespace(), object.GetName(), object.GetResourceVersion()
	return r, fmt.Errorf("DestinationRule %s/%s: %w", r.Namespace, r.Name, err)
}

// decode turns a panic of the decoder, which works by reflection, into an error.
func decode(text []byte, into *DestinationRule) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return json.Unmarshal(text, into)
}

// clusterDomain ends the host names of Services.
const clusterDomain = "svc.cluster.local"

// hostOf is the full host name that a rule is about, "" of one that could not be
// decoded. Istio completes names without a dot, and no others.
func hostOf(r *DestinationRule) string {
	if h := r.Spec.Host; h == "*" || h == "" || strings.Contains(h, ".") {
		return h
	}
	return r.Spec.Host + "." + r.Namespace + "." + clusterDomain
}

// Names in exportTo.
const ownNamespace, everyNamespace = ".", "*"

// exportedTo is the set of the namespaces that a rule is exported to, sorted; none is
// the mesh's default, which is taken to be Istio's: all of them. A rule for some
// workloads of its namespace stays there, whatever it says.
func exportedTo(r *DestinationRule) []string {
	if r.Spec.WorkloadSelector != nil {
		return []string{ownNamespace}
	}
	to := slices.Clone(r.Spec.ExportTo)
	slices.Sort(to)
	return slices.Compact(to)
}

// isPrivate reports whether a rule is exported to its own namespace alone.
func isPrivate(r *DestinationRule) bool {
	to := exportedTo(r)
	return len(to) == 1 && (to[0] == ownNamespace || to[0] == r.Namespace)
}

// holdsAtHome reports whether a rule counts for the callers in its own namespace.
func holdsAtHome(r *DestinationRule) bool {
	to := exportedTo(r)
	return len(to) == 0 || slices.ContainsFunc(to, func(name string) bool {
		return name == ownNamespace || name == everyNamespace || name == r.Namespace
	})
}
