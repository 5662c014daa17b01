package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

var begin = time.Date(2026, 11, 23, 21, 3, 20, 0, time.UTC)

// memory is a recording's files.
type memory struct {
	names   []string // in the order in which they were closed
	content map[string][]byte
	full    int // how many bytes fit, 0 for all
}

func (m *memory) Create(name string) (io.WriteCloser, error) {
	return &memoryFile{memory: m, name: name}, nil
}

type memoryFile struct {
	bytes.Buffer
	memory *memory
	name   string
	err    error
}

var errFull = errors.New("no space left on device")

func (f *memoryFile) Write(p []byte) (int, error) {
	size := f.Len() + len(p)
	for _, content := range f.memory.content {
		size += len(content)
	}
	if f.memory.full > 0 && size > f.memory.full {
		f.err = errFull
		return 0, f.err
	}
	return f.Buffer.Write(p)
}

func (f *memoryFile) Close() error {
	if f.err != nil {
		return f.err
	}
	m := f.memory
	if m.content == nil {
		m.content = map[string][]byte{}
	}
	if _, known := m.content[f.name]; !known {
		m.names = append(m.names, f.name)
	}
	m.content[f.name] = f.Bytes()
	return nil
}

// files returns the files in the order of a directory.
func (m *memory) files() *memoryFiles { return &memoryFiles{memory: m, names: InOrder(m.names)} }

type memoryFiles struct {
	memory *memory
	names  []string
}

func (f *memoryFiles) Next() (string, io.Reader, error) {
	if len(f.names) == 0 {
		return "", nil, io.EOF
	}
	name := f.names[0]
	f.names = f.names[1:]
	return name, bytes.NewReader(f.memory.content[name]), nil
}

// with returns a copy in which one file has another content, nil for none.
func (m *memory) with(name string, content []byte) *memory {
	c := &memory{content: map[string][]byte{}}
	for _, n := range m.names {
		switch {
		case n != name:
			c.content[n] = m.content[n]
		case content != nil:
			c.content[n] = content
		default:
			continue
		}
		c.names = append(c.names, n)
	}
	return c
}

// readAll reads to the end, or to the first error.
func readAll(f Files) ([]*Step, []Warning, error) {
	r, err := NewReader(f)
	if err != nil {
		return nil, nil, err
	}
	var steps []*Step
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return steps, r.Warnings(), nil
		}
		if err != nil {
			return steps, r.Warnings(), err
		}
		steps = append(steps, s)
	}
}

// edge makes one from "shop/web -> shop/db 100 2000 3".
func edge(t *testing.T, text string) flowgraph.Edge {
	t.Helper()
	var e flowgraph.Edge
	f := strings.Fields(text)
	e.From.Namespace, e.From.Name, _ = strings.Cut(f[0], "/")
	e.To.Namespace, e.To.Name, _ = strings.Cut(f[2], "/")
	if _, err := fmt.Sscan(strings.Join(f[3:], " "), &e.SentBytesPerSecond, &e.ReceivedBytesPerSecond, &e.RequestsPerSecond); err != nil {
		t.Fatal(err)
	}
	return e
}

// recorded is a recording and the steps that went into it.
type recorded struct {
	*memory
	truth []*Step
}

// random records so many steps of a made-up cluster.
func random(t *testing.T, r *rand.Rand, steps int) recorded {
	t.Helper()
	m := &memory{}
	w, err := NewWriter(m, Manifest{From: begin, Step: time.Minute, Sources: []string{"istio"}})
	if err != nil {
		t.Fatal(err)
	}
	var truth []*Step
	at := begin
	for n := range steps {
		s := &Step{Length: time.Duration(1000+r.IntN(100_000)) * time.Millisecond}
		s.At = at.Add(s.Length)
		for i := range r.IntN(4) {
			c := Change{Type: []ChangeType{Added, Modified, Deleted}[r.IntN(3)], At: at.Add(s.Length * time.Duration(i+1) / 4)}
			c.Object, _ = json.Marshal(map[string]any{"kind": "Pod", "metadata": map[string]any{"name": fmt.Sprint("pod-", n, "-", i)}})
			if err := w.Change(c); err != nil {
				t.Fatal(err)
			}
			s.Changes = append(s.Changes, c)
		}
		s.Gap = r.IntN(5) == 0
		if !s.Gap {
			s.Edges = randomEdges(r, s.At)
		}
		if err := w.Step(s.At, s.Edges); err != nil {
			t.Fatal(err)
		}
		s.Edges = slices.DeleteFunc(slices.Clone(s.Edges), func(e flowgraph.Edge) bool { return e.Rates == flowgraph.Rates{} })
		slices.SortFunc(s.Edges, func(a, b flowgraph.Edge) int {
			return edgeKey{a.From, a.To}.compare(edgeKey{b.From, b.To})
		})
		truth, at = append(truth, s), s.At
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	return recorded{m, truth}
}

func randomEdges(r *rand.Rand, at time.Time) []flowgraph.Edge {
	names := []flowgraph.WorkloadID{{Namespace: "shop", Name: "web"}, {Namespace: "shop", Name: "db"}, {Namespace: `a"\` + "\n}{,=", Name: "é # x"}}
	edges := []flowgraph.Edge{{From: names[0], To: names[0], ObservedAt: at}} // no traffic, but observed
	for _, from := range names {
		for _, to := range names {
			if from == to && from == names[0] || r.IntN(3) == 0 {
				continue
			}
			e := flowgraph.Edge{From: from, To: to, ObservedAt: at}
			for _, into := range []*float64{&e.SentBytesPerSecond, &e.ReceivedBytesPerSecond, &e.RequestsPerSecond} {
				if r.IntN(4) > 0 {
					*into = r.Float64() * float64(int(1)<<r.IntN(30))
				}
			}
			edges = append(edges, e)
		}
	}
	r.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
	return edges
}
