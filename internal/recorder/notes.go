package recorder

import (
	"fmt"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
)

// NoteCode says what a Note is about.
type NoteCode int

const (
	// NoTrafficYet means that the sources answered without traffic before the recording.
	NoTrafficYet NoteCode = iota
	// NotListed means that a kind may not be listed.
	NotListed
	// NotWatched means that a kind may not be watched.
	NotWatched
	// NotRecorded means that an object could not be decoded.
	NotRecorded
	// OutOfSight means that a kind was not watched for a while.
	OutOfSight
	// OnlyPresent means that of the objects only the last state is known.
	OnlyPresent
	// LeadingGaps means that the first steps lie before the data of the sources.
	LeadingGaps
	// InvalidRates means that flows were left out.
	InvalidRates
	// More stands for notes beyond a bound.
	More
)

// Note says what the recorder did not see. All of it but Detail is made of constants and
// counts.
type Note struct {
	Code NoteCode
	// Resource is the kind that the note is about, as kubectl takes it; "" for none.
	Resource string
	// Detail is an error's text or "". It may have any name of the cluster in it.
	Detail string
	// Count is how often it happened, of LeadingGaps how many steps there are; Before is
	// where they end.
	Count  int
	Before time.Time
}

// String returns the note with its detail, without a full stop.
func (n Note) String() string { return n.text(n.Detail) }

// Anonymous returns the note without its detail.
func (n Note) Anonymous() string { return n.text("") }

func (n Note) text(detail string) string {
	text := n.what()
	if detail != "" {
		text += ": " + detail
	}
	if n.Count > 1 && n.Code != LeadingGaps {
		text = fmt.Sprintf("%s (%d times)", text, n.Count)
	}
	return text
}

func (n Note) what() string {
	switch n.Code {
	case NoTrafficYet:
		return "at the beginning there is no traffic"
	case NotListed:
		return n.Resource + " are not recorded: list is forbidden"
	case NotWatched:
		return n.Resource + " are not recorded: watch is forbidden"
	case NotRecorded:
		return "an object is not recorded"
	case OutOfSight:
		return n.Resource + " were out of sight for a while"
	case OnlyPresent:
		return "objects are those at the end: pods that were deleted before are not known, nor what others were like before"
	case LeadingGaps:
		return fmt.Sprintf("the sources know of no traffic before %s: the first %d of the steps are gaps", n.Before.UTC().Format(time.RFC3339), n.Count)
	case InvalidRates:
		return "a rate above 1e12 or without a workload is left out"
	case More:
		return "there was more of the kind"
	}
	return fmt.Sprintf("NoteCode(%d)", int(n.Code))
}

// maxNotes bounds the notes: errors of servers may all have different texts.
const maxNotes = 30

// notes gathers notes; equal ones are counted.
type notes struct {
	all   []Note
	index map[Note]int // without the count
}

// add adds one, of which the count is not set.
func (n *notes) add(note Note) {
	if n.index == nil {
		n.index = map[Note]int{}
	}
	i, known := n.index[note]
	if !known && len(n.all) >= maxNotes {
		note = Note{Code: More}
		i, known = n.index[note]
	}
	if !known {
		i = len(n.all)
		n.index[note] = i
		n.all = append(n.all, note)
	}
	n.all[i].Count++
}

// anonymous returns the notes without details; those that are equal then are counted
// together.
func anonymous(all []Note) []string {
	var bare []Note
	index := map[Note]int{}
	for _, note := range all {
		key := Note{Code: note.Code, Resource: note.Resource, Before: note.Before}
		i, known := index[key]
		if !known {
			i = len(bare)
			index[key] = i
			bare = append(bare, key)
		}
		bare[i].Count += note.Count
	}
	var lines []string
	for _, note := range bare {
		lines = append(lines, note.Anonymous())
	}
	return lines
}

// Manifest returns the manifest of a recording that begins. If it is to have no names,
// the sources, which people name, are numbered.
func (o Options) Manifest(from time.Time, version string) recording.Manifest {
	m := recording.Manifest{From: from, Step: o.Step, Vicinity: version, Anonymized: o.Anonymize != nil}
	for _, s := range o.Sources {
		m.Sources = append(m.Sources, o.sourceName(s.Name()))
	}
	return m
}

// sourceName returns what a manifest calls a source.
func (o Options) sourceName(name string) string {
	if o.Anonymize == nil {
		return name
	}
	for i, s := range o.Sources {
		if s.Name() == name {
			return fmt.Sprintf("source-%d", i+1)
		}
	}
	return "source"
}

// Interrupted is why a recording ended that was stopped from outside.
const Interrupted = "interrupted"

// Close ends a recording: w gets what the summary says of it. failed is the error that
// ended it early, nil if there was none. It returns why it is not complete, "" if it
// is. A recording without names has no text of an error.
func (o Options) Close(w *recording.Writer, s Summary, to time.Time, failed error) (why string, err error) {
	complete := failed == nil && !s.To.Before(to)
	switch {
	case failed != nil:
		why = failed.Error()
	case !complete:
		why = Interrupted
	}
	for _, line := range o.noteLines(s) {
		w.Note(line)
	}
	for _, l := range s.LeftOut {
		l.Source = o.sourceName(l.Source)
		w.LeaveOut(recording.LeftOut(l))
	}
	said := why
	if o.Anonymize != nil && failed != nil {
		said = "an error ended it"
	}
	return why, w.Close(complete, said)
}

func (o Options) noteLines(s Summary) []string {
	var lines []string
	if o.Anonymize == nil {
		for _, note := range s.Notes {
			lines = append(lines, note.String())
		}
		for _, f := range s.Findings {
			lines = append(lines, f.Note())
		}
		return lines
	}
	lines = anonymous(s.Notes)
	for _, f := range s.Findings {
		lines = append(lines, fmt.Sprintf("%s: a finding of the condition %s in %d of %d steps", o.sourceName(f.Source), f.Condition, f.Steps, f.Of))
	}
	return lines
}
