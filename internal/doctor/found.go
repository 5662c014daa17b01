package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// find looks for the metrics of all types, and decides which sources are read.
func (l *look) find(ctx context.Context) []Result {
	selector := l.Config.Sources[0].Selector
	if l.File != "" {
		selector = "" // each source of a file has its own
	}
	var err error
	if l.detected, err = sources.Detect(ctx, l.Client, l.at(), selector); err != nil {
		l.nothing = "What the server has could not be found out."
		return []Result{l.failed(nameFound, "Without it, nothing is known about the sources.", err), notLooked(nameConfigured, "%s", l.nothing)}
	}
	if l.Chosen {
		return []Result{l.foundFor(ctx), l.configured(ctx)}
	}
	answers := l.detected.Answers()
	if len(answers) == 0 {
		l.nothing = "No source has metrics."
		return []Result{l.foundNothing(ctx), notLooked(nameConfigured, "%s", l.nothing)}
	}
	var types []v1.SourceType
	for _, f := range answers {
		types = append(types, f.Type.Name)
	}
	l.readTypes(types...)
	r := good(nameFound, "The metrics of one type of sources are there: %s.", l.has(answers))
	if len(answers) > 1 {
		r.Severity = Warning
		r.What = fmt.Sprintf("The metrics of %d types of sources are there: %s.", len(answers), l.has(answers))
		r.Why = "A scheduler reads the sources that its configuration names. Of traffic that several of them see, the largest rate counts, never the sum."
		r.Next = "Name in sources of the TelemetryConfiguration the type that sees most, or all of them; vicinity doctor --suggest prints one with all. --source TYPE checks one alone."
	}
	return []Result{r, good(nameConfigured, "No source is configured: what is found is checked.")}
}

// readTypes has sources of these types read, as the configured one says otherwise.
func (l *look) readTypes(types ...v1.SourceType) {
	cfg := *l.Config
	cfg.Sources = nil
	for _, name := range types {
		s := l.Config.Sources[0]
		s.Type, s.Name = name, string(name)
		cfg.Sources = append(cfg.Sources, s)
	}
	l.cfg = &cfg
}

// has lists types with their numbers of series.
func (l *look) has(found []sources.Found) string {
	var all []string
	for _, f := range found {
		all = append(all, fmt.Sprintf("%s (%s)", f.Type.Name, series(f.Series())))
	}
	return strings.Join(all, ", ")
}

// series is a number of series in words; "series" has no other plural.
func series(n int) string { return fmt.Sprintf("%d series", n) }

// of returns what has been found of a type, nil for nothing.
func (l *look) of(t v1.SourceType) *sources.Found {
	if l.detected == nil {
		return nil
	}
	i := slices.IndexFunc(l.detected.Found, func(f sources.Found) bool { return f.Type.Name == t })
	if i < 0 {
		return nil
	}
	return &l.detected.Found[i]
}

// foundFor is what is there, where sources are configured.
func (l *look) foundFor(ctx context.Context) Result {
	cfg := *l.Config
	l.cfg = &cfg
	answers := l.detected.Answers()
	if len(answers) > 0 {
		return good(nameFound, "There are metrics of %s.", l.has(answers))
	}
	if !slices.ContainsFunc(l.Config.Sources, known) {
		return good(nameFound, "No metric of a built-in type is there; the configured sources read others.")
	}
	return l.foundNothing(ctx)
}

// known reports whether Detect looks for what a source reads.
func known(s v1.TelemetrySource) bool {
	kind, ok, err := sources.Named(s.Type)
	return err == nil && ok && kind.Definition != nil && !s.Recorded
}

// configured compares the configured sources with what is there.
func (l *look) configured(context.Context) Result {
	var gone, others []string
	for _, s := range l.Config.Sources {
		if known(s) && l.of(s.Type) == nil {
			gone = append(gone, string(s.Type))
		}
	}
	for _, f := range l.detected.Answers() {
		if !slices.ContainsFunc(l.Config.Sources, func(s v1.TelemetrySource) bool { return s.Type == f.Type.Name || s.Type == v1.SourcePromQL }) {
			others = append(others, string(f.Type.Name))
		}
	}
	switch {
	case len(gone) > 0 && len(others) > 0:
		l.changes = append(l.changes, change{field: "sources", value: others, why: "their metrics are there", severity: Error})
		return Result{
			Check: nameConfigured, Severity: Error, What: fmt.Sprintf("No metric is there of the configured %s, but there are those of %s.", strings.Join(gone, ", "), strings.Join(others, ", ")),
			Why: "A source without metrics has no traffic, so the scheduler places pods without regard to it.", Next: "Set type of the source to " + others[0] + " in " + l.inFile() + ".",
		}
	case len(gone) > 0:
		return Result{
			Check: nameConfigured, Severity: Error, What: fmt.Sprintf("No metric is there of the configured %s.", strings.Join(gone, ", ")),
			Why: "A source without metrics has no traffic, so the scheduler places pods without regard to it.", Next: "Let Prometheus scrape what has them; docs/telemetry-sources.md says for each type what to switch on.",
		}
	case len(others) > 0:
		return Result{
			Check: nameConfigured, Severity: Note, What: fmt.Sprintf("There are also metrics of %s, which no configured source reads.", strings.Join(others, ", ")),
			Why: "They may see pods that the configured sources do not see.", Next: "Add a source of that type to " + l.inFile() + " if it sees more; vicinity sources detect says how much each sees.",
		}
	}
	return good(nameConfigured, "The configured sources have metrics.")
}

// foundNothing says what there is instead of metrics that a type reads.
func (l *look) foundNothing(ctx context.Context) Result {
	r := Result{
		Check: nameFound, Severity: Error, What: "No metric is there that counts bytes between workloads.",
		Why:  "The scheduler knows of no traffic and places pods without regard to it.",
		Next: "Let Prometheus scrape the mesh's proxies or an agent; docs/telemetry-sources.md says for each type what to switch on.",
	}
	near, err := l.detected.Nearly(ctx, l.Client, l.at(), l.Config.Sources[0].Selector)
	if err != nil {
		return l.failed(nameFound, r.Why, err)
	}
	if name := sources.Telling(near); name != "" && l.cfg == nil {
		l.readTypes(v1.SourceType(name)) // it says better what is missing
	}
	for _, n := range near {
		if n.Old {
			r.Check, r.What = nameFresh, fmt.Sprintf("%s (%s) was scraped within the last hour, but is not now.", n.Name, strings.Join(n.Types, ", "))
			r.Next = "See why its targets are not scraped: in Prometheus, Status > Target health, or: up == 0"
			return r
		}
		r.What += fmt.Sprintf(" %s has %s without the labels that type %s needs.", n.Name, series(n.Series), n.Types[0])
		r.Next = fmt.Sprintf("See what is removed: vicinity doctor --source %s; vicinity sources show %s has its queries.", n.Types[0], n.Types[0])
	}
	byteless, err := sources.Byteless(ctx, l.Client, l.at())
	if err != nil {
		return l.failed(nameFound, r.Why, err)
	}
	for _, b := range byteless {
		r.What += " " + sentence(show.Printable(b))
	}
	if s := l.Config.Sources[0].Selector; s != "" && len(near) == 0 {
		r.What += " The selector is " + s + "."
		r.Next = "Try it without the selector. " + r.Next
	}
	return r
}
