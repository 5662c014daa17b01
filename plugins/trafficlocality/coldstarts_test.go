package trafficlocality

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// starting is a ColdStarts.
type starting func(pod *v1.Pod)

func (s starting) Meet(pod *v1.Pod) { s(pod) }

func (starting) HasNews(*v1.Pod) bool { return false }

// newsOnly has something that is not to be merged.
type newsOnly struct{ *testing.T }

func (n newsOnly) Meet(*v1.Pod) { n.Error("it is waited for") }

func (newsOnly) HasNews(*v1.Pod) bool { return true }

// declare puts into the Store what is declared, "web -> db 1MiB/s" of each origin.
func (c *cluster) declare(edges map[flowgraph.Origin]string) func() {
	return func() {
		var all []flowgraph.Edge
		for origin, text := range edges {
			for _, e := range parseEdges(c, text) {
				e.Origin = origin
				all = append(all, e)
			}
		}
		c.store.Publish(c.store.Load().With(all))
	}
}

// TestColdStarts scores a pod of a workload without traffic by what it declares, and counts
// what has informed the cycle: not what leads to a peer that is not there.
func TestColdStarts(t *testing.T) {
	c := newCluster(t, allOfIt+", reserveRoom: false")
	c.assign("n1: db; n2: ads")
	c.traffic("ads -> other 1MiB/s")
	web := c.pod("web")
	if got := c.scoreText(web); got != "skip" {
		t.Errorf("nothing is declared, but the scores are %s", got)
	}
	informed := func(o flowgraph.Origin) int { return count(t, c.metrics.informed.With(o.String())) }
	for _, o := range flowgraph.DeclaredOrigins() {
		if n := informed(o); n != 0 {
			t.Errorf("%d cycles were informed by %s", n, o)
		}
	}
	var last *v1.Pod
	declares := c.declare(map[flowgraph.Origin]string{
		flowgraph.FromAnnotation: "web -> db 1MiB/s", flowgraph.Inherited: "web -> nobody 1MiB/s",
	})
	c.plugin.starts = starting(func(pod *v1.Pod) { last = pod; declares() })
	if got := c.scoreText(web); got != "n1=100 n2=0" {
		t.Errorf("the scores are %s", got)
	}
	if last != web {
		t.Error("another pod was met")
	}
	if n := informed(flowgraph.FromAnnotation); n != 1 {
		t.Errorf("%d cycles were informed by the annotation, want 1", n)
	}
	if n := informed(flowgraph.Inherited); n != 0 {
		t.Errorf("%d cycles were informed by an edge with a peer that is not there", n)
	}
	c.scoreText(c.pod("ads"))
	if n := informed(flowgraph.FromAnnotation); n != 1 {
		t.Errorf("%d cycles were informed by the annotation after that of another workload", n)
	}
}

// TestSignPodOfNews: a pod that declares something is not signed as one without traffic, and
// SignPod, under the queue's lock, does not wait until it counts.
func TestSignPodOfNews(t *testing.T) {
	c := newCluster(t, "")
	c.assign("n1: db; n2: ads")
	c.traffic("ads -> other 1MiB/s")
	web := c.pod("web")
	c.scoreText(web)
	signed := func() bool {
		_, status := c.plugin.SignPod(t.Context(), web)
		return status.IsSuccess()
	}
	if !signed() {
		t.Fatal("a pod without traffic is not signed")
	}
	c.plugin.starts = newsOnly{t}
	if signed() {
		t.Error("a pod that declares something is signed as one without traffic")
	}
	c.plugin.starts = starting(func(*v1.Pod) {})
	if !signed() {
		t.Error("a pod that declares nothing is not signed")
	}
	c.declare(map[flowgraph.Origin]string{flowgraph.FromAnnotation: "web -> db 1MiB/s"})()
	if signed() {
		t.Error("a pod of which something counts is signed as one without traffic")
	}
}

// TestColdStartsPanic loses what is declared, and no more.
func TestColdStartsPanic(t *testing.T) {
	c := newCluster(t, allOfIt+", reserveRoom: false")
	c.assign("n1: db; n2: ads")
	c.traffic("web -> ads 1MiB/s")
	c.plugin.starts = starting(func(*v1.Pod) { panic("broken") })
	if got := c.scoreText(c.pod("web")); got != "n1=0 n2=100" {
		t.Errorf("the scores are %s", got)
	}
	if n := count(t, c.metrics.panicsTotal); n != 1 {
		t.Errorf("%d panics were counted, want 1", n)
	}
}
