package sim

import "github.com/vicinity-sched/vicinity/flowgraph/locality"

// callees is the traffic that reaches the pods of each workload when every
// caller calls the endpoints on its own node first.
type callees struct {
	// local is from callers on the pods' own node: by workload, at the position
	// of its tally.
	local [][]float64
	// spread reaches all pods alike: from callers on nodes without an endpoint,
	// outside the cluster or not placed.
	spread []float64
	// total is both.
	total []float64
}

func hotspot(c *Cluster, ends []pair, levels []levelPlaces) Hotspot {
	busiest := Hotspot{Workload: Anywhere, Node: Anywhere}
	if len(levels) == 0 || levels[0].level != locality.Node {
		return busiest
	}
	places := levels[0].places
	calls := countCalls(c, ends, places)
	for w, locals := range calls.local {
		if calls.total[w] == 0 {
			continue
		}
		fair := calls.total[w] / float64(c.Workloads[w].Replicas)
		spread := calls.spread[w] / float64(pods(places[w]))
		for k, local := range locals {
			place := places[w][k]
			if load := (local/float64(place.pods) + spread) / fair; load > busiest.Load {
				busiest = Hotspot{Workload: int32(w), Node: place.domain, Load: load}
			}
		}
	}
	return busiest
}

func countCalls(c *Cluster, ends []pair, places [][]tally) callees {
	n := len(c.Workloads)
	calls := callees{local: make([][]float64, n), spread: make([]float64, n), total: make([]float64, n)}
	for w := range calls.local {
		calls.local[w] = make([]float64, len(places[w]))
	}
	for i, e := range c.Edges {
		from, to, w := ends[i].from, ends[i].to, e.BytesPerSecond()
		if to < 0 {
			continue
		}
		rest := w
		if from >= 0 {
			rest -= calls.callLocally(places[from], places[to], c.Workloads[from].Replicas, to, w)
		}
		calls.total[to] += w
		calls.spread[to] += max(rest, 0)
	}
	return calls
}

// callLocally adds what the pods of a caller send to endpoints of the workload
// to on their own nodes, and returns its sum. Each pod of the caller, be it
// placed, missing or surplus, has an equal part of w.
func (calls *callees) callLocally(from, to []tally, replicas, callee int32, w float64) float64 {
	each := w / float64(max(replicas, pods(from)))
	var sum float64
	k := 0
	meet(from, to, func(caller, endpoint tally) {
		for to[k].domain != endpoint.domain {
			k++
		}
		calls.local[callee][k] += each * float64(caller.pods)
		sum += each * float64(caller.pods)
	})
	return sum
}

func pods(places []tally) int32 {
	var n int32
	for _, p := range places {
		n += p.pods
	}
	return n
}
