package promql

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Kind is a telemetry.EndpointKind as its String has it, or a kind of what is left out.
type Kind string

// The kinds of what is left out.
const (
	External    Kind = "external"         // outside any cluster
	Elsewhere   Kind = "elsewhere"        // in another cluster
	Passthrough Kind = "passthrough"      // an address that the mesh does not know
	Ambiguous   Kind = "ambiguous"        // a name that may mean several things
	Unknown     Kind = "unknown-workload" // in the mesh, but not named
)

// leftOut returns the reason why nothing of a kind becomes a flow. ok is false for kinds of
// endpoints.
func (k Kind) leftOut() (reason telemetry.Reason, ok bool) {
	switch k {
	case External:
		return telemetry.External, true
	case Passthrough:
		return telemetry.Passthrough, true
	case Elsewhere:
		return telemetry.OtherCluster, true
	case Ambiguous:
		return telemetry.Ambiguous, true
	case Unknown:
		return telemetry.UnknownWorkload, true
	}
	return telemetry.Included, false
}

// isLeftOut reports whether the kind is one of what is left out.
func (k Kind) isLeftOut() bool {
	_, ok := k.leftOut()
	return ok
}

// Kinds returns every kind.
func Kinds() []Kind {
	var all []Kind
	for _, k := range telemetry.EndpointKinds() {
		all = append(all, Kind(k.String()))
	}
	return append(all, External, Elsewhere, Passthrough, Ambiguous, Unknown)
}

// endpointKind returns the kind of endpoint that an End names. ok is false for what is left
// out.
func (k Kind) endpointKind() (kind telemetry.EndpointKind, ok bool) {
	i := slices.IndexFunc(telemetry.EndpointKinds(), func(of telemetry.EndpointKind) bool { return of.String() == string(k) })
	if i < 0 {
		return 0, false
	}
	return telemetry.EndpointKinds()[i], true
}
