package kubesim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
)

// arrival is a recording of half an hour in which web arrives after ten minutes, without any
// traffic, and its node in it is n1. db is on n3, which is so crowded that all other plugins
// prefer the other nodes.
type arrival struct {
	made        string // when web came into being, as a time of the day
	annotations string
	labels      string
	more        []string // objects that are there from the beginning
	anonymized  bool
}

const (
	arrivalNode = `{apiVersion: v1, kind: Node, metadata: {name: %[1]s, labels: {kubernetes.io/hostname: %[1]s, topology.kubernetes.io/zone: z-%[1]s}}, status: {allocatable: {cpu: "4", memory: 16Gi, pods: "110"}}}`
	arrivalSet  = `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {namespace: shop, name: %[1]s-x, uid: r-%[1]s, creationTimestamp: "2026-03-04T%[2]s:00Z", annotations: {%[3]s},
 ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: %[1]s, uid: d-%[1]s, controller: true}]}, spec: {replicas: 1, selector: {matchLabels: {app: %[1]s, pod-template-hash: x}}}}`
	arrivalPod = `{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: %[1]s-x-y, uid: p-%[1]s, generateName: %[1]s-x-, creationTimestamp: "2026-03-04T%[2]s:00Z", labels: {app: %[1]s, pod-template-hash: x%[3]s},
 ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: %[1]s-x, uid: r-%[1]s, controller: true}]},
 spec: {nodeName: %[4]s, containers: [{name: a, resources: {requests: {cpu: "%[5]s", memory: 1Gi}}}]}, status: {phase: Running}}`
)

// write writes the recording.
func (a arrival) write(t *testing.T, path string) {
	t.Helper()
	target, err := recordingfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := recording.NewWriter(target, recording.Manifest{From: beginning, Step: time.Minute, Vicinity: "test", Sources: []string{"test"}})
	if err != nil {
		t.Fatal(err)
	}
	anonymizer := objects.NewAnonymizer([]byte("key"))
	put := func(at time.Time, text string) {
		t.Helper()
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if object := a.read(t, raw); object != nil {
			if a.anonymized {
				if object, err = anonymizer.Object(object); err != nil {
					t.Fatal(err)
				}
			}
			if raw, err = json.Marshal(object); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Change(recording.Change{Type: recording.Added, At: at, Object: raw}); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range []string{"n1", "n2", "n3"} {
		put(beginning, fmt.Sprintf(arrivalNode, node))
	}
	for _, text := range a.more {
		put(beginning, text)
	}
	place := func(at time.Time, name, made, annotations, labels, node, cpu string) {
		put(at, fmt.Sprintf(arrivalSet, name, made, annotations))
		put(at, fmt.Sprintf(arrivalPod, name, made, labels, node, cpu))
	}
	place(beginning, "db", "01:00", "", ", appgroup.diktyo.x-k8s.io: g, appgroup.diktyo.x-k8s.io.workload: d", "n3", "100m")
	place(beginning, "filler", "01:00", "", "", "n3", "3")
	place(beginning, "ads", "01:00", "", "", "n1", "100m")
	place(beginning, "web-v1", "01:00", "", ", service.istio.io/canonical-name: web", "n2", "100m")
	edges := func(at time.Time) (all []flowgraph.Edge) {
		for from, to := range map[string]string{"ads": "web-v1", "web-v1": "db"} {
			id := func(name string) flowgraph.WorkloadID {
				id := flowgraph.WorkloadID{Namespace: "shop", Name: name}
				if a.anonymized {
					id = anonymizer.Workload(id)
				}
				return id
			}
			bytes := map[string]float64{"ads": 10, "web-v1": 1000}[from]
			all = append(all, flowgraph.Edge{From: id(from), To: id(to), Rates: flowgraph.Rates{SentBytesPerSecond: bytes}, ObservedAt: at})
		}
		return all
	}
	for n := range 30 {
		start := beginning.Add(time.Duration(n) * time.Minute)
		if n == 10 {
			place(start.Add(time.Second), "web", a.made, a.annotations, a.labels, "n1", "100m")
		}
		if err := w.Step(start.Add(time.Minute), edges(start.Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}

// read reads an object as the recorder would have kept it.
func (a arrival) read(t *testing.T, raw []byte) runtime.Object {
	t.Helper()
	object, err := objects.NewDecoder().Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// replay places web and returns the name of its node.
func (a arrival) replay(t *testing.T, o declared.Options) string {
	t.Helper()
	path := t.TempDir() + "/recording"
	a.write(t, path)
	source, err := recordingfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := recording.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Declare(flowgraph.DeclaredOrigins(), o.Window)
	f := Follow{
		Steps: reader{r}, History: h, Graph: flowgraph.Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Declared: o,
		WarmUp: beginning.Add(5 * time.Minute), Order: sim.Recorded, Seeds: 1, First: 1, Parallel: 1, Now: time.Now,
	}
	result, err := f.Run(t.Context(), builtInRuns(t, LatencyRun))
	if err != nil {
		t.Fatal(err)
	}
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	if a.anonymized {
		web = objects.NewAnonymizer([]byte("key")).Workload(web)
	}
	all := h.Replayable()
	for w := range all.Cluster.Workloads {
		if all.Cluster.Workloads[w].ID == web {
			at := result.Runs[0][0].Assigned[w]
			if len(at) != 1 {
				t.Fatalf("web has %d pods", len(at))
			}
			labels := all.Nodes[at[0]].Labels
			return labels["kubernetes.io/hostname"]
		}
	}
	t.Fatal("web is not there")
	return ""
}

// TestReplayColdStarts places a workload without a past as a scheduler would that reads the
// same objects: near the peers that it declares, for as long as the declarations count.
func TestReplayColdStarts(t *testing.T) {
	const groupLabels = ", appgroup.diktyo.x-k8s.io: g, appgroup.diktyo.x-k8s.io.workload: w"
	group := `{apiVersion: appgroup.diktyo.x-k8s.io/v1alpha1, kind: AppGroup, metadata: {namespace: shop, name: g}, spec: {numMembers: 2, topologySortingAlgorithm: KahnSort,
 workloads: [{workload: {kind: Deployment, name: w, selector: w}, dependencies: [{workload: {kind: Deployment, name: d, selector: d}, minBandwidth: 10Mi}]}]}}`
	sidecar := `{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {namespace: shop, name: web}, spec: {workloadSelector: {labels: {app: web}}, egress: [{hosts: [./db.shop.svc.cluster.local]}]}}`
	service := `{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: db}, spec: {selector: {app: db}}}`
	cases := map[string]struct {
		arrival
		window time.Duration
		beside bool // db
	}{
		"nothing is declared":        {arrival: arrival{made: "05:10"}},
		"an annotation":              {arrival: arrival{made: "05:10", annotations: "vicinity.dev/peers: db=1Ki/s"}, beside: true},
		"nobody asks":                {arrival: arrival{made: "05:10", annotations: "vicinity.dev/peers: db=1Ki/s"}, window: -1},
		"a workload that is not new": {arrival: arrival{made: "04:05", annotations: "vicinity.dev/peers: db=1Ki/s"}},
		"an AppGroup":                {arrival: arrival{made: "05:10", labels: groupLabels, more: []string{group}}, beside: true},
		"a Sidecar":                  {arrival: arrival{made: "05:10", more: []string{sidecar, service}}, beside: true},
		"a predecessor":              {arrival: arrival{made: "05:10", labels: ", service.istio.io/canonical-name: web"}, beside: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.window == 0 {
				tc.window = time.Hour
			}
			node := tc.replay(t, declared.Options{Window: tc.window, MaxRate: 1 << 20})
			if (node == "n3") != tc.beside {
				t.Errorf("web is placed on %s; on n3, beside db: want %v", node, tc.beside)
			}
			tc.anonymized = true
			renamed := tc.replay(t, declared.Options{Window: tc.window, MaxRate: 1 << 20})
			if n3 := renamedNode(t, "n3"); (renamed == n3) != tc.beside {
				t.Errorf("with other names web is placed on %s; on %s, beside db: want %v", renamed, n3, tc.beside)
			}
		})
	}
}

// renamedNode is what an anonymized recording calls a node.
func renamedNode(t *testing.T, name string) string {
	t.Helper()
	raw, err := yaml.YAMLToJSON(fmt.Appendf(nil, arrivalNode, name))
	if err != nil {
		t.Fatal(err)
	}
	node, err := objects.NewDecoder().Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := objects.NewAnonymizer([]byte("key")).Object(node)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(renamed)
	if err != nil {
		t.Fatal(err)
	}
	var named struct {
		Metadata struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(text, &named); err != nil || strings.Contains(string(text), `"`+name+`"`) {
		t.Fatalf("%s: %v", text, err)
	}
	return named.Metadata.Labels["kubernetes.io/hostname"]
}
