package doctor

import (
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/schedulermetrics"
)

// TestAlerts checks that there is one check for each alert on the scheduler's metrics.
func TestAlerts(t *testing.T) {
	checks := map[string]int{}
	for _, a := range alertChecks() {
		checks[a.alert]++
	}
	for _, alert := range schedulermetrics.Alerts() {
		if checks[alert.Name] != 1 {
			t.Errorf("%d checks look at alert %s", checks[alert.Name], alert.Name)
		}
		delete(checks, alert.Name)
	}
	for name := range checks {
		t.Errorf("there is no alert %s", name)
	}
}

// TestLogCommands: kubectl logs has no option for all namespaces.
func TestLogCommands(t *testing.T) {
	for _, a := range alertChecks() {
		if _, command, found := strings.Cut(a.next, "kubectl "); found && strings.Contains(command, "logs ") && !strings.HasPrefix(command, "-n ") {
			t.Errorf("%s: the command has no namespace: %s", a.check, command)
		}
	}
}
