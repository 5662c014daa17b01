package doctor

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSizes compares the sizing table with the one in the documentation.
func TestSizes(t *testing.T) {
	var rows []string
	for _, file := range []string{"../../docs/install.md", "../../docs/sizing.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the table is in one of them
		}
		_, table, _ := strings.Cut(string(text), "| pods | nodes | edges | heap |")
		for _, line := range strings.Split(table, "\n")[min(2, strings.Count(table, "\n")):] {
			if !strings.HasPrefix(line, "|") {
				break
			}
			cells := strings.Split(strings.Trim(line, "| "), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			n := len(cells)
			rows = append(rows, strings.Join([]string{cells[0], cells[1], cells[4], cells[n-2], cells[n-1]}, " "))
		}
	}
	thousands := func(n int) string {
		if n < 1000 {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	for i, size := range Sizes() {
		want := fmt.Sprintf("%s %s %.1f KiB %s %s", thousands(size.Pods), thousands(size.Nodes), size.PodBytes/1024, size.Request, size.Limit)
		if i >= len(rows) || rows[i] != want {
			t.Errorf("row %d of %q is not %q", i, rows, want)
		}
	}
	if len(rows) != len(Sizes()) {
		t.Errorf("%d rows in the documentation, %d sizes", len(rows), len(Sizes()))
	}
}
