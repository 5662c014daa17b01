package sources

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// withoutBytes is telemetry that people look for and that counts no bytes between workloads.
type withoutBytes struct {
	names  []string // that people call it
	metric string   // that shows that it is there
	why    string
}

func allWithoutBytes() []withoutBytes {
	return []withoutBytes{{
		names: []string{"hubble", "cilium", "cilium-hubble"}, metric: "hubble_flows_processed_total",
		why: "Cilium's Hubble counts flows and requests, not bytes, so that it cannot say how much traffic there is between workloads. " +
			"Run agents that count bytes beside it, such as those of the types obi, caretta or netobserv",
	}}
}

// otherNames are names of what a type reads, by the name of the type.
func otherNames() map[v1.SourceType][]string {
	return map[v1.SourceType][]string{
		v1.SourceIstioSidecar: {"istio", "istio-ambient", "ambient", "ztunnel"},
		"obi":                 {"opentelemetry-ebpf-instrumentation", "otel-ebpf"},
		"beyla":               {"grafana-beyla"},
	}
}

// Unknown says what to do about the name of a type that there is none of, "" where nothing
// is known of it.
func Unknown(name v1.SourceType) string {
	wanted := strings.ToLower(string(name))
	for _, w := range allWithoutBytes() {
		for _, n := range w.names {
			if n == wanted {
				return w.why
			}
		}
	}
	for of, names := range otherNames() {
		for _, n := range names {
			if n == wanted {
				return fmt.Sprintf("it is read by sources of type %s", of)
			}
		}
	}
	return ""
}

// Byteless looks for telemetry that is there and counts no bytes. It returns why nothing of
// it is read, a sentence each.
func Byteless(ctx context.Context, q telemetry.Querier, at time.Time) ([]string, error) {
	var all []string
	for _, w := range allWithoutBytes() {
		n, err := number(ctx, q, at, "count("+w.metric+")")
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", w.metric, err)
		}
		if n > 0 {
			all = append(all, fmt.Sprintf("%s is there: %s", w.metric, w.why))
		}
	}
	return all, nil
}
