package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
	"github.com/vicinity-sched/vicinity/internal/filekind"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// still is a cluster at one moment.
type still struct {
	name       string
	replayable *history.Replayable
	warnings   []string
	// assumed is what the Services say other than in the input.
	assumed []report.Route
}

// loadStill reads an input that is not over time.
func loadStill(input, cluster string) (*still, error) {
	mesh, generated := strings.CutPrefix(input, "mesh:")
	isEdges := strings.EqualFold(filepath.Ext(input), ".csv")
	switch {
	case !generated && isEdges && cluster == "":
		return nil, usage.Errorf("an edge list needs the cluster too: --cluster FILE, see vicinity replay --help")
	case (generated || !isEdges) && cluster != "":
		return nil, usage.Errorf("--cluster goes with an edge list (.csv), not with %s", filekind.Describe(input))
	case generated:
		return generatedInput(input, mesh)
	case isEdges:
		return edgesInput(input, cluster)
	}
	return byteDanceInput(input)
}

func generatedInput(input, mesh string) (*still, error) {
	name, option, sized := strings.Cut(mesh, ",")
	size := 0
	if sized {
		value, ok := strings.CutPrefix(option, "size=")
		n, err := strconv.Atoi(value)
		if !ok || err != nil || n < 1 {
			return nil, usage.Errorf("%s: want mesh:NAME,size=N with a positive N", input)
		}
		size = n
	}
	for _, family := range meshes.Families() {
		if family.Name != name {
			continue
		}
		c, err := family.Generate(rand.New(rand.NewPCG(1, 0)), size)
		if err != nil {
			return nil, usage.Errorf("%s: %w", input, err)
		}
		return &still{name: input, replayable: history.Synthetic(c)}, nil
	}
	return nil, usage.Errorf("there is no mesh %q; vicinity replay mesh:help lists them", name)
}

// ListMeshes writes the generated meshes that Load knows, a line each.
func ListMeshes(out io.Writer) error {
	for _, family := range meshes.Families() {
		if _, err := fmt.Fprintf(out, "mesh:%-22s %s\n", family.Name, family.Description); err != nil {
			return fmt.Errorf("listing the meshes: %w", err)
		}
	}
	return nil
}

func byteDanceInput(path string) (*still, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usage.File("INPUT", err)
	}
	defer file.Close()
	c, warnings, err := replayinput.ReadByteDance(file, path)
	if err != nil {
		return nil, err
	}
	in := &still{name: filepath.Base(path), replayable: history.Synthetic(c)}
	for _, w := range warnings {
		in.warnings = append(in.warnings, w.String())
	}
	return in, nil
}

func edgesInput(edges, cluster string) (*still, error) {
	in := &still{name: filepath.Base(edges)}
	file, err := os.Open(cluster)
	if err != nil {
		return nil, usage.File("--cluster", err)
	}
	defer file.Close()
	read, warnings, err := objects.ReadObjects(file, cluster)
	if err != nil {
		return nil, usage.File("--cluster", err)
	}
	replayable, more, err := history.Translate(read)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cluster, err)
	}
	for _, w := range append(warnings, more...) {
		in.warnings = append(in.warnings, w.String())
	}
	list, err := os.Open(edges)
	if err != nil {
		return nil, usage.File("INPUT", err)
	}
	defer list.Close()
	if replayable.Cluster.Edges, err = replayinput.ReadEdges(list, edges); err != nil {
		return nil, usage.File("INPUT", err)
	}
	if err := replayable.Cluster.Validate(); err != nil {
		return nil, fmt.Errorf("%s and %s: %w", edges, cluster, err)
	}
	in.replayable, in.warnings = replayable, append(in.warnings, replayinput.UnknownNames(replayable.Cluster.Edges, replayable.Cluster)...)
	return in, nil
}

// replayStill replays the runs of a pass on the cluster of one moment.
func (p *Plan) replayStill(ctx context.Context, ps pass) (*passed, error) {
	in, err := p.input.still.assuming(ps.routes)
	if err != nil {
		return nil, err
	}
	p.label(in.replayable)
	if err := p.learnBandwidth(in.replayable); err != nil {
		return nil, err
	}
	watch := &counter{what: doing(ps), total: len(ps.runs) * ps.seeds, began: p.options.Now(), options: &p.options}
	watch.begin()
	results, err := kubesim.Batch{
		Input: in.replayable, Order: ps.order, Rollouts: p.options.Rollouts, Seeds: ps.seeds, First: p.options.FirstSeed,
		Parallel: p.options.Parallel, Now: p.options.Now, Done: watch.done,
	}.Run(ctx, ps.runs)
	if err != nil {
		return nil, err
	}
	found := &passed{input: in.summary(), assumed: in.assumed, warnings: append(in.warnings, trafficWarnings(in.replayable.Cluster.Edges)...)}
	if found.services, err = in.services(); err != nil {
		return nil, err
	}
	var first *report.Sample
	comparable := true
	add := func(name, title, config string, results ...*sim.Result) {
		samples := make([]report.Sample, len(results))
		for i, result := range results {
			samples[i] = report.NewSample(in.replayable.Cluster, result)
			first = cmp.Or(first, &samples[i])
			comparable = comparable && first.Comparable(&samples[i])
		}
		if !comparable {
			return
		}
		found.runs = append(found.runs, p.run(name, title, config, ps, samples))
	}
	for _, g := range ps.given {
		add(g.name, g.title, g.from, &sim.Result{Assigned: g.assigned, Idle: g.idle})
	}
	for i, run := range ps.runs {
		add(run.Name, run.Title, run.From, results[i]...)
	}
	if !comparable {
		return nil, usage.Errorf("--order %s: the nodes that are left tell other levels than those before, as some nodes of %s lack a zone, a region, a label or a network capacity; label all nodes alike", ps.order, in.name)
	}
	return found, nil
}

// run summarises the samples of one run of a pass.
func (p *Plan) run(name, title, config string, ps pass, samples []report.Sample) report.Run {
	run := report.NewRun(name, config, samples, p.options.Price, p.options.Timing)
	run.Title = title
	if ps.routes != nil {
		run.Routing = report.RoutingAssumed
	}
	return run
}

// assuming returns a copy of the input with the routes assumed.
func (in *still) assuming(routes []string) (*still, error) {
	r, c := *in.replayable, *in.replayable.Cluster
	c.Nodes, c.Workloads, r.Objects = slices.Clone(c.Nodes), slices.Clone(c.Workloads), slices.Clone(r.Objects)
	r.Cluster = &c
	changed := &still{name: in.name, replayable: &r, warnings: slices.Clone(in.warnings)}
	return changed, changed.assume(routes)
}

func (in *still) summary() report.Input {
	c := in.replayable.Cluster
	total, withSites, external := c.Traffic()
	s := report.Input{
		Name: in.name, Nodes: len(c.Nodes), Workloads: len(c.Workloads), Edges: len(c.Edges),
		BytesPerSecond: total, ExternalBytesPerSecond: external, SitesBytesPerSecond: withSites, Sites: report.SitesOf(c),
	}
	for _, w := range c.Workloads {
		s.Pods += int(w.Replicas)
	}
	return s
}

// write writes the input in the formats that it can be read from, for other
// tools to look at.
func (in *still) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the input: %w", err)
	}
	for name, content := range map[string]func(io.Writer) error{
		"cluster.json": in.replayable.Write,
		"edges.csv":    func(w io.Writer) error { return replayinput.WriteEdges(w, in.replayable.Cluster.Edges) },
	} {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("writing the input: %w", err)
		}
		if err := errors.Join(content(file), file.Close()); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
