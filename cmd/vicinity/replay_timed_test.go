package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
	"github.com/vicinity-sched/vicinity/internal/recordingtest"
	"github.com/vicinity-sched/vicinity/internal/replay"
)

var recordedFrom = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// aRecording is of 40 minutes.
func aRecording() recordingtest.Options {
	return recordingtest.Options{
		Nodes: 6, Workloads: 8, Edges: 20, Replicas: 3, PodEvents: 20, NodeEvents: 2,
		From: recordedFrom, Length: 40 * time.Minute, Step: time.Minute, Seed: 1,
	}
}

// record makes a recording at a path.
func record(t *testing.T, path string, o recordingtest.Options) string {
	t.Helper()
	target, err := recordingfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(recordingtest.Write(target, o), target.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// clusterFile writes what kubectl would.
func clusterFile(t *testing.T, path string, o recordingtest.Options) string {
	t.Helper()
	var text bytes.Buffer
	if err := recordingtest.Cluster(o).Write(&text); err != nil {
		t.Fatal(err)
	}
	write(t, path, text.String())
	return path
}

// TestReplayOldRecording replays a recording that an older vicinity made. Its rules keep
// calls in their zones: there is no advice to let Services do so.
func TestReplayOldRecording(t *testing.T) {
	out := succeed(t, "replay", "--run", "latency", "--warm-up", "1m", "-v", filepath.Join("..", "..", "internal", "kube", "history", "testdata", "without-subsets-and-ports"))
	for _, want := range []string{"4 nodes, 3 workloads, 5 pods, 2 edges, 23.8 KiB/s", "UNSCHEDULABLE"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "What another trafficDistribution would save") {
		t.Errorf("advice in\n%s", out)
	}
}

// database writes half an hour of a Prometheus: w0 sends 3,000 bytes a second to w1.
func database(t *testing.T, dir string) string {
	t.Helper()
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	appender := db.Appender(t.Context())
	series := labels.FromStrings("__name__", "istio_request_bytes_sum", "reporter", "source", "source_workload", "w0",
		"source_workload_namespace", "shop", "destination_workload", "w1", "destination_workload_namespace", "shop")
	for at := time.Duration(0); at <= 30*time.Minute; at += 15 * time.Second {
		if _, err := appender.Append(0, series, recordedFrom.Add(at).UnixMilli(), 3000*at.Seconds()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(appender.Commit(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// timedJSON is the part of the report that these tests look at.
type timedJSON struct {
	Input struct {
		From, To, WarmUpUntil time.Time
		Gaps, Nodes           int
		BytesPerSecond        float64
	}
	Assumed []struct{ Service string }
	Runs    []struct {
		Name     string
		Replayed bool
		Timeline []struct {
			At                      time.Time
			BytesPerSecond          float64
			CrossNodeBytesPerSecond float64
			CrossZoneBytesPerSecond float64
			Pods, Nodes             int
		}
		Summary struct {
			Node struct {
				Configured, Uniform struct {
					LocalShare             struct{ Mean float64 }
					CrossingBytesPerSecond struct{ Mean float64 }
				}
			}
		}
	}
	RoutingAdvice []any
	Warnings      []string
}

func replayTimed(t *testing.T, args ...string) (timedJSON, string) {
	t.Helper()
	text := succeed(t, append([]string{"replay", "-o", "json"}, args...)...)
	var got timedJSON
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	return got, text
}

// TestReplayRecording reads the same recording from a directory and an archive.
func TestReplayRecording(t *testing.T) {
	dir := t.TempDir()
	path := record(t, filepath.Join(dir, "shop"), aRecording())
	args := []string{"--seeds", "2", "--warm-up", "10m", "--price-per-gb", "0.01"}
	got, text := replayTimed(t, append(args, path)...)
	if !got.Input.From.Equal(recordedFrom) || got.Input.To.Sub(recordedFrom) != 40*time.Minute || got.Input.WarmUpUntil.Sub(recordedFrom) != 10*time.Minute || got.Input.Gaps != 0 {
		t.Errorf("input %+v", got.Input)
	}
	var names []string
	for _, run := range got.Runs {
		names = append(names, run.Name)
		if len(run.Timeline) != 40 || run.Replayed == strings.HasPrefix(run.Name, replay.RecordedRun) {
			t.Errorf("%s: replayed %v, a timeline of %d moments", run.Name, run.Replayed, len(run.Timeline))
		}
		// The mean of the moments after the warm-up is what the summary says.
		var crossing, all float64
		for _, m := range run.Timeline[10:] {
			crossing, all = crossing+m.CrossNodeBytesPerSecond/30, all+m.BytesPerSecond/30
		}
		if want := run.Summary.Node.Configured.CrossingBytesPerSecond.Mean; math.Abs(crossing-want) > 1e-6*want || math.Abs(all-got.Input.BytesPerSecond) > 1e-6*all {
			t.Errorf("%s: the moments have %v of %v bytes/s, the summary %v of %v", run.Name, crossing, all, want, got.Input.BytesPerSecond)
		}
		like := got.Runs[0]
		if strings.HasSuffix(run.Name, "+routing") {
			like = got.Runs[5] // recorded, with the same routing
		}
		if warm := run.Timeline[9]; warm != like.Timeline[9] || warm.Pods == 0 || warm.Nodes == 0 {
			t.Errorf("%s: in the warm-up %+v, recorded %+v", run.Name, warm, like.Timeline[9])
		}
	}
	if want := []string{"recorded", "default", "netmarks", "latency", "cost", "recorded+routing", "cost+routing"}; !slices.Equal(names, want) || len(got.RoutingAdvice) == 0 {
		t.Errorf("runs %v with %d pieces of advice", names, len(got.RoutingAdvice))
	}
	if latency := got.Runs[3]; latency.Summary.Node.Uniform.LocalShare.Mean <= got.Runs[0].Summary.Node.Uniform.LocalShare.Mean {
		t.Errorf("latency keeps no more than recorded: %v", latency.Summary.Node.Uniform)
	}
	if _, again := replayTimed(t, append(args, "--parallel", "1", path)...); again != text {
		t.Error("the same seeds give another report")
	}
	archive := record(t, filepath.Join(dir, "shop.tar.zst"), aRecording())
	if _, again := replayTimed(t, append(args, archive)...); strings.Replace(again, "shop.tar.zst", "shop", 1) != text {
		t.Error("an archive gives another report")
	}
	if err := os.Rename(archive, filepath.Join(dir, "renamed")); err != nil {
		t.Fatal(err)
	}
	if _, again := replayTimed(t, append(args, filepath.Join(dir, "renamed"))...); strings.Replace(again, "renamed", "shop", 1) != text {
		t.Error("an archive of another name gives another report")
	}
	if page := succeed(t, append(append([]string{"replay", "-o", "html"}, args...), path)...); !strings.Contains(page, `"crossZoneBytesPerSecond":`) {
		t.Errorf("there is no timeline in the page, of %d bytes", len(page))
	}
	table := succeed(t, "replay", path, "--seeds", "1", "--run", "recorded,latency")
	for _, want := range []string{"from 2026-03-04T05:00:00Z to 2026-03-04T05:40:00Z; measured from 2026-03-04T05:20:00Z on", "CROSS-ZONE"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
}

// TestReplayRecordingWithoutEnd is what a recorder leaves that was killed.
func TestReplayRecordingWithoutEnd(t *testing.T) {
	path := record(t, filepath.Join(t.TempDir(), "shop"), aRecording())
	manifest := filepath.Join(path, "manifest.json")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "to")
	text, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write(t, manifest, string(text))
	parts, err := filepath.Glob(filepath.Join(path, "edges-*"))
	if err != nil || os.Remove(parts[len(parts)-1]) != nil {
		t.Fatal(err)
	}
	got, _ := replayTimed(t, "--run", "recorded", path)
	if got.Input.To.Sub(recordedFrom) != 30*time.Minute || got.Input.WarmUpUntil.Sub(recordedFrom) != 15*time.Minute || len(got.Warnings) == 0 {
		t.Errorf("input %+v, warnings %q", got.Input, got.Warnings)
	}
}

// TestReplayStaticObjects takes the traffic from a recording without objects, or
// from a Prometheus, and the rest from a file.
func TestReplayStaticObjects(t *testing.T) {
	dir := t.TempDir()
	o := aRecording()
	cluster := clusterFile(t, filepath.Join(dir, "cluster.json"), o)
	o.WithoutObjects = true
	path := record(t, filepath.Join(dir, "edges"), o)
	got, _ := replayTimed(t, path, "--cluster", cluster, "--run", "recorded,latency", "--seeds", "1")
	if got.Input.Nodes != 6 || got.Runs[1].Summary.Node.Uniform.LocalShare.Mean <= got.Runs[0].Summary.Node.Uniform.LocalShare.Mean {
		t.Errorf("input %+v, runs %+v", got.Input, got.Runs)
	}
	data := database(t, filepath.Join(dir, "data"))
	got, _ = replayTimed(t, data, "--cluster", cluster, "--run", "recorded,latency", "--seeds", "1", "--since", "20m", "--warm-up", "25%", "--step", "30s")
	from := recordedFrom.Add(10 * time.Minute)
	if !got.Input.From.Equal(from) || got.Input.WarmUpUntil.Sub(from) != 5*time.Minute || math.Abs(got.Input.BytesPerSecond-3000) > 1e-6 || len(got.Runs[0].Timeline) != 40 {
		t.Errorf("input %+v with %d moments", got.Input, len(got.Runs[0].Timeline))
	}
	// The source's rates have a window of 5 minutes; before it has two samples there
	// is nothing to see.
	got, _ = replayTimed(t, data, "--cluster", cluster, "--run", "recorded", "--step", "10s")
	if got.Input.Gaps != 1 {
		t.Errorf("%d gaps, want 1", got.Input.Gaps)
	}
}

// TestReplayTimedErrors are one line each.
func TestReplayTimedErrors(t *testing.T) {
	dir := t.TempDir()
	o := aRecording()
	o.Length = 4 * time.Minute
	shop := record(t, filepath.Join(dir, "shop"), o)
	o.WithoutObjects = true
	edges := record(t, filepath.Join(dir, "edges"), o)
	cluster := clusterFile(t, filepath.Join(dir, "cluster.json"), o)
	data := database(t, filepath.Join(dir, "data"))
	empty, none := filepath.Join(dir, "empty"), filepath.Join(dir, "none.tar.zst")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage.tar.zst")
	write(t, garbage, "no archive")
	broken := record(t, filepath.Join(dir, "broken"), aRecording())
	files, err := filepath.Glob(filepath.Join(broken, "objects-*"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	write(t, files[0], strings.Replace(string(text), `"kind":"Pod"`, `"kind":["Pod"]`, 1))
	o = aRecording()
	o.Length = o.Step
	one := record(t, filepath.Join(dir, "one"), o)
	cases := map[string]struct {
		args []string
		code int
		want string
	}{
		"one step":                 {[]string{one}, 1, "one: the recording is too short: no whole step is after the warm-up, which ends at 2026-03-04T05:00:30Z; the last step ends at 2026-03-04T05:01:00Z. Record longer, or give --warm-up a shorter time, such as 0%"},
		"shorter than its warm-up": {[]string{one, "--warm-up", "30m"}, 2, "--warm-up 30m: must be shorter than the input, 1m"},
		"neither":                  {[]string{empty}, 2, "empty is neither a recording nor a Prometheus data directory: it is empty"},
		"no such archive":          {[]string{none}, 2, "none.tar.zst: no such file"},
		"no archive":               {[]string{garbage}, 1, "garbage.tar.zst: the file is no recording"},
		"no objects":               {[]string{edges}, 2, "edges has no objects by the end of the warm-up; give the cluster with --cluster FILE"},
		"objects twice":            {[]string{shop, "--cluster", cluster}, 1, ".jsonl:2: the recording has objects itself; leave out --cluster"},
		"a broken object":          {[]string{broken}, 1, ".jsonl:2: kind is no text"},
		"data without cluster":     {[]string{data}, 2, "--cluster FILE"},
		"no such cluster":          {[]string{data, "--cluster", none}, 2, "none.tar.zst: no such file"},
		"warm-up is no time":       {[]string{shop, "--warm-up", "soon"}, 2, `--warm-up "soon": must be a duration`},
		"warm-up of all":           {[]string{shop, "--warm-up", "100%"}, 2, "must be shorter than the input, 4m"},
		"since is no time":         {[]string{data, "--cluster", cluster, "--since", "early"}, 2, `--since "early": must be a time such as`},
		"since after the data":     {[]string{data, "--cluster", cluster, "--since", "2026-03-05T05:00:00Z"}, 2, "there is data from 2026-03-04T05:00:00Z to 2026-03-04T05:30:00Z"},
		"until before the data":    {[]string{data, "--cluster", cluster, "--until", "48h"}, 2, "there is data from 2026-03-04T05:00:00Z to 2026-03-04T05:30:00Z"},
		"until before since":       {[]string{data, "--cluster", cluster, "--since", "5m", "--until", "10m"}, 2, "there are no two steps of"},
		"since of a recording":     {[]string{shop, "--since", "5m"}, 2, "go with a Prometheus data directory"},
		"warm-up of a mesh":        {[]string{"mesh:chain", "--warm-up", "5m"}, 2, "--warm-up goes with a recording"},
		"a negative step":          {[]string{data, "--cluster", cluster, "--step", "-1s"}, 2, "--step -1s"},
		"an assignment":            {[]string{shop, "--assignment", "a=" + cluster}, 2, "--assignment does not go with shop"},
		"writing":                  {[]string{shop, "--write", empty}, 2, "--write does not go with shop"},
		"an unknown order":         {[]string{shop, "--order", "sideways"}, 2, "random"},
		"an unknown Service":       {[]string{shop, "--route", "shop/none=Any"}, 2, `no Service or workload "shop/none"`},
		"a bad telemetry config":   {[]string{data, "--cluster", cluster, "--telemetry-config", cluster}, 1, "cluster.json"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, said := invoke(t, append([]string{"replay"}, c.args...)...)
			if code != c.code || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, c.want) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and %q", code, out, said, c.code, c.want)
			}
		})
	}
}

// TestReplayRecordingByHand has figures that can be followed with a pencil: web on
// n0 calls db on n0 at 100 bytes a second. In the second minute db is on n1 for
// 15 s, and nowhere for 15 s before.
func TestReplayRecordingByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop")
	target, err := recordingfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := recording.NewWriter(target, recording.Manifest{From: recordedFrom, Step: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	change := func(kind recording.ChangeType, after time.Duration, object string, args ...any) {
		t.Helper()
		if err := w.Change(recording.Change{Type: kind, At: recordedFrom.Add(after), Object: fmt.Appendf(nil, object, args...)}); err != nil {
			t.Fatal(err)
		}
	}
	const node = `{"apiVersion":"v1","kind":"Node","metadata":{"name":%q,"labels":{"topology.kubernetes.io/zone":%q}},"status":{"allocatable":{"cpu":"4","memory":"4Gi","pods":"10"}}}`
	const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"x","name":"%[1]s-1-%[2]s","labels":{"pod-template-hash":"1"},` +
		`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"%[1]s-1","controller":true}]},"spec":{"nodeName":%[3]q}}`
	change(recording.Added, 0, node, "n0", "a")
	change(recording.Added, 0, node, "n1", "b")
	change(recording.Added, 0, pod, "web", "a", "n0")
	change(recording.Added, 0, pod, "db", "a", "n0")
	edges := []flowgraph.Edge{{
		From: flowgraph.WorkloadID{Namespace: "x", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "x", Name: "db"},
		Rates: flowgraph.Rates{SentBytesPerSecond: 60, ReceivedBytesPerSecond: 40},
	}}
	if err := w.Step(recordedFrom.Add(time.Minute), edges); err != nil {
		t.Fatal(err)
	}
	change(recording.Deleted, 90*time.Second, pod, "db", "a", "n0")
	change(recording.Added, 95*time.Second, pod, "db", "b", "")
	change(recording.Modified, 105*time.Second, pod, "db", "b", "n1")
	if err := errors.Join(w.Step(recordedFrom.Add(2*time.Minute), edges), w.Close(true, ""), target.Close()); err != nil {
		t.Fatal(err)
	}
	got, _ := replayTimed(t, path, "--run", "recorded,latency", "--order", "recorded", "--warm-up", "1m")
	// 30 s on the node, 15 s nowhere and 15 s on another one: half of it crosses.
	// With latency the new db is on n0 at once, but serves when the recorded one does.
	for i, want := range []float64{50, 25} {
		run := got.Runs[i]
		if crossing := run.Summary.Node.Configured.CrossingBytesPerSecond.Mean; crossing != want || run.Timeline[1].CrossNodeBytesPerSecond != want || run.Timeline[1].CrossZoneBytesPerSecond != want {
			t.Errorf("%s: %v of 100 bytes/s cross, moments %+v; want %v", run.Name, crossing, run.Timeline, want)
		}
	}
}
