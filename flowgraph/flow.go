package flowgraph

import (
	"cmp"
	"strings"
	"time"
)

// WorkloadID names the top-level controller of a pod (a Deployment,
// StatefulSet, DaemonSet, CronJob, ..., or the pod itself when it has none).
// The kind is not part of the identity, because most telemetry does not know
// it.
type WorkloadID struct {
	Namespace string
	Name      string
}

// String returns "namespace/name".
func (w WorkloadID) String() string { return w.Namespace + "/" + w.Name }

// The longest names that Kubernetes accepts.
const (
	maxNamespaceBytes = 63
	maxNameBytes      = 253
)

// IsValid reports whether Kubernetes would accept the names: a DNS label for the
// namespace and a DNS subdomain for the workload (RFC 1123).
func (w WorkloadID) IsValid() bool {
	return ValidNamespace(w.Namespace) && ValidName(w.Name)
}

// ValidNamespace reports whether name can be that of a namespace: a DNS label of at most
// 63 lower-case letters, digits and dashes.
func ValidNamespace(name string) bool { return len(name) <= maxNamespaceBytes && isLabel(name) }

// ValidName reports whether name can be that of a workload or a node: a DNS subdomain of
// at most 253 bytes.
func ValidName(name string) bool {
	if len(name) > maxNameBytes {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isLabel reports whether s consists of lower-case letters, digits and dashes, and begins
// and ends with none of the latter.
func isLabel(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-' && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}

// IsZero reports whether w names nothing.
func (w WorkloadID) IsZero() bool { return w == WorkloadID{} }

// Compare orders by namespace, then by name: negative when w sorts before o,
// zero when they are equal.
func (w WorkloadID) Compare(o WorkloadID) int {
	return cmp.Or(cmp.Compare(w.Namespace, o.Namespace), cmp.Compare(w.Name, o.Name))
}

// Rates is how much one workload exchanges with another, seen from the source.
type Rates struct {
	// SentBytesPerSecond goes from the source to the destination: requests.
	SentBytesPerSecond float64
	// ReceivedBytesPerSecond comes back from the destination: responses.
	ReceivedBytesPerSecond float64
	// RequestsPerSecond is 0 where the source of the telemetry cannot count
	// requests (TCP).
	RequestsPerSecond float64
}

// BytesPerSecond is the traffic in both directions together.
func (r Rates) BytesPerSecond() float64 {
	return r.SentBytesPerSecond + r.ReceivedBytesPerSecond
}

// Weight is the rate that decides placement: bytes per second in both
// directions plus requests per second times requestBytes, the number of bytes
// that one request is worth, so that many small calls count too.
func (r Rates) Weight(requestBytes float64) float64 {
	return r.BytesPerSecond() + r.RequestsPerSecond*requestBytes
}

// Max returns the larger of each rate of r and o: two observers of the same
// traffic may each miss some of it.
func (r Rates) Max(o Rates) Rates {
	return Rates{
		SentBytesPerSecond:     max(r.SentBytesPerSecond, o.SentBytesPerSecond),
		ReceivedBytesPerSecond: max(r.ReceivedBytesPerSecond, o.ReceivedBytesPerSecond),
		RequestsPerSecond:      max(r.RequestsPerSecond, o.RequestsPerSecond),
	}
}

// Min returns the smaller of each rate of r and o: what both observers of the same
// traffic agree on.
func (r Rates) Min(o Rates) Rates {
	return Rates{
		SentBytesPerSecond:     min(r.SentBytesPerSecond, o.SentBytesPerSecond),
		ReceivedBytesPerSecond: min(r.ReceivedBytesPerSecond, o.ReceivedBytesPerSecond),
		RequestsPerSecond:      min(r.RequestsPerSecond, o.RequestsPerSecond),
	}
}

// add returns the sum of each rate of r and o.
func (r Rates) add(o Rates) Rates {
	return Rates{
		SentBytesPerSecond:     r.SentBytesPerSecond + o.SentBytesPerSecond,
		ReceivedBytesPerSecond: r.ReceivedBytesPerSecond + o.ReceivedBytesPerSecond,
		RequestsPerSecond:      r.RequestsPerSecond + o.RequestsPerSecond,
	}
}

// towards returns r moved by the fraction f (0 to 1) of the way to o.
func (r Rates) towards(o Rates, f float64) Rates {
	return Rates{
		SentBytesPerSecond:     r.SentBytesPerSecond + f*(o.SentBytesPerSecond-r.SentBytesPerSecond),
		ReceivedBytesPerSecond: r.ReceivedBytesPerSecond + f*(o.ReceivedBytesPerSecond-r.ReceivedBytesPerSecond),
		RequestsPerSecond:      r.RequestsPerSecond + f*(o.RequestsPerSecond-r.RequestsPerSecond),
	}
}

// MaxRate is the highest rate that is believed, in bytes or requests per second:
// a million million, more than a data centre carries. One absurd value would
// otherwise outweigh all true ones, and for as many half-lives as it has binary
// digits more than they.
const MaxRate = 1e12

// The lowest rates that count; what is below is zero. Smoothing only comes near to
// zero, so that without them an edge would outlive its traffic for ever. A thousandth
// of a byte per second is a kilobyte in twelve days, and a millionth of a request
// per second one request in as many.
const (
	MinRate        = 1e-3 // bytes per second, in each direction
	MinRequestRate = 1e-6 // requests per second
)

// counting returns r with the rates that are too low to count at zero.
func (r Rates) counting() Rates {
	atLeast := func(v, low float64) float64 {
		if v < low {
			return 0
		}
		return v
	}
	return Rates{
		SentBytesPerSecond:     atLeast(r.SentBytesPerSecond, MinRate),
		ReceivedBytesPerSecond: atLeast(r.ReceivedBytesPerSecond, MinRate),
		RequestsPerSecond:      atLeast(r.RequestsPerSecond, MinRequestRate),
	}
}

// ValidRate reports whether v can be a rate: a number from 0 to MaxRate.
func ValidRate(v float64) bool { return v >= 0 && v <= MaxRate }

// ClampRate returns v, or MaxRate where v is above it, such as a sum that has become
// infinite: a claim that cannot be true must not erase the traffic that it exaggerates. ok
// is false where v is no rate at all: NaN or negative.
func ClampRate(v float64) (rate float64, ok bool) {
	if !(v >= 0) {
		return 0, false
	}
	return min(v, MaxRate), true
}

// Clamp returns r with each rate at most MaxRate. ok is false where one of them is no
// rate, see ClampRate.
func (r Rates) Clamp() (_ Rates, ok bool) {
	for _, v := range []*float64{&r.SentBytesPerSecond, &r.ReceivedBytesPerSecond, &r.RequestsPerSecond} {
		if *v, ok = ClampRate(*v); !ok {
			return Rates{}, false
		}
	}
	return r, true
}

// Valid reports whether every rate is valid.
func (r Rates) Valid() bool {
	return ValidRate(r.SentBytesPerSecond) && ValidRate(r.ReceivedBytesPerSecond) && ValidRate(r.RequestsPerSecond)
}

// Flow is one observed amount of traffic between two workloads. From opened
// the connection or sent the request, To served it.
type Flow struct {
	From, To WorkloadID
	Rates
	// Source is the name of the telemetry source that observed it.
	Source string
	// ObservedAt is the evaluation time of the query that returned it.
	ObservedAt time.Time
}

// Edge is the smoothed traffic from one workload to another, or what is declared of it.
type Edge struct {
	From, To WorkloadID
	Rates
	// ObservedAt is the time of the last flow that went into the edge.
	ObservedAt time.Time
	// Origin says how the edge is known. One that is not Observed has the time of the
	// graph's data as ObservedAt.
	Origin Origin
}

// IsSelf reports whether the edge is a self-flow: traffic of a workload with
// itself.
func (e Edge) IsSelf() bool { return e.From == e.To }
