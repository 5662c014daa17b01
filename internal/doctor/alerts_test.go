package doctor

import (
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
