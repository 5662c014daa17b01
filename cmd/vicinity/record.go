package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/recorder"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// recordOptions are the flags of the verb record.
type recordOptions struct {
	trafficOptions

	since, duration, step time.Duration
	anonymize             bool
	found                 *sources.Found // the type that was found, nil where it was configured
}

const (
	// minStep is what timestamps and names of files can tell apart with ease.
	minStep = time.Second
	// maxSteps bounds the queries of one call: a year by the minute.
	maxSteps = 366 * 24 * 60
)

func recordCommand(s streams, now func() time.Time) *cobra.Command {
	o := recordOptions{}
	cmd := &cobra.Command{
		Use:   "record [--prometheus URL | --telemetry-config FILE] (--duration TIME | --since TIME) PATH",
		Short: "Record the traffic between workloads and the objects of a cluster",
		Long: `Record the traffic between workloads and the objects of a cluster, for replay. PATH
is a directory to be made, or an archive when it ends in .tar.zst.

With --duration it watches from now on; press Ctrl-C to stop early, the recording stays
valid. With --since it reads the past from Prometheus, as far back as Prometheus keeps it;
the objects are those of now.

Without --prometheus and --telemetry-config, Prometheus is found in the cluster
(docs/connecting.md). A recording is always of the whole cluster.

Without --telemetry-config, the metrics that are there say which type of source to read
(vicinity sources list), or --source does. Where there are metrics of several types, it
names them and stops.

A step in which Prometheus does not answer, or has no traffic, is a gap. When more than
half of the steps are gaps, the exit code is 3; when no step has traffic, it is 4, or 1
where Prometheus did not answer.

Every --step it runs the queries of the scheduler once; the rates are those of the
source's window. Secrets, environment variables, commands and annotations other than
those of routing are not recorded. --anonymize replaces all names and keeps no key to
them. Only you can read the files.

docs/recording.md has the format and the permissions that are needed.`,
		Example: `  vicinity record --duration 1h shop.tar.zst
  vicinity record --prometheus http://localhost:9090 --since 24h --step 5m yesterday/
  vicinity record --telemetry-config telemetry.yaml --context prod --duration 24h --anonymize prod.tar.zst`,
		Args:    onePath,
		PreRunE: func(cmd *cobra.Command, args []string) error { return o.check(cmd, args[0]) },
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0], s, now) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *recordOptions) addFlags(cmd *cobra.Command) {
	o.trafficOptions.addFlags(cmd, "")
	o.addTypeFlag(cmd)
	f := cmd.Flags()
	f.DurationVar(&o.duration, "duration", 0, "record for this long from now on, such as 1h")
	f.DurationVar(&o.since, "since", 0, "record the past from this long ago until now, such as 24h")
	f.DurationVar(&o.step, "step", time.Minute, "time between two observations of the traffic")
	f.BoolVar(&o.anonymize, "anonymize", false, "rename namespaces, workloads, pods, nodes, labels and Services, the same name always alike")
	cmd.MarkFlagsMutuallyExclusive("since", "duration") // for completion, as above
	addCompletion(cmd, map[string]cobra.CompletionFunc{
		"duration": cobra.FixedCompletions([]string{"10m", "1h", "24h"}, cobra.ShellCompDirectiveNoFileComp),
		"since":    cobra.FixedCompletions([]string{"1h", "24h", "168h"}, cobra.ShellCompDirectiveNoFileComp),
		"step":     cobra.FixedCompletions([]string{"15s", "1m", "5m"}, cobra.ShellCompDirectiveNoFileComp),
	})
}

// onePath takes one argument.
func onePath(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return usage.Errorf("where to? Give a directory that does not exist yet, or an archive such as recording.tar.zst; see %s --help", cmd.CommandPath())
	case len(args) > 1:
		return usage.Errorf("%s takes one PATH, not %q as well; see %s --help", cmd.Name(), args[1], cmd.CommandPath())
	}
	return nil
}

// check reports mistakes in the flags.
func (o *recordOptions) check(cmd *cobra.Command, path string) error {
	if err := o.telemetryOptions.check(cmd); err != nil {
		return err
	}
	flag, length := "duration", o.duration
	if cmd.Flags().Changed("since") {
		flag, length = "since", o.since
	}
	switch {
	case !cmd.Flags().Changed("since") && !cmd.Flags().Changed("duration"):
		return usage.Errorf("how long? --duration 1h records from now on, --since 24h what has gone by")
	case cmd.Flags().Changed("since") && cmd.Flags().Changed("duration"):
		return usage.Errorf("--since and --duration exclude each other: record what has gone by, then what comes, into two recordings")
	case o.step < minStep || o.step%time.Second != 0:
		return usage.Errorf("--step %s: must be whole seconds, at least %s", o.step, minStep)
	case length < o.step:
		return usage.Errorf("--%s %s: must not be shorter than --step, %s", flag, length, show.Duration(o.step))
	case length/o.step > maxSteps:
		return usage.Errorf("--%s %s: has %d steps of --step %s; must be at most %d", flag, length, length/o.step, show.Duration(o.step), maxSteps)
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return usage.Errorf("%s exists; a recording never overwrites: choose another PATH", path)
	case !errors.Is(err, fs.ErrNotExist):
		return usage.File("PATH", err)
	}
	if wrong := filepath.Ext(path); strings.HasSuffix(path, ".tar"+wrong) || slices.Contains([]string{".zst", ".tar", ".tgz", ".gz", ".zip"}, wrong) {
		if !strings.HasSuffix(path, recordingfile.ArchiveSuffix) {
			return usage.Errorf("%s: archives end in %s", path, recordingfile.ArchiveSuffix)
		}
	}
	return nil
}

// run does the work of the verb.
func (o *recordOptions) run(cmd *cobra.Command, path string, s streams, now func() time.Time) error {
	ctx := cmd.Context()
	options, closeClient, err := o.recorder(cmd, s, now)
	if err != nil {
		return err
	}
	defer closeClient()
	s.line()("asking the cluster and Prometheus what there is to record...")
	r, err := recorder.New(ctx, options, o.since == 0)
	if err != nil {
		return o.notBegun(err)
	}
	from, to := o.period(now())
	target, err := recordingfile.Create(path)
	if err != nil {
		return usage.File("PATH", err)
	}
	w, err := recording.NewWriter(target, options.Manifest(from, programVersion()))
	if err != nil {
		return errors.Join(err, target.Close())
	}
	record := r.Live
	if o.since != 0 {
		record = r.Past
		s.line()(readingCluster)
	}
	sum, failed := record(ctx, w, from, to)
	return o.finish(s, result{path: path, options: o, from: options, sum: sum, target: target, writer: w, to: to}, failed)
}

// notBegun explains why there is nothing to record: the cluster, or the telemetry, whose failures
// are of queries.
func (o *recordOptions) notBegun(err error) error {
	if query := (*telemetry.QueryError)(nil); errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &query) {
		err = clusterError{err}
	}
	return o.explain(err)
}

// period returns what is recorded, in whole seconds: timestamps of samples are
// exact then in every program.
func (o *recordOptions) period(now time.Time) (from, to time.Time) {
	now = now.UTC().Truncate(time.Second)
	length := max(o.since, o.duration) / o.step * o.step
	if o.since != 0 {
		return now.Add(-length), now
	}
	return now, now.Add(length)
}

// result is a recording that has ended.
type result struct {
	path    string
	options *recordOptions
	from    recorder.Options
	sum     recorder.Summary
	target  recordingfile.Target
	writer  *recording.Writer
	to      time.Time // when it should have
}

// finish writes the rest of the recording and the summary. A recording that ends
// early is one all the same, unless nothing was observed.
func (o *recordOptions) finish(s streams, r result, failed error) error {
	why, err := r.from.Close(r.writer, r.sum, r.to, failed)
	if err := errors.Join(err, r.target.Close()); err != nil {
		return fmt.Errorf("%w; %s can be read up to %s", err, r.path, show.Moment(r.writer.Written()))
	}
	out := &bytes.Buffer{}
	writeRecordSummary(out, r, why)
	if err := errors.Join(s.write(outputTable, out.Bytes()), failed); err != nil {
		return err
	}
	switch {
	case r.sum.Steps == 0:
		return codedError{fmt.Errorf("%s ended before its first step of %s did: it has no traffic; record for longer", r.path, show.Duration(o.step)), exitEmpty}
	case r.sum.Gaps == r.sum.Steps:
		err := fmt.Errorf("no traffic was observed: %w", o.explain(r.sum.LastFailure))
		if telemetry.FailureOf(r.sum.LastFailure) == telemetry.Empty {
			return codedError{err, exitEmpty}
		}
		return codedError{err, exitFailure}
	case r.mostlyGaps():
		return codedError{fmt.Errorf("%d of %d steps are gaps: %s has %s of traffic in %s; record again once Prometheus answers",
			r.sum.Gaps, r.sum.Steps, r.path, show.Duration(time.Duration(r.sum.Steps-r.sum.Gaps)*o.step), show.Duration(time.Duration(r.sum.Steps)*o.step)), exitGaps}
	}
	return nil
}

// mostlyGaps reports whether more than half of the steps were not observed, or there is none.
func (r result) mostlyGaps() bool { return 2*r.sum.Gaps > r.sum.Steps || r.sum.Steps == 0 }

// wait returns after so long, or when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
