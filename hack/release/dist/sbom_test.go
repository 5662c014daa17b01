package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vicinity-sched/vicinity/hack/release/linked"
)

// testBill returns the bill of a program of three modules.
func testBill(t *testing.T) []byte {
	t.Helper()
	r := &release{version: "v0.1.0", commit: "abc", created: time.Unix(86400, 0).UTC()}
	licence := func(ids ...string) map[string]linked.File { return map[string]linked.File{"LICENSE": {Licences: ids}} }
	modules := []*linked.Module{
		{Path: "example.com/Dep/v2", Version: "v2.0.1", Files: licence("MIT", "BSD-3-Clause"), Imports: []string{linked.Std}},
		{Path: "example.com/vicinity", Main: true, Files: licence("Apache-2.0"), Imports: []string{"example.com/Dep/v2", linked.Std}},
		{Path: linked.Std, Files: licence("BSD-3-Clause")},
	}
	build := &debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
		{Path: "example.com/Dep/v2", Version: "v2.0.1", Sum: "h1:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="},
	}}
	bill, err := billOfMaterials(r, "vicinity", "darwin/arm64", build, modules, strings.Repeat("12", 32))
	if err != nil {
		t.Fatal(err)
	}
	return bill
}

func TestBillOfMaterials(t *testing.T) {
	type component struct {
		Ref           string `json:"bom-ref"`
		Name, Version string
		Hashes        []struct{ Content string }
		Licenses      []struct{ License struct{ ID string } }
	}
	var got struct {
		SerialNumber string
		Metadata     struct {
			Timestamp string
			Component component
		}
		Components   []component
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(testBill(t), &got); err != nil {
		t.Fatal(err)
	}
	const program, dep, std = "pkg:golang/example.com/vicinity@v0.1.0?type=module", "pkg:golang/example.com/dep/v2@v2.0.1?type=module", "pkg:golang/std@1.26.8?type=module"
	if c := got.Metadata.Component; c.Ref != program || c.Name != "vicinity" || c.Version != "v0.1.0" || c.Hashes[0].Content != strings.Repeat("12", 32) || c.Licenses[0].License.ID != "Apache-2.0" {
		t.Errorf("the program is %+v", c)
	}
	if got.SerialNumber != "" || got.Metadata.Timestamp != "1970-01-02T00:00:00Z" {
		t.Errorf("serial number %q, time %s: want none, and that of the source", got.SerialNumber, got.Metadata.Timestamp)
	}
	if len(got.Components) != 2 || !strings.EqualFold(got.Components[0].Ref, dep) || got.Components[0].Hashes[0].Content != strings.Repeat("ab", 32) ||
		len(got.Components[0].Licenses) != 2 || got.Components[1].Ref != std || got.Components[1].Version != "go1.26.8" {
		t.Errorf("components %+v", got.Components)
	}
	imports := map[string][]string{}
	for _, d := range got.Dependencies {
		imports[d.Ref] = d.DependsOn
	}
	module := got.Components[0].Ref
	if diff := cmp.Diff(map[string][]string{program: {module, std}, module: {std}, std: nil}, imports); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
}

// TestBillHasTheSchema reads a bill with the schema that CycloneDX publishes.
func TestBillHasTheSchema(t *testing.T) {
	dir := filepath.Join(command(t, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go"), "schema")
	c := jsonschema.NewCompiler()
	const at = "http://cyclonedx.org/schema/"
	for url, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(at+url, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile(at + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	bill := testBill(t)
	for name, text := range map[string]string{"": string(bill), "a licence that SPDX does not have": strings.Replace(string(bill), `"MIT"`, `"MIT-or-so"`, 1)} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != (name == "") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}
