package tally

import (
	"math/bits"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// judge says whether the target that reports may speak for its end. Where the end is not
// named, no flow can come of it. Whose an address is, a Service without a namespace, or a
// service of Consul, the report does not say: only who may speak for all may name one.
func (t *Tally) judge(r *Report) telemetry.Reason {
	if !t.o.Trust.Identifies() {
		return telemetry.Included
	}
	end := &r.From
	if r.End == Server {
		end = &r.To
	}
	switch {
	case t.o.Reporters == Agents:
		return t.o.Trust.JudgeAgent(r.Namespace)
	case end.IsZero() && r.Claimed == "":
		return telemetry.Included
	case end.IsZero():
		return t.o.Trust.Judge(r.Namespace, r.Claimed)
	case end.Kind == telemetry.ConsulServiceEndpoint: // its namespace is Consul's
		return t.o.Trust.Judge(r.Namespace, "")
	}
	return t.o.Trust.Judge(r.Namespace, end.Namespace)
}

// isFull reports whether there are so many keys of which no flow comes that no more are
// told apart.
func (t *Tally) isFull() bool {
	limit := t.o.Trust.Limits.Workloads
	return limit > 0 && t.open >= limit
}

// isCrowded reports whether there are so many pairs or endpoints that the surplus must go
// before the answers have been read.
func (t *Tally) isCrowded() bool {
	l := t.o.Trust.Limits
	// thin leaves as many endpoints as the limit, and open keys may have as many others.
	return l.Edges > 0 && len(t.sums)-t.open > 2*l.Edges || l.Workloads > 0 && len(t.endpoints) > 3*l.Workloads
}

// makeRoom first looks for the workloads behind endpoints, of which there are fewer than
// pods; what is beyond the limits then leaves. Instances have to be compared before.
func (t *Tally) makeRoom() {
	if len(t.others) > 0 && !t.o.Largest {
		t.resolve()
		t.rebuild()
	}
	if t.isCrowded() {
		t.thin()
		t.rebuild()
	}
}

// thin leaves out the pairs that are beyond the limits.
func (t *Tally) thin() {
	l := t.o.Trust.Limits
	if l == (flowgraph.Limits{}) {
		return
	}
	keys := make([]key, 0, len(t.sums)-t.open)
	for k := range t.sums {
		if !k.isOpen() {
			keys = append(keys, k)
		}
	}
	surplus := l.Surplus(len(keys), func(i int) flowgraph.Bounded {
		from, to := t.endpoints[keys[i].from].Workload(), t.endpoints[keys[i].to].Workload()
		rates := t.reports.at(t.sums[keys[i]]).max()
		return flowgraph.Bounded{
			From: from, To: to, Size: rates.BytesPerSecond() + rates.RequestsPerSecond,
			Known: t.o.Trust.Known != nil && t.o.Trust.Known(from, to),
		}
	})
	for _, i := range surplus {
		r := t.reports.at(t.sums[keys[i]])
		t.leaveOut(telemetry.Surplus, r.series(), r.max().BytesPerSecond())
		delete(t.sums, keys[i])
	}
}

// rebuild forgets the endpoints and reports that no key has any more.
func (t *Tally) rebuild() {
	was := *t
	t.workloads, t.others, t.endpoints = map[flowgraph.WorkloadID]uint32{{}: 0}, map[telemetry.Endpoint]uint32{}, []telemetry.Endpoint{{}}
	t.sums, t.reports = make(map[key]uint32, len(was.sums)), reports{}
	for k, i := range was.sums {
		k.from, _ = t.index(was.endpoints[k.from])
		k.to, _ = t.index(was.endpoints[k.to])
		n := t.reports.add()
		*t.reports.at(n) = *was.reports.at(i)
		t.sums[k] = n
	}
}

// disbelieveMixed drops what an end reports of a pair under several clusters, where it
// can have come from its own targets only.
func (t *Tally) disbelieveMixed() {
	if !t.o.Trust.Identifies() {
		return
	}
	for k, i := range t.sums {
		r := t.reports.at(i)
		for end := range r.by {
			if !k.isOpen() && (r.cluster[end] == severalClusters || r.mesh[end] == severalClusters) {
				t.leaveOut(telemetry.OtherCluster, bits.OnesCount8(r.has[end]), r.by[end].BytesPerSecond())
				r.by[end], r.has[end], r.claimed[end] = flowgraph.Rates{}, 0, false
			}
		}
	}
}

// mustAgree reports whether traffic counts only as far as both ends report it: it is between
// namespaces. Nobody reports for a site.
func (t *Tally) mustAgree(k key) bool {
	from, to := t.endpoints[k.from], t.endpoints[k.to]
	return from.Namespace != to.Namespace && from.Kind != telemetry.SiteEndpoint && to.Kind != telemetry.SiteEndpoint
}

// agree reduces what is reported of pairs in different namespaces to what both ends
// report, where both must. Nothing is left of a pair that one end alone reports, unless it
// does so by trusted reporters: where ztunnel is at one end and a waypoint at the other,
// nobody else reports. Agents stand for both ends.
func (t *Tally) agree(keys []key) {
	if !t.o.Trust.Agreed || t.o.Reporters == Agents {
		return
	}
	for _, k := range keys {
		if k.isOpen() || !t.mustAgree(k) {
			continue
		}
		r := t.reports.at(t.sums[k])
		if r.has[Client] == 0 || r.has[Server] == 0 {
			if r.claimed[Client] || r.claimed[Server] {
				t.leaveOut(telemetry.OneSided, r.series(), r.max().BytesPerSecond())
				delete(t.sums, k)
			}
			continue
		}
		r.by[Client] = r.by[Client].Min(r.by[Server])
		r.by[Server] = r.by[Client]
	}
}
