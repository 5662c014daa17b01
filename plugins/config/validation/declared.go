package validation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

func validateDeclared(path *field.Path, d *v1.Declared) field.ErrorList {
	var errs field.ErrorList
	for i, kind := range d.Kinds {
		switch {
		case !slices.Contains(v1.DeclaredKinds(), kind):
			errs = append(errs, field.NotSupported(path.Child("kinds").Index(i), kind, v1.DeclaredKinds()))
		case slices.Contains(d.Kinds[:i], kind):
			errs = append(errs, field.Duplicate(path.Child("kinds").Index(i), kind))
		}
	}
	errs = append(errs, atLeast(path.Child("window"), d.Window, time.Second)...)
	errs = append(errs, validateRate(path.Child("defaultRate"), d.DefaultRate)...)
	return append(errs, validateRate(path.Child("maxRate"), d.MaxRate)...)
}

func validateRate(path *field.Path, rate *resource.Quantity) field.ErrorList {
	if rate != nil && (rate.Sign() <= 0 || rate.CmpInt64(flowgraph.MaxRate) > 0) {
		return field.ErrorList{field.Invalid(path, rate.String(), "must be above 0 and at most 1T, in bytes per second")}
	}
	return nil
}
