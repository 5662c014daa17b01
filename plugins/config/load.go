// Package config reads Vicinity's configuration: strictly, with the defaults
// set, and validated. Its errors are one line that names the field and the
// rule.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/decodeerror"
	"github.com/vicinity-sched/vicinity/internal/filekind"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

// telemetryConfiguration is what errors say that is wanted.
const telemetryConfiguration = "a TelemetryConfiguration"

// LoadTelemetry reads the file at path, sets the defaults and validates. Its
// errors begin with the path.
func LoadTelemetry(path string) (*v1.TelemetryConfiguration, error) {
	data, err := filekind.Read(path, telemetryConfiguration, filekind.TelemetryConfiguration)
	if err != nil {
		return nil, err // names the path
	}
	return ParseTelemetry(path, data)
}

// ParseTelemetry does the same with what was read from the named file.
func ParseTelemetry(file string, data []byte) (*v1.TelemetryConfiguration, error) {
	if err := filekind.Of(data).Refuse(file, telemetryConfiguration, filekind.TelemetryConfiguration, filekind.Empty); err != nil {
		return nil, err
	}
	c := &v1.TelemetryConfiguration{}
	if err := DecodeStrict(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c.SetDefaults()
	if err := OneLine(validation.TelemetryConfiguration(c)); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// OneLine joins errors with "; ". It returns nil when there are none.
func OneLine(list field.ErrorList) error {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = strings.Join(strings.Fields(e.Error()), " ")
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// DecodeStrict decodes YAML or JSON into the struct that into points to.
// Unknown and repeated fields and values of the wrong kind are errors, all of
// which are reported with the path of their field.
func DecodeStrict(data []byte, into any) error {
	raw, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return decodeerror.Plain(err)
	}
	if errs := check(nil, raw, reflect.TypeOf(into).Elem()); len(errs) > 0 {
		return OneLine(errs)
	}
	strict, err := kjson.UnmarshalStrict(raw, into)
	if err == nil {
		err = errors.Join(strict...)
	}
	return decodeerror.Plain(err)
}

// check compares one JSON value with the type it is meant for, before it is decoded. The
// decoder would do the same, but does not say which field an UnmarshalJSON method
// refused, which fields there are, and more than one wrong value at a time.
func check(path *field.Path, raw json.RawMessage, t reflect.Type) field.ErrorList {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if string(raw) == "null" {
		return nil
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return checkValue(path, raw, t)
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkStruct(path, raw, t)
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return wrongKind(path, raw, "a list")
		}
		var errs field.ErrorList
		for i, item := range items {
			errs = append(errs, check(path.Index(i), item, t.Elem())...)
		}
		return errs
	case reflect.Map:
		var entries map[string]json.RawMessage
		if json.Unmarshal(raw, &entries) != nil {
			return wrongKind(path, raw, "a map")
		}
		var errs field.ErrorList
		for _, key := range sortedKeys(entries) {
			errs = append(errs, check(path.Key(key), entries[key], t.Elem())...)
		}
		return errs
	}
	return checkValue(path, raw, t)
}

func checkStruct(path *field.Path, raw json.RawMessage, t reflect.Type) field.ErrorList {
	var entries map[string]json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return wrongKind(path, raw, "a map")
	}
	fields := jsonFields(t)
	var errs field.ErrorList
	for _, key := range sortedKeys(entries) {
		child := field.NewPath(key)
		if path != nil {
			child = path.Child(key)
		}
		fieldType, known := fields[key]
		if now, renamed := renamedFields(t)[key]; renamed {
			errs = append(errs, &field.Error{Type: field.ErrorTypeForbidden, Field: child.String(), Detail: "is called " + now + " now; rename it"})
			continue
		}
		if !known {
			errs = append(errs, &field.Error{
				Type: field.ErrorTypeForbidden, Field: child.String(),
				Detail: "unknown field; known here are " + strings.Join(sortedKeys(fields), ", "),
			})
			continue
		}
		errs = append(errs, check(child, entries[key], fieldType)...)
	}
	return errs
}

// renamedFields returns the names that fields of a struct have now, by those that they
// had before.
func renamedFields(t reflect.Type) map[string]string {
	if r, ok := reflect.New(t).Interface().(interface{ RenamedFields() map[string]string }); ok {
		return r.RenamedFields()
	}
	return nil
}

// jsonFields returns the fields of a struct by their JSON names, those of
// embedded structs included.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			for inner, innerType := range jsonFields(f.Type) {
				fields[inner] = innerType
			}
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}

func checkValue(path *field.Path, raw json.RawMessage, t reflect.Type) field.ErrorList {
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case t == reflect.TypeFor[metav1.Duration]():
		return wrongKind(path, raw, "a duration such as 30s or 5m")
	case t == reflect.TypeFor[resource.Quantity]():
		return wrongKind(path, raw, "an amount such as 100Mi")
	case errors.As(err, &mismatch):
		return wrongKind(path, raw, decodeerror.Kind(mismatch.Type))
	}
	return field.ErrorList{field.Invalid(path, value(raw), err.Error())}
}

func wrongKind(path *field.Path, raw json.RawMessage, want string) field.ErrorList {
	if path == nil {
		return field.ErrorList{{Type: field.ErrorTypeForbidden, Field: "file", Detail: "must be " + want}}
	}
	return field.ErrorList{field.Invalid(path, value(raw), "must be "+want)}
}

// value shows scalars and hides the content of anything larger.
func value(raw json.RawMessage) any {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "?"
	}
	switch v.(type) {
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
