package main

import (
	"strings"
	"testing"
	"testing/fstest"
)

// sound is a small tree without a mistake; each case plants one.
func sound() map[string]string {
	return map[string]string{
		"README.md":       "# Vicinity\n\n![The report](docs/images/report.png)\n[Docs](docs/README.md), [a directory](docs/how-to/), <https://kubernetes.io/docs/>.\n",
		"CHANGELOG.md":    "# Changelog\n\n- docs/install.md says how.\n",
		"docs/README.md":  "# Index\n\n- [Install](install.md)\n- [Alerts](how-to/alerts.md#two-words)\n- [Here](#index)\n",
		"docs/install.md": "# Install\n\nSee [below](#a-code--more).\n\n## A `code`, & more\n",
		"docs/how-to/alerts.md": "# Alerts\n\n[Back](../README.md), [code](../../cmd/main.go), [the second](#twice-1).\n\n" +
			"## Two words\n\n## Twice\n\n## Twice\n\n    [no link](gone.md) in indented code\n\n```\n[nor](gone.md) here\n```\n\nNor `[here](gone.md)`.\n",
		"docs/images/report.png": "picture",
		"cmd/main.go":            "package main\n\n// See docs/install.md, or ../../docs/install.md#a-code--more.\n",
	}
}

func tree(files map[string]string) fstest.MapFS {
	t := fstest.MapFS{}
	for name, text := range files {
		t[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return t
}

// TestCheck plants one mistake after the other in a sound tree; each is found, and
// nothing else.
func TestCheck(t *testing.T) {
	cases := map[string]struct {
		file, text string // text is added to the file
		want       string
	}{
		"sound": {},
		"a link to a page that is not there": {
			file: "docs/install.md", text: "\n[x](gone.md)\n", want: "docs/install.md:7: docs/gone.md does not exist",
		},
		"a link on a page's second line of text": {
			file: "README.md", text: "Text\nand [x](docs/gone.md)\n", want: "README.md:6: docs/gone.md does not exist",
		},
		"a link in a table": {
			file: "docs/install.md", text: "\n| a |\n| --- |\n| [x](gone.md) |\n", want: "docs/install.md:9: docs/gone.md does not exist",
		},
		"a link in a list, below which code is indented": {
			file: "docs/install.md", text: "\n1. A step\n\n       code\n\n   [x](gone.md)\n", want: "docs/install.md:11: docs/gone.md does not exist",
		},
		"a link by reference": {
			file: "docs/install.md", text: "\n[x][y]\n\n[y]: gone.md\n", want: "docs/install.md:7: docs/gone.md does not exist",
		},
		"an anchor that another page does not have": {
			file: "README.md", text: "[x](docs/install.md#gone)\n", want: "README.md:5: docs/install.md has no heading #gone",
		},
		"an anchor that this page does not have": {
			file: "docs/README.md", text: "\n[x](#gone)\n", want: "docs/README.md:7: docs/README.md has no heading #gone",
		},
		"an anchor as the heading is written": {
			file: "docs/README.md", text: "\n[x](how-to/alerts.md#Two-words)\n", want: "docs/README.md:7: docs/how-to/alerts.md has no heading #Two-words",
		},
		"an anchor of something that is no page": {
			file: "README.md", text: "[x](cmd/main.go#L3)\n", want: "README.md:5: cmd/main.go is not a page and has no #L3",
		},
		"a path from the root": {
			file: "docs/install.md", text: "\n[x](/docs/README.md)\n", want: "docs/install.md:7: /docs/README.md is absolute; write it relative to this page",
		},
		"a path that leads out": {
			file: "README.md", text: "[x](../other/README.md)\n", want: "README.md:5: ../other/README.md is outside the repository",
		},
		"a site without a host": {
			file: "README.md", text: "[x](https:///page)\n", want: "README.md:5: https:///page names no host",
		},
		"another scheme": {
			file: "README.md", text: "[x](file:docs)\n", want: "README.md:5: file:docs is neither https nor a relative path",
		},
		"a broken URL": {
			file: "README.md", text: "[x](https://a.b/%zz)\n", want: `README.md:5: "https://a.b/%zz" is not a URL`,
		},
		"a picture without a text": {
			file: "docs/install.md", text: "\n![](images/report.png)\n", want: "docs/install.md:7: the image images/report.png has no alternative text",
		},
		"a picture that nobody shows": {
			file: "docs/images/old.png", text: "x", want: "docs/images/old.png: no page shows this picture",
		},
		"a page that nobody links": {
			file: "docs/how-to/lost.md", text: "# Lost\n\n[Index](../README.md)\n", want: "docs/how-to/lost.md: no links lead here from docs/README.md",
		},
		"a comment that names a page that is not there": {
			file: "cmd/main.go", text: "// As docs/gone.md says.\n", want: "cmd/main.go:4: docs/gone.md does not exist",
		},
		"a comment that names a section that is not there": {
			file: "cmd/main.go", text: "// As docs/install.md#gone says.\n", want: "cmd/main.go:4: docs/install.md has no heading #gone",
		},
		"a manifest that names a page on GitHub": {
			file: "manifests/a.yaml", text: "runbook: https://github.com/vicinity-sched/vicinity/blob/v0.1.0/docs/gone.md\n", want: "manifests/a.yaml:1: docs/gone.md does not exist",
		},
		"a page that names another in its text": {
			file: "CHANGELOG.md", text: "- docs/how-to/gone.md says more.\n", want: "CHANGELOG.md:4: docs/how-to/gone.md does not exist",
		},
		"the manual of another project": {
			file: "cmd/main.go", text: "// See https://example.com/docs/gone.md and kubernetes/docs/gone.md.\n",
		},
		"what make has built": {file: "bin/x.md", text: "[x](gone.md)\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files := sound()
			if tc.file != "" {
				files[tc.file] += tc.text
			}
			problems, _, err := check(tree(files))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if got := strings.Join(got, "\n"); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestNoIndex says that without an index nothing can be found.
func TestNoIndex(t *testing.T) {
	problems, _, err := check(tree(map[string]string{"docs/install.md": "# Install\n"}))
	if err != nil || len(problems) != 1 || problems[0].file != index {
		t.Errorf("problems %v, error %v; want one about %s", problems, err, index)
	}
}

func TestSlug(t *testing.T) {
	cases := map[string]string{
		"Which meshes":                         "which-meshes",
		"--config: KubeSchedulerConfiguration": "--config-kubeschedulerconfiguration",
		"The JSON of vicinity replay":          "the-json-of-vicinity-replay",
		"Load of 10 %, or more":                "load-of-10--or-more",
		"snake_case and Überschrift":           "snake_case-and-überschrift",
	}
	for heading, want := range cases {
		if got := slug(heading); got != want {
			t.Errorf("slug(%q) = %q, want %q", heading, got, want)
		}
	}
}
