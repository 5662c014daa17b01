package importrules

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPackageComments(t *testing.T) {
	g := loadModule(t)
	for _, p := range g.own() {
		if len(p.files) == 0 {
			t.Errorf("%s: no Go file was read in %s", p.path, p.dir)
			continue
		}
		for _, mistake := range checkDoc(p) {
			t.Error(mistake)
		}
	}
}

// checkDoc returns what is wrong with the comment of a package. Files of an
// external test are of another package, which needs none.
func checkDoc(p *pkg) []string {
	want := "Package " + p.name + " "
	if p.name == "main" {
		want = "Command " + path.Base(p.path) + " "
	}
	var mistakes []string
	var with []string
	for _, f := range p.files {
		if f.name == p.name+"_test" && strings.HasSuffix(f.path, "_test.go") || f.doc == "" {
			continue
		}
		with = append(with, f.path)
		if !strings.HasPrefix(strings.ReplaceAll(f.doc, "\n", " "), want) {
			first, _, _ := strings.Cut(f.doc, "\n")
			mistakes = append(mistakes, fmt.Sprintf("%s: the package comment begins %q, want %q", f.path, first, want))
		}
	}
	switch len(with) {
	case 0:
		mistakes = append(mistakes, fmt.Sprintf("%s: no file has the package comment; one must, beginning %q", p.path, want))
	case 1:
	default:
		mistakes = append(mistakes, fmt.Sprintf("%s: %d files have a package comment, one should: %s", p.path, len(with), strings.Join(with, ", ")))
	}
	return mistakes
}

func TestCheckDoc(t *testing.T) {
	cases := map[string]struct {
		name  string
		files []file
		want  []string
	}{
		"one": {
			name:  "cut",
			files: []file{{"cut.go", "cut", "Package cut\nmeasures."}, {"b.go", "cut", ""}, {"cut_test.go", "cut_test", "Tests."}},
		},
		"none": {
			name:  "cut",
			files: []file{{"cut.go", "cut", ""}},
			want:  []string{`m/tool: no file has the package comment; one must, beginning "Package cut "`},
		},
		"two, one in a test of the package": {
			name:  "cut",
			files: []file{{"cut.go", "cut", "Package cut measures."}, {"cut_test.go", "cut", "Package cut measures."}},
			want:  []string{"m/tool: 2 files have a package comment, one should: cut.go, cut_test.go"},
		},
		"another name": {
			name:  "cut",
			files: []file{{"cut.go", "cut", "Package cuts measures."}},
			want:  []string{`cut.go: the package comment begins "Package cuts measures.", want "Package cut "`},
		},
		"a command is called as its directory": {
			name:  "main",
			files: []file{{"main.go", "main", "Command tool does it."}},
		},
		"a command as a package": {
			name:  "main",
			files: []file{{"main.go", "main", "Package main does it."}},
			want:  []string{`main.go: the package comment begins "Package main does it.", want "Command tool "`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := checkDoc(&pkg{path: "m/tool", name: c.name, files: c.files})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}
