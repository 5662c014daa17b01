package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// randomObjects is a cluster with every kind of controller that names workloads
// in its own way.
func randomObjects(r *rand.Rand) string {
	b := &strings.Builder{}
	b.WriteString(kubetest.TwoNodes)
	node := func() string { return fmt.Sprintf("n%d", 1+r.IntN(2)) }
	for i := range 1 + r.IntN(8) {
		app := fmt.Sprintf("app%d", i)
		labels := fmt.Sprintf("app: %s, acme.example/team: t%d", app, r.IntN(2))
		pods := 1 + r.IntN(3)
		switch kind := r.IntN(9); kind {
		case 0:
			labels += ", pod-template-hash: 6c8b"
			b.WriteString(kubetest.Owned(kubetest.Object("apps/v1", "ReplicaSet", app+"-6c8b", fmt.Sprintf("replicas: %d, selector: {matchLabels: {%s}}", pods, labels)), "Deployment/"+app))
			b.WriteString(kubetest.Object("apps/v1", "Deployment", app, fmt.Sprintf("replicas: %d, selector: {matchLabels: {app: %s}}", pods, app)))
			for n := range pods {
				b.WriteString(kubetest.Generated(kubetest.Pod(fmt.Sprintf("%s-6c8b-%d", app, n), "ReplicaSet/"+app+"-6c8b", node(), labels), app+"-6c8b-"))
			}
		case 1:
			b.WriteString(kubetest.Object("apps/v1", "StatefulSet", app, fmt.Sprintf("replicas: %d", pods)))
			for n := range pods {
				b.WriteString(kubetest.Pod(fmt.Sprintf("%s-%d", app, n), "StatefulSet/"+app, node(), labels))
			}
		case 2:
			b.WriteString(kubetest.Object("apps/v1", "DaemonSet", app, "selector: {}"))
			b.WriteString(kubetest.Generated(kubetest.Pod(app+"-x", "DaemonSet/"+app, node(), labels), app+"-"))
		case 3:
			b.WriteString(kubetest.Generated(kubetest.Pod(app+"-28000000-x", "Job/"+app+"-28000000", node(), labels), app+"-28000000-"))
		case 4:
			b.WriteString(kubetest.Pod(app, "", node(), labels))
		case 5:
			b.WriteString(kubetest.Pod(app+"-n1", "Node/n1", "n1", labels))
		case 6:
			labels += ", deploymentconfig: " + app
			b.WriteString(kubetest.Object("v1", "ReplicationController", app+"-3", fmt.Sprintf("replicas: %d", pods)))
			for n := range pods {
				b.WriteString(kubetest.Generated(kubetest.Pod(fmt.Sprintf("%s-3-%d", app, n), "ReplicationController/"+app+"-3", node(), labels), app+"-3-"))
			}
		case 7:
			labels += ", service.istio.io/workload-name: mesh-" + app
			b.WriteString(kubetest.Pod(app, "", node(), labels))
		case 8:
			b.WriteString(kubetest.Pod(app+"-instance", "Postgres/"+app, node(), labels))
		}
		distribution := []string{"", ", trafficDistribution: PreferSameNode", ", trafficDistribution: PreferSameZone"}[r.IntN(3)]
		b.WriteString(kubetest.Object("v1", "Service", app, "selector: {app: "+app+"}"+distribution))
	}
	return b.String()
}

// A renamed cluster is the same but for the names, which are those that the
// edges get: every workload has its replicas, requests, routing and nodes.
func TestAnonymizedClusterIsTheSame(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		input := randomObjects(r)
		a := objects.NewAnonymizer(fmt.Appendf(nil, "key %d", seed))
		before, unread, err := objects.ReadObjects(strings.NewReader(input), "f")
		if err != nil || len(unread) > 0 {
			t.Fatalf("seed %d: %v, %v", seed, unread, err)
		}
		want, wantWarnings, err := Translate(before)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		renamed := anonymized(t, a, before)
		after, unread, err := objects.ReadObjects(bytes.NewReader(renamed), "g")
		if err != nil || len(unread) > 0 {
			t.Fatalf("seed %d: %v, %v\n%s", seed, unread, err, renamed)
		}
		got, gotWarnings, err := Translate(after)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(wantWarnings) != len(gotWarnings) {
			t.Errorf("seed %d: warnings %v, want %v", seed, gotWarnings, wantWarnings)
		}
		if diff := cmp.Diff(shape(want, a.Workload, func(node string) string { return renamedNode(t, a, node) }), shape(got, same, func(node string) string { return node })); diff != "" {
			t.Fatalf("seed %d: (-want +got):\n%s\n%s", seed, diff, input)
		}
		for _, name := range []string{"app0", "shop", "acme", `"n1"`} {
			if bytes.Contains(renamed, []byte(name)) {
				t.Fatalf("seed %d: %s is still in\n%s", seed, name, renamed)
			}
		}
	}
}

func same(id flowgraph.WorkloadID) flowgraph.WorkloadID { return id }

// anonymized writes renamed objects as a recording has them.
func anonymized(t *testing.T, a *objects.Anonymizer, o *objects.Objects) []byte {
	t.Helper()
	b := &bytes.Buffer{}
	for _, object := range o.All(func(*objects.Kind) bool { return true }) {
		renamed, err := a.Object(object)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(renamed)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	return b.Bytes()
}

func renamedNode(t *testing.T, a *objects.Anonymizer, name string) string {
	t.Helper()
	node := &corev1.Node{}
	node.Name = name
	renamed, err := a.Object(node)
	if err != nil {
		t.Fatal(err)
	}
	return renamed.(*corev1.Node).Name
}

// shape describes a cluster with other names, in the order of these.
func shape(r *Replayable, workload func(flowgraph.WorkloadID) flowgraph.WorkloadID, node func(string) string) []string {
	var lines []string
	for _, n := range r.Cluster.Nodes {
		lines = append(lines, fmt.Sprint(node(n.Node), n.Allocatable, n.MaxPods))
	}
	for i, w := range r.Cluster.Workloads {
		var at []string
		if r.Cluster.Assigned != nil {
			for _, n := range r.Cluster.Assigned[i] {
				at = append(at, node(r.Cluster.Nodes[n].Node))
			}
		}
		slices.Sort(at)
		lines = append(lines, fmt.Sprint(workload(w.ID), w.Replicas, w.Requests, w.Routing, w.Fixed, at))
	}
	slices.Sort(lines)
	return lines
}
