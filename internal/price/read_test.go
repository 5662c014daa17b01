package price

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestRead(t *testing.T) {
	minimal := List{Name: "prices.yaml", BetweenZones: 0.02, Unit: "GB"}
	cases := map[string]struct {
		text string
		want List
	}{
		"only the price": {"betweenZones: 0.02", minimal},
		"every field": {
			"name: contract 7\nbetweenZones: 0.008\nunit: GiB\ncurrency: EUR\nsource: contract 7, appendix B\ndate: 2026-10-01\n",
			List{"contract 7", 0.008, "GiB", "EUR", "contract 7, appendix B", "2026-10-01"},
		},
		"JSON":                    {`{"betweenZones": 2e-2, "unit": "GB"}`, minimal},
		"a price of 0":            {"betweenZones: 0", List{Name: "prices.yaml", Unit: "GB"}},
		"the highest price":       {"betweenZones: 999999999.5", List{Name: "prices.yaml", BetweenZones: 999999999.5, Unit: "GB"}},
		"a month":                 {"betweenZones: 0.02\ndate: 2026-10", List{"prices.yaml", 0.02, "GB", "", "", "2026-10"}},
		"null is a missing field": {"betweenZones: 0.02\nname:\nunit: null\ncurrency: ~\n", minimal},
		"one document, marked":    {"# ours\n---\nbetweenZones: 0.02\n...\n", minimal},
		"BOM and CRLF":            {"\ufeffbetweenZones: 0.02\r\nunit: GB\r\n", minimal},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Read(strings.NewReader(tc.text), "some/where/prices.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	const (
		wantNumber = "betweenZones: must be a number such as 0.02, without quotes or currency"
		missing    = "betweenZones: is missing; write 0 if the provider charges nothing"
		more       = "something follows the fields; keep one list, in one YAML document"
		known      = "; the fields are betweenZones, currency, date, name, source, unit"
	)
	cases := map[string]struct{ text, want string }{
		"empty":                   {"", missing},
		"a comment":               {"# 0.02", missing},
		"no price":                {"unit: GB", missing},
		"a price of null":         {"betweenZones: null", missing},
		"a bare number":           {"0.02\n", "must have fields, such as `betweenZones: 0.02` (got a bare number)"},
		"a list":                  {"- betweenZones: 0.02", "must have fields, such as `betweenZones: 0.02` (got a bare array)"},
		"a negative price":        {"betweenZones: -0.01", "betweenZones: must be at least 0 and less than 1e9 (got -0.01)"},
		"negative zero":           {"betweenZones: -0.0", "betweenZones: must be at least 0 and less than 1e9 (got -0)"},
		"too high a price":        {"betweenZones: 1e9", "betweenZones: must be at least 0 and less than 1e9 (got 1e+09)"},
		"not a number":            {"betweenZones: .nan", wantNumber},
		"infinite":                {"betweenZones: .inf", wantNumber},
		"above all floats":        {"betweenZones: 1e400", wantNumber},
		"a price in quotes":       {`betweenZones: "0.02"`, wantNumber},
		"a decimal comma":         {"betweenZones: 0,02", wantNumber},
		"a price and currency":    {"betweenZones: $0.02", wantNumber},
		"a price for each pair":   {"betweenZones: {a: 1}", wantNumber},
		"an unknown unit":         {"betweenZones: 1\nunit: TB", `unit: must be GB (1e9 bytes) or GiB (2^30 bytes) (got "TB")`},
		"an empty unit":           {"betweenZones: 1\nunit: ''", `unit: must be GB (1e9 bytes) or GiB (2^30 bytes) (got "")`},
		"small letters":           {"betweenZones: 1\ncurrency: usd", `currency: must be three capital letters, such as USD (got "usd")`},
		"four letters":            {"betweenZones: 1\ncurrency: EURO", `currency: must be three capital letters, such as USD (got "EURO")`},
		"a sign of three bytes":   {"betweenZones: 1\ncurrency: €", `currency: must be three capital letters, such as USD (got "€")`},
		"no such day":             {"betweenZones: 1\ndate: 2026-02-30", `date: must be YYYY-MM-DD or YYYY-MM (got "2026-02-30")`},
		"a year":                  {"betweenZones: 1\ndate: 2026", `date: must be YYYY-MM-DD or YYYY-MM (got "2026")`},
		"an empty name":           {"betweenZones: 1\nname: ''", `name: must be one line of text (got "")`},
		"a name of two lines":     {"betweenZones: 1\nname: \"a\\nb\"", `name: must be one line of text (got "a\nb")`},
		"a source that colours":   {"betweenZones: 1\nsource: \"\\e[31m\"", `source: must be one line of text (got "\x1b[31m")`},
		"a list of sources":       {"betweenZones: 1\nsource: [a]", "source: must be text (got array)"},
		"an unknown field":        {"betweenZones: 1\ninternet: 0.09\n", `unknown field "internet"` + known},
		"two unknown fields":      {"z: 1\nbetweenZones: 1\ninternet: 0.09\n", `unknown field "internet"` + known},
		"a field in another case": {"BetweenZones: 1", `unknown field "BetweenZones"` + known},
		"a number as a field":     {"1: 2", `unknown field "1"` + known},
		"a field twice":           {"betweenZones: 1\nbetweenZones: 2", "error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key \"betweenZones\" already set in map"},
		"no YAML":                 {"betweenZones: [", "error converting YAML to JSON: yaml: line 1: did not find expected node content"},
		"two documents":           {"betweenZones: 1\n---\nbetweenZones: 2\n", more},
		"text after JSON":         {`{"betweenZones": 1} {"betweenZones": 2}`, more},
		"no text":                 {"betweenZones: 1\nname: \xff", "error converting YAML to JSON: yaml: invalid leading UTF-8 octet"},
		"too large":               {"betweenZones: 1\n" + strings.Repeat("\n", maxFile), "is larger than 1048576 bytes; a price file has a few lines"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Read(strings.NewReader(tc.text), "p.yaml")
			if err == nil {
				t.Fatalf("it is read: %+v", got)
			}
			if diff := cmp.Diff("p.yaml: "+tc.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got != (List{}) {
				t.Errorf("besides the error, a list is returned: %+v", got)
			}
		})
	}
}

func TestReadWrapsErrors(t *testing.T) {
	_, err := Read(iotest.ErrReader(io.ErrClosedPipe), "p.yaml")
	if !errors.Is(err, io.ErrClosedPipe) || !strings.HasPrefix(err.Error(), "p.yaml: ") {
		t.Errorf("got %v", err)
	}
}

// FuzzRead checks that a list that is read is within the rules, and that it is
// the same after it is written and read again.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"betweenZones: 0.02", "0.02", "", "betweenZones: .nan", "betweenZones: 0x10\nunit: GiB",
		"name: a\nbetweenZones: 0.008\nunit: GiB\ncurrency: EUR\nsource: b\ndate: 2026-10-01\n",
		`{"betweenZones": 1, "unit": "GB"} x`, "<<: {betweenZones: 1}", "name: !!binary gIGC\nbetweenZones: 1", "a: &a [*a]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Read(strings.NewReader(text), "p.yaml")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p.yaml: ") {
				t.Errorf("an error without the file: %v", err)
			}
			return
		}
		if month := l.PerMonth(1e12); month < 0 || math.IsNaN(month) || math.IsInf(month, 0) {
			t.Errorf("%q costs %v per month", text, month)
		}
		if s := l.String(); strings.ContainsAny(s, "\n\r\x1b") {
			t.Errorf("%q is described by %q", text, s)
		}
		written, err := yaml.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(strings.NewReader(string(written)), "other.yaml")
		if diff := cmp.Diff(l, again); err != nil || diff != "" {
			t.Errorf("%q is read, but written as\n%s it gives %v (-first +again):\n%s", text, written, err, diff)
		}
	})
}
