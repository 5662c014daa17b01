package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pageData returns the data of a page, as a browser reads them.
func pageData(t *testing.T, page string) []byte {
	t.Helper()
	_, after, _ := strings.Cut(page, `<script type="application/json" id="data">`)
	data, _, found := strings.Cut(after, "</script>")
	if !found || !strings.HasPrefix(page, "<!doctype html>") || !strings.Contains(page, `content="default-src 'none'; `) {
		t.Fatalf("that is no page: %.200s", page)
	}
	return []byte(data)
}

// indented is JSON as the commands print it.
func indented(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGraphPage(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	for name, args := range map[string][]string{"all": nil, "limit": {"--limit", "3"}, "empty": {"--source", "istio-sidecar", "--selector", `job="none"`}} {
		t.Run(name, func(t *testing.T) {
			args = append([]string{"graph", "--prometheus", url, "-o"}, args...)
			with := func(format string) string {
				return showing(t, name == "empty", append(args[:4:4], append([]string{format}, args[4:]...)...)...)
			}
			want, got := indented(t, []byte(with("json"))), indented(t, pageData(t, with("html")))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-json +html):\n%s", diff)
			}
		})
	}
}

func TestReplayPage(t *testing.T) {
	args := []string{"replay", "mesh:deep-tree", "--seeds", "2", "--price-per-gb", "0.02", "-o"}
	first := succeed(t, append(args, "html")...)
	var data struct {
		Report   json.RawMessage
		Pictures []json.RawMessage
	}
	if err := json.Unmarshal(pageData(t, first), &data); err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal([]byte(succeed(t, append(args, "json")...)), &report); err != nil {
		t.Fatal(err)
	}
	runs, _ := report["runs"].([]any)
	for _, run := range runs {
		delete(run.(map[string]any), "assignment") // the pictures have it
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(indented(t, text), indented(t, data.Report)); diff != "" || len(data.Pictures) != len(runs) {
		t.Errorf("%d pictures; (-json +html):\n%s", len(data.Pictures), diff)
	}
	if again := succeed(t, append(args, "html", "--parallel", "1")...); again != first {
		t.Error("the same seeds give another page")
	}
}

// TestNoPageForATerminal is before any work is done: no server is asked.
func TestNoPageForATerminal(t *testing.T) {
	for verb, args := range map[string][]string{
		"graph": {"--prometheus", "http://192.0.2.1:1"}, "replay": {"mesh:deep-tree"},
	} {
		var out, errs bytes.Buffer
		code := invokeAs(t.Context(), append([]string{"vicinity", verb, "-o", "html"}, args...), streams{out: &out, err: &errs, terminal: true}, clock())
		if want := "vicinity " + verb + " ... -o html > " + verb + ".html"; code != exitUsage || out.Len() > 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q, want %d and %q", verb, code, &out, &errs, exitUsage, want)
		}
	}
	code, _, stderr := invoke(t, "replay", "mesh:deep-tree", "-o", "pdf")
	if want := "must be table, json or html"; code != exitUsage || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
	}
}
