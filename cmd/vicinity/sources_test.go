package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	cases := map[string]struct {
		args []string
		code int
		want []string // in the order of the output
	}{
		"list":          {[]string{"sources", "list"}, exitOK, []string{"TYPE", "MADE OF", "READS", "caretta", "data", "Caretta's eBPF agents", "istio-sidecar", "code", "Istio's sidecar proxies", "linkerd", "data", "Linkerd's proxies", "promql", "your data"}},
		"list as JSON":  {[]string{"sources", "list", "-o", "json"}, exitOK, []string{`"schema": "vicinity.sources/v1"`, `"type": "caretta"`}},
		"list as XML":   {[]string{"sources", "list", "-o", "xml"}, exitUsage, []string{`--output "xml": must be table or json`}},
		"show code":     {[]string{"sources", "show", "istio-sidecar"}, exitOK, []string{"needs more logic than data can express", "- type: istio-sidecar", "type: promql", "istio_request_bytes_sum"}},
		"show data":     {[]string{"sources", "show", "promql"}, exitOK, []string{"sources:", "- type: promql", "pattern: (?P<namespace>"}},
		"show no type":  {[]string{"sources", "show", "linkerdd"}, exitUsage, []string{`no type of sources called "linkerdd"`, "vicinity sources list"}},
		"show nothing":  {[]string{"sources", "show"}, exitUsage, []string{"takes one TYPE"}},
		"neither":       {[]string{"sources", "lst"}, exitUsage, []string{`unknown verb "lst"`, "list"}},
		"list an other": {[]string{"sources", "list", "x"}, exitUsage, []string{`list takes no argument "x"`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := invoke(t, tc.args...)
			if code != tc.code || (stderr == "") != (code == exitOK) {
				t.Fatalf("exit code %d, stderr %s", code, stderr)
			}
			rest := stdout + stderr
			for _, want := range tc.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("no %q in order in:\n%s", want, stdout+stderr)
				}
				rest = after
			}
		})
	}
}

// TestSourcesJSON: the JSON output has every type that the table has, and says what each
// needs.
func TestSourcesJSON(t *testing.T) {
	_, table, _ := invoke(t, "sources", "list")
	code, stdout, stderr := invoke(t, "sources", "list", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	var list sourcesJSON
	if err := json.Unmarshal([]byte(stdout), &list); err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(table, "\n") - 1; rows != len(list.Types) || rows == 0 {
		t.Errorf("%d types, and the table has %d", len(list.Types), rows)
	}
	want := map[string]sourceTypeJSON{
		"caretta":       {Type: "caretta", MadeOf: "data", NeedsObjects: true},
		"istio-sidecar": {Type: "istio-sidecar", MadeOf: "code", RecordingRules: true},
		"linkerd":       {Type: "linkerd", MadeOf: "data", NeedsObjects: true},
		"promql":        {Type: "promql", MadeOf: "your data"},
	}
	for _, got := range list.Types {
		if !strings.Contains(table, got.Reads) || got.Reads == "" {
			t.Errorf("%s reads %q, which the table does not have", got.Type, got.Reads)
		}
		got.Reads = ""
		if of, ok := want[got.Type]; ok && of != got {
			t.Errorf("%+v, want %+v", got, of)
		}
		delete(want, got.Type)
	}
	if len(want) > 0 {
		t.Errorf("there is no %v", want)
	}
}
