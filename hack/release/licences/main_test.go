package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/hack/release/linked"
)

// isc is a short licence.
const isc = `Copyright (c) 2020 Somebody

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
`

const proprietary = "All rights reserved. You may look at this code, but not use it.\n"

// modulesIn returns example.com/m, of whose directory "linked" a package is
// linked, with the given files.
func modulesIn(t *testing.T, files map[string]string) []*linked.Module {
	t.Helper()
	root := t.TempDir()
	p := linked.Package{ImportPath: "example.com/m/linked", Dir: filepath.Join(root, "linked")}
	p.Module = &struct {
		Path, Version, Dir string
		Main               bool
	}{"example.com/m", "v1.0.0", root, false}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		to := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := linked.ModulesOf([]linked.Package{p})
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

func TestReport(t *testing.T) {
	cases := map[string]struct {
		files      map[string]string
		allowed    []string
		exceptions map[string]string
		want       string // in the error; none when empty
	}{
		"allowed":                         {files: map[string]string{"LICENSE": isc}, allowed: []string{"ISC"}},
		"not allowed":                     {files: map[string]string{"LICENSE": isc}, allowed: []string{"MIT"}, want: "example.com/m v1.0.0: LICENSE is ISC, which is not allowed"},
		"an exception":                    {files: map[string]string{"COPYING.md": isc}, exceptions: map[string]string{"example.com/m": "ISC"}},
		"an exception of another":         {files: map[string]string{"LICENSE": isc}, exceptions: map[string]string{"example.com/n": "ISC"}, want: "not allowed"},
		"unknown":                         {files: map[string]string{"LICENCE.txt": proprietary}, allowed: []string{"ISC"}, want: "LICENCE.txt is not a known licence"},
		"known, with conditions added":    {files: map[string]string{"LICENSE": isc + strings.Repeat(proprietary, 10)}, allowed: []string{"ISC"}, want: "not a known licence"},
		"none":                            {files: map[string]string{"README": isc, "license.go": "package m"}, allowed: []string{"ISC"}, want: "has no licence"},
		"a notice is no licence":          {files: map[string]string{"NOTICE": "Made by somebody.\n"}, allowed: []string{"ISC"}, want: "has no licence"},
		"of a linked fork":                {files: map[string]string{"LICENSE": isc, "linked/LICENSE": proprietary}, allowed: []string{"ISC"}, want: "linked/LICENSE is not"},
		"of what is not linked":           {files: map[string]string{"LICENSE": isc, "unlinked/LICENSE": proprietary}, allowed: []string{"ISC"}},
		"of documentation is not of code": {files: map[string]string{"LICENSE": isc, "LICENSE.docs": proprietary}, allowed: []string{"ISC"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := report(&bytes.Buffer{}, modulesIn(t, tc.files), tc.allowed, tc.exceptions)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestTextsAreThereOnce(t *testing.T) {
	got := string(linked.Texts(modulesIn(t, map[string]string{"LICENSE": isc, "linked/LICENSE": isc, "NOTICE": "Made by somebody.\n"})))
	for text, want := range map[string]int{"Permission to use": 1, "Made by somebody.": 1, "example.com/m v1.0.0 LICENSE\nexample.com/m v1.0.0 linked/LICENSE\n": 1} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q stands there %d times, want %d, in:\n%s", text, n, want, got)
		}
	}
}

// TestThisProgram lists what this program links.
func TestThisProgram(t *testing.T) {
	texts := filepath.Join(t.TempDir(), "licences.txt")
	out := &bytes.Buffer{}
	// Ours has its licence in the directory above.
	err := run([]string{"-v", "-o", texts, "."}, out)
	if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "hack/release: has no licence") {
		t.Errorf("error = %v", err)
	}
	for _, want := range []string{`github.com/google/licensecheck +v\S+ +BSD-3-Clause`, `std +BSD-3-Clause`, `3 modules: BSD-3-Clause 2`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no line %s in:\n%s", want, out)
		}
	}
	if text, err := os.ReadFile(texts); err != nil || !bytes.Contains(text, []byte("The Go Authors")) {
		t.Errorf("licences: %v\n%s", err, text)
	}
}
