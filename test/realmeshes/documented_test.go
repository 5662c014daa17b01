//go:build linux

package realmeshes

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
)

// documentation has the tables of figures.
const documentation = "../../docs/telemetry-sources.md"

// unknown is what stands for a figure where there is no wire.
const unknown = "?"

// of is an amount for 100 of the payload.
func of(n, payload int) string {
	if n == 0 {
		return unknown
	}
	return fmt.Sprintf("%.1f", 100*float64(n)/float64(payload))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// markdown is a table with a header.
func markdown(table [][]string) string {
	out := &strings.Builder{}
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	rule := make([]string, len(table[0]))
	for i := range rule {
		rule[i] = "---"
	}
	for _, row := range slices.Insert(slices.Clone(table), 1, rule) {
		fmt.Fprintln(w, "| "+strings.Join(row, "\t| ")+"\t|")
	}
	_ = w.Flush() // into memory
	return out.String()
}

// compareDocumented compares a table with the one of the same header in the documentation, or
// writes it there. The figures of a column may differ by the column's tolerance, a ratio.
func compareDocumented(t *testing.T, table [][]string, tolerances []float64) {
	t.Helper()
	text, err := os.ReadFile(documentation)
	if err != nil {
		t.Fatal(err)
	}
	documented, before, after := tableIn(string(text), table[0])
	if *update {
		var rows strings.Builder
		for i, row := range table {
			if slices.Contains(row, unknown) {
				t.Fatal("without a wire, figures for the documentation are missing")
			}
			fmt.Fprintf(&rows, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				fmt.Fprintln(&rows, strings.Repeat("| --- ", len(row))+"|")
			}
		}
		if err := os.WriteFile(documentation, []byte(before+rows.String()+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(documented) != len(table) {
		t.Fatalf("%s has %d rows of this table, want %d; `hack/realmeshes.sh -update` writes them", documentation, len(documented), len(table))
	}
	for i, row := range table[1:] {
		for j, cell := range row {
			is, has := cell, documented[i+1][j]
			if j >= len(row)-len(tolerances) {
				if is == unknown || near(t, is, has, tolerances[j-len(row)+len(tolerances)]) {
					continue
				}
			} else if is == has {
				continue
			}
			t.Errorf("%s has %s in row %q, column %q; it is %s", documentation, has, row[0], table[0][j], is)
		}
	}
}

// near compares two figures.
func near(t *testing.T, is, has string, tolerance float64) bool {
	t.Helper()
	a, errA := strconv.ParseFloat(is, 64)
	b, errB := strconv.ParseFloat(has, 64)
	if errA != nil || errB != nil {
		t.Fatalf("%q and %q: %v, %v", is, has, errA, errB)
	}
	return a >= b*(1-tolerance) && a <= b*(1+tolerance)
}

// tableIn returns the rows of the table with a header, without the rule below it, and what
// is before and after the table.
func tableIn(text string, header []string) (rows [][]string, before, after string) {
	lines := strings.SplitAfter(text, "\n")
	first := slices.IndexFunc(lines, func(line string) bool { return slices.Equal(cells(line), header) })
	if first < 0 {
		return nil, text, ""
	}
	end := first
	for ; end < len(lines) && strings.HasPrefix(lines[end], "|"); end++ {
		if end != first+1 {
			rows = append(rows, cells(lines[end]))
		}
	}
	return rows, strings.Join(lines[:first], ""), strings.Join(lines[end:], "")
}

// cells are those of a line of a table.
func cells(line string) []string {
	var all []string
	for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
		all = append(all, strings.TrimSpace(cell))
	}
	return all
}
