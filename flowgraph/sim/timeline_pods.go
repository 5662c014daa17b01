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
		p := t.pods[e.Pod.Workload][e.Pod.Ordinal]
		if p == nil {
			return fmt.Errorf("pod %d of %s has not arrived", e.Pod.Ordinal, t.o.Cluster.Workloads[e.Pod.Workload].ID)
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
func (t *Timeline) change(ctx context.Context, e Event, p *instance) error {
	t.meter.touch(e.Pod.Workload)
	switch e.Kind {
	case Bind:
		p.node = e.Node
		return t.follow(ctx, e.Pod.Workload, p)
	case Leave:
		delete(t.pods[e.Pod.Workload], e.Pod.Ordinal)
		return t.takeAway(e.Pod.Workload, p)
	}
	p.unready = e.Kind == Unready
	return nil
}

func (t *Timeline) arrive(ctx context.Context, e Event) error {
	w := e.Pod.Workload
	if t.pods[w][e.Pod.Ordinal] != nil {
		return fmt.Errorf("pod %d of %s arrives twice", e.Pod.Ordinal, t.o.Cluster.Workloads[w].ID)
	}
	p := &instance{node: e.Node, at: Anywhere}
	t.pods[w][e.Pod.Ordinal] = p
	t.meter.touch(w)
	if t.follows(w) {
		return t.follow(ctx, w, p)
	}
	return t.bring(ctx, e.Pod, p)
}

// bring places a pod for the first time.
func (t *Timeline) bring(ctx context.Context, pod Pod, p *instance) error {
	placed, err := t.place(ctx, pod.Workload, p)
	if err != nil || placed {
		return err
	}
	t.course.Unschedulable++
	t.waiting = append(t.waiting, pod)
	return nil
}

// place lets the Placer choose a node for a pod that is on none.
func (t *Timeline) place(ctx context.Context, w int32, p *instance) (placed bool, err error) {
	as := t.ordinal(w)
	d, err := t.active.Place(ctx, Pod{w, as}, Anywhere)
	if err != nil {
		return false, fmt.Errorf("a pod of %s: %w", t.o.Cluster.Workloads[w].ID, err)
	}
	t.course.Decisions++
	if t.o.Timed {
		t.course.Took = append(t.course.Took, d.Took)
	}
	if d.Node == Anywhere {
		return false, nil
	}
	p.at, p.as = d.Node, as
	t.placed++
	t.meter.touch(w)
	return true, nil
}

func (t *Timeline) ordinal(w int32) int32 {
	t.next[w]++
	return t.next[w] - 1
}

// follow puts a pod where it is in the recording, if this run does.
func (t *Timeline) follow(ctx context.Context, w int32, p *instance) error {
	if !t.follows(w) {
		return nil
	}
	to := p.node
	if to != Anywhere && !t.up[to] {
		to = Anywhere
	}
	if to == p.at {
		return nil
	}
	if err := t.takeAway(w, p); err != nil || to == Anywhere {
		return err
	}
	return t.put(ctx, w, p, to)
}

// put puts a pod that is on no node onto a given one.
func (t *Timeline) put(ctx context.Context, w int32, p *instance, node int32) error {
	t.meter.touch(w)
	p.at = node
	t.placed++
	if t.active == nil {
		return nil
	}
	p.as = t.ordinal(w)
	if _, err := t.active.Place(ctx, Pod{w, p.as}, node); err != nil {
		return fmt.Errorf("a pod of %s: %w", t.o.Cluster.Workloads[w].ID, err)
	}
	return nil
}

// takeAway takes a pod from its node, if it has one.
func (t *Timeline) takeAway(w int32, p *instance) error {
	t.meter.touch(w)
	if p.at == Anywhere {
		return nil
	}
	p.at, t.freed = Anywhere, true
	t.placed--
	if t.active == nil {
		return nil
	}
	if err := t.active.Remove(Pod{w, p.as}); err != nil {
		return fmt.Errorf("a pod of %s: %w", t.o.Cluster.Workloads[w].ID, err)
	}
	return nil
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
	return t.each(func(pod Pod, p *instance) error {
		if p.node != node {
			return nil
		}
		t.meter.touch(pod.Workload)
		return t.follow(ctx, pod.Workload, p)
	})
}

func (t *Timeline) nodeDown(ctx context.Context, node int32) error {
	if !t.up[node] {
		return nil
	}
	t.up[node] = false
	var lost []Pod
	err := t.each(func(pod Pod, p *instance) error {
		if p.node == node {
			t.meter.touch(pod.Workload)
		}
		if p.at != node {
			return nil
		}
		if !t.follows(pod.Workload) {
			lost = append(lost, pod)
		}
		return t.takeAway(pod.Workload, p)
	})
	if err != nil || t.active == nil {
		return err
	}
	if err := t.active.RemoveNode(node); err != nil {
		return err
	}
	t.course.Lost += len(lost)
	for _, pod := range lost {
		if err := t.bring(ctx, pod, t.pods[pod.Workload][pod.Ordinal]); err != nil {
			return err
		}
	}
	return nil
}

// each visits all pods in the order of workloads and ordinals.
func (t *Timeline) each(visit func(Pod, *instance) error) error {
	for w, pods := range t.pods {
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
	waiting := t.waiting
	t.waiting = nil
	for _, pod := range waiting {
		p := t.pods[pod.Workload][pod.Ordinal]
		if p == nil || p.at != Anywhere {
			continue // it has left
		}
		if !full[pod.Workload] {
			placed, err := t.place(ctx, pod.Workload, p)
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
	stays := t.o.Order == Rollout || t.o.Order == Recorded
	var homeless []Pod
	err := t.each(func(pod Pod, p *instance) error {
		fixed, node := t.o.Cluster.Workloads[pod.Workload].Fixed, p.at
		if node != Anywhere {
			p.at = Anywhere
			t.placed--
			t.meter.touch(pod.Workload)
		}
		if node != Anywhere && (stays || fixed) {
			return t.put(ctx, pod.Workload, p, node)
		}
		if !fixed {
			homeless = append(homeless, pod)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, pod := range t.inOrder(homeless) {
		if err := t.bring(ctx, pod, t.pods[pod.Workload][pod.Ordinal]); err != nil {
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
	for w, pods := range t.pods {
		if len(pods) > 0 && !t.o.Cluster.Workloads[w].Fixed {
			workloads = append(workloads, int32(w))
		}
	}
	t.o.Rand.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
	for _, w := range workloads {
		for _, ordinal := range sortedKeys(t.pods[w]) {
			if err := t.restart(ctx, w, t.pods[w][ordinal]); err != nil {
				return err
			}
		}
	}
	return nil
}

// restart places a pod anew before the old one goes; that stays when the new one
// fits nowhere.
func (t *Timeline) restart(ctx context.Context, w int32, p *instance) error {
	if p.at == Anywhere {
		return nil // it waits
	}
	old := *p
	placed, err := t.place(ctx, w, p)
	if err != nil {
		return err
	}
	if !placed {
		t.course.Unschedulable++
		return nil
	}
	return t.takeAway(w, &old)
}
