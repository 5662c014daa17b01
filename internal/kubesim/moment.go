package kubesim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	v1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Moment is a cluster at one moment, with all pods where they are. Its framework says of single
// pods where they would go; none goes there. It is not safe for concurrent use.
type Moment struct {
	engine engine
	logger klog.Logger
	placed map[podKey]*corev1.Pod
	store  *flowgraph.Store
}

type podKey struct{ namespace, name string }

// MomentOptions says how a Moment decides.
type MomentOptions struct {
	// Config and Profile are as in Options.
	Config  *schedulerconfig.Config
	Profile string
	// Traffic is the graph, and Networks what the telemetry knows of the networks of nodes.
	Traffic  *flowgraph.Snapshot
	Networks *flowgraph.NodeNetworkStore
	// At is when it is.
	At time.Time
}

// NewMoment returns the Moment of objects as an API server has them. It lives until ctx ends.
func NewMoment(ctx context.Context, o *objects.Objects, options MomentOptions) (*Moment, error) {
	m := &Moment{logger: logr.Discard(), placed: map[podKey]*corev1.Pod{}, store: flowgraph.NewStore()}
	if options.Traffic != nil {
		m.store.Publish(options.Traffic)
	}
	var err error
	m.engine, err = newEngine(ctx, Options{Config: options.Config, Profile: options.Profile},
		o.All(func(k *objects.Kind) bool { return k.LookedUp() }),
		trafficlocality.Dependencies{Store: m.store, Networks: options.Networks, Now: func() time.Time { return options.At }})
	if err != nil {
		return nil, err
	}
	for _, node := range objects.Of[*corev1.Node](o) {
		m.engine.cache.AddNode(m.logger, node)
	}
	for _, pod := range objects.Of[*corev1.Pod](o) {
		if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		if err := m.engine.cache.AddPod(m.logger, pod); err != nil {
			return nil, fmt.Errorf("pod %s/%s on node %s: %w", pod.Namespace, pod.Name, pod.Spec.NodeName, err)
		}
		m.placed[podKey{pod.Namespace, pod.Name}] = pod
	}
	return m, m.engine.update(m.logger)
}

// SetDefaults fills in what an API server would of a pod that it has not seen.
func SetDefaults(pod *corev1.Pod) { v1.SetObjectDefaults_Pod(pod) }

// Decision is what the framework says of a pod.
type Decision struct {
	// Rejected says, by name, which filter refuses the pod wherever it may go, and why; ""
	// when none does.
	Rejected string
	Reasons  []string
	// Nodes are all nodes, by name.
	Nodes []NodeDecision
	// Weights are the weights of the plugins that score, by name.
	Weights map[string]int64
	// Ours is what TrafficLocality makes of the pod; nil where it is not in the profile, or
	// has the weight 0, or where no node is feasible.
	Ours *trafficlocality.Explained
}

// NodeDecision is what the framework says of a pod on a node.
type NodeDecision struct {
	Node *corev1.Node
	// Filter is the plugin that excludes the node, "" when it is feasible, and Reasons what
	// that says.
	Filter  string
	Reasons []string
	// Scores are the scores by plugin, normalised and multiplied by the plugin's weight.
	// Plugins that have nothing to say of the pod are not among them.
	Scores map[string]int64
	Total  int64
}

// Feasible reports whether the pod may go to the node.
func (n *NodeDecision) Feasible() bool { return n.Filter == "" }

// Decide says of a pod what a scheduling cycle would now. The pod may be among those that are
// placed: it is taken away while it is looked at.
func (m *Moment) Decide(ctx context.Context, pod *corev1.Pod) (d *Decision, err error) {
	ctx = klog.NewContext(ctx, m.logger)
	key := podKey{pod.Namespace, pod.Name}
	if itself := m.placed[key]; itself != nil {
		if err := m.take(itself); err != nil {
			return nil, err
		}
		defer func() {
			if back := m.putBack(itself); err == nil {
				err = back
			}
		}()
	}
	d = &Decision{Weights: map[string]int64{}}
	for _, plugin := range m.engine.framework.ListPlugins().Score.Enabled {
		d.Weights[plugin.Name] = int64(plugin.Weight)
	}
	if _, enabled := d.Weights[trafficlocality.Name]; enabled && m.engine.plugin == nil {
		d.Weights[trafficlocality.Name] = 0 // which kube-scheduler reads as 1, and switches it off
	}
	state := framework.NewCycleState()
	feasible, err := m.filter(ctx, state, pod, d)
	if err != nil {
		return nil, err
	}
	if len(feasible) > 0 {
		err = m.score(ctx, state, pod, feasible, d)
	}
	slices.SortFunc(d.Nodes, func(a, b NodeDecision) int { return cmp.Compare(a.Node.Name, b.Node.Name) })
	return d, err
}

func (m *Moment) take(pod *corev1.Pod) error {
	if err := m.engine.cache.RemovePod(m.logger, pod); err != nil {
		return fmt.Errorf("taking it off node %s: %w", pod.Spec.NodeName, err)
	}
	return m.engine.update(m.logger)
}

func (m *Moment) putBack(pod *corev1.Pod) error {
	if err := m.engine.cache.AddPod(m.logger, pod); err != nil {
		return fmt.Errorf("putting it back on node %s: %w", pod.Spec.NodeName, err)
	}
	return m.engine.update(m.logger)
}

// filter runs the filters over all nodes and returns those that pass.
func (m *Moment) filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, d *Decision) (feasible []fwk.NodeInfo, err error) {
	fw := m.engine.framework
	all, err := m.engine.snapshot.NodeInfos().List()
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	only, status, by := fw.RunPreFilterPlugins(ctx, state, pod)
	switch {
	case status.IsRejected():
		d.Rejected, d.Reasons = cmp.Or(status.Plugin(), "PreFilter"), status.Reasons()
	case !status.IsSuccess():
		return nil, fmt.Errorf("filtering nodes for it: %w", status.AsError())
	}
	for _, info := range all {
		next := NodeDecision{Node: info.Node()}
		switch {
		case d.Rejected != "":
			next.Filter, next.Reasons = d.Rejected, d.Reasons
		case !only.AllNodes() && !only.NodeNames.Has(info.Node().Name):
			next.Filter = cmp.Or(strings.Join(sets.List(by), ", "), "PreFilter")
			next.Reasons = []string{"not among the nodes that the pod may run on"}
		default:
			status := fw.RunFilterPlugins(ctx, state, pod, info)
			switch {
			case status.IsRejected():
				next.Filter, next.Reasons = cmp.Or(status.Plugin(), "Filter"), status.Reasons()
			case !status.IsSuccess():
				return nil, fmt.Errorf("filtering node %s for it: %w", info.Node().Name, status.AsError())
			default:
				feasible = append(feasible, info)
			}
		}
		d.Nodes = append(d.Nodes, next)
	}
	return feasible, nil
}

// score scores the feasible nodes.
func (m *Moment) score(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, feasible []fwk.NodeInfo, d *Decision) error {
	fw := m.engine.framework
	if _, scores := d.Weights[trafficlocality.Name]; scores && m.engine.plugin != nil {
		var err error
		if d.Ours, err = m.engine.plugin.Explain(state, pod, feasible); err != nil {
			return err
		}
	}
	if status := fw.RunPreScorePlugins(ctx, state, pod, feasible); !status.IsSuccess() {
		return fmt.Errorf("scoring it: %w", status.AsError())
	}
	all, status := fw.RunScorePlugins(ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return fmt.Errorf("scoring it: %w", status.AsError())
	}
	byName := make(map[string]*fwk.NodePluginScores, len(all))
	for i := range all {
		byName[all[i].Name] = &all[i]
	}
	for i := range d.Nodes {
		n := &d.Nodes[i]
		scores := byName[n.Node.Name]
		if scores == nil {
			continue
		}
		n.Total, n.Scores = scores.TotalScore, make(map[string]int64, len(scores.Scores))
		for _, s := range scores.Scores {
			n.Scores[s.Name] = s.Score
		}
	}
	return nil
}
