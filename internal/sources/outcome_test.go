package sources_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// knownEndpoints are the workloads, "namespace/name", behind endpoints, "kind
// namespace/name". Several have a comma between them, and equal parts.
type knownEndpoints map[string]string

// Resolve implements telemetry.Resolver.
func (k knownEndpoints) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		text, ok := k[fmt.Sprintf("%v %s/%s", e.Kind, e.Namespace, e.Name)]
		if !ok {
			all = append(all, telemetry.Resolution{Reason: telemetry.UnknownObject})
			continue
		}
		var r telemetry.Resolution
		names := strings.Split(text, ",")
		for _, name := range names {
			namespace, name, _ := strings.Cut(name, "/")
			r.Shares = append(r.Shares, telemetry.Share{Workload: flowgraph.WorkloadID{Namespace: namespace, Name: name}, Part: 1 / float64(len(names))})
		}
		all = append(all, r)
	}
	return all
}

// typed returns a type's definition.
func typed(t testing.TB, name v1.SourceType) promql.Definition {
	t.Helper()
	kind, ok, err := sources.Named(name)
	if err != nil || !ok || kind.Definition == nil {
		t.Fatalf("type %s: %v, error %v", name, ok, err)
	}
	return *kind.Definition
}

// collected is what a type's source makes of series, "metric{labels} values" at a sample
// every 30 s, in the five minutes before the twentieth.
func collected(t testing.TB, name v1.SourceType, known telemetry.Resolver, series ...string) telemetry.Observation {
	t.Helper()
	source, err := sources.New(v1.TelemetrySource{Type: name, Name: "it", Window: &metav1.Duration{Duration: 5 * time.Minute}}, telemetry.Trust{}, known)
	if err != nil {
		t.Fatal(err)
	}
	o, err := source.Collect(t.Context(), promtest.New(t, "load 30s\n  "+strings.Join(series, "\n  ")), time.Unix(600, 0))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// outcome is what becomes of one series: its edges, the reason why there are none, or "not
// read".
func outcome(t testing.TB, name v1.SourceType, known telemetry.Resolver, series string) string {
	t.Helper()
	o := collected(t, name, known, series)
	var all []string
	for _, f := range o.Flows {
		all = append(all, fmt.Sprintf("%v -> %v", f.From, f.To))
	}
	for reason, of := range o.LeftOut {
		if of.Series > 0 {
			all = append(all, reason.String())
		}
	}
	if len(all) == 0 {
		return "not read"
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// promLabels are labels as Prometheus writes them.
func promLabels(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+strconv.Quote(labels[name]))
	}
	return "{" + strings.Join(all, ",") + "}"
}
