package main

import (
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	cases := map[string]struct {
		args []string
		code int
		want []string // in the order of the output
	}{
		"list":          {[]string{"sources", "list"}, exitOK, []string{"TYPE", "MADE OF", "READS", "caretta", "data", "Caretta's eBPF agents", "istio-sidecar", "code", "Istio's sidecar proxies", "promql", "your data"}},
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
