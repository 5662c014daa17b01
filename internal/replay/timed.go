package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/promdata"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/internal/usage"
	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// timed is an input over time.
type timed struct {
	name     string
	steps    kubesim.Steps
	from, to time.Time
	// cluster has the objects when the steps have none.
	cluster *objects.Objects
	config  *v1.TelemetryConfiguration
	// warnings returns what has been odd so far.
	warnings func() []string
	// leftOut returns what the telemetry has left out so far.
	leftOut func() []report.LeftOut
	close   func() error
	// read says that the steps are used up; again opens the input anew.
	read  bool
	again func(context.Context) (*timed, error)
}

// openTimed opens a recording or a data directory; nil is for any other INPUT.
func openTimed(ctx context.Context, input string, o Options) (*timed, error) {
	info, err := os.Stat(input)
	switch {
	case err != nil:
		return nil, o.onlyTimed(input) // what else is wrong is another's to say
	case info.IsDir() && isFile(filepath.Join(input, recording.ManifestName)),
		strings.HasSuffix(input, recordingfile.ArchiveSuffix), info.Mode().IsRegular() && recordingfile.IsArchive(input):
		if o.Since != "" || o.Until != "" || o.Step != 0 {
			return nil, usage.Errorf("--since, --until and --step go with a Prometheus data directory, not with the recording %s", input)
		}
		return reopened(ctx, func(ctx context.Context) (*timed, error) { return openRecording(ctx, input, o) })
	case info.IsDir() && promdata.Is(input):
		return reopened(ctx, func(context.Context) (*timed, error) { return openData(input, o) })
	case info.IsDir():
		return nil, usage.Errorf("%w", replayinput.NoInput(input))
	}
	return nil, o.onlyTimed(input)
}

// reopened opens an input that can be opened again.
func reopened(ctx context.Context, open func(context.Context) (*timed, error)) (*timed, error) {
	t, err := open(ctx)
	if err == nil {
		t.again = open
	}
	return t, err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// onlyTimed refuses flags that other inputs do not have.
func (o Options) onlyTimed(input string) error {
	for _, f := range []struct {
		flag string
		set  bool
	}{
		{"--warm-up", o.WarmUp != ""}, {"--since", o.Since != ""}, {"--until", o.Until != ""}, {"--step", o.Step != 0},
		{"--telemetry-config", o.Telemetry != ""},
	} {
		if f.set {
			return usage.Errorf("%s goes with a recording or a Prometheus data directory, not with %s", f.flag, input)
		}
	}
	return nil
}

// recorded makes the steps of a recording.
type recorded struct{ *recording.Reader }

// Next implements kubesim.Steps.
func (r recorded) Next(context.Context) (*recording.Step, error) { return r.Reader.Next() }

func openRecording(ctx context.Context, path string, o Options) (*timed, error) {
	cfg, err := o.telemetryConfiguration()
	if err != nil {
		return nil, err
	}
	file, reader, err := readRecording(path)
	if err != nil {
		return nil, err
	}
	m := reader.Manifest()
	in := &timed{
		name: filepath.Base(filepath.Clean(path)), steps: recorded{reader}, from: m.From, to: m.To,
		config: cfg, close: file.Close,
	}
	var odd []string // about the cluster
	in.warnings = func() []string {
		said := slices.Clone(odd)
		for _, w := range reader.Warnings() {
			said = append(said, w.String())
		}
		return append(append(said, reader.Manifest().Notes...), followWarnings(reader.Manifest().Sources)...)
	}
	in.leftOut = func() []report.LeftOut { return leftOutOfRecording(reader.Manifest()) }
	if in.cluster, odd, err = o.objects(); err == nil && in.to.IsZero() {
		in.to, err = endOf(ctx, path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return in, nil
}

func readRecording(path string) (recordingfile.Source, *recording.Reader, error) {
	file, err := recordingfile.Open(path)
	if err != nil {
		return nil, nil, err // names the path
	}
	reader, err := recording.NewReader(file)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return file, reader, nil
}

// endOf reads a recording whose manifest does not say when it ends.
func endOf(ctx context.Context, path string) (end time.Time, err error) {
	file, reader, err := readRecording(path)
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	end = reader.Manifest().From
	for ctx.Err() == nil {
		s, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return end, fmt.Errorf("%s: %w", path, err)
		}
		end = s.At
	}
	return end, ctx.Err()
}

// objects reads the cluster's objects, nil without a file, and what is odd about them.
func (o Options) objects() (*objects.Objects, []string, error) {
	if o.Cluster == "" {
		return nil, nil, nil
	}
	file, err := os.Open(o.Cluster)
	if err != nil {
		return nil, nil, usage.File("--cluster", err)
	}
	defer file.Close()
	read, warnings, err := objects.ReadObjects(file, o.Cluster)
	var odd []string
	for _, w := range warnings {
		odd = append(odd, w.String())
	}
	return read, odd, usage.File("--cluster", err)
}

// telemetryConfiguration is that of --telemetry-config, or the default one.
func (o Options) telemetryConfiguration() (*v1.TelemetryConfiguration, error) {
	if o.Telemetry != "" {
		c, err := config.LoadTelemetry(o.Telemetry)
		return c, usage.File("--telemetry-config", err)
	}
	c := &v1.TelemetryConfiguration{}
	c.SetDefaults()
	return c, nil
}

func openData(path string, o Options) (*timed, error) {
	if o.Cluster == "" {
		return nil, usage.Errorf("a Prometheus data directory has no objects; give the cluster with --cluster FILE, see vicinity replay --help")
	}
	cfg, err := o.telemetryConfiguration()
	if err != nil {
		return nil, err
	}
	objects, odd, err := o.objects()
	if err != nil {
		return nil, err
	}
	resolver, err := objects.Resolver()
	if err != nil {
		return nil, err
	}
	sources, err := telemetrysetup.Sources(cfg, resolver)
	if err != nil {
		return nil, err
	}
	data, err := promdata.Open(path)
	if err != nil {
		return nil, err
	}
	step := o.Step
	if step == 0 {
		step = time.Minute
	}
	from, to, notes, err := o.period(data.From, data.To)
	if err == nil && to.Sub(from) < 2*step {
		err = usage.Errorf("from %s to %s there are no two steps of %s; %s has data from %s to %s",
			show.Moment(from), show.Moment(to), show.Duration(step), path, show.Moment(data.From), show.Moment(data.To))
	}
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	steps := promdata.NewSteps(data, sources, telemetrysetup.Preferences(cfg), from, to, step)
	return &timed{
		name: filepath.Base(filepath.Clean(path)), steps: steps, from: from, to: to,
		cluster: objects, config: cfg, close: data.Close,
		warnings: func() []string {
			_, found := leftOutOfData(steps.Account())
			return slices.Concat(odd, notes, data.Warnings(), found)
		},
		leftOut: func() []report.LeftOut {
			all, _ := leftOutOfData(steps.Account())
			return all
		},
	}, nil
}

// period returns the part of the data, which are from first to last, that --since
// and --until ask for. What reaches beyond the data ends with them, with a note.
func (o Options) period(first, last time.Time) (from, to time.Time, notes []string, err error) {
	from, to = first, last
	for _, f := range []struct {
		flag, value string
		into        *time.Time
	}{{"--since", o.Since, &from}, {"--until", o.Until, &to}} {
		if f.value == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, f.value)
		if ago, bad := time.ParseDuration(f.value); err != nil && bad == nil {
			at, err = last.Add(-ago), nil
		}
		if err != nil {
			return from, to, nil, usage.Errorf("%s %q: must be a time such as 2026-03-04T05:06:07Z, or how long before the end of the data, such as 6h", f.flag, f.value)
		}
		switch {
		case f.flag == "--since" && at.Before(first):
			notes = append(notes, fmt.Sprintf("--since %s: the data begin at %s, and so does the replay", show.Moment(at), show.Moment(first)))
			at = first
		case f.flag == "--until" && at.After(last):
			notes = append(notes, fmt.Sprintf("--until %s: the data end at %s, and so does the replay", show.Moment(at), show.Moment(last)))
			at = last
		case at.Before(first) || at.After(last):
			return from, to, nil, usage.Errorf("%s %s: there is data from %s to %s", f.flag, show.Moment(at), show.Moment(first), show.Moment(last))
		}
		*f.into = at
	}
	return from, to, notes, nil
}
