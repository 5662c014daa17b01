package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/internal/price"
	"github.com/vicinity-sched/vicinity/internal/report"
)

// object is a struct type as JSON has it.
type object struct {
	goType reflect.Type
	// name is unique, title is that of all objects of a generic type.
	name, title string
	meaning     string
	fields      []field
	// embedded is an object all of whose fields are fields of this one too.
	embedded *object
	// value is whether it is the value of some field, rather than only embedded.
	value bool
}

// field is a field of an object.
type field struct {
	name string
	kind kind
	// missing and null say when the field is that; "" is never.
	missing, null string
	meaning       string
	// always is the only value of the field, "" when it has others.
	always string
}

// kind is the type of a value in JSON.
type kind struct {
	// name is one of JSON Schema's types.
	name string
	// time is whether a string is a time.
	time bool
	// values are those that a string can have; nil for any.
	values []string
	// object is of an object, element of an array.
	object  *object
	element *kind
}

// describer collects objects in the order in which they are first mentioned.
type describer struct {
	comments comments
	objects  []*object
}

// describe returns the object that a struct type is written as, and all that are in it.
func describe(root string, t reflect.Type) ([]*object, error) {
	d := &describer{comments: comments{root: root}}
	_, err := d.object(t)
	return d.objects, err
}

func (d *describer) object(t reflect.Type) (*object, error) {
	if i := slices.IndexFunc(d.objects, func(o *object) bool { return o.goType == t }); i >= 0 {
		return d.objects[i], nil
	}
	declared, err := d.comments.of(t)
	if err != nil {
		return nil, err
	}
	o := &object{goType: t, title: titleOf(t)}
	o.name = o.title + argument(t)
	d.objects = append(d.objects, o)
	o.meaning, err = meaning(declared.Name, declared.Doc)
	errs := []error{located(t, "", err)}
	texts := fieldComments(declared)
	for goField := range t.Fields() {
		tag, tagged := goField.Tag.Lookup("json")
		switch {
		case goField.Anonymous && !tagged:
			o.embedded, err = d.object(deref(goField.Type))
		case tagged:
			var f field
			f, err = d.field(goField, tag, texts[goField.Name])
			f.always = always(t, goField.Name)
			o.fields = append(o.fields, f)
		default:
			err = nil // is not written
		}
		errs = append(errs, located(t, goField.Name, err))
	}
	return o, errors.Join(errs...)
}

func (d *describer) field(in reflect.StructField, tag, comment string) (field, error) {
	name, option, _ := strings.Cut(tag, ",")
	f := field{name: name}
	optional := option == "omitempty"
	if !optional && option != "" {
		return f, fmt.Errorf("what is %q in a tag?", option)
	}
	text, err := meaning(in.Name, comment)
	if err != nil {
		return f, err
	}
	text, f.missing = cutCondition(text, "Missing")
	f.meaning, f.null = cutCondition(text, "Null")
	if optional != (f.missing != "") {
		return f, errors.New(`the last sentence must begin with "Missing" if and only if the field can be missing`)
	}
	nullable := in.Type.Kind() == reflect.Pointer && !optional
	if nullable != (f.null != "") {
		return f, errors.New(`the last sentence must begin with "Null" if and only if the field can be null`)
	}
	f.kind, err = d.kind(deref(in.Type))
	return f, err
}

func (d *describer) kind(t reflect.Type) (k kind, err error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return kind{name: "string", time: true}, nil
	case t.Kind() == reflect.Struct:
		k.name = "object"
		if k.object, err = d.object(t); err == nil {
			k.object.value = true
		}
		return k, err
	case t.Kind() == reflect.Slice:
		element, err := d.kind(t.Elem())
		return kind{name: "array", element: &element}, err
	case t.Kind() == reflect.String && t.PkgPath() != "":
		declared, err := d.comments.of(t)
		if err != nil {
			return k, err
		}
		k.name = "string"
		k.values, err = values(declared)
		return k, err
	case t.Kind() == reflect.String:
		return kind{name: "string"}, nil
	case t.Kind() == reflect.Bool:
		return kind{name: "boolean"}, nil
	case t.Kind() == reflect.Float64:
		return kind{name: "number"}, nil
	case t.Kind() == reflect.Int, t.Kind() == reflect.Uint64:
		return kind{name: "integer"}, nil
	}
	return k, fmt.Errorf("the type %s is not described", t)
}

// always returns the only value that a field of the output has.
func always(t reflect.Type, field string) string {
	switch {
	case t == output() && field == "APIVersion":
		return report.APIVersion
	case t == output() && field == "Kind":
		return report.Kind
	}
	return ""
}

// titleOf is what readers call the objects of a type.
func titleOf(t reflect.Type) string {
	switch t {
	case output():
		return report.Kind
	case reflect.TypeFor[price.List]():
		return "Price"
	}
	return baseName(t)
}

// argument tells the objects of a generic type apart.
func argument(t reflect.Type) string {
	switch {
	case strings.HasSuffix(t.Name(), "[float64]"):
		return "OfNumbers"
	case generic(t):
		return "OfEstimates"
	}
	return ""
}

func generic(t reflect.Type) bool { return strings.Contains(t.Name(), "[") }

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
