package sources_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/internal/sources"
)

// rows are the cells of the table below a line of a text.
func rows(t *testing.T, text, below string) [][]string {
	t.Helper()
	_, after, ok := strings.Cut(text, below)
	if !ok {
		t.Fatalf("there is no %q", below)
	}
	var all [][]string
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(all) > 0 {
				break
			}
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		all = append(all, cells)
	}
	if len(all) < 3 {
		t.Fatalf("the table below %q has no rows", below)
	}
	return all[2:] // head and ruler
}

// marksIn are the marks in a cell, without what is in parentheses.
func marksIn(cell string) []string {
	cell = regexp.MustCompile(`\s*\([^)]*\)`).ReplaceAllString(cell, "")
	marks := strings.Split(cell, ", ")
	slices.Sort(marks)
	return marks
}

// TestTablesOfMeshes: what the documentation says of where names have been seen is what the
// evidence says, and the README says the same.
func TestTablesOfMeshes(t *testing.T) {
	types := map[string]sources.Type{}
	for _, kind := range own(t) {
		types[string(kind.Name)] = kind
	}
	inDocs, inReadme := map[string][]string{}, map[string][]string{}
	for _, row := range rows(t, read(t, "../../docs/telemetry-sources.md"), "## Which meshes") {
		mesh, marks := row[0], marksIn(row[3])
		inDocs[mesh] = marks
		name := regexp.MustCompile("`[^`]+`").FindString(row[1])
		kind, ok := types[strings.Trim(name, "`")]
		if !ok {
			if strings.Contains(row[1], "](") { // to its section
				t.Errorf("%s is read by a source %s, which there is not", mesh, name)
			}
			continue
		}
		var want []string
		for mark, places := range evidenceOf(t, kind).marks() {
			if len(places) > 0 {
				want = append(want, mark)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, marks); diff != "" {
			t.Errorf("%s: marks (-evidence +documentation):\n%s", mesh, diff)
		}
	}
	for _, row := range rows(t, read(t, "../../README.md"), "## Requirements") {
		inReadme[row[0]] = marksIn(row[2])
	}
	if diff := cmp.Diff(inDocs, inReadme); diff != "" {
		t.Errorf("(-docs/telemetry-sources.md +README.md):\n%s", diff)
	}
}
