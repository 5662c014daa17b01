package istiomesh

import (
	"fmt"
	"strings"

	test "github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
)

// Reporters is the matcher of a source that reads both ends.
const Reporters = `reporter=~"source|destination"`

// Faults are those of a source that asks for Reporters, by the properties that notice them.
func Faults() map[string]test.Fault {
	return map[string]test.Fault{
		"clients without proxies":                       reading("source"),
		"servers without proxies":                       reading("destination"),
		"half of the pods at one end without proxies":   reading("destination"),
		"half of the pods at both ends without proxies": amongThemselves,
		"requests are retried":                          reading("source"),
	}
}

// reading returns a fault of a source that reads one end.
func reading(reporter string) test.Fault {
	return test.Asking(func(promQL string) string {
		return strings.ReplaceAll(promQL, Reporters, fmt.Sprintf("reporter=%q", reporter))
	})
}

// amongThemselves is a fault of proxies that report only calls that another proxy sees too.
func amongThemselves(m test.Mesh) test.Mesh {
	whole := m.Report
	m.Report = func(c test.Call) []test.Counter {
		if !c.Client.Meshed || !c.Server.Meshed {
			return nil
		}
		return whole(c)
	}
	return m
}
