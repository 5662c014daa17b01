package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
	"github.com/vicinity-sched/vicinity/internal/filekind"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/replayreport"
)

// replayInput is what a replay starts from.
type replayInput struct {
	name       string
	replayable *history.Replayable
	warnings   []string
	// assumed is what the Services say other than in the input.
	assumed []replayreport.Route
}

// loadReplayInput reads the INPUT of the verb replay.
func loadReplayInput(input, cluster string) (*replayInput, error) {
	mesh, generated := strings.CutPrefix(input, "mesh:")
	isEdges := strings.EqualFold(filepath.Ext(input), ".csv")
	switch {
	case !generated && isEdges && cluster == "":
		return nil, usageErrorf("an edge list needs the cluster too: --cluster FILE, see vicinity replay --help")
	case (generated || !isEdges) && cluster != "":
		return nil, usageErrorf("--cluster goes with an edge list (.csv), not with %s", filekind.Describe(input))
	case generated:
		return generatedInput(input, mesh)
	case isEdges:
		return edgesInput(input, cluster)
	}
	return byteDanceInput(input)
}

func generatedInput(input, mesh string) (*replayInput, error) {
	name, option, sized := strings.Cut(mesh, ",")
	size := 0
	if sized {
		value, ok := strings.CutPrefix(option, "size=")
		n, err := strconv.Atoi(value)
		if !ok || err != nil || n < 1 {
			return nil, usageErrorf("%s: want mesh:NAME,size=N with a positive N", input)
		}
		size = n
	}
	for _, family := range meshes.Families() {
		if family.Name != name {
			continue
		}
		c, err := family.Generate(rand.New(rand.NewPCG(1, 0)), size)
		if err != nil {
			return nil, usageErrorf("%s: %w", input, err)
		}
		return &replayInput{name: input, replayable: history.Synthetic(c)}, nil
	}
	return nil, usageErrorf("there is no mesh %q; vicinity replay mesh:help lists them", name)
}

func listMeshes(out io.Writer) error {
	for _, family := range meshes.Families() {
		if _, err := fmt.Fprintf(out, "mesh:%-22s %s\n", family.Name, family.Description); err != nil {
			return fmt.Errorf("listing the meshes: %w", err)
		}
	}
	return nil
}

func byteDanceInput(path string) (*replayInput, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	defer file.Close()
	c, warnings, err := replayinput.ReadByteDance(file, path)
	if err != nil {
		return nil, err
	}
	in := &replayInput{name: filepath.Base(path), replayable: history.Synthetic(c)}
	for _, w := range warnings {
		in.warnings = append(in.warnings, w.String())
	}
	return in, nil
}

func edgesInput(edges, cluster string) (*replayInput, error) {
	in := &replayInput{name: filepath.Base(edges)}
	file, err := os.Open(cluster)
	if err != nil {
		return nil, err // names the path
	}
	defer file.Close()
	read, warnings, err := objects.ReadObjects(file, cluster)
	if err != nil {
		return nil, err
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
		return nil, err
	}
	defer list.Close()
	if replayable.Cluster.Edges, err = replayinput.ReadEdges(list, edges); err != nil {
		return nil, err
	}
	if err := replayable.Cluster.Validate(); err != nil {
		return nil, fmt.Errorf("%s and %s: %w", edges, cluster, err)
	}
	in.replayable, in.warnings = replayable, append(in.warnings, replayinput.UnknownNames(replayable.Cluster.Edges, replayable.Cluster)...)
	return in, nil
}

func (in *replayInput) summary() replayreport.Input {
	c := in.replayable.Cluster
	total, external := c.Traffic()
	s := replayreport.Input{
		Name: in.name, Nodes: len(c.Nodes), Workloads: len(c.Workloads), Edges: len(c.Edges),
		BytesPerSecond: total, ExternalBytesPerSecond: external,
	}
	for _, w := range c.Workloads {
		s.Pods += int(w.Replicas)
	}
	return s
}

// write writes the input in the formats that it can be read from, for other
// tools to look at.
func (in *replayInput) write(dir string) error {
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
