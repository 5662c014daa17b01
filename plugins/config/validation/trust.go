package validation

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

func validateTrust(path *field.Path, t *v1.Trust) field.ErrorList {
	var errs field.ErrorList
	if label := t.ReporterNamespaceLabel; label != "" {
		if err := telemetry.ValidateReporterLabel(label); err != nil {
			errs = append(errs, field.Invalid(path.Child("reporterNamespaceLabel"), label, err.Error()))
		}
	} else if len(t.TrustedReporterNamespaces) > 0 {
		errs = append(errs, field.Required(path.Child("reporterNamespaceLabel"),
			"trustedReporterNamespaces exempts namespaces from it; set it to the label that the scrape attaches, e.g. namespace"))
	}
	errs = append(errs, validateNamespaces(path.Child("trustedReporterNamespaces"), t.TrustedReporterNamespaces, false)...)
	if !slices.Contains(v1.Agreements(), t.Agreement) {
		errs = append(errs, field.NotSupported(path.Child("agreement"), t.Agreement, v1.Agreements()))
	}
	for i, rule := range t.Namespaces {
		at := path.Child("namespaces").Index(i)
		for _, side := range []struct {
			name string
			list []string
		}{{"from", rule.From}, {"to", rule.To}} {
			if len(side.list) == 0 {
				errs = append(errs, field.Required(at.Child(side.name), `name namespaces, or "*" for all`))
			}
			errs = append(errs, validateNamespaces(at.Child(side.name), side.list, true)...)
		}
	}
	if s := t.MaxForeignShare; s != nil && !(*s > 0 && *s <= 1) {
		errs = append(errs, field.Invalid(path.Child("maxForeignShare"), *s,
			"must be above 0 and at most 1, which is no bound; to let no other namespace attract pods, use namespaces"))
	}
	return append(errs, validateLimits(path.Child("limits"), &t.Limits)...)
}

// validateNamespaces looks at names of namespaces. all says that "*" may stand for them.
func validateNamespaces(path *field.Path, names []string, all bool) field.ErrorList {
	var errs field.ErrorList
	for i, name := range names {
		switch {
		case all && name == flowgraph.AnyNamespace, flowgraph.ValidNamespace(name):
		case all:
			errs = append(errs, field.Invalid(path.Index(i), name, `must be the name of a namespace, or "*" for all`))
		default:
			errs = append(errs, field.Invalid(path.Index(i), name, "must be the name of a namespace"))
		}
	}
	return errs
}

func validateLimits(path *field.Path, l *v1.Limits) field.ErrorList {
	var errs field.ErrorList
	check := func(name string, value, atMost *int32, all string) {
		switch {
		case value == nil:
		case *value < 1:
			errs = append(errs, field.Invalid(path.Child(name), *value, "must be at least 1"))
		case atMost != nil && *value > *atMost:
			errs = append(errs, field.Invalid(path.Child(name), *value, fmt.Sprintf("must be at most %s (%d)", all, *atMost)))
		}
	}
	check("edges", l.Edges, nil, "")
	check("namespaceEdges", l.NamespaceEdges, l.Edges, "edges")
	check("workloads", l.Workloads, nil, "")
	check("namespaceWorkloads", l.NamespaceWorkloads, l.Workloads, "workloads")
	return errs
}
