// Command docschema describes the JSON of vicinity replay: it writes
// docs/replay.schema.json, a JSON Schema, and the reference in docs/replay-json.md, both
// from the types that are written and from their doc comments. It is run in the module's
// directory, whenever one of these has changed:
//
//	go run ./hack/docschema
//
// The comment of a type or field begins with its name and "is" or "are"; what follows is
// its definition. A field that may be missing or null says when in the last sentence,
// which begins with "Missing" or "Null". Names of other fields are written as in JSON.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/vicinity-sched/vicinity/internal/report"
)

const (
	page       = "docs/replay-json.md"
	schemaFile = "docs/replay.schema.json"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docschema:", err)
		os.Exit(1)
	}
}

// run writes both files below the module's directory.
func run(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err // names the path
		}
	}
	return nil
}

// generate returns the files, by name, as they should be.
func generate(root string) (map[string][]byte, error) {
	objects, err := describe(root, output())
	if err != nil {
		return nil, err
	}
	schema, err := schemaOf(objects)
	if err != nil {
		return nil, err
	}
	old, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return nil, err
	}
	text, err := splice(old, reference(objects))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	return map[string][]byte{schemaFile: schema, page: text}, nil
}

// output is the type that a report is written as.
func output() reflect.Type { return reflect.TypeFor[report.Report]().Field(0).Type }
