// Package restart keeps the tasks of a process running that run beside its main work: one
// that ends by a panic or an error begins again after a pause, and the process lives on.
package restart

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

const (
	// firstPause is that after the first end; each is twice as long as the one before.
	firstPause = time.Second
	// longestPause bounds the pauses. A task that has run for longer begins with the
	// first one again.
	longestPause = 5 * time.Minute
)

// Task is something that the scheduler does beside scheduling, until it ends.
type Task string

// The tasks.
const (
	Telemetry        Task = "telemetry"
	Preparation      Task = "preparation"
	DestinationRules Task = "destination-rules"
	ColdStarts       Task = "cold-starts"
	Permissions      Task = "permissions"
	Locality         Task = "locality"
	Events           Task = "events"
)

// All returns every task.
func All() []Task {
	return []Task{Telemetry, Preparation, DestinationRules, ColdStarts, Permissions, Locality, Events}
}

// without says what is the case while the task does not run.
func (t Task) without() string {
	switch t {
	case Telemetry:
		return "The traffic is not read. The last data loses its influence from `staleAfter` on; from `expireAfter` on, pods are scheduled as by kube-scheduler."
	case Preparation:
		return "After a panic of the plugin, the nodes and pods are not read again, so it has no say."
	case DestinationRules:
		return "Changes of Istio's DestinationRules are not seen."
	case ColdStarts:
		return "Declarations of new workloads count only from the next refresh of the telemetry on; AppGroups and Sidecars are not read."
	case Permissions:
		return "Missing permissions are not noticed."
	case Events:
		return "No events are written on pods and workloads."
	case Locality:
		return "How far traffic goes is not measured: vicinity_traffic_bytes_per_second stays as it is."
	}
	return ""
}

// Tasks runs tasks and counts how often they begin again.
type Tasks struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time

	set      metricdef.Set
	restarts metricdef.Family[metrics.CounterMetric]
}

// New returns Tasks that measure time with now and pause with after.
func New(now func() time.Time, after func(time.Duration) <-chan time.Time) *Tasks {
	t := &Tasks{now: now, after: after}
	label := metricdef.Label{Name: "task"}
	for _, task := range All() {
		label.Values = append(label.Values, metricdef.Value{Name: string(task), Meaning: task.without()})
	}
	t.restarts = t.set.Counters(metricdef.Metric{
		Name:   "vicinity_task_restarts_total",
		Help:   "How often a background task has ended by a panic or an error. It begins again after a pause that grows from a second to five minutes; the table of tasks says what is missing meanwhile.",
		Labels: []metricdef.Label{label},
		Alerts: []metricdef.Alert{{
			Name:    "VicinityTaskRestarts",
			PromQL:  `increase(vicinity_task_restarts_total[1h]) > 0`,
			Meaning: "A bug in Vicinity. Pods are still scheduled. Please report the log line that begins with \"A task has ended\".",
		}},
	})
	return t
}

// Register registers the metrics with the given function, e.g.
// legacyregistry.MustRegister.
func (t *Tasks) Register(mustRegister func(...metrics.Registerable)) { t.set.Register(mustRegister) }

// Definitions returns what the metrics are.
func (t *Tasks) Definitions() []metricdef.Metric { return t.set.Metrics() }

// Run is the work of a task. It returns nil when there is no more to do, and calls works
// whenever that shows that it works. It may be called again after a panic.
type Run func(ctx context.Context, works func()) error

// Keep runs a task until ctx ends or there is no more to do. That it fails, and that it
// works again, is a line in the log each.
func (t *Tasks) Keep(ctx context.Context, task Task, run Run) {
	logger := klog.FromContext(ctx)
	failing, pause := false, firstPause
	works := func() {
		if failing {
			failing = false
			logger.Info("A task works again", "task", task)
		}
	}
	for {
		began := t.now()
		err := guarded(ctx, run, works)
		if err == nil || ctx.Err() != nil {
			return
		}
		if t.now().Sub(began) > longestPause {
			failing, pause = false, firstPause
		}
		t.restarts.With(string(task)).Inc()
		if !failing {
			failing = true
			logger.Error(err, "A task has ended; it begins again after a pause, as often as it takes", "task", task, "pause", pause, "effect", task.without())
		}
		select {
		case <-ctx.Done():
			return
		case <-t.after(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// guarded turns a panic into an error.
func guarded(ctx context.Context, run Run, works func()) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return run(ctx, works)
}
