package main

import (
	"context"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// telemetryLoop keeps the graph up to date.
type telemetryLoop struct{ run func(context.Context) error }

// newTelemetry returns the loop that follows a configuration. Without one the
// loop does nothing.
func newTelemetry(ctx context.Context, cfg *configv1.TelemetryConfiguration, store *flowgraph.Store) (telemetryLoop, error) {
	if cfg == nil {
		return telemetryLoop{func(context.Context) error { return nil }}, nil
	}
	manager, client, err := telemetrysetup.New(cfg, store, newObserver(klog.FromContext(ctx), store))
	if err != nil {
		return telemetryLoop{}, err
	}
	return telemetryLoop{func(ctx context.Context) error {
		defer client.Close()
		return manager.Run(ctx)
	}}, nil
}

// observer turns the rounds of the telemetry into metrics, and into a log line
// when a source's state changes: a Prometheus that is down for a day is one
// line, not thousands.
type observer struct {
	logger    klog.Logger
	store     *flowgraph.Store
	failing   map[string]telemetry.Failure
	refreshes *metrics.CounterVec
	duration  *metrics.GaugeVec
	leftOut   *metrics.GaugeVec
	dataTime  *metrics.Gauge
	edges     *metrics.Gauge
	workloads *metrics.Gauge
}

func newObserver(logger klog.Logger, store *flowgraph.Store) *observer {
	gauge := func(name, help string) *metrics.GaugeOpts {
		return &metrics.GaugeOpts{Namespace: "vicinity", Name: name, Help: help, StabilityLevel: metrics.ALPHA}
	}
	o := &observer{
		logger: logger, store: store, failing: map[string]telemetry.Failure{},
		refreshes: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: "vicinity", Name: "telemetry_refreshes_total", StabilityLevel: metrics.ALPHA,
			Help: "Refreshes by source and result: success, or the reason of the failure.",
		}, []string{"source", "result"}),
		duration:  metrics.NewGaugeVec(gauge("telemetry_refresh_duration_seconds", "How long the last refresh of a source took."), []string{"source"}),
		leftOut:   metrics.NewGaugeVec(gauge("telemetry_left_out_bytes_per_second", "Traffic of the last refresh that belongs to no pair of workloads, by source and reason."), []string{"source", "reason"}),
		dataTime:  metrics.NewGauge(gauge("graph_data_timestamp_seconds", "Unix time of the traffic graph's data; 0 before the first refresh.")),
		edges:     metrics.NewGauge(gauge("graph_edges", "Edges in the traffic graph.")),
		workloads: metrics.NewGauge(gauge("graph_workloads", "Workloads in the traffic graph.")),
	}
	legacyregistry.MustRegister(o.refreshes, o.duration, o.leftOut, o.dataTime, o.edges, o.workloads)
	return o
}

// Refreshed notes one round.
func (o *observer) Refreshed(status telemetry.Status) {
	for _, source := range status.Sources {
		if !source.LastAttempt.Equal(status.At) {
			continue // in back-off
		}
		o.note(source)
	}
	snap := o.store.Load()
	if snap.Generation() == 0 {
		return
	}
	o.dataTime.Set(float64(snap.At().Unix()))
	o.edges.Set(float64(snap.EdgeCount()))
	o.workloads.Set(float64(snap.Len()))
}

func (o *observer) note(source telemetry.SourceStatus) {
	o.duration.WithLabelValues(source.Name).Set(source.Duration.Seconds())
	if source.Err != nil {
		failure := telemetry.FailureOf(source.Err)
		o.refreshes.WithLabelValues(source.Name, failure.String()).Inc()
		if before, failing := o.failing[source.Name]; !failing || before != failure {
			o.logger.Error(source.Err, "Reading telemetry fails; the graph stays as it is until it expires", "source", source.Name, "reason", failure)
		}
		o.failing[source.Name] = failure
		return
	}
	o.refreshes.WithLabelValues(source.Name, "success").Inc()
	for _, reason := range telemetry.Reasons() {
		o.leftOut.WithLabelValues(source.Name, reason.String()).Set(source.LeftOut[reason].BytesPerSecond)
	}
	if _, failing := o.failing[source.Name]; failing {
		delete(o.failing, source.Name)
		o.logger.Info("Reading telemetry works again", "source", source.Name)
	}
}
