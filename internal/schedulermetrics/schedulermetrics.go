// Package schedulermetrics has the definitions of all of Vicinity's own metrics that the
// scheduler serves, and of the alerts on them, in one list. It serves and reads none.
package schedulermetrics

import (
	"slices"

	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/telemetrymetrics"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Definitions returns every metric of the scheduler that is ours.
func Definitions() []metricdef.Metric {
	plugin := trafficlocality.NewMetrics(func(...metrics.Registerable) {})
	observer := telemetrymetrics.New(klog.Logger{}, nil, nil, nil)
	needed := permissions.New(klog.Logger{}, append(permissions.StockRoles(), permissions.Lease("", "")...))
	tasks := restart.New(nil, nil)
	live := livelocality.NewMetrics()
	return slices.Concat(observer.Definitions(), live.Definitions(), plugin.Definitions(), trafficlocality.ShadowDefinitions(), needed.Definitions(), tasks.Definitions())
}

// Alerts returns the alerts on them, in their order.
func Alerts() []metricdef.Alert {
	var all []metricdef.Alert
	for _, m := range Definitions() {
		all = append(all, m.Alerts...)
	}
	return all
}
