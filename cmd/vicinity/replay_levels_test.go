package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rackConfig is a configuration for which racks are a level, nearer than zones.
func rackConfig(t *testing.T, path, args string) string {
	t.Helper()
	write(t, path, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"+
		"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}, "+
		"pluginConfig: [{name: TrafficLocality, args: {"+args+"}}]}\n")
	return path
}

// inRacks gives the nodes of a cluster file a label, every sixth the same value: the
// generated ones are in three zones by turns.
func inRacks(t *testing.T, path string) {
	t.Helper()
	objects, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	labelled := regexp.MustCompile(`"kubernetes.io/hostname":`).ReplaceAllStringFunc(string(objects), func(key string) string {
		n++
		return fmt.Sprintf(`"example.com/rack": "rack-%d", %s`, n%6, key)
	})
	if n < 2 {
		t.Fatalf("%s has %d nodes", path, n+1)
	}
	write(t, path, labelled)
}

// levelsJSON is the part of the report that these tests look at.
type levelsJSON struct {
	Levels []string
	Runs   []struct {
		Name    string
		Summary struct {
			Node, Zone levelJSON
			Labelled   []struct {
				Label string
				levelJSON
			}
		}
	}
}

type levelJSON struct {
	Configured, Uniform struct{ LocalShare struct{ Mean float64 } }
}

func checkRacks(t *testing.T, text string, runs int) {
	t.Helper()
	var got levelsJSON
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"node", "example.com/rack", "zone", "region"}; !slices.Equal(got.Levels, want) || len(got.Runs) != runs {
		t.Fatalf("%d runs, levels %v, want %d, %v", len(got.Runs), got.Levels, runs, want)
	}
	between := false
	for _, run := range got.Runs {
		if len(run.Summary.Labelled) != 1 || run.Summary.Labelled[0].Label != "example.com/rack" {
			t.Fatalf("%s: levels %+v", run.Name, run.Summary.Labelled)
		}
		node, rack, zone := run.Summary.Node.Uniform.LocalShare.Mean, run.Summary.Labelled[0].Uniform.LocalShare.Mean, run.Summary.Zone.Uniform.LocalShare.Mean
		if node > rack || rack > zone {
			t.Errorf("%s: %v stays on the node, %v in the rack, %v in the zone", run.Name, node, rack, zone)
		}
		between = between || node < rack && rack < zone
	}
	if !between {
		t.Error("racks are no other level than nodes, or than zones")
	}
}

// TestReplayLabelledLevels: one of the configurations names a label, and the traffic of
// all runs is measured at it.
func TestReplayLabelledLevels(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "replay", "mesh:heavy-tailed,size=60", "--write", dir)
	edges, cluster := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json")
	inRacks(t, cluster)
	racks := rackConfig(t, filepath.Join(dir, "racks.yaml"), "levels: [{label: example.com/rack, closeness: 0.8}]")
	costs := rackConfig(t, filepath.Join(dir, "costs.yaml"), "cost: {zone: 1, region: 2, remote: 3}, levels: [{label: example.com/rack, cost: 0.2}]")
	args := []string{"replay", edges, "--cluster", cluster, "--order", "random", "--seeds", "2", "--run", "default"}
	if out := succeed(t, args...); strings.Contains(out, "rack") {
		t.Errorf("nobody named the label:\n%s", out)
	}
	args = append(args, "--scheduler-config", racks, "--scheduler-config", costs)
	table := succeed(t, append(args, "-v")...)
	heads := regexp.MustCompile(`(?m)^CROSS-\S+ `).FindAllString(table, -1)
	if want := []string{"CROSS-NODE ", "CROSS-example.com/rack ", "CROSS-ZONE "}; len(heads) < 3 || !slices.Equal(heads[:3], want) {
		t.Errorf("tables %q, want %q", heads, want)
	}
	checkRacks(t, succeed(t, append(args, "-o", "json")...), 5)
	if page := succeed(t, append(args, "-o", "html")...); !strings.Contains(page, `"example.com/rack":[`) {
		t.Error("the page has no picture of racks")
	}
	wide := rackConfig(t, filepath.Join(dir, "wide.yaml"), "levels: [{label: example.com/rack, closeness: 0.3}]")
	code, _, stderr := invoke(t, append(args, "--scheduler-config", wide)...)
	if code != exitFailure || !strings.Contains(stderr, "example.com/rack, zone") || !strings.Contains(stderr, "one by one") {
		t.Errorf("with another order of the levels the exit code is %d, stderr: %s", code, stderr)
	}
}

// TestReplayInvalidLevels: what is wrong with one configuration names its file, not the
// other runs.
func TestReplayInvalidLevels(t *testing.T) {
	path := rackConfig(t, filepath.Join(t.TempDir(), "both.yaml"), "cost: {zone: 1, region: 2, remote: 3}, levels: [{label: example.com/rack, closeness: 0.5}]")
	code, _, stderr := invoke(t, "replay", "mesh:star", "--scheduler-config", path)
	if code != exitFailure || !strings.Contains(stderr, path) || !strings.Contains(stderr, "levels[0]") || strings.Contains(stderr, "one by one") {
		t.Errorf("exit code %d, stderr: %s", code, stderr)
	}
}

// TestReplayLabelledLevelsOverTime is the same for a recording.
func TestReplayLabelledLevelsOverTime(t *testing.T) {
	dir := t.TempDir()
	o := aRecording()
	o.Nodes = 12
	cluster := clusterFile(t, filepath.Join(dir, "cluster.json"), o)
	inRacks(t, cluster)
	racks := rackConfig(t, filepath.Join(dir, "racks.yaml"), "levels: [{label: example.com/rack, closeness: 0.8}]")
	o.WithoutObjects = true
	path := record(t, filepath.Join(dir, "edges"), o)
	text := succeed(t, "replay", path, "--cluster", cluster, "--seeds", "2", "--run", "recorded,default", "--scheduler-config", racks, "-o", "json")
	checkRacks(t, text, 5)
}
