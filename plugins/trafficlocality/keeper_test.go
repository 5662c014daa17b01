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
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// boardView is what a Board says, free of the numbers it uses.
type boardView struct {
	Pods    map[string]map[string]int32  // by workload, and node with revision
	Domains map[string]map[string]string // by node and level
}

func viewOf(k *keeper) boardView {
	v := boardView{Pods: map[string]map[string]int32{}, Domains: map[string]map[string]string{}}
	for _, id := range k.workloadsOfPods() {
		pods := map[string]int32{}
		for place := range k.board.Places(k.board.Workload(id)) {
			pods[k.nodes[place.Node].node.Name+" "+place.Revision] += place.Pods
		}
		v.Pods[id.String()] = pods
	}
	for name, n := range k.names {
		v.Domains[name] = map[string]string{}
		for i, level := range k.scale.Levels() {
			if d := k.board.Domain(n, i); d != "" {
				v.Domains[name][k.scale.Name(level)] = d
			}
		}
	}
	return v
}

// workloadsOfPods returns the workloads that have pods.
func (k *keeper) workloadsOfPods() []flowgraph.WorkloadID {
	found := map[flowgraph.WorkloadID]bool{}
	for _, node := range k.nodes {
		for _, pod := range node.pods {
			if pod.workload != score.Absent {
				found[kube.WorkloadOf(pod.pod)] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found))
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
	case what == 18 && len(c.pods) > 0: // its status changes
		pod := take(c.random, &c.pods)
		newer := pod.DeepCopy()
		newer.Status.Message = "newer"
		err = c.cache.UpdatePod(log, pod, newer)
		c.pods = append(c.pods, newer)
	case len(c.pods) > 0:
		err = c.cache.RemovePod(log, take(c.random, &c.pods))
	}
	if err != nil {
		c.Fatal(err)
	}
}

func TestBoardFollowsTheCache(t *testing.T) {
	for seed := range uint64(20) {
		args := []string{"", rackAndHall}[seed%2]
		c := &churn{cluster: newCluster(t, args), random: rand.New(rand.NewPCG(seed, 7)), nodes: map[string]*v1.Node{}}
		x := c.newKeeper()
		generations := map[string]int64{}
		scans, most := 0, 0
		for round := range 200 {
			for range c.random.IntN(4) {
				c.step()
			}
			c.update()
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
			x.update(infos, false)
			if scans != wantScans {
				t.Fatalf("seed %d, round %d: the pods of %d nodes were looked at, %d nodes changed", seed, round, scans, wantScans)
			}

			fresh := c.newKeeper()
			fresh.update(c.cluster.nodes(), false)
			if diff := cmp.Diff(viewOf(fresh), viewOf(x)); diff != "" {
				t.Fatalf("seed %d, round %d: a fresh Board and this one differ (-fresh, +this):\n%s", seed, round, diff)
			}
			checkPods(t, x, infos)
			most = max(most, len(x.names)+1)
			checkNumbers(t, x, most)
		}
	}
}

func TestBoardOfANodeThatComesBackUnchanged(t *testing.T) {
	c := newCluster(t, "")
	c.assign("n1@r/a: web; n2@r/b: db*2 cart; n3: db")
	x, fresh := c.newKeeper(), c.newKeeper()
	x.update(c.nodes(), false)
	x.update(c.nodes("n1", "n2"), false)
	x.update(c.nodes(), false)
	x.update(c.nodes("n3"), false)
	x.update(c.nodes(), false)
	fresh.update(c.nodes(), false)
	if diff := cmp.Diff(viewOf(fresh), viewOf(x)); diff != "" {
		t.Errorf("a fresh Board and this one differ (-fresh, +this):\n%s", diff)
	}
}

// checkNumbers fails when the Board has more numbers than were ever in use together.
func checkNumbers(t *testing.T, k *keeper, most int) {
	t.Helper()
	if k.board.Len() > most {
		t.Fatalf("the Board has %d numbers for nodes, of which there were %d at most", k.board.Len(), most)
	}
}

// checkPods fails unless the pod that stands for a workload is one of its live
// ones.
func checkPods(t *testing.T, k *keeper, infos []fwk.NodeInfo) {
	t.Helper()
	live := map[*v1.Pod]bool{}
	for _, info := range infos {
		for _, p := range info.GetPods() {
			live[p.GetPod()] = true
		}
	}
	for _, id := range k.workloadsOfPods() {
		if pod := k.workloads[k.board.Workload(id)].placed; !live[pod] || kube.WorkloadOf(pod) != id {
			t.Fatalf("%v is represented by the pod %v, which is gone or another's", id, pod)
		}
	}
	if k.board.Workload(flowgraph.WorkloadID{Name: "none"}) != score.Absent {
		t.Fatal("a workload without pods is on the Board")
	}
}
