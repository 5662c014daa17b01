package explain

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
)

// edges lists the edges of the pod's workload, with what stays close of them now.
func (x *explainer) edges() error {
	var total float64
	for e := range x.Past.Snapshot.Edges() {
		if e.From != x.id && e.To != x.id {
			continue
		}
		x.result.Edges = append(x.result.Edges, x.edge(e))
		total += e.BytesPerSecond()
	}
	for i := range x.result.Edges {
		if e := &x.result.Edges[i]; total > 0 {
			e.Share = (e.SentBytesPerSecond + e.ReceivedBytesPerSecond) / total
		}
	}
	slices.SortStableFunc(x.result.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(b.RequestsPerSecond, a.RequestsPerSecond), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Direction, b.Direction))
	})
	return x.stays()
}

func (x *explainer) edge(e flowgraph.Edge) Edge {
	peer, calls := e.To, true
	if e.From != x.id {
		peer, calls = e.From, false
	}
	sources := x.Past.SeenBy(e.From, e.To)
	if sources == nil {
		sources = []string{}
	}
	origin := ""
	if e.Origin != flowgraph.Observed {
		origin = e.Origin.String()
	}
	return Edge{
		Peer: peer.String(), Direction: x.direction(peer, calls), Origin: origin,
		SentBytesPerSecond: e.SentBytesPerSecond, ReceivedBytesPerSecond: e.ReceivedBytesPerSecond, RequestsPerSecond: e.RequestsPerSecond,
		Sources: sources, ObservedAt: e.ObservedAt.UTC(), AgeSeconds: x.Now.Sub(e.ObservedAt).Seconds(),
	}
}

// stays fills in how calls are divided, and how much of each edge stays close as placed and
// routed now.
func (x *explainer) stays() error {
	if len(x.result.Edges) == 0 {
		return nil
	}
	now, _, err := history.Translate(x.Objects)
	if err != nil {
		return err
	}
	c := now.Cluster
	divided, err := x.Config.RoutingOf(x.Profile)
	if err != nil {
		return err
	}
	routes, _, err := x.Objects.Routes(divided.Policies)
	if err != nil {
		return err
	}
	for i := range c.Workloads {
		divided.Fill(routes, &c.Workloads[i], now.Templates[i])
	}
	position := make(map[string]int32, len(c.Workloads))
	for i := range c.Workloads {
		position[c.Workloads[i].ID.String()] = int32(i)
	}
	serving := c.Assigned
	if serving == nil {
		serving = make(cluster.Assignment, len(c.Workloads))
	}
	layout, levels := cut.NewLayout(c, serving), c.Scale.Levels()
	own, known := position[x.id.String()]
	for i := range x.result.Edges {
		e := &x.result.Edges[i]
		peer, peerKnown := position[e.Peer]
		if peerKnown {
			e.PeerPods = len(serving[peer])
		} else if site := siteOf(e.Peer); site.IsSite() {
			peer, peerKnown = layout.Site(site), true
		}
		if !known || !peerKnown {
			continue
		}
		from, to := own, peer
		if e.Direction == "called-by" {
			from, to = peer, own
		}
		if from >= 0 && to >= 0 {
			e.Routing = c.Workloads[to].RouteFrom(c.Workloads[from].ID.Namespace).Routing.String()
		}
		if s, ok := layout.Stays(from, to); ok {
			at := func(level locality.Level) float64 { return s.Local[cut.Configured][slices.Index(levels, level)] }
			e.Local = &Local{Node: at(locality.Node), Zone: at(locality.Zone), Region: at(locality.Region)}
		}
	}
	return nil
}

// siteOf returns the site that a name is of, if it is one.
func siteOf(name string) flowgraph.WorkloadID {
	namespace, name, _ := strings.Cut(name, "/")
	return flowgraph.WorkloadID{Namespace: namespace, Name: name}
}
