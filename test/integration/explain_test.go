package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/explain"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// explainedVariable in the environment is how many decisions TestExplainAgrees compares;
// "make fidelity" sets it to 1,000.
const explainedVariable = "VICINITY_EXPLAIN_DECISIONS"

// TestExplainAgrees lets the whole scheduler place pods of many kinds, one after the other, has
// each explained before, and compares every score that the scheduler has given with those that
// were explained.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	decisions := 60
	if text := os.Getenv(explainedVariable); text != "" {
		var err error
		if decisions, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", explainedVariable, err)
		}
	}
	client, kubeconfig, token := r.ownBox(t, "--zones=3", "--nodes-per-zone=4", "--node-pods="+strconv.Itoa(decisions/4+10), "--node-cpu=64", "--node-memory=256Gi")
	pods, edges := manyPods(rand.New(rand.NewPCG(3, 4)), decisions)
	edges = inWorkloads(pods, edges)
	makeServices(t, client)
	o := shippedOptions(t, "explain-agrees", kubeconfig)
	o.prometheusURL, o.token = constantPrometheus(t, edges), token
	// What every plugin says of every node, and the line of each decision.
	o.args = []string{"--vmodule=schedule_one=10,decisions=4"}
	scheduler := r.start(t, o)
	eventually(t, "the graph is there", func() error {
		n, err := scheduler.metric("vicinity_graph_edges")
		if err == nil {
			err = want("the number of edges", int(n), len(edges))
		}
		return err
	})
	var total float64
	for _, edge := range edges {
		total += edge.BytesPerSecond()
	}
	eventually(t, "the scheduler measures how far traffic goes", func() error { // nobody has pods yet
		outside, err := scheduler.metric("vicinity_traffic_bytes_per_second", "pods=all", "level=outside")
		if err == nil && math.Abs(outside-total) > 1e-6*total {
			err = fmt.Errorf("%v of %v B/s are with no pod of the cluster", outside, total)
		}
		return err
	})
	e := newExplaining(t, kubeconfig, o)
	explained := map[string]*explain.Result{}
	for _, pod := range pods {
		result := e.explain(t, pod)
		chosen := schedule(t, client, pod)
		explained[pod.Name] = result
		if !slices.Contains(result.Chosen.Nodes, chosen) {
			t.Errorf("pod %s is placed on %s; it is explained that it would go to %v", pod.Name, chosen, result.Chosen.Nodes)
		}
	}
	scored := 0
	for _, result := range explained {
		if result.Chosen.Of > 1 { // a single candidate is taken without a score
			scored++
		}
	}
	var log string
	eventually(t, "all decisions are in the log", func() error {
		log = scheduler.log(t)
		return errors.Join(
			want("decisions with scores", len(scoresIn(log)), scored),
			want("lines of decisions", len(decidedLine.FindAllString(log, -1)), said(explained)), // which come after the bind
		)
	})
	compareScores(t, scoresIn(log), explained)
	compareLines(t, log, explained)
	e.asProgram(t, r, kubeconfig, pods[len(pods)-1], explained)
}

// mostWorkloads is how many workloads the pods are of. Of more than 512 the running scheduler takes
// the rates into account over some cycles, so that points may be off by one meanwhile.
const mostWorkloads = 300

// inWorkloads makes the pods of several workloads of the same number of pods each, and returns the
// traffic between these.
func inWorkloads(pods []*corev1.Pod, edges []flowgraph.Edge) []flowgraph.Edge {
	names := map[string]string{}
	for i, pod := range pods {
		names[pod.Name] = fmt.Sprintf("workload-%03d", i%mostWorkloads)
		pod.Labels[kube.WorkloadNameLabel] = names[pod.Name]
	}
	rates := map[[2]string]float64{}
	for _, e := range edges {
		rates[[2]string{names[e.From.Name], names[e.To.Name]}] += e.SentBytesPerSecond
	}
	var between []flowgraph.Edge
	for ends, rate := range rates {
		between = append(between, flowgraph.Edge{
			From: flowgraph.WorkloadID{Namespace: "default", Name: ends[0]}, To: flowgraph.WorkloadID{Namespace: "default", Name: ends[1]},
			Rates: flowgraph.Rates{SentBytesPerSecond: rate},
		})
	}
	return between
}

// explaining explains pods of a cluster.
type explaining struct {
	client    dynamic.Interface
	config    *schedulerconfig.Config
	telemetry *configv1.TelemetryConfiguration
	past      *telemetrysetup.Past
	readAt    time.Time
	files     [2]string // of both configurations
}

func newExplaining(t *testing.T, kubeconfig string, o startOptions) *explaining {
	t.Helper()
	e, dir := &explaining{}, t.TempDir()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	if e.client, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if e.files[0], err = sandbox.WriteConfig(dir, "scheduler.yaml", o.config); err != nil {
		t.Fatal(err)
	}
	if e.config, err = schedulerconfig.Load(e.files[0]); err != nil {
		t.Fatal(err)
	}
	if e.telemetry, err = sandbox.TelemetryConfig(o.prometheusURL, mesh.Istio()); err != nil {
		t.Fatal(err)
	}
	e.telemetry.SetDefaults()
	if e.files[1], err = sandbox.WriteConfig(dir, "telemetry.yaml", e.telemetry); err != nil {
		t.Fatal(err)
	}
	return e
}

// explain explains a pod that does not exist yet.
func (e *explaining) explain(t *testing.T, pod *corev1.Pod) *explain.Result {
	t.Helper()
	if now := time.Now(); now.Sub(e.readAt) > time.Minute { // the graph is the same; it must be fresh
		past, err := telemetrysetup.ReadPast(t.Context(), e.telemetry, nil, now, nil)
		if err != nil {
			t.Fatal(err)
		}
		e.past, e.readAt = past, now
	}
	cluster, err := explain.ReadCluster(t.Context(), e.client)
	if err != nil {
		t.Fatal(err)
	}
	manifest := pod.DeepCopy()
	manifest.APIVersion, manifest.Kind = "v1", "Pod"
	text, err := yaml.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := explain.ReadPod(text, "pod.yaml", "default")
	if err != nil {
		t.Fatal(err)
	}
	result, err := explain.Explain(t.Context(), explain.Options{
		Subject: subject, Objects: cluster.Objects, Past: e.past, Config: e.config, ConfigName: "scheduler.yaml", Now: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// nodeScores are scores by node and plugin.
type nodeScores map[string]map[string]int64

var scoredLine = regexp.MustCompile(`"Plugin scored node for pod" pod="default/([^"]+)" plugin="([^"]+)" node="([^"]+)" score=(-?\d+)`)

// scoresIn returns the scores by pod that a log has of the scheduler's last look at each.
func scoresIn(log string) map[string]nodeScores {
	all := map[string]nodeScores{}
	for _, line := range scoredLine.FindAllStringSubmatch(log, -1) {
		pod, plugin, node := line[1], line[2], line[3]
		score, err := strconv.ParseInt(line[4], 10, 64)
		if err != nil {
			continue // the expression lets none pass
		}
		if all[pod] == nil {
			all[pod] = nodeScores{}
		}
		if all[pod][node] == nil {
			all[pod][node] = map[string]int64{}
		}
		all[pod][node][plugin] = score
	}
	return all
}

// compareScores compares every score of every candidate.
func compareScores(t *testing.T, scheduled map[string]nodeScores, explained map[string]*explain.Result) {
	t.Helper()
	agree, scores, ours := 0, 0, 0
	for pod, result := range explained {
		if result.Chosen.Of == 1 {
			agree++ // about the node: see above
			continue
		}
		byNode := nodeScores{}
		for _, n := range result.Nodes {
			if n.Filter != "" {
				continue
			}
			byNode[n.Name] = n.Scores
			scores += len(n.Scores)
			if n.Scores["TrafficLocality"] > 0 {
				ours++
			}
		}
		if got, is := fmt.Sprint(byNode), fmt.Sprint(scheduled[pod]); got != is {
			t.Errorf("pod %s: the scheduler has the scores\n%s, explained as\n%s", pod, is, got)
			continue
		}
		agree++
	}
	t.Logf("%d of %d decisions agree in every node's scores: %d scores, %d of TrafficLocality's more than 0", agree, len(explained), scores, ours)
	if ours < len(explained) {
		t.Errorf("TrafficLocality has given %d scores: the comparison says little", ours)
	}
}

var decidedLine = regexp.MustCompile(`"TrafficLocality has scored a pod that is bound" pod="default/([^"]+)" node="([^"]+)" points=(\d+) rank="(\d+) of (\d+)"`)

// said is in how many decisions TrafficLocality had a say.
func said(explained map[string]*explain.Result) (decisions int) {
	for _, result := range explained {
		if result.Locality.Skipped == "" && result.Chosen.Of > 1 {
			decisions++
		}
	}
	return decisions
}

// compareLines compares the line of each decision in which TrafficLocality had a say.
func compareLines(t *testing.T, log string, explained map[string]*explain.Result) {
	t.Helper()
	for _, line := range decidedLine.FindAllStringSubmatch(log, -1) {
		result := explained[line[1]]
		points, better, of := -1, 0, 0
		for _, n := range result.Nodes {
			if n.Name == line[2] {
				points = n.Points
			}
		}
		for _, n := range result.Nodes {
			if n.Filter != "" {
				continue
			}
			if of++; n.Points > points {
				better++
			}
		}
		if want := fmt.Sprintf("%d %d %d", points, better+1, of); strings.Join(line[3:6], " ") != want {
			t.Errorf("the log says %s, explained as points, rank and candidates %s", line[0], want)
		}
	}
}

// asProgram has the CLI explain a pod that runs.
func (e *explaining) asProgram(t *testing.T, r *runner, kubeconfig string, pod *corev1.Pod, explained map[string]*explain.Result) {
	t.Helper()
	program := r.program(t, "vicinity")
	run := func(args ...string) []byte {
		t.Helper()
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, append([]string{
			"explain", "--kubeconfig=" + kubeconfig, "--scheduler-config=" + e.files[0], "--telemetry-config=" + e.files[1],
		}, args...)...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, &errs)
		}
		return out.Bytes()
	}
	var again explain.Result
	if err := json.Unmarshal(run("pod", pod.Name, "-n", "default", "-o", "json"), &again); err != nil {
		t.Fatal(err)
	}
	// It runs, and all others are where they were when it was placed.
	if first := explained[pod.Name]; !slices.Equal(again.Chosen.Nodes, first.Chosen.Nodes) || again.Chosen.Total != first.Chosen.Total {
		t.Errorf("before it is placed it would go to %+v, after to %+v", first.Chosen, again.Chosen)
	}
	if again.Current == nil || again.Current.Rank != 1 {
		t.Errorf("the pod is on %+v", again.Current)
	}
	name := pod.Labels[kube.WorkloadNameLabel]
	table := string(run("workload", name, "--namespace=default"))
	for _, part := range []string{"default/" + name + "-next", "would go to", "tolerance:", "POD "} {
		if !strings.Contains(table, part) {
			t.Errorf("%q is not in\n%s", part, table)
		}
	}
	file := filepath.Join(t.TempDir(), "pod.yaml")
	manifest := "apiVersion: v1\nkind: Pod\nmetadata: {name: new}\nspec: {nodeSelector: {none: has-it}, containers: [{name: c, image: i}]}\n"
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	if table := string(run("-f", file)); !strings.Contains(table, "no node: the filters let none pass") || !strings.Contains(table, "NodeAffinity") {
		t.Errorf("a pod that fits nowhere is explained as\n%s", table)
	}
}
