package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// reporterLabels are the labels in which scrapes say the namespace of a target, the most usual
// first.
func reporterLabels() []string {
	return []string{"namespace", "kubernetes_namespace", "k8s_namespace_name", "pod_namespace"}
}

// tolerated is the share of series, or of bytes, that a trust setting may cost.
const tolerated = 0.01

// allowed is what a telemetry allows of the settings of trust.
type allowed struct {
	label   string   // which the scrape attaches; "" for none
	agents  []string // namespaces whose targets report for others
	share   float64  // of the series that are believed, with label and agents
	agreed  float64  // of the bytes between workloads that both ends report
	tried   []string // labels that were looked for
	missing string   // why agreed is not known
}

// trust finds out which settings of trust this telemetry allows.
func (l *look) trust(ctx context.Context) []Result {
	a, err := l.allows(ctx)
	if err != nil {
		return []Result{notLooked(nameReporters, "%s", sentence(err.Error())), notLooked(nameAgreement, "%s", sentence(err.Error()))}
	}
	return []Result{l.reporters(a), l.agreement(a)}
}

// allows tries the settings, each with one refresh.
func (l *look) allows(ctx context.Context) (allowed, error) {
	a := allowed{tried: reporterLabels()}
	set := l.cfg.Trust
	if set.ReporterNamespaceLabel != "" {
		a.tried = []string{set.ReporterNamespaceLabel}
	}
	for _, label := range a.tried {
		there, err := l.hasLabel(ctx, label)
		if err != nil {
			return a, err
		}
		if !there {
			continue
		}
		agents := set.TrustedReporterNamespaces
		seen, err := l.believing(ctx, v1.Trust{ReporterNamespaceLabel: label, TrustedReporterNamespaces: withSome(agents)})
		if err != nil {
			return a, err
		}
		if share := seen.believed(); share < 1-tolerated {
			agents = union(agents, seen.foreign)
			if seen, err = l.believing(ctx, v1.Trust{ReporterNamespaceLabel: label, TrustedReporterNamespaces: withSome(agents)}); err != nil {
				return a, err
			}
		}
		if share := seen.believed(); share > a.share {
			a.label, a.agents, a.share = label, agents, share
		}
	}
	trust := v1.Trust{Agreement: v1.AgreementAgreed}
	if a.share >= 1-tolerated {
		trust.ReporterNamespaceLabel, trust.TrustedReporterNamespaces = a.label, withSome(a.agents)
	}
	seen, err := l.believing(ctx, trust)
	if err != nil {
		a.missing = sentence(err.Error()) // the types of some sources do not go with it, which is an answer
		return a, nil
	}
	a.agreed = seen.agreed()
	return a, nil
}

// nobody is a namespace that cannot be: sources of agents want one to be trusted.
const nobody = "x-nobody"

func withSome(agents []string) []string {
	if len(agents) == 0 {
		return []string{nobody}
	}
	return agents
}

// hasLabel reports whether what the sources read has a label.
func (l *look) hasLabel(ctx context.Context, label string) (bool, error) {
	for _, s := range l.cfg.Sources {
		f := l.of(s.Type)
		if f == nil {
			continue
		}
		there := false
		series := strings.TrimSuffix(withSelector(f, s), "}") + "," + label + `!=""}`
		series = strings.Replace(series, "{,", "{", 1)
		if !strings.Contains(series, "{") {
			series = strings.Replace(series, ",", "{", 1)
		}
		err := l.Client.Query(ctx, "count("+series+")", l.at(), func(telemetry.Series) error { there = true; return nil })
		if err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// belief is what becomes of a refresh with other settings of trust.
type belief struct {
	series, unbelieved int
	bytes, oneSided    float64
	foreign            []string // namespaces that report for others
}

func (b belief) believed() float64 {
	if b.series == 0 {
		return 0
	}
	return 1 - float64(b.unbelieved)/float64(b.series)
}

func (b belief) agreed() float64 {
	if b.bytes+b.oneSided == 0 {
		return 0
	}
	return b.bytes / (b.bytes + b.oneSided)
}

// believing asks the sources once with other settings of trust.
func (l *look) believing(ctx context.Context, trust v1.Trust) (belief, error) {
	cfg := *l.cfg
	cfg.Trust.ReporterNamespaceLabel, cfg.Trust.TrustedReporterNamespaces = trust.ReporterNamespaceLabel, trust.TrustedReporterNamespaces
	cfg.Trust.Agreement = v1.AgreementLarger
	if trust.Agreement != "" {
		cfg.Trust.Agreement = trust.Agreement
	}
	resolver, err := l.resolver()
	if err != nil {
		return belief{}, err
	}
	all, err := telemetrysetup.Sources(&cfg, resolver)
	if err != nil {
		return belief{}, err
	}
	b, foreign := belief{}, map[string]bool{}
	spy := newSpy(l.Client, l.Now)
	for _, source := range all {
		o, err := source.Collect(ctx, spy, l.at())
		if err != nil {
			return b, fmt.Errorf("source %s: %w", source.Name(), err)
		}
		b.series += o.Series
		b.unbelieved += o.LeftOut[telemetry.ForeignReporter].Series + o.LeftOut[telemetry.UnknownReporter].Series
		b.oneSided += o.LeftOut[telemetry.OneSided].BytesPerSecond
		for _, f := range o.Flows {
			b.bytes += f.BytesPerSecond()
		}
		if o.LeftOut[telemetry.ForeignReporter].Series == 0 {
			continue
		}
		for _, q := range source.Queries() {
			if a := spy.asked[q.PromQL]; a != nil {
				for _, one := range a.largest {
					if reasonOf(ctx, source, single{q.PromQL, one}, l.at()) == telemetry.ForeignReporter {
						foreign[one.labels[trust.ReporterNamespaceLabel]] = true
					}
				}
			}
		}
	}
	b.foreign = slices.Sorted(maps.Keys(foreign))
	return b, nil
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// maxAgents is how many namespaces of agents can be recommended: agents are few, and whoever
// is trusted may report what it likes.
const maxAgents = 3

// reporters says whether targets can be believed what they report of themselves only.
func (l *look) reporters(a allowed) Result {
	set := l.cfg.Trust
	allows := a.label != "" && a.share >= 1-tolerated && len(a.agents) <= max(maxAgents, len(set.TrustedReporterNamespaces))
	trusting := ""
	if len(a.agents) > 0 {
		trusting = " when targets in " + some(a.agents, maxAgents) + " are trusted"
	}
	const risk = "Without trust.reporterNamespaceLabel, whoever runs a target that is scraped can report traffic of others, and attract their pods."
	switch {
	case set.ReporterNamespaceLabel != "" && allows && len(a.agents) == len(set.TrustedReporterNamespaces):
		return good(nameReporters, "trust.reporterNamespaceLabel is %s, and %s of the series fit%s.", a.label, show.Percent(a.share), trusting)
	case set.ReporterNamespaceLabel != "" && allows:
		l.changes = append(l.changes, change{field: fieldTrusted, value: a.agents, why: "their targets report for other namespaces", severity: Warning})
		return Result{
			Check: nameReporters, Severity: Warning, What: fmt.Sprintf("Targets in %s report for other namespaces and are not believed.", some(a.agents, maxAgents)),
			Why:  "If these are agents of yours, such as ztunnel, what they report is missing.",
			Next: fmt.Sprintf("If they are, set trust.trustedReporterNamespaces to [%s] in %s; if not, find who runs them.", strings.Join(a.agents, ", "), l.inFile()),
		}
	case set.ReporterNamespaceLabel != "":
		return Result{
			Check: nameReporters, Severity: Error, What: fmt.Sprintf("trust.reporterNamespaceLabel is %s, and %s of the series fit.", set.ReporterNamespaceLabel, show.Percent(a.share)),
			Why: "The other series are left out.", Next: "Let the scrape attach the label (relabel_configs), and recording rules keep it; or set trust.reporterNamespaceLabel to the label that it attaches.",
		}
	case allows:
		l.changes = append(l.changes, change{field: "trust.reporterNamespaceLabel", value: a.label, why: fmt.Sprintf("the scrape attaches it, and %s of the series report for their own end%s", show.Percent(a.share), trusting), severity: Note})
		if len(a.agents) > 0 {
			l.changes = append(l.changes, change{field: fieldTrusted, value: a.agents, why: "their targets report for other namespaces", severity: Note})
		}
		return Result{
			Check: nameReporters, Severity: Note, What: fmt.Sprintf("Every target is believed. With the label %s, %s of the series report for their own end%s.", a.label, show.Percent(a.share), trusting),
			Why: risk, Next: "Set trust.reporterNamespaceLabel to " + a.label + " (vicinity doctor --suggest has the lines), and see that the scrape does not honour labels of targets (honor_labels: false).",
		}
	}
	r := Result{
		Check: nameReporters, Severity: Note, What: fmt.Sprintf("Every target is believed, and the scrape attaches no label with its namespace (looked for %s).", strings.Join(a.tried, ", ")),
		Why: risk, Next: "Attach __meta_kubernetes_namespace as the label namespace (relabel_configs), as docs/security.md has it.",
	}
	if a.label != "" {
		r.What = fmt.Sprintf("Every target is believed. With the label %s, only %s of the series report for their own end.", a.label, show.Percent(a.share))
	}
	return r
}

// agreement says whether both ends report what goes between namespaces.
func (l *look) agreement(a allowed) Result {
	isSet := l.cfg.Trust.Agreement == v1.AgreementAgreed
	switch {
	case a.missing != "":
		return Result{
			Check: nameAgreement, Severity: Note, What: "trust.agreement: agreed does not go with these sources. " + a.missing,
			Why: "What one end reports alone is believed.",
		}
	case isSet && a.agreed >= 1-tolerated:
		return good(nameAgreement, "trust.agreement is agreed, and both ends report %s of the bytes.", show.Percent(a.agreed))
	case isSet:
		l.changes = append(l.changes, change{field: "trust.agreement", value: string(v1.AgreementLarger), why: fmt.Sprintf("both ends report only %s of the bytes", show.Percent(a.agreed)), severity: Warning})
		return Result{
			Check: nameAgreement, Severity: Warning, What: fmt.Sprintf("trust.agreement is agreed, and both ends report only %s of the bytes.", show.Percent(a.agreed)),
			Why: "Between namespaces, what one end alone reports is left out.", Next: "Give both ends a proxy and let Prometheus scrape both, or set trust.agreement to larger in " + l.inFile() + ".",
		}
	case a.agreed >= 1-tolerated:
		l.changes = append(l.changes, change{field: "trust.agreement", value: string(v1.AgreementAgreed), why: fmt.Sprintf("both ends report %s of the bytes", show.Percent(a.agreed)), severity: Note})
		return Result{
			Check: nameAgreement, Severity: Note, What: fmt.Sprintf("The larger of two reports counts. Both ends report %s of the bytes, so trust.agreement can be set to agreed.", show.Percent(a.agreed)),
			Why: "With trust.agreement: larger, a report by one end alone is believed, also of traffic between namespaces.", Next: "Set trust.agreement to agreed if tenants do not trust each other (docs/security.md).",
		}
	}
	return good(nameAgreement, "The larger of two reports counts. Both ends report %s of the bytes, too little for trust.agreement: agreed.", show.Percent(a.agreed))
}
