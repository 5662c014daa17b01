// Package recording reads and writes recorded traffic: what the objects of a
// cluster were, how they changed, and what its workloads exchanged meanwhile,
// in formats that other programs read too. It opens no files: a [Creator] and
// [Files] stand for the directory or archive.
//
// A recording is a sequence of parts, each of about ten minutes and named after
// the moment at which it begins:
//
//	manifest.json                       what the recording is: Manifest
//	objects-2026-11-23T21-10-00.jsonl   watch events, one JSON object a line
//	edges-2026-11-23T21-10-00.om        OpenMetrics text, ended by # EOF
//
// The objects of a part come before its edges. The first and the last line of
// an objects file are events of the type BOOKMARK with the times at which the
// part begins and ends; the last one says how many steps the part has. The events of the first part begin with ADDED for all
// that was there.
//
// Edges are counters of the bytes and requests since the recorder first saw the
// edge: rate() gives the rate back. OpenMetrics wants all samples of a series
// together, so a part is written when it ends, which bounds what writer and
// reader hold. Every step has a sample of vicinity_recording_observed_seconds,
// which stands first: where it does not rise, nothing was observed and the step
// is a gap. An edge without traffic in a step has a sample that does not rise,
// or none. An edge that appears has a sample at the beginning of the step. So
// every file gives its rates without the others.
//
// A file is there when it is whole: a [Creator] lets it appear when it is
// closed. A recorder that is killed loses the part under way and nothing else.
// Files that were cut off later are found by their ends, files that are missing
// by the BOOKMARKs: there the Reader ends, with a Warning.
package recording

import (
	"fmt"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// ChangeType says what happened to an object, as watch events do.
type ChangeType string

// The types of changes. An object may be Added that is known already: the
// recorder lost sight of it for a while.
const (
	Added    ChangeType = "ADDED"
	Modified ChangeType = "MODIFIED"
	Deleted  ChangeType = "DELETED"
)

// bookmark is the type of the events that say where a part begins and ends.
const bookmark ChangeType = "BOOKMARK"

// Change is what happened to one object.
type Change struct {
	Type ChangeType
	At   time.Time
	// Object is the object after the change as JSON, of a deleted one its last
	// state. It has apiVersion, kind and metadata.name.
	Object []byte
	// File and Line say where a Reader found it.
	File string
	Line int
}

// Step is what happened between two moments.
type Step struct {
	// At is the end of the step.
	At time.Time
	// Changes are those after the step before and not after At, in the order of
	// the file.
	Changes []Change
	// Edges are mean rates over the step, ordered by From and To, without edges
	// that had no traffic. They may be kept.
	Edges []flowgraph.Edge
	// Gap means that nothing was observed: no edges does not mean no traffic.
	Gap bool
	// Length is the time since the step before.
	Length time.Duration
}

// Warning is something in a recording that a Reader cannot take over as it is.
// Equal cases are one Warning.
type Warning struct {
	Text  string
	Count int
	// Example is where the first of them is: the file, and the line if there is one.
	Example string
}

// String returns the warning as one line.
func (w Warning) String() string {
	if w.Count == 1 {
		return fmt.Sprintf("%s: %s", w.Text, w.Example)
	}
	return fmt.Sprintf("%s: %d, the first is %s", w.Text, w.Count, w.Example)
}

// What a Reader takes at most, and a Writer writes. A recording is foreign
// input: nothing in it decides how much memory it takes.
const (
	// maxManifest bounds manifest.json in bytes.
	maxManifest = 1 << 20
	// maxLine bounds one line in bytes. An API server takes objects of 1.5 MiB.
	maxLine = 8 << 20
	// maxChanges and maxChangeBytes bound the changes in one file.
	maxChanges     = 4 << 20
	maxChangeBytes = 2 << 30
	// maxStepsOfPart bounds the steps in one file: one each second, for an hour.
	maxStepsOfPart = 3600
	// MaxEdges bounds the edges of one step.
	MaxEdges = 1 << 20
	// partPoints is how many rates of edges (of one edge in one step) end a
	// part early. A file has at most MaxEdges more than that.
	partPoints = 1 << 20
	// partLength is how long a part lasts: what a recorder that is killed loses.
	partLength = 10 * time.Minute
)
