package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/internal/report"
)

// reportJSON replays and decodes the whole report.
func reportJSON(t *testing.T, args ...string) *report.Report {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"replay", "-o", "json"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// column returns a column of the summary without its names and without what it saves,
// which is against another column.
func column(t *testing.T, r *report.Report, name string) report.Column {
	t.Helper()
	for _, c := range r.Summary {
		if c.Name == name {
			c.Name, c.Run, c.Saved = "", "", nil
			return c
		}
	}
	t.Fatalf("there is no column %q in %+v", name, r.Summary)
	return report.Column{}
}

// TestTheSummaryIsFourReplays: each column has the figures, to the last digit, of a replay
// of its own, in which the cluster itself has that routing.
func TestTheSummaryIsFourReplays(t *testing.T) {
	edges, cluster := shopFiles(t)
	routed := t.TempDir()
	for name, more := range map[string][]string{"the default": nil, "a zone for one": {"--route", "shop/cart=PreferSameZone"}} {
		t.Run(name, func(t *testing.T) {
			args := []string{"--price", "aws", "--seeds", "3"}
			all := reportJSON(t, append(append([]string{edges, "--cluster", cluster}, args...), more...)...)
			write := more
			if more == nil {
				write = []string{"--route", "all=PreferSameNode"}
			}
			succeed(t, append([]string{"replay", edges, "--cluster", cluster, "--write", routed}, write...)...)
			otherEdges, otherCluster := filepath.Join(routed, "edges.csv"), filepath.Join(routed, "cluster.json")
			for name, alone := range map[string]*report.Report{
				report.ColumnToday:    reportJSON(t, append([]string{edges, "--cluster", cluster, "--run", "recorded"}, args...)...),
				report.ColumnRouting:  reportJSON(t, append([]string{otherEdges, "--cluster", otherCluster, "--run", "recorded"}, args...)...),
				report.ColumnVicinity: reportJSON(t, append([]string{edges, "--cluster", cluster, "--run", "recorded,cost"}, args...)...),
				report.ColumnBoth:     reportJSON(t, append([]string{otherEdges, "--cluster", otherCluster, "--run", "recorded,cost"}, args...)...),
			} {
				as := report.ColumnToday
				if name == report.ColumnVicinity || name == report.ColumnBoth {
					as = report.ColumnVicinity
				}
				if diff := cmp.Diff(column(t, alone, as), column(t, all, name)); diff != "" {
					t.Errorf("%s (-a replay of its own +summary):\n%s", name, diff)
				}
			}
			today, both := column(t, all, report.ColumnToday), column(t, all, report.ColumnBoth)
			if saved := all.Summary[3].Saved; saved == nil || !equal(saved.Mean, today.PerMonth.Mean-both.PerMonth.Mean) {
				t.Errorf("both saves %+v, want %v - %v", saved, today.PerMonth.Mean, both.PerMonth.Mean)
			}
		})
	}
}

func equal(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

// TestWithoutServicesThereIsNoOtherRouting: the columns are missing, and a note says why.
func TestWithoutServicesThereIsNoOtherRouting(t *testing.T) {
	dir := t.TempDir()
	edges, cluster := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json")
	write(t, edges, shopEdges)
	write(t, cluster, asIs{sixNodes + shopPods}.json(t))
	r := reportJSON(t, edges, "--cluster", cluster, "--seeds", "1")
	if len(r.Summary) != 2 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "no Service of the input") {
		t.Errorf("columns %+v, notes %q", r.Summary, r.Notes)
	}
	code, _, said := invoke(t, "replay", edges, "--cluster", cluster, "--route", "all=PreferSameNode")
	if code != exitUsage || !strings.Contains(said, "has no Services") {
		t.Errorf("exit code %d, stderr %q", code, said)
	}
}

// TestTheUsersConfigurationIsVicinity: the summary is about the configuration that the
// user brings, if the plugin is in it.
func TestTheUsersConfigurationIsVicinity(t *testing.T) {
	edges, cluster := shopFiles(t)
	dir := t.TempDir()
	plain, mine := filepath.Join(dir, "plain.yaml"), filepath.Join(dir, "mine.yaml")
	write(t, plain, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n")
	config, err := os.ReadFile("../../manifests/profiles/availability.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, mine, string(config))
	r := reportJSON(t, edges, "--cluster", cluster, "--seeds", "1", "--scheduler-config", plain, "--scheduler-config", mine)
	if len(r.Summary) != 4 || r.Summary[2].Run != "mine" || r.Summary[3].Run != "mine+routing" {
		t.Errorf("columns %+v, want those of mine", r.Summary)
	}
}

// TestAssignmentsTravel: what --write-assignment writes, --assignment reads, and its
// figures are those of the run. The JSON has the same assignment.
func TestAssignmentsTravel(t *testing.T) {
	edges, cluster := shopFiles(t)
	for arg, run := range map[string]string{"": "latency+routing", "latency=": "latency", "recorded=": "recorded"} {
		path := filepath.Join(t.TempDir(), "assignment.csv")
		r := reportJSON(t, edges, "--cluster", cluster, "--seeds", "1", "--write-assignment", arg+path, "--route", "all=PreferSameNode")
		again := reportJSON(t, edges, "--cluster", cluster, "--seeds", "1", "--run", "recorded", "--assignment", "written="+path, "--route", "all=PreferSameNode")
		want, got := runOf(t, r, run), runOf(t, again, "written")
		if run == "latency+routing" {
			got = runOf(t, again, "written+routing")
		}
		if diff := cmp.Diff(want.Assignment, got.Assignment); diff != "" || len(want.Assignment) == 0 {
			t.Errorf("%s: assignment (-replayed +read):\n%s", run, diff)
		}
		if diff := cmp.Diff(want.Summary.Node, got.Summary.Node); diff != "" {
			t.Errorf("%s: traffic (-replayed +read):\n%s", run, diff)
		}
	}
}

func runOf(t *testing.T, r *report.Report, name string) report.Run {
	t.Helper()
	for _, run := range r.Runs {
		if run.Name == name {
			return run
		}
	}
	t.Fatalf("there is no run %s", name)
	return report.Run{}
}

// TestConsolidationAndRollouts: nodes are drained, and figures are of those that are
// left; a second rollout goes on where the first has ended.
func TestConsolidationAndRollouts(t *testing.T) {
	dir := t.TempDir()
	edges, cluster := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json")
	write(t, edges, shopEdges)
	write(t, cluster, asIs{sixNodes + shopPods}.json(t))
	args := []string{edges, "--cluster", cluster, "--seeds", "2", "--run", "recorded,latency"}
	r := reportJSON(t, append(args, "--order", "consolidation")...)
	if before, after := runOf(t, r, "recorded").Summary.Nodes.Mean, runOf(t, r, "latency").Summary.Nodes.Mean; before != 6 || after != 1 {
		t.Errorf("%v nodes before and %v after, want 6 and 1: all pods fit there", before, after)
	}
	if out := succeed(t, append([]string{"replay", "--order", "consolidation"}, args...)...); !strings.Contains(out, "NODES") {
		t.Errorf("the nodes that are left are not in\n%s", out)
	}
	once, twice := reportJSON(t, args...), reportJSON(t, append(args, "--rollouts", "2")...)
	if once.Rollouts != 0 || twice.Rollouts != 2 {
		t.Errorf("%d and %d rollouts, want none and 2", once.Rollouts, twice.Rollouts)
	}
	if cmp.Equal(runOf(t, once, "latency").PerSeed, runOf(t, twice, "latency").PerSeed) {
		t.Error("the second rollout changes nothing")
	}
}

// TestConsolidationOfOddNodes: with a node of an unknown zone, what is known of the nodes
// that are left may differ from before; then there are no figures, rather than wrong ones.
func TestConsolidationOfOddNodes(t *testing.T) {
	dir := t.TempDir()
	edges, cluster := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json")
	write(t, edges, shopEdges)
	write(t, cluster, asIs{strings.Replace(sixNodes, "n1 z1 r", "n1 - r", 1) + shopPods}.json(t))
	code, out, said := invoke(t, "replay", edges, "--cluster", cluster, "--seeds", "2", "--run", "recorded,latency", "--order", "consolidation", "--price", "aws")
	if code != exitUsage || out != "" || !strings.Contains(said, "label all nodes alike") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, said)
	}
}

// TestTheSamePodsWarnOnce: a warning about today's pods is not given again for the same
// pods with another routing.
func TestTheSamePodsWarnOnce(t *testing.T) {
	edges, cluster := shopFiles(t)
	dir := t.TempDir()
	none := filepath.Join(dir, "none.csv")
	write(t, none, "workload,node,pods\n")
	r := reportJSON(t, edges, "--cluster", cluster, "--run", "recorded", "--assignment", "none="+none, "--route", "all=PreferSameNode")
	said := 0
	for _, w := range r.Warnings {
		if strings.Contains(w, "without a node") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times in %q, want once", said, r.Warnings)
	}
}

// TestReplaySeeds: two seeds are too few for an interval, and the report says so instead of
// printing one that is wider than any share.
func TestReplaySeeds(t *testing.T) {
	for seeds, want := range map[string]struct{ interval, note bool }{"1": {}, "2": {note: true}, "3": {interval: true}} {
		for _, verbose := range []string{"--verbose=false", "--verbose"} {
			out := succeed(t, "replay", "mesh:chain,size=3", "--run", "default,latency", "--seeds", seeds, verbose)
			if strings.Contains(out, "±") != (want.interval || want.note) || strings.Contains(out, "half the 95 % confidence interval") != want.interval ||
				strings.Contains(out, "note: two seeds are too few for a confidence interval") != want.note {
				t.Errorf("%s seeds, %s:\n%s", seeds, verbose, out)
			}
		}
	}
}
