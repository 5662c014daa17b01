// Package reporttest checks the JSON of reports against docs/replay.schema.json, for
// tests. It knows nothing of the types that the JSON is written from.
package reporttest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is the JSON Schema, and what the checked documents had of it.
type Schema struct {
	document map[string]any
	compiled *jsonschema.Schema
	seen     map[string]bool
}

// Read reads the schema of a file. Unlike there, fields that it does not name are
// forbidden.
func Read(t testing.TB, path string) *Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document, ok := decode(t, text).(map[string]any)
	if !ok {
		t.Fatalf("%s is not an object", path)
	}
	s := &Schema{document: document, seen: map[string]bool{}}
	for _, object := range s.objects() {
		object["additionalProperties"] = false
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("replay.schema.json", document); err != nil {
		t.Fatal(err)
	}
	if s.compiled, err = c.Compile("replay.schema.json"); err != nil {
		t.Fatal(err)
	}
	return s
}

// objects are the schemas of all objects, by name.
func (s *Schema) objects() map[string]map[string]any {
	all := map[string]map[string]any{"#": s.document}
	for name, object := range s.document["$defs"].(map[string]any) {
		all["#/$defs/"+name] = object.(map[string]any)
	}
	return all
}

// Check returns what is wrong with a document.
func (s *Schema) Check(t testing.TB, text []byte) error {
	t.Helper()
	document := decode(t, text)
	s.note("#", s.document, document)
	return s.compiled.Validate(document)
}

// Unseen are the fields that none of the documents had, as object and field.
func (s *Schema) Unseen() []string {
	var all []string
	for name, object := range s.objects() {
		for field := range object["properties"].(map[string]any) {
			if at := name + " " + field; !s.seen[at] {
				all = append(all, strings.TrimPrefix(at, "#/$defs/"))
			}
		}
	}
	return all
}

// note notes the fields of a value that a schema describes.
func (s *Schema) note(name string, schema map[string]any, value any) {
	if ref, ok := schema["$ref"].(string); ok {
		name, schema = ref, s.objects()[ref]
	}
	if alternatives, ok := schema["anyOf"].([]any); ok { // an object or null
		s.note(name, alternatives[0].(map[string]any), value)
		return
	}
	switch value := value.(type) {
	case []any:
		if items, ok := schema["items"].(map[string]any); ok {
			for _, element := range value {
				s.note(name, items, element)
			}
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for field, inner := range value {
			if described, ok := properties[field].(map[string]any); ok {
				s.seen[name+" "+field] = true
				s.note(name, described, inner)
			}
		}
	}
}

func decode(t testing.TB, text []byte) any {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}
