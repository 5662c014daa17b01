package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// settled returns the configuration to work with. Where neither a flag nor a file says what
// to read, the only type whose metrics are there is found, and returned too.
func (o *telemetryOptions) settled(cmd *cobra.Command, s streams, now func() time.Time) (*v1.TelemetryConfiguration, *sources.Found, error) {
	cfg, err := o.configuration(cmd, s, o.types...)
	if err != nil || o.configFile != "" || len(o.types) > 0 {
		return cfg, nil, err
	}
	client, err := o.client(cfg)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	querier := looking(client, s.line())
	at := now()
	detected, err := sources.Detect(cmd.Context(), querier, at, o.selector)
	if err != nil {
		return nil, nil, o.explain(err)
	}
	answers := detected.Answers()
	switch len(answers) {
	case 0:
		near, err := detected.Nearly(cmd.Context(), querier, at, o.selector)
		if err != nil {
			return nil, nil, o.explain(err)
		}
		if name := sources.Telling(near); name != "" {
			cfg, err = o.configuration(cmd, s, name)
			return cfg, nil, err
		}
		return nil, nil, o.whyNothing(cmd.Context(), querier, at, detected, near)
	case 1:
		cfg, err = o.configuration(cmd, s, string(answers[0].Type.Name))
		return cfg, &answers[0], err
	}
	return nil, nil, o.ambiguous(answers)
}

// ambiguous is the error of several types to choose from.
func (o *telemetryOptions) ambiguous(answers []sources.Found) error {
	var types, flags, has []string
	for _, f := range answers {
		name := string(f.Type.Name)
		types, flags = append(types, name), append(flags, "--source "+name)
		has = append(has, fmt.Sprintf("%s (%d series)", name, f.Series()))
	}
	return fmt.Errorf("%s has the metrics of %d types of sources: %s. Choose one with %s; --source %s reads all, and of what several see the largest rate counts. "+
		"vicinity sources detect%s says more",
		cmp.Or(o.prometheus, o.url), len(answers), strings.Join(has, ", "), strings.Join(flags, " or "), strings.Join(types, ","), o.serverFlag())
}

// whyNothing is the error of a server without any metric that a type reads.
func (o *telemetryOptions) whyNothing(ctx context.Context, q telemetry.Querier, at time.Time, d *sources.Detected, near []sources.Near) error {
	byteless, err := sources.Byteless(ctx, q, at)
	if err != nil {
		return o.explain(err)
	}
	text := "no metric is there that counts bytes between workloads"
	if o.selector != "" {
		text += fmt.Sprintf(" and that the selector %s leaves", o.selector)
	}
	text += "; looked for " + strings.Join(lookedFor(d), ", ")
	for _, n := range near {
		text += "; " + nearly(n)
	}
	for _, b := range byteless {
		text += "; " + b
	}
	return codedError{fmt.Errorf("%s; docs/telemetry-sources.md says for each type what to switch on, and --source TYPE why there may be nothing of it", text), exitEmpty}
}

// lookedFor are the names of the metrics that were looked for.
func lookedFor(d *sources.Detected) []string {
	all := map[string]bool{}
	for _, looked := range d.Looked {
		for _, m := range looked {
			all[m.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// nearly says what there is of a metric that is nearly what a type reads.
func nearly(n sources.Near) string {
	types := strings.Join(n.Types, ", ")
	if n.Old {
		return fmt.Sprintf("%s (%s) was scraped within the last hour, but is not now: look at the targets that have it", n.Name, types)
	}
	return fmt.Sprintf("%s is there, but without the labels that sources of type %s need: --source %s may say more, and vicinity sources show %s has its queries", n.Name, types, n.Types[0], n.Types[0])
}

// foundBy says how a type was found.
func foundBy(f *sources.Found) string {
	return fmt.Sprintf("%s, found by its metrics (%d series); --source %s reads it without looking", f.Type.Name, f.Series(), f.Type.Name)
}
