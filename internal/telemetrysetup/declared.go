package telemetrysetup

import (
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// declaredPart is how many declared edges and workloads there may be for each that may be
// observed.
const declaredPart = 10

// Declared returns how much of what is declared of new workloads counts.
func Declared(cfg *v1.TelemetryConfiguration) declared.Options {
	d, l := cfg.Declared, limits(cfg)
	o := declared.Options{
		Window: d.Window.Duration, MaxRate: d.MaxRate.AsApproximateFloat64(),
		Limits: flowgraph.Limits{
			Edges: least(l.Edges), NamespaceEdges: least(l.NamespaceEdges),
			Workloads: least(l.Workloads), NamespaceWorkloads: least(l.NamespaceWorkloads),
		},
	}
	if d.DefaultRate != nil {
		o.DefaultRate = d.DefaultRate.AsApproximateFloat64()
	}
	return o
}

// least is a part of a limit; 0 would be no bound.
func least(limit int) int { return max(limit/declaredPart, 1) }

// DeclaredOrigins returns the origins of declared edges that count.
func DeclaredOrigins(cfg *v1.TelemetryConfiguration) (origins []flowgraph.Origin) {
	for _, kind := range cfg.Declared.Kinds {
		for _, origin := range flowgraph.DeclaredOrigins() {
			if strings.EqualFold(string(kind), origin.String()) {
				origins = append(origins, origin)
			}
		}
	}
	return origins
}
