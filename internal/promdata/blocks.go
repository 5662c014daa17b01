package promdata

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/tsdb"
)

// span is a time in milliseconds, to is not part of it.
type span struct{ from, to int64 }

func (s span) overlaps(o span) bool { return s.from < o.to && o.from < s.to }

// String returns the span for people.
func (s span) String() string {
	return fmt.Sprintf("from %s to %s", rfc3339(s.from), rfc3339(s.to))
}

func rfc3339(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// damagedBlock is a block that cannot be read.
type damagedBlock struct {
	name string
	err  error
	span span // empty when it is not known
}

func (b damagedBlock) String() string {
	when := "for a time that is not known"
	if b.span != (span{}) {
		when = "with the data " + b.span.String()
	}
	return fmt.Sprintf("the block %s, %s, cannot be read: %v", b.name, when, b.err)
}

// checkBlocks opens each block below a directory, and takes away those that cannot be
// read: the storage passes over some of them in silence and refuses all data because of
// others. The directory has links only. Blocks whose data is in another one too are not
// missed.
func checkBlocks(dir string, names []string) (damaged []damagedBlock, err error) {
	replaced := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(dir, name)
		block, err := tsdb.OpenBlock(nil, path, nil, nil)
		if err == nil {
			for _, parent := range block.Meta().Compaction.Parents {
				replaced[parent.ULID.String()] = true
			}
			err = block.Close()
		}
		if err == nil {
			continue
		}
		plain := strings.ReplaceAll(err.Error(), path+string(filepath.Separator), "")
		damaged = append(damaged, damagedBlock{name, fmt.Errorf("%s", plain), spanOf(path)})
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(damaged, func(b damagedBlock) bool { return replaced[b.name] }), nil
}

// spanOf reads the time that a block is of as far as its metadata can be read.
func spanOf(block string) span {
	text, err := os.ReadFile(filepath.Join(block, metaFile))
	if err != nil {
		return span{}
	}
	var meta tsdb.BlockMeta
	if json.Unmarshal(text, &meta) != nil || meta.MinTime >= meta.MaxTime {
		return span{}
	}
	return span{meta.MinTime, meta.MaxTime}
}

// holesIn returns the times between the covered ones, one at least, that nothing covers. Less than the
// lookback is no hole unless it is of a damaged block: the first sample after a restart
// comes some seconds late.
func holesIn(covered []span, damaged []damagedBlock) []span {
	slices.SortFunc(covered, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var holes []span
	end := covered[0].to
	for _, next := range covered[1:] {
		hole := span{end, next.from}
		known := slices.ContainsFunc(damaged, func(b damagedBlock) bool { return b.span.overlaps(hole) })
		if hole.from < hole.to && (known || hole.to-hole.from >= lookback.Milliseconds()) {
			holes = append(holes, hole)
		}
		end = max(end, next.to)
	}
	return holes
}
