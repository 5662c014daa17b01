package sources_test

import (
	"strings"
	"testing"

	test "github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// TestOwnFaultsAreNoticed breaks the types that have a mesh of their own once for each
// property.
func TestOwnFaultsAreNoticed(t *testing.T) {
	t.Run("caretta", func(t *testing.T) {
		test.RunFaults(t, promtest.Engine, data(t, "caretta", caretta()), test.AgentFaults())
	})
	for name, relabelled := range map[string]bool{"linkerd": true, "linkerd, pods": false} {
		t.Run(name, func(t *testing.T) {
			test.RunFaults(t, promtest.Engine, data(t, "linkerd", linkerd(relabelled)), linkerdFaults())
		})
	}
}

// TestEnvoyFaultsAreNoticed breaks one of the types that read Envoy's clusters likewise.
func TestEnvoyFaultsAreNoticed(t *testing.T) {
	faults := test.FlowFaults()
	faults["clients without proxies"] = func(m test.Mesh) test.Mesh { // somebody reports of them
		whole := m.Report
		m.Report = func(c test.Call) []test.Counter { c.Client.Meshed = true; return whole(c) }
		return m
	}
	faults["pods are replaced"] = asking("rate(", "deriv(")                                   // a sum of pods has no rate of its own
	faults["labels are missing that name the ends"] = asking(`!~"|local_app`, `!~"local_app`) // what has lost its name is read
	test.RunFaults(t, promtest.Engine, data(t, "consul", consul()), faults)
}

// linkerdFaults are those of its source. The suite's own fault for pods that are replaced
// has no place in its queries, and what lacks a label of the ends is still found by others.
func linkerdFaults() map[string]test.Fault {
	faults := test.FlowFaults()
	faults["pods are replaced"] = asking("rate(", "deriv(")
	faults["labels are missing that name the ends"] = asking(`peer="dst"`, `peer!="src"`)
	faults["servers without proxies"] = asking(`peer="dst"`, `peer="dst",tls="true"`)
	return faults
}

// asking is a fault of a source that asks for something else.
func asking(is, broken string) test.Fault {
	return test.Asking(func(promQL string) string { return strings.ReplaceAll(promQL, is, broken) })
}
