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
	if isDir(filepath.Join(dir, walDir)) {
		return true
	}
	blocks, err := blocksOf(dir)
	return err == nil && len(blocks) > 0
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// blocksOf lists the blocks of a directory by name.
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
		if _, err := os.Stat(filepath.Join(dir, e.Name(), metaFile)); err == nil {
			blocks = append(blocks, e.Name())
		}
	}
	return blocks, nil
}

// newShadow makes a temporary directory that leads to the blocks and the
// write-ahead log of another one, so that the storage finds nothing there that it
// could change: even read-only it makes a directory of its own, and hard links to
// the chunks of the head. Those are left out: what is in them is in the log too.
func newShadow(dir string) (shadow string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	blocks, err := blocksOf(dir)
	if err != nil {
		return "", err
	}
	if shadow, err = os.MkdirTemp("", "vicinity-promdata-"); err != nil {
		return "", fmt.Errorf("making a temporary directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(shadow))
		}
	}()
	for _, block := range blocks {
		if err := link(filepath.Join(dir, block), filepath.Join(shadow, block)); err != nil {
			return "", err
		}
	}
	if isDir(filepath.Join(dir, walDir)) {
		return shadow, link(filepath.Join(dir, walDir), filepath.Join(shadow, walDir))
	}
	return shadow, os.Mkdir(filepath.Join(shadow, walDir), 0o700)
}

// link makes a directory with links to the files that another one has in it.
func link(from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		add := os.Symlink
		if e.IsDir() {
			add = link
		}
		if err := add(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
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
