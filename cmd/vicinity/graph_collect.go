package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

// flagField pairs a flag with the field of the TelemetryConfiguration that it
// stands for.
type flagField struct{ flag, field string }

// flagFields returns the flags that go with --prometheus only.
func flagFields() []flagField {
	return []flagField{
		{"window", "sources[0].window"},
		{"cluster", "sources[0].cluster"},
		{"selector", "sources[0].selector"},
		{"timeout", "prometheus.timeout"},
	}
}

// configuration returns what the flags ask for as the scheduler's own
// configuration, defaulted and validated.
func (o *graphOptions) configuration(cmd *cobra.Command) (*v1.TelemetryConfiguration, error) {
	if o.configFile != "" {
		return config.LoadTelemetry(o.configFile)
	}
	c := &v1.TelemetryConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: v1.GroupVersion, Kind: v1.TelemetryConfigurationKind},
		Prometheus: v1.Prometheus{
			URL:     o.prometheus,
			Timeout: &metav1.Duration{Duration: o.timeout},
		},
		Sources: []v1.TelemetrySource{{
			Type:     v1.SourceIstioSidecar,
			Window:   &metav1.Duration{Duration: o.window},
			Cluster:  o.cluster,
			Selector: o.selector,
		}},
	}
	c.SetDefaults()
	mistakes := validation.TelemetryConfiguration(c)
	for _, m := range mistakes {
		for _, f := range append(flagFields(), flagField{"prometheus", "prometheus.url"}) {
			if m.Field == f.field {
				m.Field = "--" + f.flag
			}
		}
	}
	if err := config.OneLine(mistakes); err != nil {
		return nil, usageErrorf("%w; see %s --help", err, cmd.CommandPath())
	}
	return c, nil
}

// collect asks the sources once and returns what they see. The report is nil
// when none of them succeeded; the error is that of those that failed.
func collect(ctx context.Context, cfg *v1.TelemetryConfiguration, watcher io.Writer, now func() time.Time) (*report, error) {
	client, err := telemetrysetup.Client(cfg)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	sources, err := telemetrysetup.Sources(cfg)
	if err != nil {
		return nil, err
	}
	querier := newProgress(client, sources, watcher)
	store := flowgraph.NewStore()
	manager, err := telemetry.NewManager(telemetry.Options{
		Sources:  sources,
		Querier:  querier,
		Graph:    flowgraph.NewGraph(telemetrysetup.GraphOptions(cfg)),
		Store:    store,
		Interval: cfg.Interval.Duration,
		Now:      now,
		Random:   rand.Float64,
	})
	if err != nil {
		return nil, err
	}
	failed := manager.Refresh(ctx)
	querier.clear()
	snap, status := store.Load(), manager.Status()
	if ctx.Err() == nil && onlyEmpty(status.Sources) {
		// The scheduler waits for traffic; here the report says why there is none.
		failed = nil
		if snap.Generation() == 0 {
			snap = flowgraph.NewSnapshot(1, status.At, nil)
		}
	}
	if snap.Generation() == 0 { // also when ctx has ended
		return nil, failed
	}
	return newReport(snap, status, cfg, sources, now()), failed
}

// onlyEmpty takes the errors away from the sources that answered without any
// traffic, and reports whether none is left.
func onlyEmpty(sources []telemetry.SourceStatus) bool {
	for i := range sources {
		if telemetry.FailureOf(sources[i].Err) == telemetry.Empty {
			sources[i].Err = nil
		}
	}
	return !slices.ContainsFunc(sources, func(s telemetry.SourceStatus) bool { return s.Err != nil })
}

// explain makes the error of a failed refresh one line that ends with the next
// step. It returns nil for nil.
func (o *graphOptions) explain(failed error) error {
	if failed == nil {
		return nil
	}
	text := strings.ReplaceAll(failed.Error(), "\n", "; ") // errors.Join
	if step := nextStep(telemetry.FailureOf(failed), o.configFile); step != "" {
		text += "; " + step
	}
	return errors.New(text)
}

// nextStep says what to do about a failure, "" when nothing is known to help.
// configFile is "" when there is none.
func nextStep(f telemetry.Failure, configFile string) string {
	timeout, file := "--timeout", "a file given with --telemetry-config"
	if configFile != "" {
		timeout, file = "prometheus.timeout in "+configFile, configFile
	}
	switch f {
	case telemetry.Timeout:
		return "raise " + timeout + " or look at the server's load"
	case telemetry.Unreachable:
		return "check the address; from outside the cluster forward a port, e.g. " +
			"kubectl port-forward --namespace monitoring service/prometheus 9090, and use http://localhost:9090"
	case telemetry.Denied:
		return "set prometheus.bearerTokenFile or prometheus.basicAuth in " + file
	case telemetry.Rejected:
		return "check that the address is the base of a Prometheus API, without /api/v1, and look at the server's log: it may be starting or overloaded"
	case telemetry.Partial:
		return "a store behind the server is missing: the scheduler does not use such an answer either"
	case telemetry.TooLarge:
		return "raise prometheus.maxSeries or prometheus.maxBodyBytes in " + file
	case telemetry.Empty:
		return "check that Prometheus scrapes the mesh's proxies, and the selector, cluster and window of the source"
	case telemetry.BadAnswer:
		return "check that the address is the base of a Prometheus API, with its path prefix if it has one and without /api/v1"
	case telemetry.Panicked:
		return "this is a bug of Vicinity: report it with the lines above"
	}
	return ""
}
