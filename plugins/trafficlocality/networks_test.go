package trafficlocality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// inBytes has the label "link" count bytes per second, all of which may be used.
const inBytes = ", networkCapacity: {label: link, unit: 8, maxUtilization: 1}"

// setLabels gives nodes a label, as in "n1=50 n2=80".
func (c *cluster) setLabels(key, text string) {
	c.Helper()
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		was := c.nodes(name)[0].Node()
		is := was.DeepCopy()
		if is.Labels == nil {
			is.Labels = map[string]string{}
		}
		is.Labels[key] = value
		c.cache.UpdateNode(klog.Background(), was, is)
	}
	c.update()
}

func TestNetworkCapacity(t *testing.T) {
	// Beside out, a pod of web leaves 100 B/s for db to go out; beside db, 300.
	const traffic = "web -> db 100B/s; web -> out 300B/s"
	cases := map[string]struct {
		args, links, assign, traffic, want string
		measured                           map[string]float64 // by the telemetry
	}{
		"not known":                       {want: "n1=33 n2=0 n3=100"},
		"room enough":                     {links: "n3=100", want: "n1=33 n2=0 n3=100"},
		"too little: the next best":       {links: "n3=99", want: "n1=100 n2=0 n3=0"},
		"both":                            {links: "n1=299 n3=99", want: "skip"},
		"only what may be used":           {args: ", networkCapacity: {label: link, unit: 8}", links: "n3=124", want: "n1=100 n2=0 n3=0"},
		"80 % of it by default":           {args: ", networkCapacity: {label: link, unit: 8}", links: "n3=125", want: "n1=33 n2=0 n3=100"},
		"no quantity is no bound":         {links: "n3=much", want: "n1=33 n2=0 n3=100"},
		"another label":                   {args: ", networkCapacity: {label: other, unit: 8}", links: "n3=1", want: "n1=33 n2=0 n3=100"},
		"NetMARKS knows none":             {args: ", strategy: NetMARKS" + inBytes, links: "n3=1", want: "n1=33 n2=0 n3=100"},
		"what others send counts":         {links: "n3=149", assign: "n1: db; n2: sink; n3: out source", traffic: traffic + "; source -> sink 50B/s", want: "n1=100 n2=0 n3=0"},
		"what they receive does not":      {links: "n3=149", assign: "n1: db; n2: source; n3: out sink", traffic: traffic + "; source -> sink 50B/s", want: "n1=33 n2=0 n3=100"},
		"nor what stays":                  {links: "n3=100", assign: "n1: db; n2:; n3: out source sink", traffic: traffic + "; source -> sink 50B/s", want: "n1=33 n2=0 n3=100"},
		"it was too much already":         {links: "n1=1", traffic: "web -> db 100B/s", want: "n1=100 n2=0 n3=0"},
		"it takes as much off as it adds": {links: "n1=1", traffic: "db -> web 100B/s; web -> out 100B/s", want: "n1=100 n2=0 n3=100"},
		"by the telemetry":                {args: ", networkCapacity: {maxUtilization: 1}", measured: map[string]float64{"n3": 99}, want: "n1=100 n2=0 n3=0"},
		"enough by the telemetry":         {args: ", networkCapacity: {}", measured: map[string]float64{"n3": 125}, want: "n1=33 n2=0 n3=100"},
		"that of another node":            {args: ", networkCapacity: {}", measured: map[string]float64{"n2": 1}, want: "n1=33 n2=0 n3=100"},
		"the label comes first":           {links: "n3=100", measured: map[string]float64{"n3": 1}, want: "n1=33 n2=0 n3=100"},
		"a node without the label":        {links: "n1=1000", measured: map[string]float64{"n1": 1, "n3": 1}, want: "n1=100 n2=0 n3=0"},
		"nobody asks for it":              {args: ", strategy: Gain", measured: map[string]float64{"n3": 1}, want: "n1=33 n2=0 n3=100"},
		"both directions of a call":       {links: "n3=99", traffic: "web -> db 0B/s back 100B/s; web -> out 0B/s back 300B/s", want: "n1=100 n2=0 n3=0"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if test.args == "" {
				test.args = inBytes
			}
			if test.assign == "" {
				test.assign = "n1: db; n2:; n3: out"
			}
			if test.traffic == "" {
				test.traffic = traffic
			}
			c := newCluster(t, allOfIt+", reserveRoom: false, routing: Uniform, closeness: {zone: 0, region: 0}"+test.args)
			c.traffic(test.traffic)
			c.desire("web=1 db=1 out=1 source=1 sink=1")
			c.assign(test.assign)
			c.setLabels("link", test.links)
			c.networks.Publish(test.measured)
			if got := c.scoreText(c.pod("web")); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}

// TestNetworkCapacityIsFollowed: what the telemetry says of a node's network counts from
// the next pod on.
func TestNetworkCapacityIsFollowed(t *testing.T) {
	c := newCluster(t, allOfIt+", reserveRoom: false, routing: Uniform, closeness: {zone: 0, region: 0}, networkCapacity: {maxUtilization: 1}")
	c.traffic("web -> db 100B/s; web -> out 300B/s")
	c.desire("web=1 db=1 out=1")
	c.assign("n1: db; n2:; n3: out")
	for _, step := range []struct {
		n3   float64
		want string
	}{{99, "n1=100 n2=0 n3=0"}, {100, "n1=33 n2=0 n3=100"}, {99, "n1=100 n2=0 n3=0"}, {0, "n1=33 n2=0 n3=100"}} {
		c.networks.Publish(map[string]float64{"n3": step.n3})
		if got := c.scoreText(c.pod("web")); got != step.want {
			t.Errorf("n3 takes %v: the scores are %s, want %s", step.n3, got, step.want)
		}
	}
}

// TestEveryLoadIsKnownInTime: where a new snapshot comes before each pod, the loads of
// more nodes than are added up in a cycle are known after some.
func TestEveryLoadIsKnownInTime(t *testing.T) {
	const mostLoads = 32 // of one cycle
	const nodes = 5 * mostLoads
	c := newCluster(t, allOfIt+", reserveRoom: false, routing: Uniform"+inBytes)
	assign, links := "", ""
	for i := range nodes {
		assign += fmt.Sprintf("n%03d@r/z: db;", i)
		links += fmt.Sprintf("n%03d=1000 ", i)
	}
	c.assign(assign + "last@r/z: db source; away@r/y: sink out")
	c.setLabels("link", links+"last=1000")
	c.desire(fmt.Sprintf("web=1 db=%d out=1 source=1 sink=1", nodes+1))
	for range nodes/mostLoads + 2 {
		c.traffic("web -> db 100B/s; web -> out 90B/s; source -> sink 5000B/s")
		c.scores(c.pod("web"), c.nodes())
	}
	scores := c.scores(c.pod("web"), c.nodes())
	if scores["last"] != 0 || scores["n000"] == 0 {
		t.Errorf("the node whose network is full scores %d, another %d", scores["last"], scores["n000"])
	}
}

// TestLoads: through random placements, departures and snapshots, what the plugin
// knows of each node's load is the traffic of its pods less that of pairs of pods
// which are both there.
func TestLoads(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 18))
	compared := 0
	for range 20 {
		c, _ := randomCluster(t, random, allOfIt+", reserveRoom: false, routing: Uniform, closeness: {zone: 0, region: 0}"+inBytes, true)
		for _, info := range c.nodes() {
			c.setLabels("link", info.Node().Name+"=1T")
		}
		for w := range 8 {
			c.desire(fmt.Sprintf("w%d=60", w)) // more than there will be
		}
		for range 30 {
			name := fmt.Sprintf("w%d", random.IntN(8))
			switch random.IntN(8) {
			case 0:
				node := c.nodes()[random.IntN(10)]
				if pods := node.GetPods(); len(pods) > 0 {
					if err := c.cache.RemovePod(klog.Background(), pods[0].GetPod()); err != nil {
						t.Fatal(err)
					}
				}
			case 1:
				var edges []flowgraph.Edge
				for e := range c.store.Load().Edges() {
					e.SentBytesPerSecond *= random.Float64()
					edges = append(edges, e)
				}
				c.store.Publish(flowgraph.NewSnapshot(c.store.Load().Generation()+1, dataTime, edges))
			default:
				c.place(c.pod(name), c.nodes()[random.IntN(10)].Node().Name)
			}
			c.update()
			c.scores(c.pod(name), c.nodes())
			snap := c.store.Load()
			c.plugin.keeper.update(c.nodes(), false)
			for _, info := range c.nodes() {
				out, in, current := c.plugin.engine.LoadOf(snap, c.plugin.keeper.names[info.Node().Name])
				if !current {
					continue
				}
				wantOut, wantIn := c.countLoad(snap, info)
				if math.Abs(out-wantOut) > 1e-6*wantOut+1e-3 || math.Abs(in-wantIn) > 1e-6*wantIn+1e-3 {
					t.Fatalf("%s: %v and %v, want %v and %v", info.Node().Name, out, in, wantOut, wantIn)
				}
				compared++
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d loads were compared", compared)
	}
}

// countLoad goes from pod to pod.
func (c *cluster) countLoad(snap *flowgraph.Snapshot, info fwk.NodeInfo) (out, in float64) {
	var pods []*v1.Pod
	for _, p := range info.GetPods() {
		if kube.IsPeer(p.GetPod()) {
			pods = append(pods, p.GetPod())
		}
	}
	desired := func(id flowgraph.WorkloadID, pod *v1.Pod) float64 {
		n, _ := c.plugin.replicas.Desired(id, pod)
		return float64(n)
	}
	for edge := range snap.Edges() {
		for _, p := range pods {
			id := kube.WorkloadOf(p)
			d := desired(id, p)
			if id == edge.From {
				out += edge.SentBytesPerSecond / d
				in += edge.ReceivedBytesPerSecond / d
			}
			if id == edge.To {
				out += edge.ReceivedBytesPerSecond / d
				in += edge.SentBytesPerSecond / d
			}
			for _, q := range pods {
				other := kube.WorkloadOf(q)
				if p == q || id != edge.From || other != edge.To {
					continue
				}
				pairs := d * desired(other, q)
				if id == other {
					pairs = d * (d - 1)
				}
				out -= edge.BytesPerSecond() / pairs
				in -= edge.BytesPerSecond() / pairs
			}
		}
	}
	return out, in
}

// TestPodsGoWhereTheNetworkHasRoom: replicas arrive one after the other, beside
// kube-scheduler's own plugins.
func TestPodsGoWhereTheNetworkHasRoom(t *testing.T) {
	for links, want := range map[string]int{"": 6, "n1=5M": 2} { // 2 MB/s of each pod leave, in this direction
		c := newCluster(t, "")
		c.traffic("web -> db 60MB/s; web -> out 12MB/s")
		c.desire("web=6 db=1 out=1")
		c.assign("n1: db; n2: out; n3:; n4:")
		c.setLabels("link", links)
		fw := c.profileWith(c.dependencies(), allOfIt+", routing: Uniform, closeness: {zone: 0, region: 0}"+inBytes)
		on := map[string]int{}
		for range 6 {
			pod := c.pod("web")
			best := bestNode(c.totals(fw, pod))
			if best == "" {
				t.Fatalf("%q: a pod has nowhere to go", links)
			}
			on[best]++
			c.place(pod, best)
			c.update()
		}
		if on["n1"] != want {
			t.Errorf("%q: the pods are on %v, want %d on n1", links, on, want)
		}
	}
}
