package trafficlocality

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// decisionLevel is the verbosity of the log from which on there is a line for each decision.
const decisionLevel = 4

const (
	// mostDecisions is of how many pods that are not bound yet the scores are remembered.
	mostDecisions = 1000
	// mostExplained is on how many nodes, those with the most points, it is worked out where
	// the points come from.
	mostExplained = 100
	// mainPeers is how many peers a line names.
	mainPeers = 3
)

// decisions writes a line to the log when a pod is bound: what the plugin said of the chosen
// node. Nothing is remembered, and no event followed, while the log is not verbose enough.
type decisions struct {
	pods func() cache.SharedIndexInformer

	once    sync.Once // the first note follows the pods
	mu      sync.Mutex
	waiting unbound[decision]
}

// decision is what was found for a pod.
type decision struct {
	logger      klog.Logger
	candidates  []candidate          // the best first
	explanation map[string]narrative // by node
	basis       score.Basis
	best        score.Explanation
}

type candidate struct {
	node   string
	points uint8
}

// narrative is what a line says of a node.
type narrative struct{ peers, vetoes string }

// note remembers what was found for a pod, where the log is verbose enough.
func (d *decisions) note(logger klog.Logger, pod *v1.Pod, result *score.Result, infos []fwk.NodeInfo, numbers []int32) {
	if !logger.V(decisionLevel).Enabled() {
		return
	}
	d.once.Do(func() { d.follow(logger) })
	found := decision{logger: logger, basis: result.Basis, explanation: map[string]narrative{}}
	order := make([]int, len(infos))
	for i := range infos {
		order[i] = i
	}
	points := func(i int) (points uint8) {
		if numbers[i] != score.Absent {
			points = result.Points.Of(numbers[i])
		}
		return points
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points(b), points(a)) })
	for rank, i := range order {
		name := infos[i].Node().Name
		found.candidates = append(found.candidates, candidate{name, points(i)})
		if rank < mostExplained && numbers[i] != score.Absent {
			x := result.Explain(numbers[i])
			found.explanation[name] = narrative{mainPeersOf(x), vetoesOf(x)}
			if rank == 0 {
				found.best = x
			}
		}
	}
	d.remember(pod.UID, found)
}

// silent writes a line for a cycle in which the plugin has no say, where the log is verbose enough.
func (*decisions) silent(logger klog.Logger, pod *v1.Pod, why skipReason) {
	if logger = logger.V(decisionLevel); logger.Enabled() {
		logger.Info("TrafficLocality has no say in the placement of a pod", "pod", klog.KObj(pod), "reason", why, "why", why.meaning())
	}
}

// remember keeps what was found for a pod until it is bound, or too many others were.
func (d *decisions) remember(pod types.UID, found decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting.most = mostDecisions
	d.waiting.put(pod, found)
}

// follow looks out for pods that are bound.
func (d *decisions) follow(logger klog.Logger) {
	err := whenBound(d.pods(), d.bound)
	if err != nil {
		logger.Error(err, "TrafficLocality cannot follow which pods are bound; their scores are not logged")
	}
}

// bound writes the line for a pod.
func (d *decisions) bound(pod *v1.Pod) {
	d.mu.Lock()
	found, ok := d.waiting.take(pod.UID)
	d.mu.Unlock()
	if !ok {
		return
	}
	at := slices.IndexFunc(found.candidates, func(c candidate) bool { return c.node == pod.Spec.NodeName })
	if at < 0 {
		return // somebody else has bound it
	}
	chosen, best := found.candidates[at], found.candidates[0]
	rank := 1 + slices.IndexFunc(found.candidates, func(c candidate) bool { return c.points == chosen.points })
	told := found.explanation[chosen.node]
	found.logger.V(decisionLevel).Info("TrafficLocality has scored a pod that is bound", "pod", klog.KObj(pod), "node", chosen.node,
		"points", chosen.points, "rank", fmt.Sprintf("%d of %d", rank, len(found.candidates)), "best", best.node, "bestPoints", best.points,
		"basis", found.basis, "peers", told.peers, "vetoes", told.vetoes,
		"significance", math.Round(1e3*found.best.Significance)/1e3, "influence", math.Round(1e3*found.best.Influence)/1e3)
}

// mainPeersOf names the peers by which a node gains the most.
func mainPeersOf(x score.Explanation) string {
	type part struct {
		peer score.PeerGain
		gain float64
	}
	var parts []part
	for _, p := range x.Peers {
		parts = append(parts, part{p, p.Gain()})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.gain, a.gain) })
	var told []string
	for _, p := range parts[:min(len(parts), mainPeers)] {
		told = append(told, fmt.Sprintf("%s %s", p.peer.Peer, show.ByteRate(p.gain)))
	}
	if more := len(parts) - mainPeers; more > 0 {
		told = append(told, fmt.Sprintf("%d more", more))
	}
	return strings.Join(told, ", ")
}

// vetoesOf names the vetoes that act on a node.
func vetoesOf(x score.Explanation) string {
	var told []string
	for _, v := range x.Vetoes {
		told = append(told, v.String())
	}
	return strings.Join(told, ", ")
}
