package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesAreUpToDate(t *testing.T) {
	wanted, err := files("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range wanted {
		got, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(got)); diff != "" {
			t.Errorf("%s is out of date; renew it with: go run ./hack/docchart\n(-wanted +file):\n%s", name, diff)
		}
	}
}

// TestFilesAreCopies: the chart has no file that nobody renews.
func TestFilesAreCopies(t *testing.T) {
	known := copies()
	err := filepath.WalkDir("../../charts/vicinity/files", func(path string, entry os.DirEntry, err error) error {
		if name := strings.TrimPrefix(filepath.ToSlash(path), "../../"); err == nil && !entry.IsDir() && known[name] == "" {
			t.Errorf("%s is no copy of a file in manifests", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := filepath.Glob("../../manifests/profiles/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range profiles {
		name := "charts/vicinity/files/profiles/" + filepath.Base(profile)
		if known[name] == "" {
			t.Errorf("%s is not in the chart", profile)
		}
	}
}

func TestDescribe(t *testing.T) {
	cases := map[string]struct {
		values  string
		want    []row
		wantErr string
	}{
		"keys and maps": {
			values: "# Of the file.\n\n# How many,\n# at least.\nreplicas: 2\nimage:\n  # A name.\n  tag: \"\"\n# Free.\nargs: {a: 1}\n# A list.\nlist:\n- x\n",
			want:   []row{{"replicas", "2", "How many, at least."}, {"image.tag", `""`, "A name."}, {"args", `{"a":1}`, "Free."}, {"list", `["x"]`, "A list."}},
		},
		"a map with a comment of its own": {
			values: "# All of it.\ntelemetry:\n  # Where.\n  url: here\n",
			want:   []row{{"telemetry", "", "All of it."}, {"telemetry.url", `"here"`, "Where."}},
		},
		"a key without a comment": {
			values: "# One.\na: 1\nb:\n  # Two.\n  c: 2\n  d: 3\n", wantErr: "no comment above b.d",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := describe([]byte(tc.values))
			if text := ""; err != nil {
				if text = err.Error(); text != tc.wantErr {
					t.Fatalf("error %q, want %q", text, tc.wantErr)
				}
			} else if tc.wantErr != "" {
				t.Fatalf("no error, want %q", tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(row{})); tc.wantErr == "" && diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPagesAreLinks: what a comment names of the manual, how-to guides included, is a link.
func TestPagesAreLinks(t *testing.T) {
	got := string(render([]row{{"a", "1", "See docs/install.md, or docs/how-to/set-alerts.md."}}))
	want := "See [install.md](install.md), or [how-to/set-alerts.md](how-to/set-alerts.md)."
	if !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}
