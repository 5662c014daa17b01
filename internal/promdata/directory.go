package promdata

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

const (
	walDir   = "wal"
	metaFile = "meta.json" // in every block
	// nameLength is that of a block's name, which is a ULID.
	nameLength = 26
)

// Is reports whether a directory looks like Prometheus' data: it has blocks or a
// write-ahead log.
func Is(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, walDir)); err == nil {
		return true
	}
	blocks, err := blocksOf(dir)
	return err == nil && len(blocks) > 0
}

// blocksOf lists the blocks of a directory by name, those included that lack a part.
func blocksOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var blocks []string
	for _, e := range entries {
		if len(e.Name()) != nameLength {
			continue
		}
		for _, part := range []string{metaFile, "index", "chunks"} {
			if _, err := os.Lstat(filepath.Join(dir, e.Name(), part)); err == nil {
				blocks = append(blocks, e.Name())
				break
			}
		}
	}
	return blocks, nil
}

// newShadow makes a temporary directory that leads to the blocks and the
// write-ahead log of another one, so that the storage finds nothing there that it
// could change: even read-only it makes a directory of its own, and hard links to
// the chunks of the head. Those are left out: what is in them is in the log too.
func newShadow(dir string) (shadow string, blocks []string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if blocks, err = blocksOf(dir); err != nil {
		return "", nil, err
	}
	if shadow, err = os.MkdirTemp("", "vicinity-promdata-"); err != nil {
		return "", nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(shadow))
		}
	}()
	l := &linker{}
	for _, block := range blocks {
		if err := l.directory(filepath.Join(dir, block), filepath.Join(shadow, block), partDepth); err != nil {
			return "", nil, err
		}
	}
	wal := filepath.Join(shadow, walDir)
	if _, err := os.Lstat(filepath.Join(dir, walDir)); errors.Is(err, fs.ErrNotExist) {
		return shadow, blocks, os.Mkdir(wal, 0o700)
	}
	return shadow, blocks, l.directory(filepath.Join(dir, walDir), wal, partDepth)
}

const (
	// maxFiles is what a data directory may have: ten years of blocks of two hours are
	// 44,000, with four files each.
	maxFiles = 200_000
	// partDepth is how many directories deep the parts of a block and of the log are.
	partDepth = 2
)

// linker makes links to the files of a data directory.
type linker struct{ files int }

// directory makes a directory with links to the files that another one has in it, which
// must be so many directories deep at most.
func (l *linker) directory(from, to string, depth int) error {
	info, err := os.Lstat(from)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link, which a data directory may not have; copy what it leads to, or give a snapshot", from)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory; a data directory of Prometheus has one of that name", from)
	case depth == 0:
		return fmt.Errorf("%s is a directory deeper than any of Prometheus' data", from)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := l.entry(e, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

func (l *linker) entry(e fs.DirEntry, from, to string, depth int) error {
	l.files++
	switch {
	case l.files > maxFiles:
		return fmt.Errorf("more than %d files: this is no data directory of Prometheus", maxFiles)
	case e.Type().IsRegular():
		return os.Symlink(from, to)
	}
	return l.directory(from, to, depth-1)
}

// walSpan returns the times of the first and the last sample in the write-ahead
// log, in milliseconds; from is larger than to when there is none.
func walSpan(dir string) (from, to int64, err error) {
	from, to = math.MaxInt64, math.MinInt64
	segments, err := wlog.NewSegmentsReader(filepath.Join(dir, walDir))
	if errors.Is(err, fs.ErrNotExist) {
		return from, to, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("reading the write-ahead log: %w", err)
	}
	defer segments.Close()
	decoder := record.NewDecoder(labels.NewSymbolTable(), slog.New(slog.DiscardHandler))
	var samples []record.RefSample
	r := wlog.NewReader(segments)
	for r.Next() {
		if kind := decoder.Type(r.Record()); kind != record.Samples && kind != record.SamplesV2 {
			continue
		}
		if samples, err = decoder.Samples(r.Record(), samples[:0]); err != nil {
			return 0, 0, fmt.Errorf("reading the write-ahead log: %w", err)
		}
		for _, s := range samples {
			from, to = min(from, s.T), max(to, s.T)
		}
	}
	if err := r.Err(); err != nil {
		return 0, 0, fmt.Errorf("reading the write-ahead log: %w; take a snapshot instead of copying the files of a Prometheus that runs", err)
	}
	return from, to, nil
}
