package explain

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// mostReasons is how many nodes with one reason are named.
const mostReasons = 3

// WriteTable writes a result for people, with at most so many nodes and edges; 0 is all.
func (r *Result) WriteTable(w io.Writer, limit int) {
	r.writeHead(w)
	fmt.Fprintln(w)
	r.writeEdges(w, limit)
	fmt.Fprintln(w)
	r.writeNodes(w, limit)
	r.writeWhy(w, limit)
	r.writeExcluded(w)
	r.writePods(w)
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", show.Printable(note))
	}
}

func (r *Result) writeHead(w io.Writer) {
	t := show.Table{Left: 2}
	t.Add("pod", r.Pod.Namespace+"/"+r.Pod.Name)
	wanted := ""
	if r.Pod.Wanted > 0 {
		wanted = ", of which " + show.Plural(int(r.Pod.Wanted), "pod") + " should run"
	}
	t.Add("workload", r.Pod.Workload+wanted)
	t.Add("profile", fmt.Sprintf("%s of %s, TrafficLocality with weight %d", r.Scheduler.Profile, r.Scheduler.Config, r.Scheduler.Weights[trafficlocality.Name]))
	t.Add("graph", r.Graph.text())
	t.Add("", r.Graph.tolerance())
	if l := r.Locality; l.Skipped != "" {
		t.Add("locality", "has no say ("+l.Skipped+"): "+l.Why)
	} else {
		t.Add("locality", fmt.Sprintf("a pod exchanges %s: significance %.2f; influence of the data's age %.2f", show.ByteRate(l.PodRate), l.Significance, l.Influence))
	}
	if r.Current != nil {
		t.Add("is on", r.Current.on())
	}
	t.Add("would go to", r.Chosen.text())
	t.Add("with weight 0", r.WithoutLocality.text())
	t.Write(w)
}

func (g Graph) text() string {
	return fmt.Sprintf("%s, data of %s, %s old; rebuilt from %s since %s%s", show.Plural(g.Edges, "edge"), show.Moment(g.DataAt), age(g.AgeSeconds),
		refreshes(g.Refreshes), show.Moment(g.From), failed(g.Failed))
}

func refreshes(n int) string {
	if n == 1 {
		return "one past refresh"
	}
	return fmt.Sprintf("%d past refreshes", n)
}

func failed(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them without an answer or traffic", n)
}

func (g Graph) tolerance() string {
	return fmt.Sprintf("tolerance: rates equal the scheduler's where traffic is steady; otherwise within %s of an edge's recent change and %s of an earlier one",
		show.Percent(g.Tolerance.RecentChange), show.Percent(g.Tolerance.EarlierChange))
}

func age(seconds float64) string {
	return show.Duration(time.Duration(seconds * float64(time.Second)).Round(time.Second))
}

// on words where a pod is.
func (c *Choice) on() string {
	if c.Rank == 0 {
		return c.Nodes[0] + ", which would not be a candidate now"
	}
	return fmt.Sprintf("%s, rank %d of %d, total %d", c.Nodes[0], c.Rank, c.Of, c.Total)
}

// text words where a pod would go.
func (c *Choice) text() string {
	switch n := len(c.Nodes); {
	case n == 0:
		return "no node: the filters let none pass"
	case n == 1:
		return fmt.Sprintf("%s, total %d", c.Nodes[0], c.Total)
	case n <= 5:
		return fmt.Sprintf("one of %s at random, total %d each", strings.Join(c.Nodes, ", "), c.Total)
	default:
		return fmt.Sprintf("one of %d nodes at random (%s, ...), total %d each", n, strings.Join(c.Nodes[:3], ", "), c.Total)
	}
}

func (r *Result) writeEdges(w io.Writer, limit int) {
	if len(r.Edges) == 0 {
		fmt.Fprintf(w, "The graph has no traffic of %s.\n", show.Printable(r.Pod.Workload))
		return
	}
	shown := r.Edges
	if limit > 0 {
		shown = shown[:min(len(shown), limit)]
	}
	t := show.Table{Left: 4}
	t.Add("PEER", "DIRECTION", "SOURCE", "ROUTING", "BYTES/s", "REQUESTS/s", "AGE", "PEER PODS", "ON NODE", "IN ZONE", "IN REGION")
	for _, e := range shown {
		local := [3]string{"-", "-", "-"}
		if e.Local != nil {
			local = [3]string{show.Percent(e.Local.Node), show.Percent(e.Local.Zone), show.Percent(e.Local.Region)}
		}
		requests := "-"
		if e.RequestsPerSecond > 0 {
			requests = strconv.FormatFloat(e.RequestsPerSecond, 'g', 3, 64)
		}
		t.Add(e.Peer, e.Direction, cmp.Or(strings.Join(e.Sources, ", "), e.Origin, "retained"), cmp.Or(e.Routing, "-"),
			show.ByteRate(e.SentBytesPerSecond+e.ReceivedBytesPerSecond), requests, age(e.AgeSeconds), strconv.Itoa(e.PeerPods), local[0], local[1], local[2])
	}
	t.Write(w)
	if more := len(r.Edges) - len(shown); more > 0 {
		fmt.Fprintf(w, "... and %s; --limit 0 shows all\n", show.Plural(more, "smaller edge"))
	}
	fmt.Fprintln(w, "ON NODE, IN ZONE and IN REGION are the parts that stay there as all pods are placed and routed now.")
}

// shownNodes returns the candidates that are shown: the first ones, that where the pod is, and the
// best one without locality, most in all. 0 is no limit.
func (r *Result) shownNodes(first, most int) (shown []*Node, more int) {
	var listed []bool // for a reason of its own
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Filter != "" {
			continue
		}
		isCurrent := r.Current != nil && r.Current.Nodes[0] == n.Name
		isOther := len(r.WithoutLocality.Nodes) > 0 && r.WithoutLocality.Nodes[0] == n.Name
		if first == 0 || len(shown) < first || isCurrent || isOther {
			shown = append(shown, n)
			listed = append(listed, isCurrent || isOther)
		} else {
			more++
		}
	}
	for most > 0 && len(shown) > most {
		// The best one stays, then those with a reason of their own.
		drop := len(shown) - 1
		for i := drop; i > 0; i-- {
			if !listed[i] {
				drop = i
				break
			}
		}
		shown, listed = slices.Delete(shown, drop, drop+1), slices.Delete(listed, drop, drop+1)
		more++
	}
	return shown, more
}

func (r *Result) writeNodes(w io.Writer, limit int) {
	shown, more := r.shownNodes(limit, limit)
	if len(shown) == 0 {
		fmt.Fprintln(w, "No node is a candidate.")
		return
	}
	differing, alike := r.plugins()
	t := show.Table{Left: 2}
	t.Add(slices.Concat([]string{"NODE", "ZONE", "RANK", "TOTAL", "POINTS"}, differing, []string{"OTHERS"})...)
	for _, n := range shown {
		row := []string{n.Name, cmp.Or(n.Zone, "-"), strconv.Itoa(n.Rank), strconv.FormatInt(n.Total, 10), strconv.Itoa(n.Points)}
		for _, p := range differing {
			row = append(row, n.score(p))
		}
		var others int64
		for _, p := range alike {
			others += n.Scores[p]
		}
		t.Add(append(row, strconv.FormatInt(others, 10))...)
	}
	t.Write(w)
	if more > 0 {
		fmt.Fprintf(w, "... and %s; --limit 0 shows all\n", show.Plural(more, "other candidate"))
	}
	fmt.Fprintln(w, "POINTS are TrafficLocality's, 0 to 100. The columns to their right include the weights and add up to TOTAL.")
	if len(alike) > 0 {
		fmt.Fprintf(w, "OTHERS score all candidates alike: %s.\n", strings.Join(alike, ", "))
	}
}

// score is the cell of a plugin.
func (n *Node) score(plugin string) string {
	if score, scored := n.Scores[plugin]; scored {
		return strconv.FormatInt(score, 10)
	}
	return "-"
}

// plugins returns the plugins that score candidates: TrafficLocality and those whose scores differ,
// and those that score all alike.
func (r *Result) plugins() (differing, alike []string) {
	scores := map[string]map[int64]bool{}
	for i := range r.Nodes {
		for name, score := range r.Nodes[i].Scores {
			if scores[name] == nil {
				scores[name] = map[int64]bool{}
			}
			scores[name][score] = true
		}
	}
	delete(scores, trafficlocality.Name)
	differing = []string{trafficlocality.Name}
	for _, name := range slices.Sorted(maps.Keys(scores)) {
		if len(scores[name]) > 1 {
			differing = append(differing, name)
		} else {
			alike = append(alike, name)
		}
	}
	return differing, alike
}

const (
	// mostWhy is of how many nodes the points are taken apart, and mostPeers how many peers are
	// named of each, unless all are asked for.
	mostWhy   = 3
	mostPeers = 4
)

// writeWhy takes the points of the best candidates apart, and those of the node where the pod is.
func (r *Result) writeWhy(w io.Writer, limit int) {
	if r.Locality.Skipped != "" {
		return
	}
	nodes, peers := min(mostWhy, limit), min(mostPeers, limit)
	if limit == 0 {
		nodes, peers = 0, math.MaxInt
	}
	shown, _ := r.shownNodes(nodes, limit)
	expected := false
	for _, n := range shown {
		fmt.Fprintf(w, "\n%s: %s\n", show.Printable(n.Name), r.sum(n))
		for _, p := range n.Peers[:min(len(n.Peers), peers)] {
			fmt.Fprintf(w, "  %s %s: %s\n", p.Direction, show.Printable(p.Peer), p.text())
		}
		if len(n.Peers) > peers {
			rest := 0.0
			for _, p := range n.Peers[peers:] {
				rest += p.Gain
			}
			fmt.Fprintf(w, "  %s: %s; --limit 0 shows all\n", show.Plural(len(n.Peers)-peers, "other edge"), show.ByteRate(rest))
		}
		for _, v := range n.Vetoes {
			fmt.Fprintf(w, "  veto %s: %s\n", v.Veto, show.Printable(v.Why))
		}
		expected = expected || n.Anticipated != 0
	}
	fmt.Fprintln(w, "\nA gain is the additional bytes per second that would stay within a level, times the additional worth of a byte there compared with the next wider level.")
	if expected {
		fmt.Fprintln(w, "The expected part is by pods of peers that do not exist yet or will be replaced.")
	}
}

// text words what is gained by an edge.
func (p *Peer) text() string {
	var levels []string
	for _, l := range p.Levels {
		text := l.Level + " " + show.ByteRate(l.Placed+l.Anticipated)
		if l.Anticipated != 0 {
			text += fmt.Sprintf(" (%s expected)", show.ByteRate(l.Anticipated))
		}
		levels = append(levels, text)
	}
	counts := ""
	if p.Counts < 1 {
		counts = fmt.Sprintf("; this is the %s that counts, as trust.maxForeignShare bounds what its namespace contributes", show.Percent(p.Counts))
	}
	return show.ByteRate(p.Gain) + " = " + strings.Join(levels, " + ") + counts
}

// sum says how the points of a node come about.
func (r *Result) sum(n *Node) string {
	l := r.Locality
	counts := max(n.Gain, 0)
	if len(n.Vetoes) > 0 {
		counts = 0
	}
	text := fmt.Sprintf("%d points", n.Points)
	if l.BestGain > 0 {
		text += fmt.Sprintf(" = 100 x %.2f x %.2f x %s / %s", l.Significance, l.Influence, show.ByteRate(counts), show.ByteRate(l.BestGain))
	} else {
		text += " = 0"
	}
	if n.RoomPoints > 0 {
		text += fmt.Sprintf(" + %.1f as room is kept for others elsewhere", n.RoomPoints)
	}
	if len(n.Peers) == 0 {
		return text + "; it gains nothing by any edge"
	}
	return text + "; before vetoes it gains " + show.ByteRate(n.Gain) + ":"
}

// writeExcluded says which filters exclude which nodes.
func (r *Result) writeExcluded(w io.Writer) {
	type excluded struct{ filter, reason string }
	nodes, best := map[excluded][]string{}, (*Node)(nil)
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Filter == "" {
			continue
		}
		key := excluded{n.Filter, strings.Join(n.Reasons, "; ")}
		nodes[key] = append(nodes[key], n.Name)
		if best == nil || n.Gain > best.Gain {
			best = n
		}
	}
	if len(nodes) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := show.Table{Left: 3}
	t.Add("EXCLUDED BY", "NODES", "REASON")
	keys := slices.SortedFunc(maps.Keys(nodes), func(a, b excluded) int {
		return cmp.Or(cmp.Compare(len(nodes[b]), len(nodes[a])), cmp.Compare(a.filter, b.filter), cmp.Compare(a.reason, b.reason))
	})
	for _, key := range keys {
		names := nodes[key]
		text := strings.Join(names[:min(len(names), mostReasons)], ", ")
		if more := len(names) - mostReasons; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		t.Add(key.filter, text, key.reason)
	}
	t.Write(w)
	if r.Locality.BetterElsewhere {
		fmt.Fprintf(w, "The pod would gain more on an excluded node than on any candidate: %s on %s.\n", show.ByteRate(best.Gain), show.Printable(best.Name))
	}
}

// writePods says where the pods of a workload are and would go.
func (r *Result) writePods(w io.Writer) {
	if len(r.Pods) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := show.Table{Left: 2}
	t.Add("POD", "IS ON", "POINTS", "TOTAL", "RANK", "WOULD GO TO")
	for _, p := range r.Pods {
		if p.Node == "" {
			t.Add(p.Name, "pending", "-", "-", "-", "-")
			continue
		}
		rank, to := "-", "no node"
		if p.Current.Rank > 0 {
			rank = fmt.Sprintf("%d of %d", p.Current.Rank, p.Current.Of)
		}
		switch {
		case slices.Contains(p.Chosen.Nodes, p.Node):
			to = "the same"
		case len(p.Chosen.Nodes) > 0:
			to = fmt.Sprintf("%s (%d)", p.Chosen.Nodes[0], p.Chosen.Total)
		}
		t.Add(p.Name, p.Node, strconv.Itoa(p.Points), strconv.FormatInt(p.Current.Total, 10), rank, to)
	}
	t.Write(w)
	if r.MorePods > 0 {
		fmt.Fprintf(w, "... and %s; --limit 0 shows all\n", show.Plural(r.MorePods, "other pod"))
	}
	fmt.Fprintln(w, "Each pod is considered as if it alone were pending again.")
}
