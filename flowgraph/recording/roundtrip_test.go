package recording

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// asTruth compares what was read with what was written: rates but for the
// rounding of counters, a thousandth of a byte where one has come to 1e12,
// and not where it stood.
var asTruth = cmp.Options{
	cmpopts.EquateApprox(1e-9, 1e-3), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Change{}, "File", "Line"),
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	for seed := range uint64(40) {
		rec := random(t, rand.New(rand.NewPCG(seed, 0)), int(seed))
		got, warnings, err := readAll(rec.files())
		if err != nil || len(warnings) > 0 {
			t.Fatalf("seed %d: %v, %v", seed, err, warnings)
		}
		if diff := cmp.Diff(rec.truth, got, asTruth); diff != "" {
			t.Fatalf("seed %d: written (-), read (+):\n%s", seed, diff)
		}
	}
}

// small records two parts of two steps.
func small(t *testing.T) *memory {
	t.Helper()
	m := &memory{}
	w, err := NewWriter(m, Manifest{From: begin, Step: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		at := begin.Add(time.Duration(i+1) * 5 * time.Minute)
		if err := w.Change(Change{Type: Modified, At: at.Add(-time.Minute), Object: []byte(`{"kind":"Pod"}`)}); err != nil {
			t.Fatal(err)
		}
		edges := []flowgraph.Edge{edge(t, "a/web -> a/db 12345.678 0 0.5"), edge(t, "a/db -> a/db 0 7 0")}
		if err := w.Step(at, edges[:2-i%2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	return m
}

// Wherever a file is cut off, what is read is the beginning of the truth, and a
// warning says that it is not all.
func TestCutOffAnywhere(t *testing.T) {
	rec := small(t)
	whole, _, err := readAll(rec.files())
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.names) != 5 { // the manifest and two parts
		t.Fatalf("the recording has the files %v", rec.names)
	}
	for _, name := range rec.names[1:] {
		content := rec.content[name]
		for n := range len(content) {
			got, warnings, err := readAll(rec.with(name, content[:n]).files())
			if err != nil || len(warnings) == 0 {
				t.Fatalf("%s cut off at %d: warnings %v, error %v", name, n, warnings, err)
			}
			if len(got) >= len(whole) {
				t.Fatalf("%s cut off at %d: %d steps are read, of %d", name, n, len(got), len(whole))
			}
			for i := range got {
				if !reflect.DeepEqual(whole[i], got[i]) {
					t.Fatalf("%s cut off at %d, step %d:\n%s", name, n, i, cmp.Diff(whole[i], got[i]))
				}
			}
		}
	}
}

func TestMissingFile(t *testing.T) {
	rec := random(t, rand.New(rand.NewPCG(1, 2)), 25)
	whole, _, err := readAll(rec.files())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rec.names[1:] {
		left := rec.with(name, nil)
		if kind, part := kindOf(name); kind == edgesKind {
			got, _, err := readAll(left.with(objectsPrefix+part+objectsSuffix, nil).files())
			if err != nil || len(got) >= len(whole) || len(got) > 0 && !reflect.DeepEqual(got, whole[:len(got)]) {
				t.Fatalf("without the part %s: %d steps of %d, error %v", part, len(got), len(whole), err)
			}
		}
		got, warnings, err := readAll(left.files())
		if err != nil || len(warnings) == 0 || len(got) >= len(whole) {
			t.Fatalf("without %s: %d steps of %d, warnings %v, error %v", name, len(got), len(whole), warnings, err)
		}
		if diff := cmp.Diff(whole[:len(got)], got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("without %s:\n%s", name, diff)
		}
	}
}

// The counters of an edge that is seen all the time rise from file to file.
func TestCountersGoOn(t *testing.T) {
	m := &memory{}
	w, err := NewWriter(m, Manifest{From: begin.Truncate(10 * time.Minute), Step: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		at := begin.Truncate(10 * time.Minute).Add(time.Duration(i+1) * 5 * time.Minute)
		if err := w.Step(at, []flowgraph.Edge{edge(t, "shop/web -> shop/db 2 0 0.5")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(false, "interrupted"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"edges-2026-11-23T21-00-00.om": "0 600 1200",
		"edges-2026-11-23T21-10-00.om": "1200 1800 2400",
	}
	for name, want := range want {
		var got []string
		for line := range strings.Lines(string(m.content[name])) {
			if strings.HasPrefix(line, "vicinity_edge_sent_bytes_total{") {
				got = append(got, strings.Fields(line)[1])
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: the counter is at %s, want %s", name, got, want)
		}
	}
	if !bytes.Contains(m.content[ManifestName], []byte(`"ended": "interrupted"`)) {
		t.Errorf("manifest: %s", m.content[ManifestName])
	}
}

// What is written before a disk is full is read, whatever fits on it.
func TestDiskFull(t *testing.T) {
	for full := 300; full < 6000; full += 7 {
		m := &memory{full: full}
		w, err := NewWriter(m, Manifest{From: begin, Step: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		at := begin
		for err == nil {
			at = at.Add(5 * time.Minute)
			err = w.Change(Change{Type: Added, At: at, Object: []byte(`{"kind":"Pod"}`)})
			if err == nil {
				err = w.Step(at, []flowgraph.Edge{edge(t, "shop/web -> shop/db 2 3 0.5")})
			}
		}
		if err := w.Close(true, ""); err == nil {
			t.Fatalf("%d bytes fit: Close succeeds after an error", full)
		}
		steps, warnings, err := readAll(m.files())
		if err != nil || len(warnings) == 0 {
			t.Fatalf("%d bytes fit: warnings %v, error %v", full, warnings, err)
		}
		last := begin
		if len(steps) > 0 {
			last = steps[len(steps)-1].At
		}
		if !last.Equal(w.Written()) {
			t.Fatalf("%d bytes fit: read up to %s, but Written says %s", full, last, w.Written())
		}
	}
}
