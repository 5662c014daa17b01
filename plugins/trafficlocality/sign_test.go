package trafficlocality

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"weak"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// signature is what SignPod returns as the framework compares it, "" for a
// refusal.
func (c *cluster) signature(pod *v1.Pod) string {
	c.Helper()
	fragments, status := c.plugin.SignPod(c.Context(), pod)
	if status.IsRejected() && len(fragments) == 0 {
		return ""
	}
	if !status.IsSuccess() || len(fragments) == 0 {
		c.Fatalf("SignPod returns %v, %v", fragments, status)
	}
	text, err := json.Marshal(fragments)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// job returns a new pod of the Job of that name.
func (c *cluster) job(name string) *v1.Pod {
	pod := &st.PodWrapper{Pod: *c.pod(name)}
	pod.Pod.Labels = nil
	return pod.OwnerReference(name, batchv1.SchemeGroupVersion.WithKind("Job")).Obj()
}

func TestSignPod(t *testing.T) {
	nodeOnly := "routing: Uniform, maxShare: {node: 1, zone: 1}, reserveRoom: false, closeness: {zone: 0, region: 0}"
	cases := map[string]struct {
		args string
		pod  func(*cluster) *v1.Pod
		want bool
	}{
		"node level and uniform routing":         {args: nodeOnly, want: true},
		"NetMARKS":                               {args: "strategy: NetMARKS", want: true},
		"NetMARKS knows no routing":              {args: "strategy: NetMARKS, routing: FairLoad", want: true},
		"nothing is worth anything":              {args: "routing: Uniform, maxShare: {node: 1, zone: 1}, closeness: {node: 0, zone: 0, region: 0}", want: true},
		"every level":                            {args: ""},
		"node and zone":                          {args: "closeness: {region: 0}"},
		"the region only":                        {args: "closeness: {zone: 1, region: 1}"},
		"racks":                                  {args: nodeOnly + ", levels: [{label: " + rackLabel + ", closeness: 0.5}]"},
		"pods that come are expected":            {args: "routing: Uniform, maxShare: {node: 1, zone: 1}, closeness: {zone: 0, region: 0}"},
		"fair load":                              {args: "routing: FairLoad, maxShare: {node: 1, zone: 1}, closeness: {zone: 0, region: 0}"},
		"the routing of the cluster":             {args: "maxShare: {node: 1, zone: 1}, closeness: {zone: 0, region: 0}"},
		"a bound on the share of a node":         {args: "routing: Uniform, closeness: {zone: 0, region: 0}"},
		"a bound that the telemetry says":        {args: nodeOnly + ", networkCapacity: {}"},
		"a bound on a node's network":            {args: nodeOnly + ", networkCapacity: {label: link}"},
		"traffic with itself":                    {args: nodeOnly, pod: func(c *cluster) *v1.Pod { return c.pod("cart") }},
		"NetMARKS counts no traffic with itself": {args: "strategy: NetMARKS", pod: func(c *cluster) *v1.Pod { return c.pod("cart") }, want: true},
		"no traffic":                             {args: nodeOnly, pod: func(c *cluster) *v1.Pod { return c.pod("idle") }, want: true},
		"nobody knows how many":                  {args: nodeOnly, pod: func(c *cluster) *v1.Pod { return c.job("report") }},
		"none is wanted":                         {args: nodeOnly, pod: func(c *cluster) *v1.Pod { return c.pod("gone") }},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, test.args)
			c.traffic("web -> db 1MiB/s; cart -> cart 1B/s; report -> db 1MiB/s; gone -> db 1MiB/s")
			c.desire("web=3 cart=3 gone=0")
			pod := c.pod("web")
			if test.pod != nil {
				pod = test.pod(c)
			}
			if got := c.signature(pod); (got != "") != test.want {
				t.Errorf("the signature is %q, want one: %v", got, test.want)
			}
		})
	}
}

// TestSignPodWithoutTraffic: pods without traffic are signed while room is kept for nobody. For
// as long as kube-scheduler may compare their results with those of others, the plugin then has
// nothing to say of them, also when room is kept.
func TestSignPodWithoutTraffic(t *testing.T) {
	c := newCluster(t, "requestBytes: 0")
	c.traffic("web -> db 100MiB/s")
	c.assign("n1: db; n2:")
	c.place(c.sized("filler", "48"), "n1")
	c.update()
	check := func(when string, signed bool, scores string) {
		t.Helper()
		if got := c.signature(c.sized("none", "8")); (got != "") != signed {
			t.Errorf("%s the signature is %q, want one: %v", when, got, signed)
		}
		if got := c.scoreText(c.sized("none", "8")); got != scores {
			t.Errorf("%s the scores are %s, want %s", when, got, scores)
		}
	}
	check("before the first cycle", false, "skip")
	check("while nothing is wanted", true, "skip")
	c.want("web", 1, c.sized("web", "12"))
	check("when a controller has just said what it wants", false, "skip")
	c.now = c.now.Add(reuse / 2)
	check("while results may be reused", false, "skip")
	c.now = c.now.Add(reuse)
	check("afterwards", false, "n1=0 n2=100")
	c.want("web", 0, c.sized("web", "12"))
	check("when nothing is wanted any more, before a cycle", false, "skip")
	check("when nothing is wanted any more", true, "skip")
	c.traffic("web -> db 90MiB/s")
	check("before a cycle with a new snapshot", false, "skip")
}

func TestSignPodTellsTemplatesApart(t *testing.T) {
	c := newCluster(t, "strategy: NetMARKS")
	c.traffic("web -> db 1MiB/s")
	c.desire("web=3")
	current, former := c.pod("web"), c.pod("web")
	former.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "old"
	former.OwnerReferences[0].Name = "web-old"
	c.add(&appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-old"}, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(9))},
	})
	if got := c.signature(former); got == "" || got == c.signature(current) {
		t.Errorf("templates of which 9 and 3 pods are wanted both have the signature %s", got)
	}
}

// TestEqualSignaturesMeanEqualScores places pods of signed workloads, during
// rollouts too: the next pod with the same signature finds all scores as they
// were.
func TestEqualSignaturesMeanEqualScores(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	signed, scored, silent := 0, 0, 0
	for _, args := range []string{
		"closeness: {zone: 0, region: 0}", "strategy: NetMARKS", // these sign
		"", "closeness: {zone: 0, region: 0}, routing: FairLoad", "reserveRoom: false", // these do outside the graph
	} {
		for range 40 {
			c, _ := randomCluster(t, random, args, true)
			for w := range 8 {
				if random.IntN(3) == 0 { // a rollout: pods beyond those desired
					c.desire(fmt.Sprintf("w%d=%d", w, 1+random.IntN(3)))
				}
			}
			owners := map[string]string{}         // of signatures
			c.scores(c.pod("outside"), c.nodes()) // the cycle after which it is known for whom room is kept
			for w := range 11 {
				name, newPod := fmt.Sprintf("w%d", w), c.pod
				if w == 10 {
					name = "outside"
				}
				if w%5 == 0 {
					newPod = c.job
				}
				first, second := newPod(name), newPod(name)
				signature := c.signature(first)
				if signature == "" {
					continue
				}
				signed++
				if other, taken := owners[signature]; taken {
					t.Errorf("%s and %s share the signature %s", other, name, signature)
				}
				owners[signature] = kube.WorkloadOf(first).Name
				if got := c.signature(second); got != signature {
					t.Fatalf("two pods of %s have the signatures %s and %s", name, signature, got)
				}
				before := c.scores(first, c.nodes())
				if before != nil {
					scored++
				}
				if name == "outside" {
					silent++
				}
				first.Spec.NodeName = slices.Sorted(maps.Keys(c.gains(c.plugin, c.pod("w0"))))[random.IntN(10)]
				if err := c.cache.AssumePod(klog.Background(), first); err != nil {
					t.Fatal(err)
				}
				c.update()
				if after := c.scores(second, c.nodes()); !maps.Equal(before, after) {
					t.Fatalf("%q: a pod of %s on %s changes the scores of the next from\n%v to\n%v", args, name, first.Spec.NodeName, before, after)
				}
			}
		}
	}
	if signed < 300 || scored < 150 || silent < 60 {
		t.Errorf("%d workloads were signed, %d of them had scores, and %d no traffic", signed, scored, silent)
	}
}

// TestNoSnapshotIsKept: while no pod comes, nothing but the store keeps a snapshot.
func TestNoSnapshotIsKept(t *testing.T) {
	c := newCluster(t, "requestBytes: 0")
	c.traffic("web -> db 100MiB/s")
	c.assign("n1: db; n2:")
	if got := c.scoreText(c.pod("web")); got != "n1=100 n2=0" {
		t.Fatalf("the scores are %s", got)
	}
	if got := c.signature(c.pod("none")); got == "" {
		t.Fatal("a pod without traffic is not signed")
	}
	former := weak.Make(c.store.Load())
	c.traffic("web -> db 90MiB/s")
	for range 10 {
		runtime.GC()
	}
	if former.Value() != nil {
		t.Error("the former snapshot is kept")
	}
	runtime.KeepAlive(c)
}
