package trafficlocality

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// says gives an object what its LocalityAnnotation says, "" for none.
func says(o metav1.Object, value string) {
	annotations := map[string]string{}
	if value != "" {
		annotations[kube.LocalityAnnotation] = value
	}
	o.SetAnnotations(annotations)
}

// tell adds an object to an informer, or replaces it, and to what is followed.
func (c *cluster) tell(indexer cache.Indexer, object any) {
	c.Helper()
	if err := indexer.Update(object); err != nil {
		c.Fatal(err)
	}
	c.desired.Put(object)
}

func (c *cluster) namespaceSays(value string) {
	c.Helper()
	ns := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	says(ns, value)
	c.tell(c.informers.Core().V1().Namespaces().Informer().GetIndexer(), ns)
}

// controllerSays changes the annotation of a ReplicaSet, and as the API server does not its
// generation.
func (c *cluster) controllerSays(name, value string) {
	c.Helper()
	replicaSets := c.informers.Apps().V1().ReplicaSets()
	was, err := replicaSets.Lister().ReplicaSets(namespace).Get(name + "-" + templateHash)
	if err != nil {
		c.Fatal(err)
	}
	rs := was.DeepCopy()
	delete(rs.Annotations, kube.LocalityAnnotation)
	if value != "" {
		rs.Annotations[kube.LocalityAnnotation] = value
	}
	c.tell(replicaSets.Informer().GetIndexer(), rs)
}

// TestChoice: the nearest annotation counts, and what is neither on nor off says nothing.
func TestChoice(t *testing.T) {
	cases := map[string]struct {
		pod, controller, namespace string
		wantOff                    bool // where all are in that say nothing
		wantOffOptIn               bool
	}{
		"nobody says anything":                    {wantOffOptIn: true},
		"the pod is off":                          {pod: "off", wantOff: true, wantOffOptIn: true},
		"the pod is on":                           {pod: "on"},
		"the workload is off":                     {controller: "off", wantOff: true, wantOffOptIn: true},
		"the namespace is off":                    {namespace: "off", wantOff: true, wantOffOptIn: true},
		"the namespace is on":                     {namespace: "on"},
		"the workload in a namespace that is off": {controller: "on", namespace: "off"},
		"the pod of a workload that is off":       {pod: "on", controller: "off", namespace: "off"},
		"the pod in all that is on":               {pod: "off", controller: "on", namespace: "on", wantOff: true, wantOffOptIn: true},
		"another value":                           {pod: "Off", controller: "false", namespace: "no", wantOffOptIn: true},
		"another value does not hide the rest":    {pod: "true", controller: "off", wantOff: true, wantOffOptIn: true},
	}
	for name, test := range cases {
		for args, wantOff := range map[string]bool{allOfIt: test.wantOff, allOfIt + ", optIn: true": test.wantOffOptIn} {
			t.Run(name+"/"+args, func(t *testing.T) {
				c := newCluster(t, args)
				c.traffic("web -> db 10MiB/s")
				c.assign("n1: db; n2:")
				c.desire("web=2")
				c.controllerSays("web", test.controller)
				c.namespaceSays(test.namespace)
				pod := c.pod("web")
				says(pod, test.pod)
				want := "n1=100 n2=0"
				if wantOff {
					want = "skip"
				}
				if got := c.scoreText(pod); got != want {
					t.Errorf("the scores are %s, want %s", got, want)
				}
				if got := count(t, c.metrics.skips.With(skipOff.String())) == 1; got != wantOff {
					t.Errorf("the cycle counts as off: %v", got)
				}
				if got := strings.Contains(c.signature(pod), kube.LocalityAnnotation); got != wantOff {
					t.Errorf("the signature is %s", c.signature(pod))
				}
			})
		}
	}
}

// TestOffIsAPeer: others are drawn to pods that are off themselves.
func TestOffIsAPeer(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 10MiB/s")
	c.desire("db=1 web=1")
	c.controllerSays("db", "off")
	c.assign("n1: db; n2:")
	if got := c.scoreText(c.pod("web")); got != "n1=100 n2=0" {
		t.Errorf("the scores are %s", got)
	}
}

// TestNoRoomIsKeptForOff: room is kept for a workload that waits, until it is off, whoever
// says so, and kept again after.
func TestNoRoomIsKeptForOff(t *testing.T) {
	c := newCluster(t, "significantRate: 1Mi, requestBytes: 0, maxShare: {node: 1, zone: 1}")
	c.traffic("busy -> db 100MiB/s; web -> db 1MiB/s")
	c.assign("n1: db; n2:")
	c.waitsFor("busy", "63")
	c.scores(c.pod("idle"), c.nodes()) // takes over the nodes
	if c.plugin.promisesTo("busy") == 0 {
		t.Fatal("no room is promised to busy")
	}
	for _, say := range []func(string){func(value string) { c.controllerSays("busy", value) }, c.namespaceSays} {
		say("off")
		if promises := c.plugin.promisesTo("busy"); promises != 0 {
			t.Errorf("%d promises to busy, which is off", promises)
		}
		say("")
		if promises := c.plugin.promisesTo("busy"); promises == 0 {
			t.Error("no promise to busy, which is no longer off")
		}
	}
}

// waitsFor has a Deployment want a pod that asks for so many cores.
func (c *cluster) waitsFor(name, cores string) {
	c.Helper()
	c.desire(name + "=1")
	replicaSets := c.informers.Apps().V1().ReplicaSets()
	was, err := replicaSets.Lister().ReplicaSets(namespace).Get(name + "-" + templateHash)
	if err != nil {
		c.Fatal(err)
	}
	rs := was.DeepCopy()
	rs.Spec.Template = v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: c.pod(name).Labels}, Spec: c.sized(name, cores).Spec}
	c.tell(replicaSets.Informer().GetIndexer(), rs)
}

// promisesTo is on how many nodes room is promised to a workload, once all is up to date.
func (p *Plugin) promisesTo(name string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.engine.Prepare(p.store.Load())
	for node := range int32(p.keeper.board.Len()) {
		for _, promise := range p.engine.PromisesOn(node) {
			if promise.Workload == workload(name) {
				n++
			}
		}
	}
	return n
}
