package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

var _ kube.DesiredObserver = (*Plugin)(nil)

// DesiredChanged implements kube.DesiredObserver: it tells the Board what is wanted of a
// workload. It is called when that changes, outside the scheduling cycle, which waits no
// longer than for one workload. An informer calls it, which would end the process by a
// panic.
func (p *Plugin) DesiredChanged(id flowgraph.WorkloadID, state kube.DesiredState) {
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(context.Background(), "DesiredChanged", cause)
			p.startAnew()
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeper.setDesired(id, state)
	p.batching.note(nil, true) // until the next cycle has looked at it
}

func (k *keeper) setDesired(id flowgraph.WorkloadID, state kube.DesiredState) {
	if state.Pods <= 0 {
		if w := k.board.Workload(id); w != score.Absent {
			kept := k.workload(w)
			kept.made, kept.templated = nil, false
		}
		k.board.SetDesired(id, score.Desired{})
		return
	}
	desired := score.Desired{Pods: state.Pods}
	if isTemplate(state.Pod) {
		desired.Template = k.templateOf(state.Pod, state.Choice)
	}
	k.board.SetDesired(id, desired)
	w := k.board.Workload(id)
	kept := k.workload(w)
	kept.templated, kept.choice = isTemplate(state.Pod), state.Choice
	if kept.made = state.Pod; kept.placed != nil {
		k.templateFrom(w, kept.placed)
	}
}

// workload returns what is kept of a workload on the Board.
func (k *keeper) workload(w int32) *keptWorkload {
	for int(w) >= len(k.workloads) {
		k.workloads = append(k.workloads, keptWorkload{})
	}
	return &k.workloads[w]
}

// isTemplate reports whether a controller's pod is known but for its name. Recordings
// leave out what it is made of.
func isTemplate(pod *v1.Pod) bool { return len(pod.Spec.Containers) > 0 }

// templateFrom has a pod stand for the next ones of its workload, where its controller
// wants some and does not say what they are like; nil is none.
func (k *keeper) templateFrom(w int32, pod *v1.Pod) {
	kept := k.workload(w)
	if !k.templates || kept.made == nil || kept.templated {
		return
	}
	desired := k.board.Desired(w)
	desired.Template = nil
	if pod != nil {
		desired.Template = k.templateOf(pod, kept.choice)
	}
	k.board.SetDesired(k.board.ID(w), desired)
}

// templateOf returns what pods like this one need, nil where no room is kept for them: by the
// options, or because they are scheduled without the plugin. choice is what their controller
// or namespace says.
func (k *keeper) templateOf(pod *v1.Pod, choice kube.Choice) *score.Template {
	if !k.templates || !k.admits(kube.ChoiceOf(pod.Annotations).Or(choice)) {
		return nil
	}
	admits := admitting(pod)
	return &score.Template{
		Requests: requestsOf(pod), Scheduler: pod.Spec.SchedulerName,
		Admits: func(n int32) bool { return admits(k.nodes[n].node) },
		Rules:  rulesOf(pod),
	}
}

// podOf returns a pod by which the Services are found that select a workload's pods: as
// its controller makes it, or else one that runs, which has all labels also where the
// controller's template is not known.
func (k *keeper) podOf(w int32) *v1.Pod {
	kept := k.workload(w)
	if kept.placed != nil && !kept.templated {
		return kept.placed
	}
	return kept.made
}
