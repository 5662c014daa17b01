package validation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// distance is the closeness or the cost of one level.
type distance struct {
	path  *field.Path
	value float64
}

// levels checks what a byte is worth at each level.
func levels(a *v1.TrafficLocalityArgs) field.ErrorList {
	var errs field.ErrorList
	var known []distance
	if a.Cost == nil {
		known, errs = closeness(a.Closeness, field.NewPath("closeness"))
	} else {
		known, errs = cost(a.Cost, field.NewPath("cost"))
		if a.Closeness != nil {
			errs = append(errs, field.Forbidden(field.NewPath("cost"), "excludes closeness"))
		}
	}
	path := field.NewPath("levels")
	if len(a.Levels) > locality.MaxLabels {
		errs = append(errs, field.TooMany(path, len(a.Levels), locality.MaxLabels))
	}
	for i, level := range a.Levels {
		errs = append(errs, label(a.Levels, i, path.Index(i).Child("label"))...)
		own := path.Index(i).Child("closeness")
		value, other, otherName := level.Closeness, level.Cost, "cost"
		if a.Cost != nil {
			own = path.Index(i).Child("cost")
			value, other, otherName = level.Cost, level.Closeness, "closeness"
		}
		if other != nil {
			errs = append(errs, field.Forbidden(path.Index(i).Child(otherName), "a configuration has either closeness or cost; here it is "+own.String()))
		}
		if value == nil {
			errs = append(errs, field.Required(own, "the order of the levels follows from it"))
			continue
		}
		if len(known) == 0 {
			continue // nothing to compare it with
		}
		d := distance{own, *value}
		errs = append(errs, between(d, known)...)
		known = append(known, d)
	}
	return errs
}

// closeness returns what is known of node, zone and region, and of remote, which
// is last.
func closeness(c *v1.Closeness, path *field.Path) ([]distance, field.ErrorList) {
	known := []distance{
		{path.Child("node"), *c.Node}, {path.Child("zone"), *c.Zone}, {path.Child("region"), *c.Region},
		{nil, 0},
	}
	var errs field.ErrorList
	nearer := 1.0
	for _, d := range known[:3] {
		switch {
		case !(d.value >= 0 && d.value <= 1):
			errs = append(errs, field.Invalid(d.path, d.value, "must be between 0 and 1"))
		case d.value > nearer:
			errs = append(errs, field.Invalid(d.path, d.value, "must not be greater than that of the nearer level"))
		}
		nearer = d.value
	}
	return known, errs
}

// cost is closeness for costs. Nothing is known when one is missing.
func cost(c *v1.Cost, path *field.Path) (known []distance, errs field.ErrorList) {
	var nearer float64
	for _, level := range []struct {
		name  string
		value *float64
	}{{"node", c.Node}, {"zone", c.Zone}, {"region", c.Region}, {"remote", c.Remote}} {
		at := path.Child(level.name)
		switch {
		case level.value == nil:
			errs = append(errs, field.Required(at, "what a byte costs there"))
			continue
		case !(*level.value >= 0):
			errs = append(errs, field.Invalid(at, *level.value, "must not be negative"))
		case *level.value < nearer:
			errs = append(errs, field.Invalid(at, *level.value, "must not be less than that of the nearer level"))
		case level.name == "remote" && *level.value == 0:
			errs = append(errs, field.Invalid(at, *level.value, "must be greater than 0"))
		}
		nearer = *level.value
		known = append(known, distance{at, *level.value})
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return known, nil
}

// between checks that a level lies between the node and remote, and that it is
// told which of any other level is nearer. The first known are node, zone, region
// and remote.
func between(d distance, known []distance) field.ErrorList {
	node, remote := known[0].value, known[3].value
	if !(d.value > min(node, remote) && d.value < max(node, remote)) {
		return field.ErrorList{field.Invalid(d.path, d.value, "must lie between that of the node and that of remote bytes")}
	}
	for _, other := range known {
		if other.value == d.value {
			return field.ErrorList{field.Invalid(d.path, d.value, "must differ from "+other.path.String()+": the order of the levels follows from it")}
		}
	}
	return nil
}

func label(all []v1.Level, i int, path *field.Path) field.ErrorList {
	key := all[i].Label
	named := map[string]string{
		corev1.LabelHostname: "node", corev1.LabelTopologyZone: "zone", corev1.LabelTopologyRegion: "region",
	}
	switch {
	case key == "":
		return field.ErrorList{field.Required(path, "the key of a node label")}
	case named[key] != "":
		return field.ErrorList{field.Invalid(path, key, "is the level "+named[key]+", which has its place under closeness or cost")}
	case slices.ContainsFunc(all[:i], func(l v1.Level) bool { return l.Label == key }):
		return field.ErrorList{field.Duplicate(path, key)}
	}
	return metav1validation.ValidateLabelName(key, path)
}
