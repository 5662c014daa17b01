package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// recordedPodText is a pod of the Deployment app, node "" for none.
func recordedPodText(app, name, node, more string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"x","name":%q,"labels":{"app":%q,"pod-template-hash":"1"}`+
		`,"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":%q,"controller":true}]%s},`+
		`"spec":{"nodeName":%q,"containers":[{"name":"c","resources":{"requests":{"cpu":"100m"}}}]}}`, name, app, app+"-1", more, node)
}

// withReady adds the condition to a pod.
func withReady(pod, status string) string {
	return strings.TrimSuffix(pod, "}") + fmt.Sprintf(`,"status":{"conditions":[{"type":"Ready","status":%q}]}}`, status)
}

func recordedNodeText(name, zone, cpu string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q,"labels":{"topology.kubernetes.io/zone":%q}},`+
		`"status":{"allocatable":{"cpu":%q,"memory":"1Gi","pods":"10"}}}`, name, zone, cpu)
}

func serviceText(app, distribution string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"x","name":%q},"spec":{"selector":{"app":%q},"trafficDistribution":%q}}`, app, app, distribution)
}

// change makes one from "+", "~" or "-" and an object.
func change(line int, text string) recording.Change {
	kind := map[byte]recording.ChangeType{'+': recording.Added, '~': recording.Modified, '-': recording.Deleted}[text[0]]
	return recording.Change{Type: kind, At: time.Unix(int64(line), 0), Object: []byte(text[1:]), File: "objects.jsonl", Line: line}
}

// told writes events as a line each.
func told(events []sim.Event) (lines []string) {
	for _, e := range events {
		kind := map[sim.EventKind]string{sim.Arrive: "arrive", sim.Leave: "leave", sim.Bind: "bind", sim.Ready: "ready", sim.Unready: "unready", sim.NodeUp: "up", sim.NodeDown: "down"}[e.Kind]
		switch e.Kind {
		case sim.NodeUp, sim.NodeDown:
			lines = append(lines, fmt.Sprint(kind, " n", e.Node))
		case sim.Leave, sim.Ready, sim.Unready:
			lines = append(lines, fmt.Sprint(kind, " ", e.Pod.Workload, ".", e.Pod.Ordinal))
		default:
			lines = append(lines, fmt.Sprint(kind, " ", e.Pod.Workload, ".", e.Pod.Ordinal, " n", e.Node))
		}
	}
	return lines
}

// TestHistory has what a recording may tell, also what none should.
func TestHistory(t *testing.T) {
	node, web := recordedNodeText("n0", "a", "4"), recordedPodText("web", "web-1-a", "", "")
	bound := recordedPodText("web", "web-1-a", "n0", "")
	cases := map[string]struct {
		changes  []string
		want     []string
		warnings []string // their texts
	}{
		"a pod's life": {
			[]string{"+" + node, "+" + web, "~" + bound, "~" + recordedPodText("web", "web-1-a", "n0", `,"deletionTimestamp":"2026-01-01T00:00:00Z"`), "-" + bound},
			[]string{"up n0", "arrive 0.0 n-1", "bind 0.0 n0", "leave 0.0"}, nil,
		},
		"a pod that gets ready": {
			[]string{"+" + node, "+" + withReady(web, "False"), "~" + withReady(bound, "False"), "~" + withReady(bound, "True"), "~" + withReady(bound, "True"), "~" + withReady(bound, "Unknown"), "-" + bound},
			[]string{"up n0", "arrive 0.0 n-1", "bind 0.0 n0", "unready 0.0", "ready 0.0", "unready 0.0", "leave 0.0"}, nil,
		},
		"a finished pod leaves": {
			[]string{"+" + node, "+" + bound, "~" + strings.TrimSuffix(bound, "}") + `,"status":{"phase":"Succeeded"}}`, "-" + bound},
			[]string{"up n0", "arrive 0.0 n0", "leave 0.0"}, nil,
		},
		"a pod before its node":       {[]string{"+" + bound, "+" + node}, []string{"arrive 0.0 n0", "up n0"}, nil},
		"a pod on no known node":      {[]string{"+" + bound}, []string{"arrive 0.0 n0"}, []string{"is not in the input"}},
		"a node under its pods":       {[]string{"+" + node, "+" + bound, "-" + node}, []string{"up n0", "arrive 0.0 n0", "down n0"}, []string{"is not in the input"}},
		"a node that does not change": {[]string{"+" + node, "~" + node, "+" + node}, []string{"up n0"}, nil},
		"a node that changes": {
			[]string{"+" + node, "~" + recordedNodeText("n0", "b", "8"), "~" + recordedNodeText("n0", "b", "0"), "~" + node},
			[]string{"up n0", "up n0", "up n0", "up n0"}, []string{"no pod is placed there"},
		},
		"the same pod again":        {[]string{"+" + node, "+" + bound, "+" + bound, "~" + bound}, []string{"up n0", "arrive 0.0 n0"}, nil},
		"a deletion of nothing":     {[]string{"-" + node, "-" + bound, "-" + serviceText("web", "")}, nil, []string{"is deleted that was not there"}},
		"a change of nothing":       {[]string{"~" + node, "~" + bound}, []string{"up n0", "arrive 0.0 n0"}, []string{"it is taken as new"}},
		"a kind that is not looked": {[]string{`+{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}`}, nil, []string{"does not look at v1 Secret"}},
		"kinds of a recording": {
			[]string{`+{"apiVersion":"policy/v1","kind":"PodDisruptionBudget"}`, `+{"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass"}`},
			nil, nil,
		},
		"another pod of the name": {
			[]string{"+" + node, "+" + recordedPodText("web", "db-0", "n0", `,"creationTimestamp":"2026-01-01T00:00:00Z"`), "+" + recordedPodText("web", "db-0", "n0", `,"creationTimestamp":"2026-01-02T00:00:00Z"`)},
			[]string{"up n0", "arrive 0.0 n0", "leave 0.0", "arrive 0.1 n0"}, []string{"takes the place of one"},
		},
		"a pod that moves": {
			[]string{"+" + node, "+" + bound, "~" + recordedPodText("web", "web-1-a", "n9", "")},
			[]string{"up n0", "arrive 0.0 n0", "leave 0.0", "arrive 0.1 n1"}, []string{"changes its node", "is not in the input"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h, err := New(nil)
			if err != nil {
				t.Fatal(err)
			}
			var changes []recording.Change
			for i, text := range c.changes {
				changes = append(changes, change(i+1, text))
			}
			got, err := h.Apply(changes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, told(got.Events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			warnings := h.Warnings()
			if len(warnings) != len(c.warnings) {
				t.Fatalf("warnings %v, want %q", warnings, c.warnings)
			}
			for i, w := range warnings {
				if !strings.Contains(w.Text, c.warnings[i]) || w.Example == "" {
					t.Errorf("warning %v, want %q", w, c.warnings[i])
				}
			}
		})
	}
}

// TestHistoryOfBarePods tells pods without a controller from the others.
func TestHistoryOfBarePods(t *testing.T) {
	h, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	bare := `+{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"x","name":"bare"},"spec":{"containers":[{"name":"c"}]}}`
	if _, err := h.Apply([]recording.Change{change(1, bare), change(2, "+"+recordedPodText("web", "web-1-a", "", ""))}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x/bare x1 0m 0 fixed bare", "x/web x1 100m 0"}, describe(h.Replayable())); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
}

// TestHistoryErrors name the line.
func TestHistoryErrors(t *testing.T) {
	for name, text := range map[string]string{
		"no kind":          `+{"metadata":{"name":"x"}}`,
		"no name":          `+{"apiVersion":"v1","kind":"Pod"}`,
		"another type":     `+{"apiVersion":"v1","kind":"Pod","metadata":{"name":7}}`,
		"a bad amount":     "+" + recordedNodeText("n", "a", "-1"),
		"a huge exponent":  "+" + recordedNodeText("n", "a", "1e999999"),
		"a bad request":    "+" + strings.Replace(recordedPodText("web", "w", "", ""), "100m", "-100", 1),
		"the kind is none": `+{"apiVersion":"v1","kind":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			h, err := New(nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Apply([]recording.Change{change(7, text)}); err == nil || !strings.Contains(err.Error(), "objects.jsonl:7: ") {
				t.Errorf("%v; want the line", err)
			}
		})
	}
}

// TestHistoryRouting follows Services that come, change and go, and assumes other
// ones.
func TestHistoryRouting(t *testing.T) {
	steps := []struct {
		change          string
		routing, assume affinity.Routing
		objects         int
	}{
		{"+" + recordedPodText("web", "web-1-a", "", ""), affinity.Uniform, affinity.Uniform, 0},
		{"+" + serviceText("web", "PreferSameZone"), affinity.SameZone, affinity.SameNode, 1},
		{"~" + serviceText("web", "PreferSameZone"), affinity.SameZone, affinity.SameNode, 0},
		{"-" + serviceText("web", "PreferSameZone"), affinity.Uniform, affinity.Uniform, 1},
	}
	near := func(s *corev1.Service) *corev1.Service {
		s = s.DeepCopy()
		s.Spec.TrafficDistribution = new(corev1.ServiceTrafficDistributionPreferSameNode)
		return s
	}
	for _, assume := range []func(*corev1.Service) *corev1.Service{nil, near} {
		h, err := New(assume)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range steps {
			got, err := h.Apply([]recording.Change{change(i+1, s.change)})
			if err != nil {
				t.Fatal(err)
			}
			want := s.routing
			if assume != nil {
				want = s.assume
			}
			if routing := h.Replayable().Cluster.Workloads[0].Routing; routing != want || len(got.Objects) != s.objects {
				t.Errorf("step %d: routing %s and %d objects, want %s and %d", i, routing, len(got.Objects), want, s.objects)
			}
		}
	}
}

// TestHistoryRoutingByRules follows DestinationRules and the annotation of a
// Namespace.
func TestHistoryRoutingByRules(t *testing.T) {
	h, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	const rule = `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"namespace":"x","name":"web"},"spec":{"host":"web","trafficPolicy":{"outlierDetection":{}}}}`
	const shares = `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"namespace":"x","name":"web"},"spec":{"host":"web","trafficPolicy":{"loadBalancer":{"localityLbSetting":{"distribute":[{"from":"r/a","to":{"r/a":80,"r/b":20}}]}}}}}`
	const plain = `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"x","name":"web"},"spec":{"selector":{"app":"web"}}}`
	steps := []struct {
		change string
		want   affinity.Routing
	}{
		{"+" + recordedPodText("web", "web-1-a", "n0", ""), affinity.Uniform},
		{"+" + plain, affinity.Uniform},
		{"+" + rule, affinity.SameZone},
		{"~" + shares, affinity.ZoneShare(80)},
		{"-" + rule, affinity.Uniform},
		{`+{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x","annotations":{"networking.istio.io/traffic-distribution":"PreferClose"}}}`, affinity.SameZone},
		{`~{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}}`, affinity.Uniform},
	}
	for i, s := range steps {
		if _, err := h.Apply([]recording.Change{change(i+1, s.change)}); err != nil {
			t.Fatal(err)
		}
		got := h.Replayable().Cluster.Workloads[0]
		if byZone := got.Shares != nil; got.Routing != s.want || byZone != (s.want == affinity.ZoneShare(80)) {
			t.Errorf("step %d: routing %s, %v, want %s", i, got.Routing, got.Shares, s.want)
		}
	}
}

// TestHistoryRoutingOfNewPods has pods come after their Service, and get its label
// later.
func TestHistoryRoutingOfNewPods(t *testing.T) {
	h, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		change string
		want   affinity.Routing
	}{
		{"+" + serviceText("v2", "PreferSameNode"), affinity.Uniform},
		{"+" + recordedPodText("web", "web-1-a", "", ""), affinity.Uniform},
		{"+" + strings.Replace(recordedPodText("web", "web-1-b", "", ""), `"app":"web"`, `"app":"v2"`, 1), affinity.SameNode},
	} {
		if _, err := h.Apply([]recording.Change{change(i+1, step.change)}); err != nil {
			t.Fatal(err)
		}
		if workloads := h.Replayable().Cluster.Workloads; len(workloads) > 0 && workloads[0].Routing != step.want {
			t.Errorf("step %d: routing %s, want %s", i, workloads[0].Routing, step.want)
		}
	}
}

// FuzzHistory never panics, whatever the objects are.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(recordedPodText("web", "web-1-a", "n0", "")), []byte(recordedNodeText("n0", "a", "4")))
	f.Add([]byte(serviceText("web", "PreferSameZone")), []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		h, err := New(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range [][]byte{a, b, a} {
			kind := []recording.ChangeType{recording.Added, recording.Modified, recording.Deleted}[i]
			if _, err := h.Apply([]recording.Change{{Type: kind, At: time.Unix(1, 0), Object: text, File: "f", Line: i}}); err != nil {
				return
			}
		}
		_, _, _ = h.Now(true) // an error is as good
	})
}
