package main

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/shadow"
	"github.com/vicinity-sched/vicinity/internal/usage"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// shadowOptions are the flags of locality that ask for what shadow mode has recorded.
type shadowOptions struct {
	shadow bool
	since  time.Duration
}

func (o *shadowOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.shadow, "shadow", false, "show instead what schedulers in shadow mode would have done, as Prometheus has it")
	f.DurationVar(&o.since, "since", 24*time.Hour, "how far back (with --shadow)")
	complete(cmd, "since", "1h", "24h", "168h")
}

// check reports mistakes in the flags.
func (o *shadowOptions) check(cmd *cobra.Command, output string) error {
	if !o.shadow {
		if cmd.Flags().Changed("since") {
			return usage.Errorf("--since goes with --shadow only")
		}
		return nil
	}
	if o.since < time.Minute {
		return usage.Errorf("--since %v: must be at least 1m", o.since)
	}
	if output == outputHTML {
		return usage.Errorf("--shadow is written as table or json")
	}
	for _, flag := range []string{"watch", "price", "price-per-gb", "scheduler-name", "scheduler-config", "source", "window", "mesh-cluster", "selector"} {
		if cmd.Flags().Changed(flag) {
			return usage.Errorf("--%s does not go with --shadow", flag)
		}
	}
	return nil
}

// runShadow shows what schedulers in shadow mode have recorded.
func (o *localityOptions) runShadow(ctx context.Context, cfg *v1.TelemetryConfiguration, s streams, now func() time.Time) error {
	client, err := o.client(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	s.line()("asking Prometheus what shadow mode has counted...")
	report, err := shadow.Read(ctx, client, now(), o.since)
	if query := (*telemetry.QueryError)(nil); errors.As(err, &query) {
		return o.explain(err)
	} else if err != nil {
		return err
	}
	view, out := shadow.View{Namespace: o.namespace, Limit: o.limit}, &bytes.Buffer{}
	if o.output == outputJSON {
		err = report.WriteJSON(out, view)
	} else {
		report.WriteTable(out, view)
	}
	if err != nil {
		return err
	}
	return s.write(o.output, out.Bytes())
}
