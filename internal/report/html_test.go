package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
)

// pageOf returns the page of a report and its data.
func pageOf(t *testing.T, r *Report) (string, pageData) {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(out.String(), `<script type="application/json" id="data">`)
	text, _, found := strings.Cut(after, "</script>")
	if !found {
		t.Fatal("there are no data")
	}
	var d pageData
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return out.String(), d
}

func TestThePageSaysWhatTheJSONSays(t *testing.T) {
	for name, r := range map[string]*Report{
		"full": reportOf(shop(), 3, 0.02, false), "flat": reportOf(flat(), 1, 0, false), "quiet": reportOf(quiet(), 2, 0, true),
		"nothing": New(Draft{Baseline: "default"}),
		"routed":  New(routed(shop(), draftOf(shop(), 2, 0.02, false))),
	} {
		t.Run(name, func(t *testing.T) {
			first, d := pageOf(t, r)
			if again, _ := pageOf(t, r); again != first {
				t.Error("the same report gives another page")
			}
			var want, got bytes.Buffer
			whole := *r
			whole.Runs = slices.Clone(r.Runs)
			for i := range whole.Runs {
				whole.Runs[i].Assignment = nil // which the pictures have
			}
			if err := whole.WriteJSON(&want); err != nil {
				t.Fatal(err)
			}
			encoder := json.NewEncoder(&got)
			encoder.SetIndent("", "  ")
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(d.Report); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("(-JSON +page):\n%s", diff)
			}
			if diff := cmp.Diff(pageLeftOut{}, d.LeftOut); diff != "" {
				t.Errorf("something is left out: %s", diff)
			}
		})
	}
}

// TestPicturesAddUp compares the pictures with the figures of the same seed.
func TestPicturesAddUp(t *testing.T) {
	r := New(routed(shop(), draftOf(shop(), 2, 0, false)))
	_, d := pageOf(t, r)
	n := len(d.Cluster.Nodes)
	side := n + 1
	for i, p := range d.Pictures {
		f := d.Report.Runs[i].PerSeed[0].Figures
		near := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 1e-5*max(1, want) {
				t.Errorf("%s: %s is %v, want %v", r.Runs[i].Name, what, got, want)
			}
		}
		var node, zone, all, edges, workloads float64
		for from := range side {
			for to := range side {
				v := p.Between[from*side+to]
				all += v
				if from == n || to == n {
					continue
				}
				if from == to {
					node += v
				}
				if d.Cluster.Nodes[from].Zone == d.Cluster.Nodes[to].Zone {
					zone += v
				}
			}
		}
		near("what stays on nodes", node, f.Node.Configured.Local)
		near("what stays in zones", zone, f.Zone.Configured.Local)
		near("what goes between nodes", all-node, f.Node.Configured.Crossing)
		for k := range d.Cluster.Edges {
			edges += p.EdgeLocal["zone"][k]
		}
		near("what stays of the edges in a zone", edges, f.Zone.Configured.Local)
		for k, w := range d.Cluster.Workloads {
			if w.Name == "db" { // with cart, and itself
				workloads = p.WorkloadLocal["node"][k]
			}
		}
		var db float64
		for k, e := range d.Cluster.Edges {
			if d.Cluster.Workloads[e.From].Name == "db" || d.Cluster.Workloads[e.To].Name == "db" {
				db += p.EdgeLocal["node"][k]
			}
		}
		near("what stays of db", workloads, db)
		pods := 0
		for k := 2; k < len(p.Pods); k += 3 {
			pods += p.Pods[k]
		}
		near("pods", float64(pods), f.Placed)
		var parts float64
		for k := 3; k < len(p.Parts); k += 4 {
			parts += p.Parts[k]
		}
		// All but what comes from the internet, with four digits each.
		if want := all - 2<<20; math.Abs(parts-want) > 1e-3*want {
			t.Errorf("%s: the parts are %v, want %v", r.Runs[i].Name, parts, want)
		}
	}
	names := fmt.Sprint(d.Cluster.Nodes[0].Name, d.Cluster.Workloads[4].Name, d.Cluster.Workloads[4].Replicas)
	if names != "node-0internet0" {
		t.Errorf("the first node and the workload outside are %s", names)
	}
}

// large is the report on a mesh, with runs whose assignments are random.
func large(t *testing.T, workloads, seeds, runs int) *Report {
	t.Helper()
	for _, family := range meshes.Families() {
		if family.Name != "heavy-tailed" {
			continue
		}
		c, err := family.Generate(rand.New(rand.NewPCG(1, 0)), workloads)
		if err != nil {
			t.Fatal(err)
		}
		d := Draft{Input: Input{Name: "large"}, Seeds: seeds, Baseline: "run-0", Today: "run-0", Vicinity: "run-1", Settable: all(c)}
		for run := range runs {
			var samples []Sample
			for seed := range seeds {
				samples = append(samples, NewSample(c, &sim.Result{Assigned: randomly(c, uint64(run*1000+seed))}))
			}
			d.Runs = append(d.Runs, NewRun(fmt.Sprintf("run-%d", run), "", samples, nil, false))
		}
		return New(d)
	}
	t.Fatal("there is no mesh heavy-tailed")
	return nil
}

func TestSizeOfThePage(t *testing.T) {
	r := large(t, 650, 5, 5)
	text, d := pageOf(t, r)
	if len(d.Cluster.Nodes) < 100 || len(d.Cluster.Workloads) < 500 || len(text) > 5<<20 {
		t.Errorf("%d nodes, %d workloads, %d bytes, want less than 5 MiB", len(d.Cluster.Nodes), len(d.Cluster.Workloads), len(text))
	}
}

// TestWhatIsLeftOut checks that what a page has no room for is counted, and that
// nothing is lost of what goes between nodes.
func TestWhatIsLeftOut(t *testing.T) {
	r := large(t, 2500, 21, 2)
	text, d := pageOf(t, r)
	c := r.Runs[0].samples[0].Cluster
	want := pageLeftOut{Seeds: 1, Advice: len(r.RoutingAdvice) - pageAdvice, Nodes: len(c.Nodes) - pageNodes, Edges: len(c.Edges) - pageEdges}
	smallest := math.Inf(1)
	for _, e := range d.Cluster.Edges {
		smallest = min(smallest, e.BytesPerSecond)
	}
	for _, e := range c.Edges {
		if e.BytesPerSecond() < smallest {
			want.EdgesBytesPerSecond += e.BytesPerSecond()
		}
	}
	if got := d.LeftOut; got.Advice != want.Advice || got.Edges != want.Edges || got.Nodes != want.Nodes || got.Seeds != want.Seeds ||
		math.Abs(got.EdgesBytesPerSecond-want.EdgesBytesPerSecond) > 1 {
		t.Errorf("left out %+v, want %+v", got, want)
	}
	if min(want.Nodes, want.Edges, want.Advice) <= 0 || len(text) > 8<<20 {
		t.Errorf("%+v are left out of %d bytes", want, len(text))
	}
	for i, p := range d.Pictures {
		side := pageNodes + 2
		stays, goes := p.OthersLocal, 0.0
		for from := range side {
			for to := range side {
				if v := p.Between[from*side+to]; from == to && from < pageNodes {
					stays += v
				} else {
					goes += v
				}
			}
		}
		f := d.Report.Runs[i].PerSeed[0].Node.Configured
		if math.Abs(stays-f.Local) > 1e-4*f.Local || math.Abs(goes-f.Crossing) > 1e-4*f.Crossing {
			t.Errorf("%v stay and %v go between nodes, want %v and %v", stays, goes, f.Local, f.Crossing)
		}
	}
}

func TestLongTimelines(t *testing.T) {
	r := reportOf(shop(), 1, 0, false)
	for i := range 2500 {
		r.Runs[1].Timeline = append(r.Runs[1].Timeline, Moment{At: time.Unix(int64(60*i), 0).UTC(), Pods: i})
	}
	_, d := pageOf(t, r)
	got := d.Report.Runs[1].Timeline
	if first, last := got[0], got[len(got)-1]; len(got) != pageMoments || d.LeftOut.Moments != 1500 || first.Pods != 0 || last.Pods != 2499 {
		t.Errorf("%d moments from %+v to %+v, %d left out", len(got), first, last, d.LeftOut.Moments)
	}
	if len(r.Runs[1].Timeline) != 2500 {
		t.Error("the report itself has lost moments")
	}
}

// TestAPageWithoutPictures has runs of which nobody knows where the pods are.
func TestAPageWithoutPictures(t *testing.T) {
	r := reportOf(shop(), 1, 0, false)
	for i := range r.Runs {
		r.Runs[i].samples[0].Assigned = nil
	}
	if _, d := pageOf(t, r); d.Cluster != nil || d.Pictures != nil || len(d.Report.Runs) != 3 {
		t.Errorf("%+v", d)
	}
}

func TestNodesAreInTheOrderOfTheirPlaces(t *testing.T) {
	c := shop()
	c.Nodes[0].Locality = locality.Locality{Node: "node-0", Zone: "z", Region: "r9"}
	c.Edges = append(c.Edges, edgeOf(flowgraph.WorkloadID{Namespace: "x", Name: "a"}, flowgraph.WorkloadID{Namespace: "x", Name: "b"}, 1))
	_, d := pageOf(t, reportOf(c, 1, 0, false))
	var names []string
	for _, n := range d.Cluster.Nodes {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, " "); got != "node-1 node-2 node-3 node-0" {
		t.Errorf("the nodes are %s", got)
	}
	if got := len(d.Cluster.Workloads); got != 4+3 {
		t.Errorf("%d workloads, want four and three outside", got)
	}
}
