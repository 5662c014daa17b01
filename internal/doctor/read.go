package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
)

// read asks the sources once, as the scheduler does.
func (l *look) read(ctx context.Context) []Result {
	resolver, err := l.resolver()
	if err != nil {
		l.unread = sentence(err.Error())
		return []Result{notLooked(nameRead, "%s", l.unread)}
	}
	if l.sources, err = telemetrysetup.Sources(l.cfg, resolver); err != nil {
		l.unread = sentence(err.Error())
		return []Result{{Check: nameRead, Severity: Error, What: l.unread, Why: "The scheduler does not start with such a configuration.", Next: "Correct it in " + l.inFile() + "."}}
	}
	l.spy = newSpy(l.Client, l.Now)
	graph, at := flowgraph.NewStore(), l.at()
	manager, err := telemetry.NewManager(telemetry.Options{
		Sources: l.sources, Preferences: telemetrysetup.Preferences(l.cfg), Querier: l.spy,
		Graph: flowgraph.NewGraph(telemetrysetup.GraphOptions(l.cfg)), Limits: telemetrysetup.GraphOptions(l.cfg).Limits, Store: graph,
		Interval: l.cfg.Interval.Duration, Now: l.at, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		l.unread = sentence(err.Error())
		return []Result{notLooked(nameRead, "%s", l.unread)}
	}
	_ = manager.Refresh(ctx) // the status has the errors, by source
	l.status, l.snapshot = manager.Status(), graph.Load()
	if l.snapshot.Generation() == 0 {
		l.snapshot = flowgraph.NewSnapshot(1, at, nil)
	}
	var all []Result
	for i, s := range l.status.Sources {
		all = append(all, l.readFrom(i, s))
	}
	if !slices.ContainsFunc(l.status.Sources, answered) {
		l.unread = fmt.Sprintf("No source could be read (%s).", nameRead)
	}
	return all
}

// answered reports whether a source has an answer, with traffic or without.
func answered(s telemetry.SourceStatus) bool {
	f := telemetry.FailureOf(s.Err)
	return f == telemetry.NoFailure || f == telemetry.Empty || f == telemetry.Mixed
}

// resolver finds workloads among the objects of the cluster, nil where they are not known.
func (l *look) resolver() (telemetry.Resolver, error) {
	if l.Objects == nil {
		return nil, nil // which is a resolver of nothing
	}
	return l.Objects.Resolver()
}

// needsObjects is why what a source leaves out cannot be resolved here, "" where that is not why.
func (l *look) needsObjects(s telemetry.SourceStatus) string {
	if l.Objects != nil || s.LeftOut[telemetry.NoObjects].Series == 0 {
		return ""
	}
	return fmt.Sprintf("%s names pods, Services or addresses, whose workloads are in the cluster. %s", s.Name, l.NoObjects)
}

// readFrom says what came of reading one source.
func (l *look) readFrom(i int, s telemetry.SourceStatus) Result {
	failed := telemetry.FailureOf(s.Err)
	const why = "The scheduler has no traffic of this source, and places pods without regard to it."
	switch {
	case failed == telemetry.Mixed: // a finding says it
		return good(nameRead, "%s answers with %s.", s.Name, series(s.Series))
	case failed == telemetry.Empty && l.needsObjects(s) != "":
		return notLooked(nameRead, "%s", l.needsObjects(s))
	case failed == telemetry.Empty && s.Series > 0:
		r := l.failed(nameRead, why, s.Err)
		r.What = fmt.Sprintf("%s has %s, and no traffic between workloads in them.", s.Name, series(s.Series))
		r.Next = "See the other results about the source, such as source-bytes and bytes-resolved."
		return r
	case failed == telemetry.Empty:
		r := l.failed(nameRead, why, s.Err)
		r.What = fmt.Sprintf("No query of %s returns a series.", s.Name)
		if causes := l.sources[i].About().WhyNone; len(causes) > 0 {
			r.Next = "Likely: " + strings.Join(causes, " Or: ")
		}
		return r
	case failed == telemetry.Partial:
		return l.failed(nameComplete, "Incomplete answers are not used: they look as if there were less traffic.", s.Err)
	case s.Err != nil:
		return l.failed(nameRead, why, s.Err)
	case s.Flows == 0:
		return l.failed(nameRead, why, fmt.Errorf("%s has no flow in %s", s.Name, series(s.Series)))
	}
	return good(nameRead, "%s has %s in %s, read in %s.", s.Name, show.Plural(s.Flows, "flow"), series(s.Series), show.Duration(s.Duration.Round(1e6)))
}

// conditions says which check a finding of a condition belongs to, and what there is to say
// where no source has one.
func conditions() []struct {
	condition telemetry.Condition
	check     string
	fine      string
} {
	return []struct {
		condition telemetry.Condition
		check     string
		fine      string
	}{
		{telemetry.MissingBytes, nameBytes, "Where requests or connections are counted, so are their bytes."},
		{telemetry.SeveralClusters, nameClusters, "The traffic is of one cluster."},
		{telemetry.ScrapedTwice, nameTwice, "No proxy is scraped twice."},
		{telemetry.MissingLabels, nameLabels, "No label is missing."},
		{telemetry.YoungData, nameYoung, "The data fill the windows."},
		{telemetry.OnlyWaypoints, nameWaypoints, "No traffic is reported by waypoints alone."},
		{telemetry.UnmatchedServices, nameServices, "No traffic is counted under two names."},
	}
}

// findings turns what the sources have found into results.
func (l *look) findings(context.Context) []Result {
	var all []Result
	for _, c := range conditions() {
		found := 0
		unasked := ""
		for _, s := range l.status.Sources {
			for _, f := range s.Findings {
				switch f.Condition {
				case c.condition:
					all = append(all, l.finding(c.check, s, f))
					found++
				case telemetry.Unchecked:
					unasked = sentence(f.Text())
				}
			}
		}
		switch {
		case found > 0:
		case unasked != "":
			all = append(all, notLooked(c.check, "%s", unasked))
		default:
			all = append(all, good(c.check, "%s", c.fine))
		}
	}
	return all
}

// finding turns one finding into a result.
func (l *look) finding(check string, s telemetry.SourceStatus, f telemetry.Finding) Result {
	r := Result{
		Check: check, Severity: severityOf(s, f), What: sentence(s.Name + ": " + f.Text()), Why: sentence(f.Why), Next: sentence(l.Words.Finding(s.Name, f)),
	}
	if f.Setting != "" && f.Condition != telemetry.YoungData {
		l.changes = append(l.changes, change{source: s.Name, field: f.Setting, value: f.Value, why: strings.TrimSuffix(r.What, "."), severity: r.Severity})
	}
	return r
}

// severityOf says how much a finding of a source matters.
func severityOf(s telemetry.SourceStatus, f telemetry.Finding) Severity {
	switch {
	case f.Stops, f.Condition == telemetry.ScrapedTwice: // nothing is read, or figures are wrong
		return Error
	case f.Condition == telemetry.UnmatchedServices, f.Condition == telemetry.SeveralClusters:
		return Note // edges between workloads are not affected
	case s.Flows == 0 && (f.Condition == telemetry.OnlyWaypoints || f.Condition == telemetry.MissingLabels), f.Condition == telemetry.MissingBytes && byteless(s):
		return Error
	}
	return Warning
}

// byteless reports whether a source that has series of requests has no bytes at all.
func byteless(s telemetry.SourceStatus) bool {
	return s.Flows == 0 || s.Series > 0 && strings.Contains(findingText(s, telemetry.MissingBytes), "have no series")
}

// findingText is what a source says of a condition.
func findingText(s telemetry.SourceStatus, c telemetry.Condition) string {
	var all []string
	for _, f := range s.Findings {
		if f.Condition == c {
			all = append(all, f.What)
		}
	}
	return strings.Join(all, " ")
}

// limits compares the graph with its limits.
func (l *look) limits(context.Context) []Result {
	limits := telemetrysetup.GraphOptions(l.cfg).Limits
	lost := telemetry.LeftOut{}
	for _, s := range l.status.Sources {
		lost.Series += s.LeftOut[telemetry.Surplus].Series
		lost.BytesPerSecond += s.LeftOut[telemetry.Surplus].BytesPerSecond
	}
	edges, workloads := l.snapshot.EdgeCount(), l.snapshot.Len()
	r := good(nameLimits, "The graph has %s and %s; trust.limits are %d and %d.", show.Plural(edges, "edge"), show.Plural(workloads, "workload"), limits.Edges, limits.Workloads)
	switch {
	case lost.Series > 0:
		r.Severity = Error
		r.What = fmt.Sprintf("%s (%s) are beyond trust.limits and left out.", series(lost.Series), show.ByteRate(lost.BytesPerSecond))
	case 5*edges > 4*limits.Edges || 5*workloads > 4*limits.Workloads:
		r.Severity = Warning
	default:
		return []Result{r}
	}
	r.Why = "Beyond the limits, the smallest edges are left out, so memory is bounded whatever targets report."
	r.Next = "Find the namespace with most edges (vicinity graph --limit 0 -o json). If they are real, raise trust.limits in " + l.inFile() + " and the memory limit of the scheduler."
	return []Result{r}
}

// setSource says how a field of a source is set.
func (l *look) setSource(source, field, value string) string {
	return sentence(l.Words.Finding(source, telemetry.Finding{Setting: field, Value: value}))
}
