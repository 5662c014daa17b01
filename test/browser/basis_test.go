package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// withoutServices takes the Services out of a cluster file.
func withoutServices(t *testing.T, args []string) []string {
	t.Helper()
	path := args[3] // of clusterIn: --cluster
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := decode[struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Items      []map[string]any `json:"items"`
	}](t, text)
	kept := list.Items[:0]
	for _, item := range list.Items {
		if item["kind"] != "Service" {
			kept = append(kept, item)
		}
	}
	list.Items = kept
	text, err = json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return args
}

// TestWhatWasMeasured reads what the page says of the order of pods, and compares
// warnings, notes and the nodes at the end with the JSON.
func TestWhatWasMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
		// drained: the runs end with different numbers of nodes. noted: there are notes.
		drained, noted bool
	}{
		"one rollout":      {args: append(clusterIn(t, true), "--order", "rollout"), says: "with a surge of one."},
		"several rollouts": {args: append(clusterIn(t, true), "--order", "rollout", "--rollouts", "3"), says: "with a surge of one. 3 rollouts follow one another, each starting where the last one ended."},
		"consolidation": {
			args: append(clusterIn(t, true), "--order", "consolidation"), drained: true,
			says: "Order consolidation: the least used nodes are drained, one after the other, while their pods fit elsewhere.",
		},
		"no Services":         {args: withoutServices(t, clusterIn(t, true)), says: "Order ", noted: true},
		"node without a zone": {args: clusterIn(t, false), says: " USD a month)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := decode[report](t, vicinity(t, append(c.args, "-o", "json")...))
			p := show(t, vicinity(t, append(c.args, "-o", "html")...), desktop)
			basis := strings.Join(evaluate[[]string](p, `[...document.querySelectorAll(".basis li")].map((e) => e.textContent)`), "\n") + "\n"
			if !strings.Contains(basis, c.says) || strings.Contains(basis, "rollouts follow") != (r.Rollouts > 1) {
				t.Errorf("what was measured is %q, want %q", basis, c.says)
			}
			if len(r.Notes) > 0 != c.noted {
				t.Errorf("the notes are %q, want some: %v", r.Notes, c.noted)
			}
			for prefix, texts := range map[string][]string{"Warning: ": r.Warnings, "Note: ": r.Notes} {
				if strings.Count("\n"+basis, "\n"+prefix) != len(texts) {
					t.Errorf("%q, want %d of %q", basis, len(texts), prefix)
				}
				for _, text := range texts {
					if !strings.Contains(basis, prefix+text+"\n") {
						t.Errorf("%q is missing in %q", prefix+text, basis)
					}
				}
			}
			checkNodes(p, &r, c.drained)
			p.quiet()
		})
	}
}

// checkNodes compares the nodes at the end, which are shown where they differ.
func checkNodes(p *tab, r *report, drained bool) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.Search(`//summary[text()="All figures as a table"]`)))
	p.settle()
	row := "Nodes at the end"
	count := func(v float64) string { return fmt.Sprint(v) }
	for _, run := range r.Runs {
		row += " " + run.Summary.Nodes.with(count)
		p.choose("Run", run.Name)
		want := "(nothing)"
		if drained {
			want = run.Summary.Nodes.with(count)
		}
		if got := p.text(`[data-figure="nodes"] .now`); got != want {
			p.t.Errorf("%s ends with %q nodes, want %q", run.Name, got, want)
		}
	}
	if got := strings.Contains(p.text(".figures tbody"), row); got != drained {
		p.t.Errorf("the table has the row %q: %v, want %v:\n%s", row, got, drained, p.text(".figures"))
	}
	if head := p.text(".figures thead"); drained && head != "Figure "+r.heads() {
		p.t.Errorf("the head of the table is %q, want %q", head, r.heads())
	}
}

// heads are the titles and names of all runs.
func (r *report) heads() string {
	var all []string
	for _, run := range r.Runs {
		all = append(all, capital(run.Title)+" "+run.Name)
	}
	return strings.Join(all, " ")
}
