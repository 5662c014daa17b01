package trafficlocality

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/show"
)

const (
	// eventBurst and eventEvery bound how many pods get an event: so many at once, and one
	// more after each time. A cycle in which none is due does nothing for it.
	eventBurst = 30
	eventEvery = time.Second
	// adviceEvery is how often a workload is told that being close brings little, and
	// mostAdvised bounds how many workloads are remembered for it.
	adviceEvery = 24 * time.Hour
	mostAdvised = 1000

	// An edge is heavy from this share of a pod's traffic on, and spread from so many
	// endpoints on: one next to a pod gets no more of its calls than one of any four.
	heavyShare      = 1. / 3
	spreadEndpoints = 4
)

// Reasons of events.
const (
	ReasonPlaced = "PlacedByTraffic"
	ReasonSpread = "CallsSpread"
)

// Events writes Kubernetes events for the plugins of a process: why a pod is where it is, once
// it is bound, and that being close brings a workload little. A scheduling cycle only notes
// what it found; all else is done by Run.
type Events struct {
	now   func() time.Time
	bound chan boundPod

	mu       sync.Mutex
	budget   int
	refilled time.Time
	waiting  unbound[noted] // pods that are not bound yet
	followed map[informers.SharedInformerFactory]bool

	advised map[flowgraph.WorkloadID]time.Time // of Run
}

// noted is what a cycle found for a pod.
type noted struct {
	plugin     *Plugin
	nodes      *keeper // whose numbers the points and the candidates are by
	points     *score.Points
	candidates []int32
}

type boundPod struct {
	noted
	pod *v1.Pod
}

// NewEvents returns Events that write nothing until they run.
func NewEvents(now func() time.Time) *Events {
	return &Events{
		now: now, bound: make(chan boundPod, 2*eventBurst), budget: eventBurst, refilled: now(),
		waiting: unbound[noted]{most: 2 * eventBurst}, followed: map[informers.SharedInformerFactory]bool{}, advised: map[flowgraph.WorkloadID]time.Time{},
	}
}

// recorder is what events are written with.
type recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// note remembers what a cycle found for a pod, if an event is due.
func (e *Events) note(p *Plugin, pod *v1.Pod, result *score.Result, candidates []int32) {
	if e == nil || result.Basis != score.ByGain {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting.has(pod.UID) || e.isDue() {
		e.waiting.put(pod.UID, noted{p, p.keeper, result.Points, slices.Clone(candidates)})
	}
}

// isDue takes one event of the budget.
func (e *Events) isDue() bool {
	if grown := int(e.now().Sub(e.refilled) / eventEvery); grown > 0 {
		e.budget = min(e.budget+grown, eventBurst)
		e.refilled = e.refilled.Add(time.Duration(grown) * eventEvery)
	}
	if e.budget == 0 {
		return false
	}
	e.budget--
	return true
}

// follow looks out for pods that are bound.
func (e *Events) follow(factory informers.SharedInformerFactory) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.followed[factory] {
		return nil
	}
	e.followed[factory] = true
	err := whenBound(factory.Core().V1().Pods().Informer(), e.hasBound)
	if err != nil {
		return fmt.Errorf("following which pods are bound: %w", err)
	}
	return nil
}

// hasBound hands a pod to Run. While that is behind, or does not run, pods go without.
func (e *Events) hasBound(pod *v1.Pod) {
	e.mu.Lock()
	found, ok := e.waiting.take(pod.UID)
	e.mu.Unlock()
	if !ok {
		return
	}
	select {
	case e.bound <- boundPod{found, pod}:
	default:
	}
}

// Run writes events until ctx ends. It may be called again after a panic.
func (e *Events) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-e.bound:
			e.tell(ctx, b)
		}
	}
}

// tell writes the events about a pod.
func (e *Events) tell(ctx context.Context, b boundPod) {
	defer func() {
		if cause := recover(); cause != nil {
			b.plugin.recovered(ctx, "events", cause)
			b.plugin.startAnew()
		}
	}()
	told, ok := b.plugin.afterwards(b)
	if !ok {
		return
	}
	b.plugin.recorder.Eventf(b.pod, nil, v1.EventTypeNormal, ReasonPlaced, "Scoring", "%s", told.String())
	id := kube.WorkloadOf(b.pod)
	if note := adviceOn(id, &told.local); note != "" && e.isNews(id) {
		b.plugin.recorder.Eventf(b.plugin.controllerOf(b.pod), b.pod, v1.EventTypeNormal, ReasonSpread, "Scoring", "%s", note)
	}
}

// isNews reports whether a workload has not been told for a day.
func (e *Events) isNews(id flowgraph.WorkloadID) bool {
	now := e.now()
	for other, at := range e.advised {
		if now.Sub(at) >= adviceEvery {
			delete(e.advised, other)
		}
	}
	if _, known := e.advised[id]; known || len(e.advised) >= mostAdvised {
		return false
	}
	e.advised[id] = now
	return true
}

// told is what an event says of a pod that is bound.
type told struct {
	node     string
	points   uint8
	rank, of int
	local    score.Local
}

// afterwards works out what an event says: what stays close with the pods that are there now.
func (p *Plugin) afterwards(b boundPod) (told, bool) {
	c, skip := p.begin(b.pod)
	if skip != notSkipped || !c.hasTraffic {
		return told{}, false
	}
	n, local, ok := p.localAfter(c, b.nodes, b.pod)
	if !ok || !slices.Contains(b.candidates, n) {
		return told{}, false // somebody else has bound it
	}
	t := told{node: b.pod.Spec.NodeName, points: b.points.Of(n), rank: 1, of: len(b.candidates), local: local}
	for _, other := range b.candidates {
		if other != score.Absent && b.points.Of(other) > t.points {
			t.rank++
		}
	}
	return t, true
}

// localAfter says which number the node of a pod has, and what of the pod's traffic stays
// close there. ok is false when nodes have been numbered anew.
func (p *Plugin) localAfter(c cycle, nodes *keeper, pod *v1.Pod) (n int32, local score.Local, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stage(p.stage.Load()) != inUse || p.stale.Load() || p.keeper != nodes {
		return 0, local, false // the Board is being made anew, or was
	}
	if n, ok = p.keeper.names[pod.Spec.NodeName]; !ok {
		return 0, local, false
	}
	p.routes.begin(c.now)
	r := &score.Request{
		Snapshot: c.snap, Influence: c.influence, Workload: c.id, Revision: kube.RevisionOf(pod),
		Routing: p.routes.ofPod(c.id, pod), Candidates: []int32{n},
		Group: true, // vetoes do not matter
	}
	r.Desired, _ = p.replicas.Desired(c.id, pod)
	r.IsPlaced, r.On = p.keeper.has(n, pod), n
	return n, p.engine.Evaluate(r).Local(n), true
}

// has reports whether a pod is on the Board, on a node.
func (k *keeper) has(n int32, pod *v1.Pod) bool {
	return slices.ContainsFunc(k.nodes[n].pods, func(p keptPod) bool {
		return p.workload != score.Absent && p.pod.UID == pod.UID
	})
}

// String is the note of the event.
func (t told) String() string {
	var b strings.Builder
	if rate := t.local.Rate; rate > 0 {
		fmt.Fprintf(&b, "By this pod, %s of its %s%s are expected to stay on the node%s", show.ByteRate(t.local.Node), show.ByteRate(rate), notObserved(&t.local), withPeers(&t.local, func(p score.LocalPeer) float64 { return p.Node }))
		if t.local.Zone > t.local.Node {
			fmt.Fprintf(&b, " and %s in the zone", show.ByteRate(t.local.Zone))
			if t.local.Node == 0 {
				b.WriteString(withPeers(&t.local, func(p score.LocalPeer) float64 { return p.Zone }))
			}
		}
		b.WriteString(". ")
	}
	fmt.Fprintf(&b, "By traffic, %s had rank %d of %d with %d of %d points.", t.node, t.rank, t.of, t.points, score.MaxPoints)
	return b.String()
}

// notObserved says how much of the traffic is declared.
func notObserved(x *score.Local) string {
	if x.Declared == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of them declared, not observed)", show.ByteRate(x.Declared))
}

// withPeers names the peers with which the most stays.
func withPeers(x *score.Local, stays func(score.LocalPeer) float64) string {
	var names []string
	more := 0
	for _, p := range x.Peers {
		switch {
		case stays(p) <= 0 || slices.Contains(names, p.Peer.String()):
		case len(names) < mainPeers:
			names = append(names, p.Peer.String())
		default:
			more++
		}
	}
	if len(names) == 0 {
		return ""
	}
	if more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return " (with " + strings.Join(names, ", ") + ")"
}

// adviceOn says that the heaviest edge of a workload is divided so that being close brings
// little; "" when it is not. What is declared was not observed, and is no reason.
func adviceOn(id flowgraph.WorkloadID, x *score.Local) string {
	for _, p := range x.Peers {
		heavy := x.Rate > 0 && p.Rate >= heavyShare*x.Rate
		if !heavy || p.Origin != flowgraph.Observed || p.Endpoints < spreadEndpoints || p.Routing.Prefers(locality.Node) || p.Routing.Prefers(locality.Zone) {
			continue
		}
		caller, callee := p.Peer, id
		if p.Calls {
			caller, callee = id, p.Peer
		}
		return fmt.Sprintf("Calls of %s to %s, %s of the %s of a pod of %s, are divided evenly over %d pods, wherever these run: next to one of them, %s of a pod's calls stay on the node. "+
			"A trafficDistribution of the Services of %s keeps more close, where the mesh honours it.",
			caller, callee, show.ByteRate(p.Rate), show.ByteRate(x.Rate), id, p.Endpoints, show.Percent(1/float64(p.Endpoints)), callee)
	}
	return ""
}

// controllerOf refers to the top-level controller of a pod as far as it is known, or else to
// the pod.
func (p *Plugin) controllerOf(pod *v1.Pod) runtime.Object {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return pod
	}
	if owner.Kind == "ReplicaSet" {
		if rs, err := p.replicas.ReplicaSets.ReplicaSets(pod.Namespace).Get(owner.Name); err == nil && metav1.GetControllerOfNoCopy(rs) != nil {
			owner = metav1.GetControllerOfNoCopy(rs)
		}
	}
	return &v1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: pod.Namespace, Name: owner.Name, UID: owner.UID}
}
