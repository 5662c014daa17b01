package doccommands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		page string
		want []string // kind, line, text
	}{
		"an indented command and what it prints": {
			"# Top\n\ntext\n\n    vicinity graph\n\nprints\n\n    FROM  TO\n    a     b\n\nend\n",
			[]string{"shell 5 Top vicinity graph\n", "text 9 Top FROM  TO\na     b\n"},
		},
		"blank lines within a block": {
			"    kubectl get pods\n\n    \n    kubectl get nodes\n",
			[]string{"shell 1  kubectl get pods\n\n\nkubectl get nodes\n"},
		},
		"a block in a list": {
			"1. **Look**:\n\n       bin/vicinity graph\n\n   more\n\n       kubectl apply -k .\n",
			[]string{"shell 3  bin/vicinity graph\n", "shell 7  kubectl apply -k .\n"},
		},
		"a paragraph in a nested list is no block": {
			"- a\n  - b\n\n    more of b\n    kubectl\n",
			nil,
		},
		"a paragraph's second line is no block": {
			"text\n    kubectl goes on\n",
			nil,
		},
		"fences": {
			"```yaml\na: 1\n```\n\n```sh\nls\n```\n\n```promql\nsum(x)\n```\n",
			[]string{"yaml 2  a: 1\n", "shell 6  ls\n", "text 10  sum(x)\n"},
		},
		"a fence in a list": {
			"- x\n\n  ```yaml\n  a:\n    b: 1\n  ```\n",
			[]string{"yaml 4  a:\n  b: 1\n"},
		},
		"variables before a command": {
			"    P=1 make x\n\n    Q=2\n",
			[]string{"shell 1  P=1 make x\n\nQ=2\n"},
		},
		"a comment before a command, and a file": {
			"    # why\n    jq . x\n\ntext\n\n    # prices.yaml\n    unit: GB\n",
			[]string{"shell 1  # why\njq . x\n", "yaml 6  # prices.yaml\nunit: GB\n"},
		},
		"marks": {
			"<!-- docs-test: run touch x -->\n<!-- docs-test: exit 4 -->\n    vicinity graph\n\n<!-- docs-test: text -->\n\n    some --flag\n",
			[]string{"shell 3  vicinity graph\n before [touch x] exit 4", "text 7  some --flag\n not printed"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			blocks, err := Parse("page.md", test.page)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range blocks {
				s := fmt.Sprintf("%v %d %s %s", b.Kind, b.Line, b.Section, b.Text)
				if len(b.Before) > 0 || b.Exit != 0 {
					s += fmt.Sprintf(" before %v exit %d", b.Before, b.Exit)
				}
				if b.NotPrinted {
					s += " not printed"
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	cases := map[string]struct{ page, want string }{
		"what nobody can classify":  {"\n    newtool install --now\n", `page.md:2: is "newtool install --now" typed?`},
		"a fence that does not end": {"```sh\nls\n", "page.md:1: the block does not end"},
		"an unknown mark":           {"<!-- docs-test: skip -->\n    ls\n", `page.md:2: the mark "skip": must be`},
		"a mark without a block":    {"<!-- docs-test: text -->\n", "has no block"},
		"an exit code in words":     {"<!-- docs-test: exit four -->\n    ls\n", `the mark "exit four"`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("page.md", test.page); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	cases := map[string]struct {
		language, text string
		want           []string
	}{
		"one a line":        {"", "a\nb\n", []string{"a", "b"}},
		"comments":          {"", "# a\nb # c \\\nd\n", []string{"b # c \\", "d"}},
		"a backslash":       {"", "a \\\n  b\nc\n", []string{"a \\\n  b", "c"}},
		"a pipe":            {"", "a |\n  b\nc\n", []string{"a |\n  b", "c"}},
		"quotes":            {"", "jq '.a |\n  .b' x\nc 'it'\\''s' \"a'\"\n", []string{"jq '.a |\n  .b' x", `c 'it'\''s' "a'"`}},
		"a here-document":   {"", "cat > x <<END\na 'b\nEND\nc\n", []string{"cat > x <<END\na 'b\nEND", "c"}},
		"a loop":            {"", "for x in a b; do\n  c $x\ndone\nd\n", []string{"for x in a b; do\n  c $x\ndone", "d"}},
		"a loop on a line":  {"", "for x in a; do b; done\nc\n", []string{"for x in a; do b; done", "c"}},
		"a word in quotes":  {"", "echo 'for x'\nb\n", []string{"echo 'for x'", "b"}},
		"with what it says": {"console", "$ a \\\n  b\nsaid\n$ c\nsaid\n", []string{"a \\\n  b", "c"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got := Block{Kind: Shell, Language: test.language, Text: test.text}.Commands()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFits(t *testing.T) {
	cases := map[string]struct{ shown, printed, want string }{
		"other figures":              {"total 5 B/s\nshop/a 1\n", "total 7 B/s\nx\nshop/a 3\n", ""},
		"names that differ":          {"web-6f7d9 1\n...\n", "", ""},
		"a line that is not there":   {"total 5\n", "sum total 5\n", `begins with "total"`},
		"a column that is not":       {"NODE RANK\n", "NODE POINTS\n", `no column "RANK"`},
		"a column that has moved":    {"NODE RANK\n", "NODE POINTS RANK\n", ""},
		"words of a line may differ": {"graph 16 edges\n", "graph of 3 edges\n", ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			err := Fits(test.shown, test.printed)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}
