package v1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeclaredKind is a way to know edges of a workload that has no past.
type DeclaredKind string

const (
	// DeclaredAnnotation is the annotation vicinity.dev/peers.
	DeclaredAnnotation DeclaredKind = "Annotation"
	// DeclaredAppGroup is the dependencies in the AppGroups of scheduler-plugins.
	DeclaredAppGroup DeclaredKind = "AppGroup"
	// DeclaredSidecar is the egress hosts of Istio's Sidecars.
	DeclaredSidecar DeclaredKind = "Sidecar"
	// DeclaredInherited is the edges of a predecessor: a workload of the same owner, or
	// another version of the same service.
	DeclaredInherited DeclaredKind = "Inherited"
)

// DeclaredKinds returns every supported value.
func DeclaredKinds() []DeclaredKind {
	return []DeclaredKind{DeclaredAnnotation, DeclaredAppGroup, DeclaredSidecar, DeclaredInherited}
}

// Declared says what counts of the traffic of new workloads before the telemetry has seen
// it. Declared edges fade over the window, and as observed ones arrive.
type Declared struct {
	// Kinds are those that count (default: all). An empty list is none.
	Kinds []DeclaredKind `json:"kinds,omitzero"`
	// Window is how long after its creation a workload is new (default 1h; at least 1s).
	Window *metav1.Duration `json:"window,omitempty"`
	// DefaultRate is what a workload is taken to exchange, in bytes per second, with all of
	// its declared peers of which nobody says a rate (default: the median of what workloads
	// exchange; 16Ki with trust.agreement agreed).
	DefaultRate *resource.Quantity `json:"defaultRate,omitempty"`
	// MaxRate is the most that a declared edge counts, in bytes per second (default 100Mi).
	MaxRate *resource.Quantity `json:"maxRate,omitempty"`
}

// setDefaults fills in what is not set.
func (d *Declared) setDefaults() {
	if d.Kinds == nil {
		d.Kinds = DeclaredKinds()
	}
	pointerDefault(&d.Window, metav1.Duration{Duration: time.Hour})
	pointerDefault(&d.MaxRate, resource.MustParse("100Mi"))
}
