package recordingfile

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
)

var begin = time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)

// write records so many steps of five minutes, and does not end the target.
func write(t *testing.T, path string, steps int) Target {
	t.Helper()
	target, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := recording.NewWriter(target, recording.Manifest{From: begin, Step: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	e := flowgraph.Edge{From: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: "db"}}
	for i := range steps {
		at := begin.Add(time.Duration(i+1) * 5 * time.Minute)
		e.SentBytesPerSecond = float64(i + 1)
		if err := w.Change(recording.Change{Type: recording.Added, At: at, Object: []byte(`{"kind":"Pod"}`)}); err != nil {
			t.Fatal(err)
		}
		if err := w.Step(at, []flowgraph.Edge{e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	return target
}

func read(t *testing.T, path string) ([]*recording.Step, recording.Manifest, []recording.Warning, error) {
	t.Helper()
	source, err := Open(path)
	if err != nil {
		return nil, recording.Manifest{}, nil, err
	}
	defer func() { _ = source.Close() }()
	r, err := recording.NewReader(source)
	if err != nil {
		return nil, recording.Manifest{}, nil, err
	}
	var steps []*recording.Step
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return steps, r.Manifest(), r.Warnings(), nil
		}
		if err != nil {
			return steps, r.Manifest(), r.Warnings(), err
		}
		steps = append(steps, s)
	}
}

func TestDirectoryAndArchiveReadTheSame(t *testing.T) {
	dir := t.TempDir()
	var all [][]*recording.Step
	for _, name := range []string{"rec", "rec.tar.zst"} {
		path := filepath.Join(dir, name)
		target := write(t, path, 7)
		if err := target.Close(); err != nil {
			t.Fatal(err)
		}
		if target.Bytes() == 0 {
			t.Errorf("%s: no bytes", name)
		}
		steps, m, warnings, err := read(t, path)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %v", name, err, warnings)
		}
		if !m.Complete || len(steps) != 7 {
			t.Errorf("%s: %d steps, complete %v", name, len(steps), m.Complete)
		}
		all = append(all, steps)
	}
	if !reflect.DeepEqual(all[0], all[1]) {
		t.Error("the steps differ")
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	inside, _ := filepath.Glob(filepath.Join(dir, "rec", ".*"))
	if len(left)+len(inside) > 0 {
		t.Errorf("left over: %v %v", left, inside)
	}
}

func TestCreateDoesNotOverwrite(t *testing.T) {
	for _, name := range []string{"rec", "rec.tar.zst"} {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, 1)
		if _, err := Create(path); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: a second Create: %v", name, err)
		}
	}
}

// TestOnlyTheOwnerReads looks at what is under way, what is there in the end, and what
// unpacking an archive makes.
func TestOnlyTheOwnerReads(t *testing.T) {
	private := func(dir string) (files int) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %s", path, info.Mode())
			}
			files++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	for _, name := range []string{"rec", "rec.tar.zst"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		target := write(t, path, 1)
		f, err := target.Create("objects-x.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		if files := private(dir); files < 2 {
			t.Errorf("%s: %d files under way", name, files)
		}
		if err := errors.Join(f.Close(), target.Close()); err != nil {
			t.Fatal(err)
		}
		private(dir)
		source, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := source.(*archive); ok {
			if h, err := a.tar.Next(); err != nil || h.FileInfo().Mode().Perm() != fileMode {
				t.Errorf("in the archive: %v, %v", h, err)
			}
		}
		if err := source.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Of an archive that is cut off all steps are read up to some file, and a
// warning says that it is not all.
func TestArchiveCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rec.tar.zst")
	if err := write(t, path, 7).Close(); err != nil {
		t.Fatal(err)
	}
	whole, _, _, err := read(t, path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for n := len(content) - 1; n >= 0; n-- {
		if err := os.WriteFile(path, content[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		steps, _, warnings, err := read(t, path)
		if err != nil && len(steps) == 0 {
			continue // not even the manifest
		}
		if err != nil || len(warnings) == 0 || len(steps) > len(whole) || len(steps) > 0 && !reflect.DeepEqual(steps, whole[:len(steps)]) {
			t.Fatalf("cut off at %d: %d steps, warnings %v, error %v", n, len(steps), warnings, err)
		}
		most = max(most, len(steps))
	}
	if most != len(whole) {
		t.Errorf("at most %d steps are read of an archive without its end", most)
	}
}

// A recorder that is killed leaves an archive of all parts that have ended.
func TestArchiveWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rec.tar.zst")
	target, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := recording.NewWriter(target, recording.Manifest{From: begin, Step: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	e := flowgraph.Edge{From: flowgraph.WorkloadID{Name: "web"}, To: flowgraph.WorkloadID{Name: "db"}}
	for i := range 5 {
		if err := w.Step(begin.Add(time.Duration(i+1)*5*time.Minute), []flowgraph.Edge{e}); err != nil {
			t.Fatal(err)
		}
	}
	steps, m, warnings, err := read(t, path)
	if err != nil || len(steps) != 4 || len(warnings) == 0 || !m.To.IsZero() {
		t.Errorf("%d steps, up to %s, warnings %v, error %v; want the 4 of two parts", len(steps), m.To, warnings, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	type entry = tar.Header
	cases := map[string]struct {
		entries []entry
		want    string
	}{
		"a symbolic link":  {[]entry{{Typeflag: tar.TypeSymlink, Name: "manifest.json", Linkname: "/etc/passwd"}}, "no regular file"},
		"a hard link":      {[]entry{{Typeflag: tar.TypeLink, Name: "manifest.json", Linkname: "x"}}, "no regular file"},
		"a way out":        {[]entry{{Typeflag: tar.TypeReg, Name: "../manifest.json"}}, "leads out"},
		"an absolute path": {[]entry{{Typeflag: tar.TypeReg, Name: "/manifest.json"}}, "leads out"},
		"deep folders":     {[]entry{{Typeflag: tar.TypeReg, Name: "a/b/manifest.json"}}, "one folder"},
		"another order":    {[]entry{{Typeflag: tar.TypeReg, Name: "rec/edges-2026-11-23T21-00-00.om"}}, "begins with"},
		"nothing":          {nil, "no manifest.json"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &bytes.Buffer{}
			z, err := zstd.NewWriter(b)
			if err != nil {
				t.Fatal(err)
			}
			w := tar.NewWriter(z)
			for _, e := range tc.entries {
				if err := w.WriteHeader(&e); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(w.Close(), z.Close()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "rec.tar.zst")
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := read(t, path); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	t.Run("a link in a directory", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink("/dev/zero", filepath.Join(dir, "manifest.json")); err != nil {
			t.Skip(err)
		}
		if _, _, _, err := read(t, dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("other files", func(t *testing.T) {
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]string{
			"hello":        ": the file is no recording, which is a directory or a .tar.zst",
			"\x1f\x8b\x08": ": the file is compressed with gzip, not a recording (a directory or a .tar.zst); decompress it first: gunzip ",
			string(encoder.EncodeAll(bytes.Repeat([]byte("hello"), 1000), nil)): ": the file is compressed with zstd, but there is no tar archive in it as in a recording; decompress anything else first: unzstd ",
		} {
			path := filepath.Join(t.TempDir(), "rec.tar.zst")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := read(t, path); err == nil || !strings.Contains(err.Error(), path+want) {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	})
}
