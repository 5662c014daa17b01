package mesh

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseCalls(t *testing.T) {
	cases := map[string]struct {
		text string
		want []Call
	}{
		"nothing":       {text: ""},
		"an empty list": {text: "[]"},
		"YAML, all fields": {
			text: `
- from: shop/web
  to: shop/db
  requestsPerSecond: 12.5
  requestBytes: 300
  responseBytes: 4000
  protocol: tcp
`,
			want: []Call{{"shop/web", "shop/db", 12.5, 300, 4000, "tcp"}},
		},
		"YAML, defaults": {
			text: "- {from: shop/web, to: shop/db}",
			want: []Call{{From: "shop/web", To: "shop/db", Protocol: "http"}},
		},
		"JSON": {
			text: `[{"from":"shop/web","to":"shop/db","requestsPerSecond":1e2,"protocol":"grpc"},{"from":"a/b","to":"c/d"}]`,
			want: []Call{{"shop/web", "shop/db", 100, 0, 0, "grpc"}, {From: "a/b", To: "c/d", Protocol: "http"}},
		},
		"external ends": {
			text: "[{from: external, to: shop/web}, {from: shop/web, to: 'external:api.example.com:443/v1'}]",
			want: []Call{
				{From: "external", To: "shop/web", Protocol: "http"},
				{From: "shop/web", To: "external:api.example.com:443/v1", Protocol: "http"},
			},
		},
		"a workload that calls its own Service": {
			text: "- {from: shop/web, to: shop/web}",
			want: []Call{{From: "shop/web", To: "shop/web", Protocol: "http"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCalls(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseCallsRefuses(t *testing.T) {
	const good = "- {from: a/b, to: c/d}\n"
	const number = "must be a finite number that is not negative"
	cases := map[string]struct {
		text string
		want []string
	}{
		"not YAML":            {"- {from: a/b", []string{"reading the call graph"}},
		"not a list":          {"from: a/b", []string{"reading the call graph", "object"}},
		"a field twice":       {good + "- {from: a/b, to: c/d, to: e/f}", []string{"line 2", `"to"`, "already set"}},
		"not a call":          {good + "- 5", []string{"call 1:", "number"}},
		"nothing in an item":  {good + "-", []string{"call 1:", `from: ""`, "namespace/name"}},
		"unknown field":       {good + "- {from: a/b, to: c/d, rate: 3}", []string{"call 1:", `unknown field "rate"`}},
		"wrong type":          {good + "- {from: a/b, to: c/d, requestBytes: many}", []string{"call 1:", "requestBytes", "must be a number"}},
		"unknown protocol":    {good + "- {from: a/b, to: c/d, protocol: udp}", []string{"call 1:", `protocol: "udp"`, "http, grpc, tcp"}},
		"no from":             {"- {to: c/d}", []string{"call 0:", `from: ""`, "namespace/name", `"external"`}},
		"from a bare name":    {good + "- {from: web, to: c/d}", []string{"call 1:", `from: "web"`, "namespace/name"}},
		"from no namespace":   {"- {from: /web, to: c/d}", []string{"call 0:", `from: "/web"`}},
		"from no name":        {"- {from: shop/, to: c/d}", []string{"call 0:", `from: "shop/"`}},
		"from a longer path":  {"- {from: shop/web/0, to: c/d}", []string{"call 0:", `from: "shop/web/0"`}},
		"from a host outside": {"- {from: 'external:host', to: c/d}", []string{"call 0:", `from: "external:host"`}},
		"no to":               {"- {from: a/b}", []string{"call 0:", `to: ""`, "namespace/name", `"external:host"`}},
		"to a client outside": {"- {from: a/b, to: external}", []string{"call 0:", `to: "external"`}},
		"to no host":          {"- {from: a/b, to: 'external:'}", []string{"call 0:", `to: "external:"`}},
		"outside to outside":  {"- {from: external, to: 'external:host'}", []string{"call 0:", "from and to", "one end in the mesh"}},
		"negative rate":       {good + "- {from: a/b, to: c/d, requestsPerSecond: -1}", []string{"call 1:", "requestsPerSecond: -1", number}},
		"negative request":    {good + "- {from: a/b, to: c/d, requestBytes: -1}", []string{"call 1:", "requestBytes: -1", number}},
		"negative response":   {good + "- {from: a/b, to: c/d, responseBytes: -1}", []string{"call 1:", "responseBytes: -1", number}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			calls, err := ParseCalls(strings.NewReader(tc.text))
			if err == nil {
				t.Fatalf("no error, but %+v", calls)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// Of several mistakes it is always the same that is named.
func TestParseCallsNamesTheFirstField(t *testing.T) {
	const text = "- {from: a/b, to: c/d, requestsPerSecond: -1, requestBytes: -2, responseBytes: -3}"
	for range 20 {
		_, err := ParseCalls(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), "requestsPerSecond") {
			t.Fatalf("error = %v, want one of requestsPerSecond", err)
		}
	}
}

func TestParseCallsReadError(t *testing.T) {
	down := errors.New("down")
	if _, err := ParseCalls(io.MultiReader(strings.NewReader("- "), iotest.ErrReader(down))); !errors.Is(err, down) {
		t.Errorf("error = %v, want %v", err, down)
	}
}

// JSON has no such numbers; a call graph that a program writes may.
func TestCompleteRefusesNoNumbers(t *testing.T) {
	for name, v := range map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1), "negative infinite": math.Inf(-1)} {
		c := Call{From: "a/b", To: "c/d", ResponseBytes: v}
		if err := c.complete(); err == nil || !strings.Contains(err.Error(), "responseBytes") {
			t.Errorf("%s: error = %v, want one of responseBytes", name, err)
		}
	}
}

func FuzzParseCalls(f *testing.F) {
	for _, text := range []string{
		"", "null", "- null", "- {from: shop/web, to: shop/db, requestsPerSecond: 1e3}",
		`[{"from":"external","to":"a/b","protocol":"tcp"}]`, "- {from: a/b, to: 'external:host', requestBytes: .inf}",
		"- &a {from: a/b, to: c/d}\n- *a\n- {<<: *a, protocol: grpc}", "a: [", "- {from: a/b, to: c/d}\n---\n- 1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		calls, err := ParseCalls(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, c := range calls {
			if err := c.complete(); err != nil {
				t.Errorf("call %d was accepted: %v", i, err)
			}
			if c != calls[i] {
				t.Errorf("call %d lacked defaults: %+v", i, calls[i])
			}
		}
	})
}
