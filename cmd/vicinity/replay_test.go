package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
)

// replayJSON is the part of the report that these tests look at.
type replayJSON struct {
	APIVersion, Kind string
	Runs             []struct {
		Name    string
		Config  string
		Summary struct {
			Node struct {
				Uniform struct {
					LocalShare struct{ Mean float64 }
				}
			}
		}
	}
}

// TestReplayGeneratedMesh compares every built-in run on a mesh that fits into
// seconds.
func TestReplayGeneratedMesh(t *testing.T) {
	args := []string{"replay", "mesh:deep-tree", "--seeds", "3", "-o", "json"}
	first := succeed(t, args...)
	var got replayJSON
	if err := json.Unmarshal([]byte(first), &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, run := range got.Runs {
		names = append(names, run.Name)
	}
	if want := []string{"default", "netmarks", "latency", "default+routing", "latency+routing"}; got.APIVersion != "report.vicinity.dev/v2" || got.Kind != "Replay" || !slices.Equal(names, want) {
		t.Errorf("%s %s, runs %v, want %v", got.APIVersion, got.Kind, names, want)
	}
	if again := succeed(t, append(args, "--parallel", "1")...); again != first {
		t.Error("the same seeds give another report")
	}
	if other := succeed(t, append(args, "--first-seed", "9")...); other == first {
		t.Error("other seeds give the same report")
	}
	if timed := succeed(t, append(args, "--timing")...); !strings.Contains(timed, "Seconds") {
		t.Error("--timing shows no seconds")
	}
}

// TestReplayTable looks for what people read.
func TestReplayTable(t *testing.T) {
	out := succeed(t, "replay", "mesh:chain", "--seeds", "2", "--price-per-gb", "0.02", "--run", "default,latency", "-v")
	for _, want := range []string{"CROSS-NODE", "CROSS-ZONE", "HEADROOM", "UNSCHEDULABLE", "default", "latency", "What changes most from default to latency"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "netmarks") {
		t.Errorf("a run that was not asked for is in\n%s", out)
	}
}

// TestReplayWrittenInput writes a generated mesh, reads it back as a user's own
// files, and gets the same figures.
func TestReplayWrittenInput(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "replay", "mesh:online-boutique", "--write", dir)
	edges, cluster := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json")
	figures := func(args ...string) map[string]float64 {
		t.Helper()
		var got replayJSON
		if err := json.Unmarshal([]byte(succeed(t, append(args, "--order", "random", "--seeds", "1", "-o", "json")...)), &got); err != nil {
			t.Fatal(err)
		}
		shares := map[string]float64{}
		for _, run := range got.Runs {
			shares[run.Name] = 1 - run.Summary.Node.Uniform.LocalShare.Mean
		}
		return shares
	}
	written := figures("replay", edges, "--cluster", cluster, "--run", "default,latency")
	if len(written) != 4 || written["default"] == 0 || written["latency"] >= written["default"] {
		t.Errorf("crossing shares %v, want those of default and latency, latency less", written)
	}
	own := filepath.Join(dir, "own.yaml")
	write(t, own, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n- schedulerName: a\n"+
		"- {schedulerName: b, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}}\n")
	assignment := filepath.Join(dir, "nothing.csv")
	write(t, assignment, "workload,node,pods\n")
	more := figures("replay", edges, "--cluster", cluster, "--run", "default", "--scheduler-config", own,
		"--scheduler-config", "near="+own, "--profile", "b", "--assignment", "none="+assignment)
	if got := slices.Sorted(maps.Keys(more)); !slices.Equal(got, []string{"default", "default+routing", "near", "none", "own", "own+routing"}) {
		t.Errorf("runs %v", got)
	}
	if more["none"] != 1 || more["own"] != more["near"] || more["near"] >= more["default"] {
		t.Errorf("crossing shares %v", more)
	}
}

// TestReplayBusiestLink: the cluster file's nodes have the label, and a configuration
// names it.
func TestReplayBusiestLink(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "replay", "mesh:chain-replicas", "--write", dir)
	edges, cluster, config := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json"), filepath.Join(dir, "bounded.yaml")
	objects, err := os.ReadFile(cluster)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cluster, strings.ReplaceAll(string(objects), `"kubernetes.io/hostname":`, `"network": "10", "kubernetes.io/hostname":`))
	write(t, config, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"+
		"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}, "+
		"pluginConfig: [{name: TrafficLocality, args: {networkCapacity: {label: network, unit: 1M}}}]}\n")
	args := []string{"replay", edges, "--cluster", cluster, "--seeds", "2", "--run", "default"}
	detailed := func(args []string) string { return succeed(t, append(args, "-v")...) }
	if out := detailed(args); strings.Contains(out, "BUSIEST LINK") {
		t.Errorf("nobody named the label:\n%s", out)
	}
	// One that leaves it to the telemetry names no label.
	measured := filepath.Join(dir, "measured.yaml")
	write(t, measured, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"+
		"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}, "+
		"pluginConfig: [{name: TrafficLocality, args: {networkCapacity: {}}}]}\n")
	args = append(args, "--scheduler-config", measured)
	if out := detailed(args); strings.Contains(out, "BUSIEST LINK") {
		t.Errorf("nobody named the label:\n%s", out)
	}
	args = append(args, "--scheduler-config", config)
	if out := detailed(args); !strings.Contains(out, "BUSIEST LINK %") {
		t.Errorf("no network in\n%s", out)
	}
	var got struct {
		Runs []struct {
			Summary struct{ BusiestLink struct{ Mean float64 } }
		}
	}
	if err := json.Unmarshal([]byte(succeed(t, append(args, "-o", "json")...)), &got); err != nil {
		t.Fatal(err)
	}
	for _, run := range got.Runs {
		if used := run.Summary.BusiestLink.Mean; !(used > 0.01 && used < 100) {
			t.Errorf("%v of the busiest network is used", used)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReplayErrors(t *testing.T) {
	dir := t.TempDir()
	edges, bad, cluster := filepath.Join(dir, "edges.csv"), filepath.Join(dir, "bad.csv"), filepath.Join(dir, "cluster.json")
	config := filepath.Join(dir, "scheduler.yaml")
	write(t, edges, "from,to,bytes_per_second\na/x,a/y,1\n")
	write(t, bad, "from,to,bytes_per_second\na/x,a/y,-1\n")
	write(t, cluster, `{"apiVersion":"v1","kind":"List","items":[`)
	write(t, config, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\ncolour: red\n")
	cases := map[string]struct {
		args []string
		code int
		want string
	}{
		"no input":               {nil, 2, "takes one INPUT"},
		"two inputs":             {[]string{"a", "b"}, 2, "takes one INPUT"},
		"no such file":           {[]string{filepath.Join(dir, "none.json")}, 2, "none.json: no such file"},
		"no such mesh":           {[]string{"mesh:nothing"}, 2, "mesh:help"},
		"bad size":               {[]string{"mesh:chain,size=0"}, 2, "size=N"},
		"size out of range":      {[]string{"mesh:chain,size=1000000000"}, 2, "size"},
		"edges without cluster":  {[]string{edges}, 2, "--cluster FILE"},
		"cluster without edges":  {[]string{"mesh:chain", "--cluster", cluster}, 2, "--cluster goes with"},
		"truncated cluster":      {[]string{edges, "--cluster", cluster}, 1, "cluster.json:1"},
		"unknown output":         {[]string{"mesh:chain", "-o", "xml"}, 2, "table, json or html"},
		"unknown order":          {[]string{"mesh:chain", "--order", "sideways"}, 2, "must be one of random, by-workload, "},
		"rollout from nothing":   {[]string{"mesh:chain", "--order", "rollout"}, 2, "no assignment"},
		"unknown run":            {[]string{"mesh:chain", "--run", "magic"}, 2, "netmarks"},
		"a run's former name":    {[]string{"mesh:chain", "--run", "gain"}, 2, "is called latency now"},
		"two prices":             {[]string{"mesh:chain", "--price", "aws", "--price-per-gb", "1"}, 2, "exclude each other"},
		"unknown price":          {[]string{"mesh:chain", "--price", "AWS"}, 2, "must be one of aws, gcp, azure, or a price file"},
		"a bad price file":       {[]string{"mesh:chain", "--price", bad}, 1, "bad.csv"},
		"details of JSON":        {[]string{"mesh:chain", "-v", "-o", "json"}, 2, "--verbose goes with"},
		"rollouts in an order":   {[]string{"mesh:chain", "--rollouts", "2"}, 2, "--order rollout"},
		"too many rollouts":      {[]string{"mesh:chain", "--rollouts", "0"}, 2, "--rollouts 0"},
		"draining nothing":       {[]string{"mesh:chain", "--order", "consolidation"}, 2, "no assignment"},
		"assignment of no run":   {[]string{"mesh:chain", "--seeds", "1", "--run", "default", "--write-assignment", "magic=" + filepath.Join(dir, "out.csv")}, 2, "the runs: default"},
		"written and shown":      {[]string{"mesh:chain", "--write", dir, "-o", "json"}, 2, "--output does not go with --write, which replays nothing"},
		"written and assigned":   {[]string{"mesh:chain", "--write", dir, "--write-assignment", "a.csv"}, 2, "--write-assignment does not go with --write"},
		"a directory to write":   {[]string{"none.csv", "--cluster", "none.json", "--write-assignment", "default=" + dir}, 2, "--write-assignment " + dir + ": is a directory"},
		"recorded without":       {[]string{"mesh:chain", "--run", "recorded"}, 2, "no assignment"},
		"no seeds":               {[]string{"mesh:chain", "--seeds", "0"}, 2, "--seeds 0"},
		"negative price":         {[]string{"mesh:chain", "--price-per-gb", "-1"}, 2, "--price-per-gb -1"},
		"unknown baseline":       {[]string{"mesh:chain", "--baseline", "magic"}, 2, "the runs: default"},
		"bad configuration":      {[]string{"mesh:chain", "--scheduler-config", config}, 1, "scheduler.yaml: "},
		"two runs of a name":     {[]string{"mesh:chain", "--scheduler-config", "latency=" + config}, 1, "colour"},
		"assignment, no name":    {[]string{"mesh:chain", "--assignment", edges}, 2, "NAME=FILE"},
		"assignment, bad file":   {[]string{"mesh:chain", "--assignment", "a=" + bad}, 1, "bad.csv: the file is an edge list (CSV), not an assignment (CSV)"},
		"assignment, no file":    {[]string{"mesh:chain", "--assignment", "a=" + filepath.Join(dir, "none.csv")}, 2, "none.csv"},
		"a profile of nothing":   {[]string{"mesh:chain", "--profile", "x"}, 2, "--profile x: goes with --scheduler-config"},
		"a profile that is not":  {[]string{"mesh:chain", "--run", "default", "--profile", "x", "--scheduler-config", "mine=" + filepath.Join(dir, "good.yaml")}, 1, `no profile "x"`},
		"not ByteDance's format": {[]string{cluster}, 1, "cluster.json"},
	}
	write(t, filepath.Join(dir, "good.yaml"), "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n")
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, said := invoke(t, append([]string{"replay"}, c.args...)...)
			if code != c.code || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, c.want) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and %q", code, out, said, c.code, c.want)
			}
		})
	}
}

func TestReplayListsMeshes(t *testing.T) {
	out := succeed(t, "replay", "mesh:help")
	for _, family := range meshes.Families() {
		if !strings.Contains(out, "mesh:"+family.Name+" ") {
			t.Errorf("%s is not in\n%s", family.Name, out)
		}
	}
}

// TestCanWrite: finding out whether a file can be written changes nothing.
func TestCanWrite(t *testing.T) {
	dir := t.TempDir()
	there, fresh, link := filepath.Join(dir, "there"), filepath.Join(dir, "fresh"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(there, []byte("x"), 0o600), os.Symlink("missing", link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{there, fresh, link} {
		if err := canWrite(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "x" {
		t.Errorf("the file has %q: %v", text, err)
	}
	if to, err := os.Readlink(link); err != nil || to != "missing" {
		t.Errorf("the link leads to %q: %v", to, err)
	}
	for _, path := range []string{fresh, filepath.Join(dir, "missing")} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", path, err)
		}
	}
}
