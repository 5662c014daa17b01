package tally

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// foldInstances makes one key of those of several instances: the largest of each rate.
func (t *Tally) foldInstances() {
	if !t.o.Largest {
		return
	}
	for _, k := range t.keys(func(k key) bool { return !k.isOpen() && k.group != 0 }) {
		of := k
		of.group = 0
		t.reports.at(t.keyed(of)).takeLargest(t.reports.at(t.sums[k]))
		delete(t.sums, k)
	}
}

// resolve replaces the endpoints of all pairs by the workloads behind them. Each end's
// reports of the same workloads add up: they are of different endpoints.
func (t *Tally) resolve() {
	if len(t.others) == 0 {
		return
	}
	resolved := t.resolutions()
	if len(resolved) == 0 {
		return // all of them are of what becomes no flow
	}
	pairs := t.keys(func(k key) bool {
		return !k.isOpen() && (t.endpoints[k.from].NeedsResolver() || t.endpoints[k.to].NeedsResolver())
	})
	for _, k := range pairs {
		r := *t.reports.at(t.sums[k])
		delete(t.sums, k)
		from, to := resolved[k.from], resolved[k.to]
		if reason := cmp.Or(from.Reason, to.Reason); reason != telemetry.Included {
			t.leaveOut(reason, r.series(), r.max().BytesPerSecond())
			continue
		}
		for _, f := range from.Shares {
			for _, s := range t.divided(f.Workload, to.Shares) {
				t.share(&r, f, s)
			}
		}
	}
}

// share adds the part of a report that belongs to two workloads.
func (t *Tally) share(r *report, from, to telemetry.Share) {
	if from.Workload.IsSite() && to.Workload.IsSite() {
		t.leaveOut(telemetry.External, r.series(), from.Part*to.Part*r.max().BytesPerSecond())
		return
	}
	var k key
	var validFrom, validTo bool
	k.from, validFrom = t.index(resolvedEndpoint(from.Workload))
	k.to, validTo = t.index(resolvedEndpoint(to.Workload))
	if !validFrom || !validTo { // a label may give a workload any name
		t.leaveOut(telemetry.Invalid, 1, 0)
		return
	}
	t.reports.at(t.keyed(k)).add(r, from.Part*to.Part)
}

// resolvedEndpoint is the endpoint of what a Resolver has found, which no label says.
func resolvedEndpoint(id flowgraph.WorkloadID) telemetry.Endpoint {
	if id.IsSite() {
		return telemetry.SiteEndpointOf(id)
	}
	return telemetry.EndpointOf(id)
}

// resolutions asks for the endpoints of the pairs. The answers are by the numbers of the
// endpoints; there are none where all pairs are of workloads.
func (t *Tally) resolutions() map[uint32]telemetry.Resolution {
	resolved := map[uint32]telemetry.Resolution{}
	var numbers []uint32
	for k := range t.sums {
		if k.isOpen() {
			continue
		}
		for _, n := range [...]uint32{k.from, k.to} {
			if _, known := resolved[n]; known {
				continue
			}
			e := t.endpoints[n]
			resolved[n] = telemetry.Resolution{Shares: []telemetry.Share{{Workload: e.Workload(), Part: 1}}}
			if e.NeedsResolver() {
				resolved[n] = telemetry.Resolution{Reason: telemetry.NoObjects}
				numbers = append(numbers, n)
			}
		}
	}
	switch {
	case len(numbers) == 0:
		return nil
	case t.o.Resolver == nil:
		return resolved
	}
	slices.SortFunc(numbers, func(a, b uint32) int { return t.endpoints[a].Compare(t.endpoints[b]) })
	asked := make([]telemetry.Endpoint, len(numbers))
	for i, n := range numbers {
		asked[i] = t.endpoints[n]
	}
	for i, r := range t.o.Resolver.Resolve(asked) {
		if r.Reason == telemetry.Included && len(r.Shares) == 0 {
			r.Reason = telemetry.UnknownObject // nothing may be lost unseen
		}
		resolved[numbers[i]] = r
	}
	return resolved
}

// keyed returns the index of the report of a key, which is made where there is none.
func (t *Tally) keyed(k key) uint32 {
	i, known := t.sums[k]
	if !known {
		i = t.reports.add()
		t.sums[k] = i
	}
	return i
}

// keys returns the keys that are wanted, in order.
func (t *Tally) keys(wanted func(key) bool) []key {
	keys := make([]key, 0, len(t.sums))
	for k := range t.sums {
		if wanted(k) {
			keys = append(keys, k)
		}
	}
	t.sort(keys)
	return keys
}

// sort orders keys by their endpoints.
func (t *Tally) sort(keys []key) {
	order := make([]uint32, len(t.endpoints))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return t.endpoints[a].Compare(t.endpoints[b]) })
	rank := make([]uint32, len(order))
	for r, i := range order {
		rank[i] = uint32(r)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(
			cmp.Compare(rank[a.from], rank[b.from]), cmp.Compare(rank[a.to], rank[b.to]),
			cmp.Compare(a.why, b.why), cmp.Compare(a.group, b.group))
	})
}
