package tally

import (
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// TestWhoSpeaksForAServiceOfConsul: its namespace is none of Kubernetes, so that no target
// speaks for it because it is in a namespace of that name.
func TestWhoSpeaksForAServiceOfConsul(t *testing.T) {
	trust := &telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"agents"}}
	service := telemetry.Endpoint{Kind: telemetry.ConsulServiceEndpoint, Namespace: "default", Name: "web"}
	for reporter, want := range map[string]bool{"default": false, "shop": false, "": false, "agents": true} {
		tl := New(Options{Metrics: bytesOnly, Reporters: OneEnd, Trust: trust})
		if got := tl.Add(&Report{From: named("shop", "api"), To: service, End: Server, Namespace: reporter, Value: 1}); got != want {
			t.Errorf("a target in %q is believed: %v", reporter, got)
		}
	}
	tl := New(Options{Metrics: bytesOnly, Reporters: OneEnd, Trust: trust})
	if !tl.Add(&Report{From: named("shop", "api"), To: service, End: Client, Namespace: "shop", Value: 1}) {
		t.Error("the client is not believed")
	}
}
