package trafficlocality

import (
	"os"
	"testing"

	schedmetrics "k8s.io/kubernetes/pkg/scheduler/metrics"
)

// TestMain registers the scheduler's own metrics, without which its cache and
// framework panic.
func TestMain(m *testing.M) {
	schedmetrics.Register()
	os.Exit(m.Run())
}
