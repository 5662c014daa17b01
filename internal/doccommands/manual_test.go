package doccommands

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestExceptions finds every exception in the manual.
func TestExceptions(t *testing.T) {
	pages, err := Manual(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	used := map[Exception]bool{}
	typed := 0
	for _, page := range pages {
		for _, b := range page {
			for _, command := range b.Commands() {
				typed++
				for _, e := range Exceptions() {
					if e.Match(b.Page, command) {
						used[e] = true
						break
					}
				}
			}
		}
	}
	for _, e := range Exceptions() {
		if e.Because == "" {
			t.Errorf("no reason is given why %q is not run", e.Command)
		}
		if !used[e] {
			t.Errorf("no page has the command %q %s, which is not to be run: take it out of the exceptions", e.Command, e.Page)
		}
	}
	t.Logf("%d commands on %d pages, %d exceptions", typed, len(pages), len(used))
}

// TestManualOrder begins with the page on which the others build.
func TestManualOrder(t *testing.T) {
	pages, err := Manual(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, page := range pages {
		names = append(names, page[0].Page)
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "docs/quickstart.md README.md docs/") {
		t.Errorf("the pages are %s", got)
	}
	if testing.Verbose() {
		list(t, pages)
	}
}

// list shows what each block has been taken for.
func list(t *testing.T, pages [][]Block) {
	for _, page := range pages {
		outputs := Outputs(page)
		for i, b := range page {
			first, _, _ := strings.Cut(b.Text, "\n")
			what := b.Kind.String()
			if o, ok := outputs[i]; ok {
				what += fmt.Sprint(" prints ", o.Line)
			}
			t.Logf("%s: %s: %s", b.At(), what, first)
		}
	}
}
