// Package explain says why a pod goes where it goes: it recomputes the decision of a scheduler's
// configuration for one pod, on the objects of a cluster and the traffic between its workloads,
// and makes a Result of it, which is written as tables or JSON. It asks an API server for objects
// and changes nothing.
package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Options says what is explained by what.
type Options struct {
	Subject *Subject
	Objects *objects.Objects
	Past    *telemetrysetup.Past
	// Config is the scheduler's configuration, ConfigName what it is called, and Profile the
	// schedulerName of the profile that decides; "": the pod's own, or else the first.
	Config     *schedulerconfig.Config
	ConfigName string
	Profile    string
	// MostPods is how many pods of a workload are explained each; 0 is all.
	MostPods int
	// Now is when it is.
	Now time.Time
	// Notes are further ones.
	Notes []string
}

// explainer is the state of Explain.
type explainer struct {
	Options
	id     flowgraph.WorkloadID
	scale  locality.Scale
	moment *kubesim.Moment
	result *Result
}

// Explain explains the decision about a pod.
func Explain(ctx context.Context, o Options) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what the framework has started
	x := &explainer{Options: o, id: kube.WorkloadOf(o.Subject.Pod)}
	pod := o.Subject.Pod
	x.result = &Result{
		Schema: Schema, MadeAt: o.Now.UTC(), Notes: slices.Concat(o.Subject.Notes, o.Notes), Edges: []Edge{}, Nodes: []Node{},
		Pod: Pod{Namespace: pod.Namespace, Name: pod.Name, Workload: x.id.String(), Node: o.Subject.Node},
	}
	if err := x.choose(); err != nil {
		return nil, err
	}
	if x.Config.IsShadow(x.Profile) {
		x.note(fmt.Sprintf("profile %s is in shadow mode: TrafficLocality works out its points and has no part in the totals", x.Profile))
	}
	x.graph()
	var err error
	if x.moment, err = kubesim.NewMoment(ctx, o.Objects, kubesim.MomentOptions{
		Config: o.Config, Profile: x.Profile, Traffic: o.Past.Snapshot, Networks: o.Past.Networks, At: o.Now,
	}); err != nil {
		return nil, err
	}
	d, err := x.moment.Decide(ctx, pod)
	if err != nil {
		return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	x.decision(d)
	if err := x.edges(); err != nil {
		x.note("how much of each edge stays close now is not known: " + err.Error())
	}
	return x.result, x.others(ctx)
}

func (x *explainer) note(text string) { x.result.Notes = append(x.result.Notes, text) }

// choose chooses the profile.
func (x *explainer) choose() error {
	profiles := x.Config.Scheduler.Profiles
	var names []string
	for _, p := range profiles {
		names = append(names, p.SchedulerName)
	}
	own := x.Subject.Pod.Spec.SchedulerName
	switch {
	case x.Profile != "" && !slices.Contains(names, x.Profile):
		return fmt.Errorf("%s has no profile %q; its profiles: %s", x.ConfigName, x.Profile, strings.Join(names, ", "))
	case x.Profile != "":
	case slices.Contains(names, own):
		x.Profile = own
	default:
		x.Profile = names[0]
	}
	if own != x.Profile {
		x.note(fmt.Sprintf("the pod asks for the scheduler %q: it is explained as if it asked for %q", own, x.Profile))
		x.Subject.Pod.Spec.SchedulerName = x.Profile // room is kept among the pods of one scheduler
	}
	if n := len(x.Config.Scheduler.Extenders); n > 0 {
		x.note(fmt.Sprintf("the configuration has extenders (%d), which are not called: they may exclude nodes and add to totals", n))
	}
	scale, err := schedulerconfig.Scale(x.Config)
	if err != nil {
		return fmt.Errorf("%s: %w", x.ConfigName, err)
	}
	x.scale = scale
	if x.samples() && len(objects.Of[*corev1.Node](x.Objects)) > fewNodes {
		x.note("percentageOfNodesToScore is not 100: kube-scheduler looks at a part of the nodes in each cycle; all are looked at here")
	}
	x.annotations()
	x.result.Scheduler = Scheduler{Config: x.ConfigName, Profile: x.Profile}
	return nil
}

// fewNodes is up to how many nodes kube-scheduler looks at all whatever the configuration says.
const fewNodes = 100

// samples reports whether the profile looks at a part of the nodes.
func (x *explainer) samples() bool {
	percentage := x.Config.Scheduler.PercentageOfNodesToScore
	for i := range x.Config.Scheduler.Profiles {
		if p := &x.Config.Scheduler.Profiles[i]; p.SchedulerName == x.Profile && p.PercentageOfNodesToScore != nil {
			percentage = p.PercentageOfNodesToScore
		}
	}
	return percentage == nil || *percentage != 100
}

// graph says what the graph is.
func (x *explainer) graph() {
	p := x.Past
	x.result.Graph = Graph{
		DataAt: p.Snapshot.At().UTC(), AgeSeconds: x.Now.Sub(p.Snapshot.At()).Seconds(), Edges: p.Snapshot.EdgeCount() - p.Snapshot.DeclaredCount(),
		From: p.From.UTC(), Refreshes: p.Refreshes, Failed: p.Failed,
		Tolerance: Tolerance{RecentChange: p.Phase, EarlierChange: p.Before},
	}
	if p.LastErr != nil {
		x.note("the last refresh has failed for some source: " + strings.ReplaceAll(p.LastErr.Error(), "\n", "; "))
	}
}

// decision takes over what the framework says.
func (x *explainer) decision(d *kubesim.Decision) {
	r := x.result
	r.Scheduler.Weights, r.Rejected = d.Weights, d.Rejected
	candidates := 0
	for i := range d.Nodes {
		if d.Nodes[i].Feasible() {
			candidates++
		}
	}
	x.locality(d, candidates)
	for i := range d.Nodes {
		r.Nodes = append(r.Nodes, x.node(&d.Nodes[i], d.Ours))
	}
	slices.SortStableFunc(r.Nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(min(len(a.Filter), 1), min(len(b.Filter), 1)), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	rank := func(total func(*Node) int64, of int64) int {
		better := 0
		for i := range r.Nodes {
			if n := &r.Nodes[i]; n.Filter == "" && total(n) > of {
				better++
			}
		}
		return better + 1
	}
	all := func(n *Node) int64 { return n.Total }
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Filter == "" {
			n.Rank = rank(all, n.Total)
		}
	}
	r.Chosen = bestOf(r.Nodes, all)
	r.WithoutLocality = bestOf(r.Nodes, func(n *Node) int64 { return n.Total - n.Scores[trafficlocality.Name] })
	if node := x.Subject.Node; node != "" {
		r.Current = &Choice{Nodes: []string{node}, Of: candidates}
		for _, n := range r.Nodes {
			if n.Name == node {
				r.Current.Total, r.Current.Rank = n.Total, n.Rank
			}
		}
	}
}

// bestOf returns the candidates with the highest total.
func bestOf(nodes []Node, total func(*Node) int64) Choice {
	c := Choice{Nodes: []string{}}
	for i := range nodes {
		n := &nodes[i]
		if n.Filter != "" {
			continue
		}
		c.Of++
		switch t := total(n); {
		case c.Rank == 0 || t > c.Total:
			c.Total, c.Rank, c.Nodes = t, 1, []string{n.Name}
		case t == c.Total:
			c.Nodes = append(c.Nodes, n.Name)
		}
	}
	slices.Sort(c.Nodes)
	return c
}

// locality says whether TrafficLocality has a say.
func (x *explainer) locality(d *kubesim.Decision, candidates int) {
	r := x.result
	switch candidates {
	case 0:
		r.Locality.Skipped, r.Locality.Why = "no-candidates", "No node is left that the filters let pass."
		return
	case 1:
		x.note("only one node is left, which kube-scheduler takes without scoring it")
	}
	if d.Ours == nil {
		r.Locality.Skipped, r.Locality.Why = "off", "The profile does not enable TrafficLocality, or gives it the weight 0."
		return
	}
	r.Locality.Skipped, r.Locality.Why, r.Locality.BetterElsewhere = d.Ours.Skipped, d.Ours.Why, d.Ours.BetterElsewhere
	r.Pod.Wanted = d.Ours.Desired
	for _, e := range d.Ours.Nodes {
		r.Locality.Basis, r.Locality.PodRate, r.Locality.Significance = e.Basis.String(), e.PodRate, e.Significance
		r.Locality.Influence, r.Locality.BestGain = e.Influence, e.Best
		return // the same for all
	}
}

// node is what is said of a node.
func (x *explainer) node(d *kubesim.NodeDecision, ours *trafficlocality.Explained) Node {
	at := kube.LocalityOf(d.Node)
	n := Node{
		Name: d.Node.Name, Zone: at.Zone, Region: at.Region,
		Filter: d.Filter, Reasons: d.Reasons, Total: d.Total, Scores: d.Scores,
	}
	if ours == nil {
		return n
	}
	e, known := ours.Nodes[d.Node.Name]
	if !known {
		return n
	}
	n.Points, n.GainPoints, n.RoomPoints, n.Gain, n.Anticipated = int(e.Points), e.GainPoints, e.RoomPoints, e.Gain, e.Anticipated
	for _, p := range e.Peers {
		peer := Peer{Peer: p.Peer.String(), Direction: x.direction(p.Peer, p.Calls), Gain: p.Gain(), Counts: p.Part}
		for _, l := range p.Levels {
			peer.Levels = append(peer.Levels, Level{x.scale.Name(l.Level), l.Placed, l.Anticipated})
		}
		n.Peers = append(n.Peers, peer)
	}
	slices.SortStableFunc(n.Peers, func(a, b Peer) int { return cmp.Compare(b.Gain, a.Gain) })
	for _, v := range e.Vetoes {
		n.Vetoes = append(n.Vetoes, Veto{v.Veto.String(), why(v)})
	}
	return n
}

// why is the reason of a veto without its name.
func why(v score.VetoReason) string {
	_, reason, _ := strings.Cut(v.String(), ": ")
	return reason
}

func (x *explainer) direction(peer flowgraph.WorkloadID, calls bool) string {
	switch {
	case peer == x.id:
		return "itself"
	case calls:
		return "calls"
	}
	return "called-by"
}

// others explains each pod of a workload, or as many as are asked for.
func (x *explainer) others(ctx context.Context) error {
	pods := x.Subject.Others
	if x.MostPods > 0 && len(pods) > x.MostPods {
		x.result.MorePods = len(pods) - x.MostPods
		pods = pods[:x.MostPods]
	}
	for _, pod := range pods {
		if pod.Spec.NodeName == "" {
			x.result.Pods = append(x.result.Pods, WorkloadPod{Name: pod.Name})
			continue
		}
		again := pending(pod)
		again.Pod.Spec.SchedulerName = x.Profile
		d, err := x.moment.Decide(ctx, again.Pod)
		if err != nil {
			return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		one := &explainer{Options: x.Options, id: x.id, scale: x.scale, result: &Result{}}
		one.Subject = again
		one.decision(d)
		row := WorkloadPod{Name: pod.Name, Node: pod.Spec.NodeName, Current: *one.result.Current, Chosen: one.result.Chosen}
		for _, n := range one.result.Nodes {
			if n.Name == row.Node {
				row.Points = n.Points
			}
		}
		x.result.Pods = append(x.result.Pods, row)
	}
	return nil
}
