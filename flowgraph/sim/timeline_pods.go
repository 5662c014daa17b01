package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// apply takes one event of the recording.
func (t *Timeline) apply(ctx context.Context, e Event) error {
	switch e.Kind {
	case Arrive:
		return t.arrive(ctx, e)
	case Bind, Unready, Ready, Leave:
		p, err := t.pods.get(e.Pod)
		if err != nil {
			return err
		}
		return t.change(ctx, e, p)
	case NodeUp:
		return t.nodeUp(ctx, e.Node)
	case NodeDown:
		return t.nodeDown(ctx, e.Node)
	}
	return fmt.Errorf("an event of kind %d does not happen in a recording", e.Kind)
}

// change takes an event of a pod that has arrived.
func (t *Timeline) change(ctx context.Context, e Event, p *pod) error {
	w, was := e.Pod.Workload, t.recorded[e.Pod.Workload][e.Pod.Ordinal]
	switch e.Kind {
	case Bind:
		was.node = e.Node
		t.pods.setUnready(w, p, !was.serves())
		return t.follow(ctx, e.Pod, p)
	case Leave:
		delete(t.recorded[w], e.Pod.Ordinal)
		t.freed = t.freed || p.at != Anywhere
		return t.pods.leave(e.Pod, p)
	}
	was.unready = e.Kind == Unready
	t.pods.setUnready(w, p, !was.serves())
	return nil
}

func (t *Timeline) arrive(ctx context.Context, e Event) error {
	p, err := t.pods.arrive(e.Pod)
	if err != nil {
		return err
	}
	was := &recordedPod{node: e.Node}
	t.recorded[e.Pod.Workload][e.Pod.Ordinal] = was
	p.unready = !was.serves()
	if t.follows(e.Pod.Workload) {
		return t.follow(ctx, e.Pod, p)
	}
	return t.bring(ctx, e.Pod, p)
}

// bring places a pod for the first time.
func (t *Timeline) bring(ctx context.Context, id Pod, p *pod) error {
	placed, err := t.pods.put(ctx, id.Workload, p, t.ordinal(id.Workload), Anywhere)
	if err != nil || placed {
		return err
	}
	t.course.Unschedulable++
	t.waiting = append(t.waiting, id)
	return nil
}

func (t *Timeline) ordinal(w int32) int32 {
	t.next[w]++
	return t.next[w] - 1
}

// follow puts a pod where it is in the recording, if this run does.
func (t *Timeline) follow(ctx context.Context, id Pod, p *pod) error {
	if !t.follows(id.Workload) {
		return nil
	}
	to := t.recorded[id.Workload][id.Ordinal].node
	if to != Anywhere && !t.up[to] {
		to = Anywhere
	}
	if to == p.at {
		return nil
	}
	if err := t.take(id.Workload, p); err != nil || to == Anywhere {
		return err
	}
	return t.put(ctx, id.Workload, p, to)
}

// put puts a pod that is on no node onto a given one.
func (t *Timeline) put(ctx context.Context, w int32, p *pod, node int32) error {
	as := int32(0)
	if t.active != nil {
		as = t.ordinal(w)
	}
	_, err := t.pods.put(ctx, w, p, as, node)
	return err
}

// take takes a pod from its node, which leaves room for others.
func (t *Timeline) take(w int32, p *pod) error {
	t.freed = t.freed || p.at != Anywhere
	return t.pods.take(w, p)
}

func (t *Timeline) nodeUp(ctx context.Context, node int32) error {
	was := t.up[node]
	t.up[node], t.freed = true, true
	if t.active != nil {
		if err := t.active.SetNode(node); err != nil {
			return err
		}
	}
	if was {
		return nil
	}
	return t.each(func(id Pod, p *pod) error {
		if t.recorded[id.Workload][id.Ordinal].node != node {
			return nil
		}
		return t.follow(ctx, id, p)
	})
}

func (t *Timeline) nodeDown(ctx context.Context, node int32) error {
	if !t.up[node] {
		return nil
	}
	t.up[node] = false
	var lost []Pod
	err := t.each(func(id Pod, p *pod) error {
		if p.at != node {
			return nil
		}
		if !t.follows(id.Workload) {
			lost = append(lost, id)
		}
		return t.take(id.Workload, p)
	})
	if err != nil || t.active == nil {
		return err
	}
	if err := t.active.RemoveNode(node); err != nil {
		return err
	}
	t.course.Lost += len(lost)
	for _, id := range lost {
		if err := t.bring(ctx, id, t.pods.by[id.Workload][id.Ordinal]); err != nil {
			return err
		}
	}
	return nil
}

// each visits all pods in the order of workloads and ordinals.
func (t *Timeline) each(visit func(Pod, *pod) error) error {
	for w, pods := range t.pods.by {
		for _, ordinal := range sortedKeys(pods) {
			if err := visit(Pod{int32(w), ordinal}, pods[ordinal]); err != nil {
				return err
			}
		}
	}
	return nil
}

// retry tries the pods again that fitted nowhere. Pods of a workload are alike:
// after the first that does not fit the others are not tried.
func (t *Timeline) retry(ctx context.Context) error {
	if !t.freed || len(t.waiting) == 0 {
		return nil
	}
	t.freed = false
	full := map[int32]bool{}
	all := t.waiting
	t.waiting = nil
	for _, pod := range all {
		p := t.pods.by[pod.Workload][pod.Ordinal]
		if p.state() != waiting {
			continue // it has left
		}
		if !full[pod.Workload] {
			placed, err := t.pods.put(ctx, pod.Workload, p, t.ordinal(pod.Workload), Anywhere)
			if err != nil {
				return err
			}
			if placed {
				continue
			}
			full[pod.Workload] = true
		}
		t.waiting = append(t.waiting, pod)
	}
	return nil
}

// takeOver hands the cluster to the Placer at the end of the warm-up.
func (t *Timeline) takeOver(ctx context.Context, s *Step) error {
	if t.o.Placer == nil {
		return nil
	}
	t.active = t.o.Placer
	t.active.Advance(s.start())
	t.active.Observe(s.Traffic)
	for node, up := range t.up {
		if up {
			if err := t.active.SetNode(int32(node)); err != nil {
				return err
			}
		}
	}
	nodes := map[Pod]int32{}
	err := t.each(func(id Pod, p *pod) error {
		nodes[id] = p.at
		return t.pods.take(id.Workload, p) // the Placer knows of none yet
	})
	if err != nil {
		return err
	}
	t.pods.placer = t.active
	stays := t.o.Order == Rollout || t.o.Order == Recorded
	var homeless []Pod
	err = t.each(func(id Pod, p *pod) error {
		fixed, node := t.o.Cluster.Workloads[id.Workload].Fixed, nodes[id]
		if node != Anywhere && (stays || fixed) {
			return t.put(ctx, id.Workload, p, node)
		}
		if !fixed {
			homeless = append(homeless, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, pod := range t.inOrder(homeless) {
		if err := t.bring(ctx, pod, t.pods.by[pod.Workload][pod.Ordinal]); err != nil {
			return err
		}
	}
	if t.o.Order != Rollout {
		return nil
	}
	return t.restartAll(ctx)
}

// inOrder returns pods, ordered by workload, in the order in which they arrive.
func (t *Timeline) inOrder(pods []Pod) []Pod {
	switch t.o.Order {
	case Random:
		t.o.Rand.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	case ByWorkload:
		by := map[int32][]Pod{}
		for _, pod := range pods {
			by[pod.Workload] = append(by[pod.Workload], pod)
		}
		workloads := slices.Sorted(maps.Keys(by))
		t.o.Rand.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
		pods = pods[:0]
		for _, w := range workloads {
			pods = append(pods, by[w]...)
		}
	}
	return pods
}

// restartAll restarts every workload once.
func (t *Timeline) restartAll(ctx context.Context) error {
	var workloads []int32
	for w, pods := range t.pods.by {
		if len(pods) > 0 && !t.o.Cluster.Workloads[w].Fixed {
			workloads = append(workloads, int32(w))
		}
	}
	t.o.Rand.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
	for _, w := range workloads {
		for _, ordinal := range sortedKeys(t.pods.by[w]) {
			if err := t.restart(ctx, w, t.pods.by[w][ordinal]); err != nil {
				return err
			}
		}
	}
	return nil
}

// restart places a pod anew before the old one goes; that stays when the new one
// fits nowhere.
func (t *Timeline) restart(ctx context.Context, w int32, p *pod) error {
	if p.state() == waiting {
		return nil
	}
	old := *p
	placed, err := t.pods.put(ctx, w, p, t.ordinal(w), Anywhere)
	if err != nil {
		return err
	}
	if !placed {
		t.course.Unschedulable++
		return nil
	}
	return t.take(w, &old)
}
