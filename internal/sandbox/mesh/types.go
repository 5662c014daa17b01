package mesh

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Type is a kind of mesh: where its proxies are, what they tell apart and what they
// expose. Each has a file with the function that returns it; a new one is such a file
// and its line in Types.
type Type struct {
	// Name is what users call it.
	Name string
	// Source is the type of the telemetry source that reads its metrics.
	Source string

	// Closest is the trafficDistribution that keeps calls closest. A Service that asks for
	// more is treated as if it asked for this. "" where the mesh does not follow the field.
	Closest string

	annotation bool // Istio's own annotation stands for the field
	internal   bool // follows internalTrafficPolicy

	perNode   bool          // a proxy is on each node instead of in each pod
	readRules bool          // DestinationRules divide calls
	keepsIdle time.Duration // proxies drop series that have been idle for longer; 0: never
	// sees returns what the proxies tell apart of an exchange. What they see as one
	// they count as one.
	sees    func(exchange) exchange
	metrics []metric
	labels  []string // of each metric
	// values returns those of the labels, in their order, in a metric's view. Series whose
	// values are the same are one.
	values func(s series, view string) []string
}

// metric is a counter, or a histogram without buckets.
type metric struct {
	name, help string
	histogram  bool // of requests
	of         func(traffic) float64
	applies    func(series) bool
	// view tells apart, for values, metrics of one name that count at several places.
	view string
}

// Types returns the kinds of mesh that there are, the default first.
func Types() []Type { return []Type{Istio(), IstioAmbient(), Linkerd(), Consul(), Kuma(), OSM()} }

// Names returns what users call the Types, in their order.
func Names() []string {
	var names []string
	for _, t := range Types() {
		names = append(names, t.Name)
	}
	return names
}

// Named returns the Type of a name. If there is none, the error says which there are.
func Named(name string) (Type, error) {
	types := Types()
	if i := slices.IndexFunc(types, func(t Type) bool { return t.Name == name }); i >= 0 {
		return types[i], nil
	}
	return Type{}, fmt.Errorf("must be one of %s", strings.Join(Names(), ", "))
}
