package trafficlocality

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// indexView is what an index says, free of the numbers it uses.
type indexView struct {
	Pods    map[string]map[string]int32          // by workload, and node with revision
	Domains map[string]map[locality.Level]string // by node
	// Known are the workloads and the domains that the index has numbers for.
	Known []int
}

func viewOf(x *index) indexView {
	v := indexView{Pods: map[string]map[string]int32{}, Domains: map[string]map[locality.Level]string{}}
	for id := range x.workloads.numbers {
		pods := map[string]int32{}
		for _, place := range x.lookup(id) {
			pods[x.nodes[place.at].node.Name+" "+place.revision] += place.count
		}
		v.Pods[id.String()] = pods
	}
	for name, slot := range x.slots {
		v.Domains[name] = map[locality.Level]string{}
		for i, level := range x.scale.Levels() {
			if d := x.where[i][slot]; d != noDomain {
				v.Domains[name][level] = x.domains[i].keys[d]
			}
		}
	}
	v.Known = append(v.Known, len(x.workloads.numbers))
	for _, domains := range x.domains {
		v.Known = append(v.Known, len(domains.numbers))
	}
	return v
}

// scannedInfo counts how often a node's pods are looked at.
type scannedInfo struct {
	fwk.NodeInfo
	scans *int
}

func (s scannedInfo) GetPods() []fwk.PodInfo {
	*s.scans++
	return s.NodeInfo.GetPods()
}

// churn is a random sequence of what happens to a cluster.
type churn struct {
	*cluster
	random  *rand.Rand
	nodes   map[string]*v1.Node
	pods    []*v1.Pod // in the cache, confirmed
	assumed []*v1.Pod
	made    int
}

func (c *churn) nodeName() string {
	names := slices.Sorted(maps.Keys(c.nodes))
	return names[c.random.IntN(len(names))]
}

// take removes a random element.
func take(random *rand.Rand, pods *[]*v1.Pod) *v1.Pod {
	i := random.IntN(len(*pods))
	pod := (*pods)[i]
	*pods = slices.Delete(*pods, i, i+1)
	return pod
}

func (c *churn) newPod() *v1.Pod {
	// Deployments that stay and, as Jobs do, workloads with one pod each.
	name := fmt.Sprintf("w%d", c.random.IntN(6))
	if c.random.IntN(3) == 0 {
		c.made++
		name = fmt.Sprintf("once%d", c.made)
	}
	pod := c.pod(name)
	if c.random.IntN(3) == 0 {
		outdate(pod)
	}
	return pod
}

func (c *churn) newNode(name string) *v1.Node {
	n := node(name, []string{"", "r1", "r2"}[c.random.IntN(3)], []string{"", "a", "b", "c"}[c.random.IntN(4)])
	c.label(n, c.random)
	c.nodes[name] = n
	return n
}

func (c *churn) step() {
	log := klog.Background()
	var err error
	switch what := c.random.IntN(20); {
	case len(c.nodes) < 3 || what == 0:
		c.made++
		c.cache.AddNode(log, c.newNode(fmt.Sprintf("n%d", c.made)))
	case what == 1:
		name := c.nodeName()
		err = c.cache.RemoveNode(log, c.nodes[name])
		delete(c.nodes, name)
		if c.random.IntN(2) == 0 { // it comes back, with the pods that were left
			c.cache.AddNode(log, c.newNode(name))
		}
	case what == 2: // it moves to another zone
		old := c.nodes[c.nodeName()]
		c.cache.UpdateNode(log, old, c.newNode(old.Name))
	case what < 8:
		c.pods = append(c.pods, c.place(c.newPod(), c.nodeName()))
	case what < 12:
		pod := c.newPod()
		pod.Spec.NodeName = c.nodeName()
		err = c.cache.AssumePod(log, pod)
		c.assumed = append(c.assumed, pod)
	case what < 14 && len(c.assumed) > 0:
		err = c.cache.ForgetPod(log, take(c.random, &c.assumed))
	case what < 16 && len(c.assumed) > 0: // it is bound
		pod := take(c.random, &c.assumed)
		err = c.cache.AddPod(log, pod)
		c.pods = append(c.pods, pod)
	case what < 18 && len(c.pods) > 0: // it is deleted, or it finishes
		pod := take(c.random, &c.pods)
		leaving := pod.DeepCopy()
		if c.random.IntN(2) == 0 {
			leaving.DeletionTimestamp = &metav1.Time{Time: dataTime}
		} else {
			leaving.Status.Phase = v1.PodSucceeded
		}
		err = c.cache.UpdatePod(log, pod, leaving)
		c.pods = append(c.pods, leaving)
	case len(c.pods) > 0:
		err = c.cache.RemovePod(log, take(c.random, &c.pods))
	}
	if err != nil {
		c.Fatal(err)
	}
}

func TestIndexFollowsTheCache(t *testing.T) {
	for seed := range uint64(20) {
		args := []string{"", rackAndHall}[seed%2]
		c := &churn{cluster: newCluster(t, args), random: rand.New(rand.NewPCG(seed, 7)), nodes: map[string]*v1.Node{}}
		x := c.newIndex()
		generations := map[string]int64{}
		scans := 0
		for round := range 200 {
			for range c.random.IntN(4) {
				c.step()
			}
			c.update()
			held, heldBefore := x.slots, maps.Clone(x.slots)

			wantScans, infos := 0, []fwk.NodeInfo(nil)
			scans = 0
			seen := map[string]int64{}
			for _, info := range c.cluster.nodes() {
				name := info.Node().Name
				if generation, known := generations[name]; !known || generation != info.GetGeneration() {
					wantScans++
				}
				seen[name] = info.GetGeneration()
				infos = append(infos, scannedInfo{info, &scans})
			}
			generations = seen
			x.update(infos)
			if scans != wantScans {
				t.Fatalf("seed %d, round %d: the pods of %d nodes were looked at, %d nodes changed", seed, round, scans, wantScans)
			}

			fresh := c.newIndex()
			fresh.update(c.cluster.nodes())
			if diff := cmp.Diff(viewOf(fresh), viewOf(x)); diff != "" {
				t.Fatalf("seed %d, round %d: a fresh index and this one differ (-fresh, +this):\n%s", seed, round, diff)
			}
			checkPods(t, x, infos)
			checkNumbers(t, x)
			if !maps.Equal(held, heldBefore) {
				t.Fatalf("seed %d, round %d: the slots of an earlier cycle changed", seed, round)
			}
		}
	}
}

func TestIndexOfANodeThatComesBackUnchanged(t *testing.T) {
	c := newCluster(t, "")
	c.assign("n1@r/a: web; n2@r/b: db*2 cart; n3: db")
	x, fresh := c.newIndex(), c.newIndex()
	x.update(c.nodes())
	x.update(c.nodes("n1", "n2"))
	x.update(c.nodes())
	x.update(c.nodes("n3"))
	x.update(c.nodes())
	fresh.update(c.nodes())
	if diff := cmp.Diff(viewOf(fresh), viewOf(x)); diff != "" {
		t.Errorf("a fresh index and this one differ (-fresh, +this):\n%s", diff)
	}
}

// checkNumbers fails when a number is neither in use nor free for the next.
func checkNumbers(t *testing.T, x *index) {
	t.Helper()
	if len(x.nodes) != len(x.slots)+len(x.free) {
		t.Fatalf("of %d slots %d are used and %d free", len(x.nodes), len(x.slots), len(x.free))
	}
	if n := x.workloads; n.size() != len(n.numbers)+len(n.free) {
		t.Fatalf("of %d workload numbers %d are used and %d free", n.size(), len(n.numbers), len(n.free))
	}
	for _, n := range x.domains {
		if n.size() != len(n.numbers)+len(n.free) {
			t.Fatalf("of %d domain numbers %d are used and %d free", n.size(), len(n.numbers), len(n.free))
		}
	}
}

// checkPods fails unless the pod that stands for a workload is one of its live
// ones.
func checkPods(t *testing.T, x *index, infos []fwk.NodeInfo) {
	t.Helper()
	live := map[*v1.Pod]bool{}
	for _, info := range infos {
		for _, p := range info.GetPods() {
			live[p.GetPod()] = true
		}
	}
	for id := range x.workloads.numbers {
		for _, place := range x.lookup(id) {
			if !live[place.pod] || kube.WorkloadOf(place.pod) != id || kube.RevisionOf(place.pod) != place.revision {
				t.Fatalf("%v of revision %q is represented by the pod %v, which is gone or another's", id, place.revision, place.pod)
			}
		}
	}
	if places := x.lookup(flowgraph.WorkloadID{Name: "none"}); places != nil {
		t.Fatal("a workload without pods has some")
	}
}
