package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// detectSchema names the JSON output of sources detect.
const detectSchema = "vicinity.detect/v1"

// writeDetected writes what has been found for people.
func (o *telemetryOptions) writeDetected(w io.Writer, d *detection) {
	t := show.Table{Left: 3}
	t.Add("TYPE", "METRIC", "MEASURES", "SERIES", "TARGETS", "NEWEST", "TRAFFIC")
	for i := range d.types {
		f := &d.types[i]
		for n, m := range f.Metrics {
			row := []string{"", show.Printable(m.Name), string(m.Measures), strconv.Itoa(m.Series), "", "", ""}
			if n == 0 {
				row[0], row[4], row[5], row[6] = string(f.Type.Name), f.targets(), show.Duration(f.details.Age.Round(100*time.Millisecond))+" old", show.ByteRate(f.bytesPerSecond)
			}
			t.Add(row...)
		}
	}
	t.Write(w)
	for i := range d.types {
		o.writeDetectedFindings(w, &d.types[i])
	}
	for _, f := range d.leftOut {
		fmt.Fprintf(w, "\n%s has %d series, and none of them names two workloads or counts bytes between them: --source %s says what is missing.\n", f.Type.Name, f.Series(), f.Type.Name)
	}
	fmt.Fprintln(w)
	for i := range d.types {
		if d.types[i].resolves {
			fmt.Fprintf(w, "%s names pods, Services or addresses beside workloads: graph and record look them up in the cluster of your kubeconfig.\n", d.types[i].Type.Name)
		}
	}
	if len(d.types) > 1 {
		for _, line := range d.choice() {
			fmt.Fprintln(w, line)
		}
	}
	switch {
	case o.configFile != "":
		fmt.Fprintf(w, "Next: compare the sources in %s, or print others with -o yaml.\n", o.configFile)
	case len(d.types) == 1:
		fmt.Fprintf(w, "Next: vicinity graph %s, or -o yaml here for a configuration.\n", o.again())
	default:
		fmt.Fprintf(w, "Next: vicinity graph %s --source %s, or -o yaml here for a configuration to edit.\n", o.again(), d.types[0].Type.Name)
	}
}

// again is the flags that say which server there is, and how it is asked.
func (o *telemetryOptions) again() string {
	flags := "--prometheus " + shellQuoted(cmp.Or(o.prometheus, o.service))
	for _, f := range []struct{ flag, value, standard string }{
		{"window", show.Duration(o.window), show.Duration(defaultSource().Window.Duration)}, {"mesh-cluster", o.cluster, ""}, {"selector", o.selector, ""},
	} {
		if f.value != f.standard {
			flags += " --" + f.flag + " " + shellQuoted(f.value)
		}
	}
	return flags
}

// writeDetectedFindings says what is wrong with the telemetry of a type.
func (o *telemetryOptions) writeDetectedFindings(w io.Writer, f *detectedType) {
	if f.failed != nil {
		fmt.Fprintf(w, "\nwarning: %s could not be read: %s.\n", f.Type.Name, show.Printable(f.failed.Error()))
	}
	for _, finding := range f.findings {
		fmt.Fprintf(w, "\nwarning: %s, %s: %s.\n  Why it matters: %s.\n  Next: %s.\n", f.Type.Name, finding.Condition,
			show.Printable(finding.Text()), show.Printable(finding.Why), show.Printable(o.next(string(f.Type.Name), finding)))
	}
}

// targets is how many targets have the metrics, and in how many jobs.
func (f *detectedType) targets() string {
	all := 0
	for _, j := range f.details.Jobs {
		all += j.Targets
	}
	if jobs := len(f.details.Jobs); jobs > 1 {
		return fmt.Sprintf("%d in %d jobs", all, jobs)
	}
	return strconv.Itoa(all)
}

// choice says how to choose among several types, a line each.
func (d *detection) choice() []string {
	lines := []string{
		"Several types have metrics. Read one of them, or list all: of traffic that several see, the largest rate",
		"counts, never the sum. preferredIn names namespaces in which what one of them sees counts alone",
		"(docs/configuration.md#several-sources). Proxies of a mesh know who called and count no packet headers;",
		"agents on nodes also see pods without a proxy.",
	}
	for i := range d.types {
		for k := range i {
			if both := inBoth(d.types[k].flows, d.types[i].flows); both > 0 {
				lines = append(lines, fmt.Sprintf("%s and %s both see %s.", d.types[k].Type.Name, d.types[i].Type.Name, show.Plural(both, "edge")))
			}
		}
	}
	return lines
}

// inBoth is how many edges are in both of two lists of flows.
func inBoth(a, b []flowgraph.Flow) int {
	type edge struct{ from, to flowgraph.WorkloadID }
	in, both := map[edge]bool{}, 0
	for _, f := range a {
		in[edge{f.From, f.To}] = true
	}
	for _, f := range b {
		if in[edge{f.From, f.To}] {
			both++
		}
	}
	return both
}

// writtenConfig is what is written of a TelemetryConfiguration: nothing that is a default.
type writtenConfig struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Prometheus v1.Prometheus   `json:"prometheus"`
	Sources    []writtenSource `json:"sources"`
}

type writtenSource struct {
	Type     v1.SourceType `json:"type"`
	Window   string        `json:"window,omitempty"`
	Cluster  string        `json:"cluster,omitempty"`
	Selector string        `json:"selector,omitempty"`
}

// writeDetectedConfig writes a TelemetryConfiguration.
func (o *telemetryOptions) writeDetectedConfig(w io.Writer, d *detection) error {
	standard := defaultSource()
	c := writtenConfig{APIVersion: v1.GroupVersion, Kind: v1.TelemetryConfigurationKind, Prometheus: withoutDefaults(d.cfg.Prometheus)}
	var comments []string
	for i := range d.types {
		f := &d.types[i]
		s := writtenSource{Type: f.Type.Name, Cluster: o.cluster, Selector: o.selector}
		if o.configFile == "" && o.window != standard.Window.Duration {
			s.Window = show.Duration(o.window)
		}
		comments = append(comments, fmt.Sprintf("%s: series %d, targets %s, traffic %s", f.Type.Name, f.Series(), f.targets(), show.ByteRate(f.bytesPerSecond)))
		if f.failed != nil {
			comments = append(comments, "  it could not be read: "+f.failed.Error())
		}
		for _, finding := range f.findings {
			comments = append(comments, fmt.Sprintf("  %s: %s; %s", finding.Condition, finding.Text(), finding.Why))
			switch {
			case finding.Condition == telemetry.ScrapedTwice && finding.Setting == "selector":
				s.Selector = finding.Value
				comments = append(comments, "  the selector below takes one of them")
			case finding.Setting != "" || finding.Do != "":
				comments = append(comments, "  next: "+finding.Next(func(setting, value string) string { return fmt.Sprintf("set %s to %s below", setting, value) }))
			}
		}
		c.Sources = append(c.Sources, s)
	}
	if len(d.types) > 1 {
		comments = append(comments, d.choice()...)
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "# What vicinity sources detect found at %s.\n", show.Moment(d.at))
	for _, line := range comments {
		fmt.Fprintf(w, "# %s\n", strings.ReplaceAll(show.Printable(line), "\n", " "))
	}
	_, err = w.Write(text)
	return err
}

// withoutDefaults returns a server of which only what differs from the defaults is set.
func withoutDefaults(p v1.Prometheus) v1.Prometheus {
	standard := v1.TelemetryConfiguration{}
	standard.SetDefaults()
	if *p.Timeout == *standard.Prometheus.Timeout {
		p.Timeout = nil
	}
	if p.MaxBodyBytes.Cmp(*standard.Prometheus.MaxBodyBytes) == 0 {
		p.MaxBodyBytes = nil
	}
	if *p.MaxSeries == *standard.Prometheus.MaxSeries {
		p.MaxSeries = nil
	}
	return p
}

// detectJSON is the JSON output.
type detectJSON struct {
	Schema string `json:"schema"`
	// DataAt is the time of the queries.
	DataAt time.Time `json:"dataAt"`
	// Types are those to choose from.
	Types []detectTypeJSON `json:"types"`
}

type detectTypeJSON struct {
	Type    string             `json:"type"`
	Metrics []detectMetricJSON `json:"metrics"`
	Jobs    []detectJobJSON    `json:"jobs"`
	// NewestAgeSeconds is how old the newest sample is.
	NewestAgeSeconds float64 `json:"newestAgeSeconds"`
	// Pairs is how many pairs of ends were looked at, and NamedPairs how many of them have
	// two names.
	Pairs          int     `json:"pairs"`
	NamedPairs     int     `json:"namedPairs"`
	BytesPerSecond float64 `json:"bytesPerSecond"`
	// LooksUp says that the names of pods, Services or addresses are looked up in the cluster.
	LooksUp bool `json:"looksUp"`
	// Failed says why the type could not be read; it is missing when it could.
	Failed   string              `json:"failed,omitempty"`
	Findings []detectFindingJSON `json:"findings"`
}

type detectMetricJSON struct {
	Name     string `json:"name"`
	Measures string `json:"measures"`
	Series   int    `json:"series"`
}

type detectJobJSON struct {
	Name    string `json:"name"`
	Targets int    `json:"targets"`
}

type detectFindingJSON struct {
	Condition string `json:"condition"`
	Text      string `json:"text"`
	Why       string `json:"why"`
	Setting   string `json:"setting,omitempty"`
	Value     string `json:"value,omitempty"`
	Do        string `json:"do,omitempty"`
}

func (d *detection) json() detectJSON {
	out := detectJSON{Schema: detectSchema, DataAt: d.at.UTC().Truncate(time.Second)}
	for i := range d.types {
		f := &d.types[i]
		t := detectTypeJSON{
			Type: string(f.Type.Name), NewestAgeSeconds: f.details.Age.Seconds(), Pairs: f.Pairs, NamedPairs: f.Named, BytesPerSecond: f.bytesPerSecond,
			LooksUp: f.resolves, Findings: []detectFindingJSON{}, Jobs: []detectJobJSON{},
		}
		if f.failed != nil {
			t.Failed = f.failed.Error()
		}
		for _, m := range f.Metrics {
			t.Metrics = append(t.Metrics, detectMetricJSON{m.Name, string(m.Measures), m.Series})
		}
		for _, j := range f.details.Jobs {
			t.Jobs = append(t.Jobs, detectJobJSON{j.Name, j.Targets})
		}
		for _, finding := range f.findings {
			t.Findings = append(t.Findings, detectFindingJSON{
				finding.Condition.String(), finding.Text(), finding.Why, finding.Setting, finding.Value, finding.Do,
			})
		}
		out.Types = append(out.Types, t)
	}
	return out
}
