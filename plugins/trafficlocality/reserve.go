package trafficlocality

import (
	"container/heap"
	"iter"
	"math"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// reservations is the room that pods which are wanted, but not placed yet, would
// have the most of, on the nodes of their peers. A pod that would make less of that
// room is not drawn there: who comes first does not decide who is near whom.
//
// It follows the index: a placement changes what is promised to its workload and
// to the peers of that. What controllers want is read anew every wantFor.
type reservations struct {
	demand     kube.Demand
	changed    []flowgraph.WorkloadID // of which something else is wanted
	at         time.Time              // when that was read
	generation uint64                 // of the snapshot that promises are by

	pending []int32 // workloads to look at again, each once
	waits   []bool  // by workload: it is among them

	bySlot [][]promise
	of     map[int32][]int32 // slots with a promise, by workload in the snapshot
	level  levelGains        // of nodes, for one workload at a time
	offers []offer           // likewise
}

// promise is room for pods of one workload on one node.
type promise struct {
	workload int32 // in the snapshot
	room     room
	// density is what one pod gains there, in bytes per second, for each share of
	// the node that it takes.
	density   float64
	podRate   float64 // bytes per second that one pod exchanges
	scheduler string  // that places the pods
}

// offer is a node where pods of a workload would gain something.
type offer struct {
	slot, domain int32
	gain         float64 // of the next pod
	pods         float64 // for how many more, times gain
}

func newReservations() reservations {
	return reservations{
		of:    map[int32][]int32{},
		level: levelGains{scoredLevel: scoredLevel{level: locality.Node, step: 1}},
	}
}

// refresh reads what controllers want, if that is old. What has changed is kept for
// reserve, where room is promised.
func (r *reservations) refresh(replicas kube.Replicas, now time.Time, promises bool) {
	if !r.at.IsZero() && now.Sub(r.at).Abs() < wantFor {
		return
	}
	changed := r.demand.Read(replicas)
	r.at = now
	if promises {
		r.changed = append(r.changed, changed...)
	}
}

// mostPromises is how many workloads are looked at again in one cycle. A cluster of
// thousands of workloads that all wait takes some cycles after each snapshot.
const mostPromises = 128

// reserve brings the promises to the state of the index.
func (p *Plugin) reserve(snap *flowgraph.Snapshot, x *index, now time.Time) {
	r := &p.reserved
	for len(r.bySlot) < len(x.nodes) {
		r.bySlot = append(r.bySlot, nil)
	}
	touched, moved := x.takeTouched()
	if moved || r.generation != snap.Generation() {
		r.generation = snap.Generation()
		r.forget(snap.Len())
		for i := range snap.Len() {
			r.again(i)
		}
	}
	for _, id := range r.changed {
		if i, ok := snap.Lookup(id); ok {
			r.again(i)
		}
	}
	r.changed = r.changed[:0]
	for _, id := range touched {
		if i, ok := snap.Lookup(id); ok {
			r.again(i)
			for j := range snap.Callees(i) {
				r.again(j)
			}
			for j := range snap.Callers(i) {
				r.again(j)
			}
		}
	}
	promised := 0
	for len(r.pending) > 0 && promised < mostPromises {
		last := len(r.pending) - 1
		i := r.pending[last]
		r.pending, r.waits[i] = r.pending[:last], false
		if p.promise(snap, x, int(i), now) {
			promised++
		}
	}
}

// forget withdraws all promises, for a snapshot of so many workloads.
func (r *reservations) forget(workloads int) {
	for slot := range r.bySlot {
		r.bySlot[slot] = r.bySlot[slot][:0]
	}
	clear(r.of)
	r.pending = r.pending[:0]
	r.waits = slices.Grow(r.waits[:0], workloads)[:workloads]
	clear(r.waits)
}

// again has a workload looked at.
func (r *reservations) again(workload int) {
	if !r.waits[workload] {
		r.waits[workload] = true
		r.pending = append(r.pending, int32(workload))
	}
}

// promise replaces what is promised to a workload: room on the nodes where its next
// pods gain the most, for as many of them as are not placed and as gain there. How
// much room there is does not matter: that changes with every pod. It reports
// whether there was anything to do.
func (p *Plugin) promise(snap *flowgraph.Snapshot, x *index, i int, now time.Time) bool {
	r := &p.reserved
	r.withdraw(int32(i))
	id := snap.ID(i)
	want := r.demand.Of(id)
	if want.Pods == 0 {
		return false
	}
	own := x.lookup(id)
	placed := total(own)
	left := want.Pods - placed
	if left <= 0 {
		return false
	}
	pod := want.Pod
	if len(pod.Spec.Containers) == 0 { // as in a recording: the template is not known
		if len(own) == 0 {
			return false
		}
		pod = own[0].pod
	}
	r.level.start(x, own)
	rate := p.offers(snap, x, i, want.Pods, pod, now)
	size, limit := requestsOf(pod), p.scorer.limits(want.Pods, placed)[0]
	admits := admitting(pod)
	for o := range r.bestOffers() {
		n := min(left, limit-r.level.own.pods[o.domain], int32(math.Ceil(o.pods/o.gain)))
		node := &x.nodes[o.slot]
		if n <= 0 || !admits(node.node) {
			continue
		}
		r.bySlot[o.slot] = append(r.bySlot[o.slot], promise{
			workload: int32(i), room: size.times(n), density: o.gain / size.shareOf(node.info),
			podRate: rate / float64(want.Pods), scheduler: pod.Spec.SchedulerName,
		})
		r.of[int32(i)] = append(r.of[int32(i)], o.slot)
		if left -= n; left <= 0 {
			break
		}
	}
	return true
}

// bestOffers yields the offers, those that gain the most first, and forgets them. Few
// are looked at as a rule, so that they are not sorted but kept in a heap.
func (r *reservations) bestOffers() iter.Seq[offer] {
	return func(yield func(offer) bool) {
		h := offers(r.offers)
		heap.Init(&h)
		for len(h) > 0 {
			last := len(h) - 1
			h.Swap(0, last)
			best := h[last]
			h = h[:last]
			if last > 0 {
				heap.Fix(&h, 0)
			}
			if !yield(best) {
				return
			}
		}
	}
}

// offers is a heap.
type offers []offer

func (o offers) Len() int      { return len(o) }
func (o offers) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o offers) Less(i, j int) bool {
	return o[i].gain > o[j].gain || o[i].gain == o[j].gain && o[i].slot < o[j].slot
}
func (o *offers) Push(any) {} // nothing is added once it is a heap
func (o *offers) Pop() any { return nil }

// withdraw takes back what is promised to a workload.
func (r *reservations) withdraw(workload int32) {
	slots, ok := r.of[workload]
	if !ok {
		return
	}
	for _, slot := range slots {
		r.bySlot[slot] = slices.DeleteFunc(r.bySlot[slot], func(p promise) bool { return p.workload == workload })
	}
	delete(r.of, workload)
}

// offers fills in where the next pod of a workload would gain something, and
// returns the workload's traffic in bytes per second. The level is started.
func (p *Plugin) offers(snap *flowgraph.Snapshot, x *index, i int, desired int32, pod *v1.Pod, now time.Time) (rate float64) {
	r := &p.reserved
	r.offers = r.offers[:0]
	for j, rates := range snap.Callees(i) {
		e := edge{w: p.scorer.weight(rates), calls: true, desired: desired, from: snap.ID(i).Namespace}
		rate += e.w
		p.offer(x, peer{j, snap.ID(j)}, e, now)
	}
	routes := p.routesTo(pod)
	for j, rates := range snap.Callers(i) {
		e := edge{w: p.scorer.weight(rates), desired: desired, from: snap.ID(j).Namespace}
		e.routing = routes.From(e.from).Routing.Given(desired)
		rate += e.w
		p.offer(x, peer{j, snap.ID(j)}, e, now)
	}
	for k := range r.offers {
		r.offers[k].gain = r.level.gains[r.offers[k].domain]
	}
	return rate
}

// offer adds what an edge with a peer makes the next pod gain.
func (p *Plugin) offer(x *index, peer peer, e edge, now time.Time) {
	places := x.lookup(peer.id)
	if e.w == 0 || len(places) == 0 || !p.complete(&e, peer, places, now) {
		return
	}
	r := &p.reserved
	l := &r.level
	prefers := e.routing.Prefers(locality.Node)
	l.countPeer(places)
	for _, d := range l.peer.domains {
		own, peer := l.counted(d, e)
		gain := p.scorer.gain(e, own, peer, prefers)
		if gain <= 0 {
			continue
		}
		pods := float64(e.desired)
		if prefers {
			pods = max(1, math.Ceil((peer.Share()-own.Share())*pods-1e-9))
		}
		if l.gains[d] == 0 {
			r.offers = append(r.offers, offer{slot: l.peer.at[d], domain: d})
			l.at[d] = int32(len(r.offers) - 1)
		}
		l.gains[d] += gain
		r.offers[l.at[d]].pods += gain * pods
	}
}

// gainOnNode is what the pod whose gains were added up last gains on a node by the peers
// that are there, as promises count it: neither by those in its zone or region nor by
// those that are expected.
func (p *Plugin) gainOnNode(slot int32) float64 {
	level := &p.levels[0] // of nodes, where room is kept
	return max(level.gains[p.index.where[level.position][slot]], 0)
}

// taken reports for a pod with the given gain on a node, by gainOnNode, how much say the
// pods have that make more of the room there, from 0 to 1; 0 when there is room for all.
func (p *Plugin) taken(slot int32, workload int, pod *v1.Pod, size room, gain float64, meanRate float64) float64 {
	promised := p.reserved.bySlot[slot]
	if len(promised) == 0 {
		return 0
	}
	info := p.index.nodes[slot].info
	free := freeOn(info).minus(size)
	if free.overdrawn() {
		return 0 // it cannot go there anyway
	}
	density := gain / size.shareOf(info)
	var say float64
	for i := range promised {
		other := &promised[i]
		if other.workload == int32(workload) || other.density <= density || other.scheduler != pod.Spec.SchedulerName {
			continue
		}
		free = free.minus(other.room)
		say = max(say, affinity.Significance(other.podRate, p.scorer.halfSay(meanRate)))
	}
	if !free.overdrawn() {
		return 0
	}
	return say
}

// cede takes from the gains of a pod those on nodes whose room others make more of,
// and returns how much say these have there; nil when there is room for all.
func (p *Plugin) cede(workload int, pod *v1.Pod, gains *gains, meanRate float64) (others []float64) {
	if len(p.reserved.of) == 0 {
		return nil
	}
	size := requestsOf(pod)
	best := 0.0
	for _, slot := range p.index.order {
		var gain, onNode float64
		if gains.bySlot != nil {
			gain = gains.bySlot[slot]
		}
		if gain > 0 {
			onNode = p.gainOnNode(slot)
		}
		if say := p.taken(slot, workload, pod, size, onNode, meanRate); say > 0 {
			if others == nil {
				others = make([]float64, len(p.index.nodes))
			}
			others[slot] = say
			if gains.bySlot != nil {
				gains.bySlot[slot] = 0
			}
			continue
		}
		best = max(best, gain)
	}
	gains.best = best
	return others
}
