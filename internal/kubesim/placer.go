// Package kubesim places the pods of a replay with the real kube-scheduler
// framework: every filter, score plugin and weight of the user's own
// configuration, over the scheduler's own cache, without an API server. It
// leaves out what needs one: binding, preemption, extenders, volumes, pod groups
// and dynamic resources.
package kubesim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
)

// Placer implements sim.Placer. It is not safe for concurrent use; several of
// them may run side by side.
type Placer struct {
	input  *history.Replayable
	store  *flowgraph.Store
	now    func() time.Time
	logger klog.Logger
	engine engine

	rollout  bool
	next     map[int32]nextTemplate // by workload
	position map[string]int32       // of a node, by name
	placed   map[sim.Pod]*corev1.Pod
	there    map[int32]*corev1.Node // by position, as the cache has them
	at       time.Time              // the replay's clock, by which traffic ages
}

// nextTemplate is what the pods are made from that a rollout brings.
type nextTemplate struct{ of, template *corev1.Pod }

var _ sim.ClusterPlacer = (*Placer)(nil)

// Place implements sim.Placer.
func (p *Placer) Place(ctx context.Context, pod sim.Pod, node int32) (sim.Decision, error) {
	if p.placed[pod] != nil {
		return sim.Decision{}, errors.New("it is placed already")
	}
	object, err := p.newPod(pod, p.rollout && node == sim.Anywhere)
	if err != nil {
		return sim.Decision{}, err
	}
	if node != sim.Anywhere {
		return sim.Decision{Node: node}, p.assume(pod, object, p.input.Nodes[node].Name)
	}
	began := p.now()
	best, err := p.Best(ctx, object)
	if err != nil || len(best) == 0 {
		return sim.Decision{Node: sim.Anywhere, Took: p.now().Sub(began)}, err
	}
	name := freest(best).Node().Name
	err = p.assume(pod, object, name)
	return sim.Decision{Node: p.position[name], Took: p.now().Sub(began)}, err
}

// newPod makes a pod from its workload's template, or from that of the next rollout.
// What is behind pointers is shared: no plugin writes to a pod.
func (p *Placer) newPod(pod sim.Pod, next bool) (*corev1.Pod, error) {
	if int(pod.Workload) >= len(p.input.Templates) || p.input.Templates[pod.Workload] == nil {
		return nil, errors.New("its workload has no template")
	}
	template := p.input.Templates[pod.Workload]
	if next {
		template = p.nextOf(pod.Workload, template)
	}
	object := *template
	object.Name = fmt.Sprintf("%s-%d", object.Name, pod.Ordinal)
	object.UID = types.UID(fmt.Sprintf("%d/%d", pod.Workload, pod.Ordinal))
	return &object, nil
}

// nextOf returns the template of a workload after its rollout.
func (p *Placer) nextOf(workload int32, template *corev1.Pod) *corev1.Pod {
	if n, known := p.next[workload]; known && n.of == template {
		return n.template
	}
	n := nextTemplate{of: template, template: kube.NextPod(template)}
	p.next[workload] = n
	return n.template
}

func (p *Placer) assume(pod sim.Pod, object *corev1.Pod, node string) error {
	object.Spec.NodeName = node
	if err := p.engine.cache.AssumePod(p.logger, object); err != nil {
		return fmt.Errorf("assuming it on node %s: %w", node, err)
	}
	p.placed[pod] = object
	return p.engine.update(p.logger)
}

// Remove implements sim.Placer.
func (p *Placer) Remove(pod sim.Pod) error {
	object := p.placed[pod]
	if object == nil {
		return errors.New("removing it: it is not placed")
	}
	if err := p.engine.cache.ForgetPod(p.logger, object); err != nil {
		return fmt.Errorf("removing it: %w", err)
	}
	delete(p.placed, pod)
	return p.engine.update(p.logger)
}

// Observe implements sim.Placer.
func (p *Placer) Observe(traffic *flowgraph.Snapshot) { p.store.Publish(traffic) }

// Best returns the nodes among which kube-scheduler would choose: the feasible
// ones with the highest total score, none when the pod fits nowhere. Every node
// is looked at, whatever percentageOfNodesToScore says.
func (p *Placer) Best(ctx context.Context, pod *corev1.Pod) ([]fwk.NodeInfo, error) {
	state := framework.NewCycleState()
	feasible, err := p.feasible(ctx, state, pod)
	if err != nil || len(feasible) < 2 {
		return feasible, err // one is taken without being scored, as upstream does
	}
	fw := p.engine.framework
	if status := fw.RunPreScorePlugins(ctx, state, pod, feasible); !status.IsSuccess() {
		return nil, fmt.Errorf("scoring it: %w", status.AsError())
	}
	scores, status := fw.RunScorePlugins(ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return nil, fmt.Errorf("scoring it: %w", status.AsError())
	}
	highest := int64(math.MinInt64)
	best := feasible[:0] // in place: each node is read before it is written over
	for i, score := range scores {
		switch {
		case score.TotalScore > highest:
			highest, best = score.TotalScore, append(best[:0], feasible[i])
		case score.TotalScore == highest:
			best = append(best, feasible[i])
		}
	}
	return best, nil
}

// feasible runs the filters over all nodes.
func (p *Placer) feasible(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) ([]fwk.NodeInfo, error) {
	fw := p.engine.framework
	all, err := p.engine.snapshot.NodeInfos().List()
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	only, status, _ := fw.RunPreFilterPlugins(ctx, state, pod)
	switch {
	case status.IsRejected():
		return nil, nil
	case !status.IsSuccess():
		return nil, fmt.Errorf("filtering nodes for it: %w", status.AsError())
	}
	feasible := p.engine.nodes[:0]
	for _, info := range all {
		if !only.AllNodes() && !only.NodeNames.Has(info.Node().Name) {
			continue
		}
		switch status := fw.RunFilterPlugins(ctx, state, pod, info); {
		case status.IsSuccess():
			feasible = append(feasible, info)
		case !status.IsRejected():
			return nil, fmt.Errorf("filtering node %s for it: %w", info.Node().Name, status.AsError())
		}
	}
	p.engine.nodes = feasible
	return feasible, nil
}

// freest breaks a tie: the node with the most room, by the sum of the free
// shares of CPU and memory, and among those the first by name. (kube-scheduler
// leaves ties to chance. Taking the first by name alone would pack the nodes one
// after the other wherever no plugin has an opinion.)
func freest(nodes []fwk.NodeInfo) fwk.NodeInfo {
	best, most := nodes[0], -1.0
	for _, info := range nodes {
		free := room(info)
		if free > most || free == most && info.Node().Name < best.Node().Name {
			best, most = info, free
		}
	}
	return best
}

func room(info fwk.NodeInfo) float64 {
	has, taken := info.GetAllocatable(), info.GetRequested()
	share := func(taken, has int64) float64 {
		if has <= 0 {
			return 0
		}
		return max(0, 1-float64(taken)/float64(has))
	}
	return share(taken.GetMilliCPU(), has.GetMilliCPU()) + share(taken.GetMemory(), has.GetMemory())
}
