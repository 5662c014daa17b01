package trafficlocality

import (
	"fmt"
	"math/rand/v2"
	"testing"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// TestExplain: after Explain, PreScore and Score say what was explained, of every candidate.
func TestExplain(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := newCluster(t, []string{"", allOfIt, "routing: FairLoad", "strategy: NetMARKS", "closeness: {zone: 0, region: 0}"}[rng.IntN(5)])
		c.traffic("web -> db 10MiB/s; cart -> web 1MiB/s; busy -> db 30MiB/s; web -> web 1KiB/s")
		text := ""
		for i := range 3 + rng.IntN(10) {
			text += fmt.Sprintf("n%d@r/%d:", i, rng.IntN(3))
			for _, name := range []string{"web", "db", "cart"} {
				if rng.IntN(4) == 0 {
					text += " " + name
				}
			}
			text += ";"
		}
		c.assign(text)
		c.desire("web=4 db=3 cart=2")
		c.waitsFor("busy", "60")
		pod := c.pod([]string{"web", "cart", "db", "idle"}[rng.IntN(4)])
		nodes := c.nodes()
		candidates := nodes[:1+rng.IntN(len(nodes))]
		var state fwk.CycleState = framework.NewCycleState()
		x, err := c.plugin.Explain(state, pod, candidates)
		if err != nil {
			t.Fatal(err)
		}
		scores := c.scores(pod, candidates)
		if (scores == nil) != (x.Skipped != "") {
			t.Fatalf("seed %d: explained as skipped %q, the scores are %v", seed, x.Skipped, scores)
		}
		for name, score := range scores {
			if got := int64(x.Nodes[name].Points); got != score {
				t.Errorf("seed %d: %s scores %d, explained as %d", seed, name, score, got)
			}
		}
		if x.Skipped == "" && len(x.Nodes) != len(nodes) {
			t.Errorf("seed %d: %d of %d nodes are explained", seed, len(x.Nodes), len(nodes))
		}
	}
}

// TestExplainSaysWhyNot names the reason of the metric.
func TestExplainSaysWhyNot(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.assign("n1: db")
	explained := func(pod *v1.Pod) string {
		x, err := c.plugin.Explain(framework.NewCycleState(), pod, c.nodes())
		if err != nil {
			t.Fatal(err)
		}
		if (x.Why == "") != (x.Skipped == "") {
			t.Errorf("%q is explained as %q", x.Skipped, x.Why)
		}
		return x.Skipped
	}
	if got := explained(c.pod("web")); got != "no-data" {
		t.Errorf("without data the reason is %q", got)
	}
	c.traffic("web -> db 1MiB/s")
	off := c.pod("web")
	says(off, "off")
	for pod, want := range map[*v1.Pod]string{c.pod("web"): "", c.pod("idle"): "no-traffic", off: "off"} {
		if got := explained(pod); got != want {
			t.Errorf("the reason for %s is %q, want %q", pod.Name, got, want)
		}
	}
}
