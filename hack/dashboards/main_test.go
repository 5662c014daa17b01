package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestFilesAreWritten(t *testing.T) {
	var want []string
	for _, d := range dashboards() {
		want = append(want, d.file())
		text, err := d.render()
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join("../..", directory, d.file()))
		if err != nil || string(file) != string(text) {
			t.Errorf("%s is not what the code says (%v): run go run ./hack/dashboards", d.file(), err)
		}
	}
	there, err := filepath.Glob(filepath.Join("../..", directory, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if !slices.Contains(want, filepath.Base(path)) {
			t.Errorf("%s is no dashboard of ours", path)
		}
	}
}

// metricsPage is docs/metrics.md, which a test of its own compares with the code.
func metricsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// plain replaces what Grafana fills in.
func plain(expr string) string {
	return strings.NewReplacer("$cluster", "one", "$namespace", "vicinity-system", "$job", "vicinity-scheduler", "$__range_s", "86400", "$__range", "1d", "$__rate_interval", "5m", "$price_per_gb", "0.02").Replace(expr)
}

// others are the metrics on our pages that are not ours.
var others = []string{ // of kube-scheduler and of every Go program
	"leader_election_master_status", "process_resident_memory_bytes", "scheduler_pending_pods",
	"scheduler_plugin_execution_duration_seconds", "scheduler_schedule_attempts_total",
}

// TestQueriesNameWhatIsThere: each query parses, and its metrics and the values of their labels are in
// docs/metrics.md.
func TestQueriesNameWhatIsThere(t *testing.T) {
	page := metricsPage(t)
	syntax := parser.NewParser(parser.Options{})
	for _, d := range dashboards() {
		for _, p := range d.panels() {
			if (p.kind == "text") != (len(p.queries) == 0) {
				t.Errorf("%s, %s: %d queries", d.name, p.title, len(p.queries))
			}
			for _, q := range p.queries {
				expr, err := syntax.ParseExpr(plain(scope(q.expr)))
				if err != nil {
					t.Errorf("%s, %s: %v", d.name, p.title, err)
					continue
				}
				for _, matchers := range parser.ExtractSelectors(expr) {
					for _, fault := range unknown(page, matchers) {
						t.Errorf("%s, %s: %s", d.name, p.title, fault)
					}
				}
			}
		}
	}
}

// unknown returns what a selector names and the page does not know.
func unknown(page string, matchers []*labels.Matcher) (faults []string) {
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel {
			family := regexp.MustCompile("_(bucket|count)$").ReplaceAllString(m.Value, "")
			if !slices.Contains(others, family) && !strings.Contains(page, "\n| `"+family+"` |") {
				faults = append(faults, "there is no metric "+m.Value)
			}
			continue
		}
		for _, value := range strings.Split(m.Value, "|") {
			if value != "TrafficLocality" && !slices.Contains([]string{"cluster", "namespace", "job"}, m.Name) && !strings.Contains(page, "\n| `"+value+"` |") {
				faults = append(faults, m.Name+" has no value "+value)
			}
		}
	}
	return faults
}

func TestUnknownNamesAreFound(t *testing.T) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(`vicinity_traffic_bytes_per_second{level="nodes"} + vicinity_traffic + sum(rate(vicinity_score_spread_points_bucket[5m]))`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, matchers := range parser.ExtractSelectors(expr) {
		got = append(got, unknown(metricsPage(t), matchers)...)
	}
	if want := []string{"level has no value nodes", "there is no metric vicinity_traffic"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEveryMetricIsShown: what is worth exporting is worth a look.
func TestEveryMetricIsShown(t *testing.T) {
	text := ""
	for _, d := range dashboards() {
		for _, p := range d.panels() {
			for _, q := range p.queries {
				text += q.expr + "\n"
			}
		}
	}
	names := regexp.MustCompile("(?m)^\\| `(vicinity_[a-z_]+)` \\| (counter|gauge|histogram)").FindAllStringSubmatch(metricsPage(t), -1)
	if len(names) < 20 {
		t.Fatalf("docs/metrics.md has %d metrics", len(names))
	}
	for _, name := range names {
		if !regexp.MustCompile(name[1] + `(_bucket|_count)?\b`).MatchString(text) {
			t.Errorf("no dashboard shows %s", name[1])
		}
	}
}

// panels returns the panels of all rows.
func (d dashboard) panels() (all []panel) {
	for _, r := range d.rows {
		all = append(all, r.panels...)
	}
	return all
}
