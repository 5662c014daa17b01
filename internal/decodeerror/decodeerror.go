// Package decodeerror words what JSON and YAML decoders say of a file for people who
// know the file, not the program: without names of Go types and packages.
package decodeerror

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

var (
	// mismatch is the text of a json.UnmarshalTypeError that has been formatted.
	mismatch = regexp.MustCompile(`(?:v1\.|json: )?[^:;]*cannot unmarshal (\w+)[^:;]*? into Go (?:value|struct field \w+\.(\S+)) of type (.+)`)
	// yamlPrefix is what YAML decoders put before what they say.
	yamlPrefix = regexp.MustCompile(`(^|: )(?:error converting YAML to JSON: |error unmarshaling JSON: while decoding JSON: |yaml: |unmarshal errors: )+`)
)

// Plain returns an error that says the same as err in one line, in the words of the
// file. It leaves errors alone that no decoder made, and nil.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && err.Error() == wrong.Error() {
		return Mismatch(wrong)
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	plain := yamlPrefix.ReplaceAllString(text, "$1")
	if m := mismatch.FindStringSubmatchIndex(plain); m != nil {
		part := func(i int) string {
			if m[i] < 0 {
				return ""
			}
			return plain[m[i]:m[i+1]]
		}
		plain = plain[:m[0]] + leading(plain[m[0]:]) + mismatched(part(4), kindOfType(part(6)), part(2))
	}
	plain = strings.TrimPrefix(plain, "json: ")
	if plain == err.Error() {
		return err
	}
	return errors.New(plain)
}

// leading returns the space that a match begins with.
func leading(match string) string {
	if strings.HasPrefix(match, " ") {
		return " "
	}
	return ""
}

// Mismatch words that a field has a value of another kind.
func Mismatch(err *json.UnmarshalTypeError) error {
	return errors.New(mismatched(err.Field, Kind(err.Type), err.Value))
}

func mismatched(field, want, got string) string {
	names := map[string]string{"object": "a map", "array": "a list", "string": "a string", "bool": "true or false", "number": "a number"}
	kind, _, _ := strings.Cut(got, " ") // a number has its digits behind it
	if name, ok := names[kind]; ok {
		got = name
	}
	if field == "" {
		return fmt.Sprintf("must be %s, not %s", want, got)
	}
	return fmt.Sprintf("%s: must be %s, not %s", field, want, got)
}

// Kind is what values of a type are in YAML.
func Kind(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "a map"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("an integer (%v)", t.Kind())
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	}
	return "a " + t.Kind().String()
}

// kindOfType is Kind for the name of a type.
func kindOfType(name string) string {
	switch name = strings.TrimLeft(name, "*"); {
	case strings.HasPrefix(name, "[]"):
		return "a list"
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"):
		return "an integer (" + name + ")"
	case strings.HasPrefix(name, "float"):
		return "a number"
	case name == "bool":
		return "true or false"
	case name == "string":
		return "a string"
	}
	return "a map"
}
