package validation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

func validateSources(path *field.Path, c *v1.TelemetryConfiguration) field.ErrorList {
	types, err := sources.All()
	if err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	var errs field.ErrorList
	names := map[string]bool{}
	for i, s := range c.Sources {
		at := path.Index(i)
		if names[s.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), s.Name))
		}
		names[s.Name] = true
		errs = append(errs, atLeast(at.Child("window"), s.Window, minWindow)...)
		if s.Window != nil && s.Window.Duration%time.Second != 0 {
			errs = append(errs, field.Invalid(at.Child("window"), s.Window.Duration.String(), "must be whole seconds"))
		}
		errs = append(errs, validateNamespaces(at.Child("preferredIn"), s.PreferredIn, true)...)
		n := slices.IndexFunc(types, func(t sources.Type) bool { return t.Name == s.Type })
		switch {
		case s.Type == "":
			errs = append(errs, field.Required(at.Child("type"), ""))
		case n < 0:
			var known []v1.SourceType
			for _, t := range types {
				known = append(known, t.Name)
			}
			mistake := field.NotSupported(at.Child("type"), s.Type, known)
			if why := sources.Unknown(s.Type); why != "" {
				mistake.Detail = why + "; " + mistake.Detail
			}
			errs = append(errs, mistake)
		default:
			errs = append(errs, validateSource(at, s, &types[n], &c.Trust)...)
		}
	}
	return errs
}

// validateSource validates what depends on the type.
func validateSource(path *field.Path, s v1.TelemetrySource, t *sources.Type, trust *v1.Trust) field.ErrorList {
	var errs field.ErrorList
	if err := promapi.ValidateSelector(s.Selector, t.OwnLabels()...); err != nil {
		errs = append(errs, field.Invalid(path.Child("selector"), s.Selector, err.Error()))
	}
	if s.Recorded && !t.HasRules() {
		errs = append(errs, field.Invalid(path.Child("recorded"), s.Recorded, "there are no recording rules for the type "+string(t.Name)))
	}
	switch {
	case t.IsCustom() && s.PromQL == nil:
		return append(errs, field.Required(path.Child("promql"), "the type promql is what this field says; vicinity sources show promql prints one to begin with"))
	case !t.IsCustom() && s.PromQL != nil:
		return append(errs, field.Forbidden(path.Child("promql"), "goes with the type promql only; vicinity sources show "+string(t.Name)+" prints what there is to begin with"))
	}
	mistakes := t.Check(s, &telemetry.Trust{
		ReporterLabel: trust.ReporterNamespaceLabel, TrustedReporters: trust.TrustedReporterNamespaces, Agreed: trust.Agreement == v1.AgreementAgreed,
	})
	for _, m := range mistakes {
		switch {
		case !t.IsCustom(): // it does not fit what it is used with
			errs = append(errs, field.Invalid(path.Child("type"), s.Type, m.Text))
		case m.Value == "":
			errs = append(errs, field.Required(path.Child("promql", m.Field), m.Text))
		default:
			errs = append(errs, field.Invalid(path.Child("promql", m.Field), m.Value, m.Text))
		}
	}
	return errs
}
