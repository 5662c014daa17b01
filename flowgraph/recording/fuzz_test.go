package recording

import (
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzReader reads anything. What is accepted is in order and makes sense.
func FuzzReader(f *testing.F) {
	f.Add([]byte(manifestText), []byte(objectsText), written("", "", edgesText).content["edges-2026-11-23T21-00-00.om"])
	rec := random(&testing.T{}, rand.New(rand.NewPCG(5, 6)), 6)
	f.Add(rec.content[rec.names[0]], rec.content[rec.names[1]], rec.content[rec.names[2]])
	f.Fuzz(func(t *testing.T, manifest, objects, edges []byte) {
		steps, _, _ := readAll(written(string(manifest), string(objects), string(edges)).files())
		last := time.Time{}
		for _, s := range steps {
			if !s.At.After(last) || s.Length <= 0 {
				t.Fatalf("a step at %s of %s after %s", s.At, s.Length, last)
			}
			last = s.At
			for _, c := range s.Changes {
				if c.At.After(s.At) || c.Object[0] != '{' {
					t.Fatalf("a change at %s in the step at %s: %s", c.At, s.At, c.Object)
				}
			}
			for i, e := range s.Edges {
				if e.From.IsZero() || e.To.IsZero() || !e.Valid() || s.Gap {
					t.Fatalf("an edge %+v, gap %v", e, s.Gap)
				}
				if i > 0 && (edgeKey{s.Edges[i-1].From, s.Edges[i-1].To}).compare(edgeKey{e.From, e.To}) >= 0 {
					t.Fatalf("edges are not in order: %+v", s.Edges)
				}
			}
		}
	})
}

// FuzzLabels writes label values as they are read again.
func FuzzLabels(f *testing.F) {
	f.Add(`a"\`+"\n", "}{ ,=")
	f.Fuzz(func(t *testing.T, a, b string) {
		text := []byte(`x{a="`)
		text = append(appendEscaped(text, a), `",b="`...)
		text = append(appendEscaped(text, b), `"} 1 2`...)
		about, err := parseSeries(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		s, err := parseSample(text[about.length:])
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got := map[string]string{}
		if err := parseLabels(about.labels, func(name, value string) { got[name] = value }); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got["a"] != a || got["b"] != b || s.value != 1 || s.milli != 2000 {
			t.Errorf("%q is read as %q, %+v", text, got, s)
		}
	})
}
