package flowgraph

import "slices"

// AnyNamespace stands for all namespaces in a ReachRule.
const AnyNamespace = "*"

// Reach says what workloads of one namespace may do to the scores of another's pods: which
// may attract which, how much, and whether their own traffic matters. Workloads of the same
// namespace always may. The zero value is no restriction.
type Reach struct {
	// Rules allow what they name. Without any, everything is allowed.
	Rules []ReachRule
	// MaxForeignShare, in (0,1), is the share of the best gain of a pod up to which the
	// workloads of one other namespace may contribute to its gain on any node. 0 and 1
	// are no bound.
	MaxForeignShare float64
	// Isolated says that what other namespaces report of traffic among themselves is only
	// a claim, which must change no pod's scores.
	Isolated bool
}

// ReachRule allows the workloads of the namespaces From to attract pods of the namespaces
// To, whichever of them calls the other.
type ReachRule struct{ From, To []string }

// Attracts reports whether workloads of the namespace from may attract pods of the
// namespace to.
func (r *Reach) Attracts(from, to string) bool {
	if len(r.Rules) == 0 || from == to {
		return true
	}
	for i := range r.Rules {
		if names(r.Rules[i].From, from) && names(r.Rules[i].To, to) {
			return true
		}
	}
	return false
}

func names(list []string, namespace string) bool {
	return slices.Contains(list, namespace) || slices.Contains(list, AnyNamespace)
}

// ForeignShare returns MaxForeignShare, and 1 where it is no bound.
func (r *Reach) ForeignShare() float64 {
	if r.MaxForeignShare <= 0 || r.MaxForeignShare > 1 {
		return 1
	}
	return r.MaxForeignShare
}
