package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func TestFilesAreUpToDate(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date; renew it with: go run ./hack/docschema\n(-code +file):\n%s", name, diff)
		}
	}
}

// TestFields has one field for each rule about comments and types.
func TestFields(t *testing.T) {
	cases := map[string]struct {
		typ          reflect.Type
		tag, comment string
		want         string // missing|null|meaning
		wantErr      string
	}{
		"definition":             {reflect.TypeFor[string](), "x", "X is the name.\n", "||The name.", ""},
		"definition of several":  {reflect.TypeFor[[]string](), "x", "X are all\nnames. None is twice there.", "||All names. None is twice there.", ""},
		"missing":                {reflect.TypeFor[string](), "x,omitempty", "X is y. Missing in z.", "in z||Y.", ""},
		"null":                   {reflect.TypeFor[*float64](), "x", "X is y. Null without a price, and\nelsewhere.", "|without a price, and elsewhere|Y.", ""},
		"a pointer that is left": {reflect.TypeFor[*float64](), "x,omitempty", "X is y. Missing in z.", "in z||Y.", ""},
		"no comment":             {reflect.TypeFor[string](), "x", "", "", `"X is"`},
		"no definition":          {reflect.TypeFor[string](), "x", "X has a name.", "", `"X is"`},
		"no sentence":            {reflect.TypeFor[string](), "x", "X is the name", "", `"X is"`},
		"never missing":          {reflect.TypeFor[string](), "x", "X is y. Missing in z.", "", `"Missing"`},
		"says not when missing":  {reflect.TypeFor[string](), "x,omitempty", "X is y.", "", `"Missing"`},
		"never null":             {reflect.TypeFor[float64](), "x", "X is y. Null in z.", "", `"Null"`},
		"says not when null":     {reflect.TypeFor[*float64](), "x", "X is y.", "", `"Null"`},
		"another option":         {reflect.TypeFor[int](), "x,string", "X is y.", "", `"string"`},
		"another type":           {reflect.TypeFor[map[string]int](), "x", "X is y.", "", "map[string]int"},
		"a type of others":       {reflect.TypeFor[reflect.Method](), "x", "X is y.", "", "not of this module"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := &describer{comments: comments{root: root}}
			f, err := d.field(reflect.StructField{Name: "X", Type: c.typ}, c.tag, c.comment)
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("error %v, want one about %s", err, c.wantErr)
				}
				return
			}
			if got := f.missing + "|" + f.null + "|" + f.meaning; err != nil || got != c.want || f.name != "x" {
				t.Errorf("%q of %s, error %v, want %q of x", got, f.name, err, c.want)
			}
		})
	}
}

func TestSplice(t *testing.T) {
	cases := map[string]struct{ page, want, wantErr string }{
		"replaces what is between": {"a\n" + begin + "old\n" + end + "b\n", "a\n" + begin + "new\n" + end + "b\n", ""},
		"no beginning":             {"a\n" + end, "", "are not there"},
		"no end":                   {begin + "a\n", "", "are not there"},
		"end before the beginning": {end + begin, "", "are not there"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := splice([]byte(c.page), "new\n")
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("error %v, want %q", err, c.wantErr)
				}
				return
			}
			if err != nil || string(got) != c.want {
				t.Errorf("%q, error %v, want %q", got, err, c.want)
			}
		})
	}
}
