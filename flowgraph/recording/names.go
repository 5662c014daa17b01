package recording

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// ManifestName is the file that begins every recording.
const ManifestName = "manifest.json"

const (
	objectsPrefix, objectsSuffix = "objects-", ".jsonl"
	edgesPrefix, edgesSuffix     = "edges-", ".om"
	// partLayout is how a part is named after its beginning, so that names
	// order as times do. File systems and archives take all of its characters.
	partLayout = "2006-01-02T15-04-05"
)

// fileKind is what a file of a recording has.
type fileKind int

const (
	otherFile fileKind = iota
	manifestKind
	objectsKind
	edgesKind
)

// kindOf returns what a file has by its name, and the part that it is of.
func kindOf(name string) (kind fileKind, part string) {
	if name == ManifestName {
		return manifestKind, ""
	}
	for _, f := range [...]struct {
		kind           fileKind
		prefix, suffix string
	}{{objectsKind, objectsPrefix, objectsSuffix}, {edgesKind, edgesPrefix, edgesSuffix}} {
		part, ok := strings.CutPrefix(name, f.prefix)
		if !ok {
			continue
		}
		if part, ok = strings.CutSuffix(part, f.suffix); !ok {
			continue
		}
		if at, err := time.Parse(partLayout, part); err == nil && at.Format(partLayout) == part {
			return f.kind, part
		}
	}
	return otherFile, ""
}

// InOrder returns those of a directory's file names that belong to a recording,
// in the order in which a Reader takes them.
func InOrder(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		kind, _ := kindOf(name)
		return kind == otherFile
	})
	slices.SortFunc(names, func(a, b string) int {
		kindA, partA := kindOf(a)
		kindB, partB := kindOf(b)
		return cmp.Or(cmp.Compare(partA, partB), cmp.Compare(kindA, kindB))
	})
	return names
}
