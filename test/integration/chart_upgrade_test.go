package integration

import (
	"fmt"
	"testing"
)

// TestUpgradeBetweenValues: a release goes from any values to any others and back, since no
// upgrade changes a field that cannot be changed, and nothing of former names is left.
func TestUpgradeBetweenValues(t *testing.T) {
	h := newHelmed(t)
	a := h.newApp(t)
	h.install(t)
	h.schedules(t, a, "first", "vicinity")
	const other = "schedulerName=near,fullnameOverride=near,serviceAccount.name=ours,commonLabels.team=platform,rbac.destinationRules=true,rbac.coldStarts=true," +
		"metrics.service=true,metrics.token=true,dashboards.enabled=true,priorityClassQuota=true,podDisruptionBudget.maxUnavailable=50%"
	h.must(t, "upgrade", "vicinity", chart, "--wait", "--set", other)
	h.leads(t, systemNamespace, "near")
	h.schedules(t, a, "renamed", "near")
	h.must(t, "upgrade", "vicinity", chart, "--wait", "--set", other+",priorityClassName=system-node-critical,metrics.token=false,replicas=1")
	h.schedules(t, a, "of-another-class", "near")
	h.must(t, "rollback", "vicinity", "1", "--wait")
	h.schedules(t, a, "back", "vicinity")
	h.must(t, "uninstall", "vicinity", "--wait")
	eventually(t, "nothing of the release is left", func() error {
		left, err := h.left(t.Context(), "vicinity")
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("there are %v", left)
		}
		return err
	})
}
