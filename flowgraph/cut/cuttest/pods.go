package cuttest

import (
	"fmt"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Pods follows every call of every pod by itself.
type Pods struct {
	C *cluster.Cluster
	// Serving has the node of each pod that serves, by workload.
	Serving cluster.Assignment
}

// Call is the part of an edge that goes from one pod to another; both are positions
// among the serving pods of their workload.
type Call struct {
	From, To int
	Part     float64
}

// Position returns that of a workload, negative for one outside.
func (p *Pods) Position(id flowgraph.WorkloadID) int {
	return slices.IndexFunc(p.C.Workloads, func(w cluster.Workload) bool { return w.ID == id })
}

// Calls returns the single calls of an edge under a route other than fair load, none
// when an end is outside or does not serve.
func (p *Pods) Calls(e flowgraph.Edge, route cluster.Route) []Call {
	from, to := p.Position(e.From), p.Position(e.To)
	if from < 0 || to < 0 {
		return nil
	}
	var calls []Call
	for i, node := range p.Serving[from] {
		parts := p.endpoints(route, node, from, to)
		if from == to && p.C.Workloads[from].Headless {
			parts = p.allBut(i, to)
		}
		for j, part := range parts {
			if part > 0 {
				calls = append(calls, Call{i, j, part / float64(len(p.Serving[from]))})
			}
		}
	}
	return calls
}

// allBut divides calls evenly over all pods but one, or gives it all where there is
// no other.
func (p *Pods) allBut(pod, workload int) []float64 {
	parts := make([]float64, len(p.Serving[workload]))
	for j := range parts {
		switch {
		case len(parts) == 1:
			parts[j] = 1
		case j != pod:
			parts[j] = 1 / float64(len(parts)-1)
		}
	}
	return parts
}

// endpoints returns which part of a caller's calls each endpoint gets.
func (p *Pods) endpoints(route cluster.Route, caller int32, from, callee int) []float64 {
	endpoints := p.Serving[callee]
	parts := make([]float64, len(endpoints))
	divide := func(part float64, among func(node int32) bool) (found bool) {
		n := 0
		for _, node := range endpoints {
			if among(node) {
				n++
			}
		}
		for j, node := range endpoints {
			if among(node) {
				parts[j] += part / float64(n)
			}
		}
		return n > 0
	}
	here := func(level locality.Level) func(int32) bool {
		return func(node int32) bool {
			return p.Domain(caller, level) != "" && p.Domain(caller, level) == p.Domain(node, level)
		}
	}
	not := func(f func(int32) bool) func(int32) bool { return func(node int32) bool { return !f(node) } }
	all := func(int32) bool { return true }
	least := 0
	if _, err := fmt.Sscanf(route.Routing.String(), "FairZone(%d)", &least); err == nil {
		if len(endpoints) < least || !slices.ContainsFunc(endpoints, here(locality.Zone)) {
			divide(1, all)
			return parts
		}
		return p.zoneAware(caller, from, callee)
	}
	percent := 100
	_, err := fmt.Sscanf(route.Routing.String(), "ZoneShare(%d)", &percent)
	switch {
	case err == nil && route.Shares != nil:
		if p.byShares(route.Shares, caller, endpoints, parts) {
			return parts
		}
	case err == nil:
		kept := float64(percent) / 100
		if !slices.ContainsFunc(endpoints, here(locality.Zone)) {
			break
		}
		if !slices.ContainsFunc(endpoints, not(here(locality.Zone))) {
			kept = 1
		}
		divide(kept, here(locality.Zone))
		divide(1-kept, not(here(locality.Zone)))
		return parts
	case route.Routing == affinity.SameNode && divide(1, here(locality.Node)),
		route.Routing == affinity.SameNodeOrAny && divide(1, here(locality.Node)),
		route.Routing == affinity.SameNode && divide(1, here(locality.Zone)),
		route.Routing == affinity.SameZone && divide(1, here(locality.Zone)):
		return parts
	}
	divide(1, all)
	return parts
}

// zoneAware divides the calls of a caller as Envoy does: its zone is a name, "" for all
// nodes without one.
func (p *Pods) zoneAware(caller int32, from, callee int) []float64 {
	shares := func(pods []int32) map[string]float64 {
		of := map[string]float64{}
		for _, node := range pods {
			of[p.Domain(node, locality.Zone)] += 1 / float64(len(pods))
		}
		return of
	}
	callers, endpoints := shares(p.Serving[from]), shares(p.Serving[callee])
	home := p.Domain(caller, locality.Zone)
	kept := min(1, endpoints[home]/callers[home])
	free := 0.0
	for zone, y := range endpoints {
		if zone != home {
			free += max(0, y-callers[zone])
		}
	}
	parts := make([]float64, len(p.Serving[callee]))
	for j, node := range p.Serving[callee] {
		zone, inZone := p.Domain(node, locality.Zone), endpoints[p.Domain(node, locality.Zone)]*float64(len(parts))
		switch {
		case zone == home:
			parts[j] = kept / inZone
		case kept < 1-1e-12:
			parts[j] = (1 - kept) * max(0, endpoints[zone]-callers[zone]) / free / inZone
		}
	}
	return parts
}

// byShares divides calls over the zones that have endpoints by what the caller's zone
// sends to each of them, and evenly within a zone.
func (p *Pods) byShares(shares cluster.Shares, caller int32, endpoints []int32, parts []float64) bool {
	at := p.C.Localities()
	to := shares[at[caller].Domain(locality.Zone)]
	inZone, sum := map[string]float64{}, 0.0
	for _, node := range endpoints {
		zone := at[node].Domain(locality.Zone)
		if inZone[zone] == 0 {
			sum += float64(to[zone])
		}
		inZone[zone]++
	}
	if sum == 0 {
		return false
	}
	for j, node := range endpoints {
		zone := at[node].Domain(locality.Zone)
		parts[j] = float64(to[zone]) / sum / inZone[zone]
	}
	return true
}

// Share reports whether two nodes share a domain of a level, or of a nearer one.
func (p *Pods) Share(level locality.Level, a, b int32) bool {
	for _, l := range p.C.Scale.Levels() {
		if d := p.Domain(a, l); l <= level && d != "" && d == p.Domain(b, l) {
			return true
		}
	}
	return false
}

// Unknown reports whether it cannot be told if two nodes share a domain of a level.
func (p *Pods) Unknown(level locality.Level, a, b int32) bool {
	return !p.Share(level, a, b) && (p.Domain(a, level) == "" || p.Domain(b, level) == "")
}

// Domain returns the values of a level and of all wider ones, "" when that of the
// level is unknown. A region that is unknown is that of the other nodes of the zone.
func (p *Pods) Domain(n int32, level locality.Level) string {
	node := &p.C.Nodes[n]
	if level == locality.Node {
		return node.Node
	}
	region := node.Region
	if region == "" && node.Zone != "" {
		found := map[string]bool{}
		for _, other := range p.C.Nodes {
			if other.Zone == node.Zone && other.Region != "" {
				found[other.Region] = true
				region = other.Region
			}
		}
		if len(found) != 1 {
			region = ""
		}
	}
	values := map[locality.Level]string{locality.Zone: node.Zone, locality.Region: region}
	for i, label := range p.C.Scale {
		values[label.Level] = node.Labels[i]
	}
	if values[level] == "" {
		return ""
	}
	var domain string
	for wider := level; wider <= locality.Region+locality.MaxLabels; wider++ {
		domain += values[wider] + "|"
	}
	return domain
}

// Stays is what of an edge stays within a level: of its single calls, or, under fair
// load, as far as the endpoints of each domain have not had their fair share yet.
func (p *Pods) Stays(e flowgraph.Edge, route cluster.Route, level locality.Level) (stays, unknown float64) {
	from, to := p.Position(e.From), p.Position(e.To)
	switch {
	case from >= 0 && e.To.IsSite():
		return p.siteStays(e.To, p.Serving[from], level)
	case to >= 0 && e.From.IsSite():
		return p.siteStays(e.From, p.Serving[to], level)
	case from < 0 || to < 0:
		return 0, 0
	}
	direct := from == to && p.C.Workloads[from].Headless
	if route.Routing == affinity.FairLoad && !direct {
		room := make([]float64, len(p.Serving[to]))
		for j := range room {
			room[j] = 1 / float64(len(room))
		}
		for _, a := range p.Serving[from] {
			left := 1 / float64(len(p.Serving[from]))
			for j, b := range p.Serving[to] {
				if p.Share(level, a, b) {
					taken := min(left, room[j])
					room[j], left, stays = room[j]-taken, left-taken, stays+taken
				}
			}
		}
		return stays, 0
	}
	for _, call := range p.Calls(e, route) {
		a, b := p.Serving[from][call.From], p.Serving[to][call.To]
		switch {
		case p.Share(level, a, b):
			stays += call.Part
		case p.Unknown(level, a, b):
			unknown += call.Part
		}
	}
	return stays, unknown
}

// Completes is the part of all requests, or of all bytes where there are none, that
// completes when the pods on some nodes are lost: each call is followed through all
// that its callee calls.
func (p *Pods) Completes(lost func(node int32) bool) float64 {
	serves := func(id flowgraph.WorkloadID) bool {
		w := p.Position(id)
		return w < 0 || slices.ContainsFunc(p.Serving[w], func(n int32) bool { return !lost(n) })
	}
	var completes func(id flowgraph.WorkloadID, seen []flowgraph.WorkloadID) bool
	completes = func(id flowgraph.WorkloadID, seen []flowgraph.WorkloadID) bool {
		if slices.Contains(seen, id) || p.Position(id) < 0 {
			return true
		}
		if !serves(id) {
			return false
		}
		for _, e := range p.C.Edges {
			if e.From == id && (e.BytesPerSecond() > 0 || e.RequestsPerSecond > 0) && !completes(e.To, append(seen, id)) {
				return false
			}
		}
		return true
	}
	var requests, bytes, requestsDone, bytesDone float64
	for _, e := range p.C.Edges {
		requests += e.RequestsPerSecond
		bytes += e.BytesPerSecond()
		if serves(e.From) && completes(e.To, nil) {
			requestsDone += e.RequestsPerSecond
			bytesDone += e.BytesPerSecond()
		}
	}
	if requests > 0 {
		return requestsDone / requests
	}
	return bytesDone / bytes
}
