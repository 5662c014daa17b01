package trafficlocality

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// logged runs PreScore for a pod with a log of a verbosity, has the pod bound to a node, and
// returns what the log says; "" is no node.
func (c *cluster) logged(pod *v1.Pod, verbosity int, to string) func() string {
	c.Helper()
	lines := make(chan string, 10)
	logger := funcr.New(func(_, args string) { lines <- args }, funcr.Options{Verbosity: verbosity})
	ctx := klog.NewContext(c.Context(), logger)
	if status := c.plugin.PreScore(ctx, framework.NewCycleState(), pod, c.nodes()); !status.IsSuccess() && !status.IsSkip() {
		c.Fatal(status)
	}
	bound := pod.DeepCopy()
	bound.Spec.NodeName = to
	if to != "" {
		c.plugin.decisions.bound(bound)
	}
	return func() string {
		select {
		case line := <-lines:
			return line
		default:
			return ""
		}
	}
}

func TestDecisionsAreLogged(t *testing.T) {
	cases := map[string]struct {
		verbosity int
		to        string
		want      []string // parts of the line; none: no line
	}{
		"the best node":      {4, "n1", []string{`"pod"={"name"="web-`, `"node"="n1"`, `"points"=100`, `"rank"="1 of 3"`, `"peers"="shop/db 5.5 MiB/s"`, `"vetoes"=""`, `"influence"=1`}},
		"another node":       {4, "n3", []string{`"node"="n3"`, `"points"=0`, `"rank"="2 of 3"`, `"best"="n1"`, `"bestPoints"=100`}},
		"a vetoed node":      {4, "n2", []string{`"points"=0`, `"vetoes"="share: the node has 1 of the workload's pods and draws up to 1"`}},
		"a node of nobody":   {4, "elsewhere", nil},
		"a less verbose log": {3, "n1", nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "significantRate: 0, requestBytes: 0, maxShare: {node: 0.5, zone: 1}, reserveRoom: false")
			c.traffic("web -> db 20MiB/s")
			c.desire("web=2 db=2")
			c.assign("n1@r/a: db; n2@r/b: db web; n3@q/c:")
			line := c.logged(c.pod("web"), test.verbosity, test.to)()
			if (line == "") != (test.want == nil) {
				t.Fatalf("the line is %q", line)
			}
			for _, part := range test.want {
				if !strings.Contains(line, part) {
					t.Errorf("%s is not in %s", part, line)
				}
			}
		})
	}
}

// TestSilenceIsLogged: a line says why the plugin has no say.
func TestSilenceIsLogged(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.assign("n1: db; n2:")
	if line := c.logged(c.pod("web"), decisionLevel, "")(); !strings.Contains(line, `"reason"="no-data" "why"="No telemetry has been read yet."`) {
		t.Errorf("the line is %s", line)
	}
	if line := c.logged(c.pod("web"), decisionLevel-1, "")(); line != "" {
		t.Errorf("the line is %s", line)
	}
}

// TestDecisionsFollowPods: an informer tells of the pod that is bound.
func TestDecisionsFollowPods(t *testing.T) {
	pod := (&cluster{}).pod("web")
	client := fake.NewClientset(pod)
	c := newCluster(t, allOfIt)
	factory := informers.NewSharedInformerFactory(client, 0)
	c.plugin.decisions.pods = factory.Core().V1().Pods().Informer
	c.traffic("web -> db 20MiB/s")
	c.assign("n1: db; n2:")
	lines := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ctx = klog.NewContext(ctx, funcr.New(func(_, args string) {
		if strings.Contains(args, "TrafficLocality") { // not what client-go says
			lines <- args
		}
	}, funcr.Options{Verbosity: decisionLevel}))
	if status := c.plugin.PreScore(ctx, framework.NewCycleState(), pod, c.nodes()); !status.IsSuccess() {
		t.Fatal(status)
	}
	factory.StartWithContext(ctx)
	factory.WaitForCacheSyncWithContext(ctx)
	defer factory.Shutdown()
	defer cancel()
	bound := pod.DeepCopy()
	bound.Spec.NodeName = "n1"
	if _, err := client.CoreV1().Pods(namespace).Update(ctx, bound, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-lines:
		if !strings.Contains(line, `"node"="n1"`) {
			t.Errorf("the line is %s", line)
		}
	case <-time.After(time.Minute): // only a defect takes this long
		t.Error("there is no line")
	}
	if n := len(c.plugin.decisions.waiting.found) + len(c.plugin.decisions.waiting.order); n != 0 {
		t.Errorf("%d decisions are still remembered", n)
	}
}

// TestDecisionsAreForgotten: pods that are never bound do not add up.
func TestDecisionsAreForgotten(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 20MiB/s")
	c.assign("n1: db; n2:")
	for range mostDecisions + 5 {
		c.logged(c.pod("web"), decisionLevel, "")
	}
	if d := &c.plugin.decisions; len(d.waiting.found) != mostDecisions || len(d.waiting.order) != mostDecisions {
		t.Errorf("%d decisions are remembered, in the order of %d", len(d.waiting.found), len(d.waiting.order))
	}
}

// TestNothingIsRememberedForNobody: a log that is not verbose costs no allocation.
func TestNothingIsRememberedForNobody(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 20MiB/s")
	c.assign("n1: db; n2:")
	pod, infos := c.pod("web"), c.nodes()
	numbers := c.plugin.keeper.numbersOf(infos)
	logger := klog.Background()
	if n := testing.AllocsPerRun(100, func() {
		c.plugin.decisions.note(logger, pod, nil, infos, numbers)
		c.plugin.decisions.silent(logger, pod, skipNoData)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c.plugin.decisions.waiting.found != nil {
		t.Error("something is remembered")
	}
}
