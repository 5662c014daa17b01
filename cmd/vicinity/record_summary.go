package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// writeRecordSummary says what was recorded. why is why it ended early.
func writeRecordSummary(w io.Writer, r result, why string) {
	s := r.sum
	fmt.Fprintf(w, "Recorded %s, from %s to %s, into %s (%s).\n",
		show.Duration(s.To.Sub(s.From)), show.Moment(s.From), show.Moment(s.To), show.Printable(r.path), byteSize(r.target.Bytes()))
	if why != "" {
		fmt.Fprintf(w, "It ended early, %s: it is complete up to %s.\n", show.Printable(why), show.Moment(s.To))
	}
	t := show.Table{Left: 1}
	t.Add("steps of "+show.Duration(r.options.step), fmt.Sprint(s.Steps))
	t.Add("  of them gaps", fmt.Sprint(s.Gaps))
	t.Add("edges", fmt.Sprint(s.Edges))
	t.Add("traffic on average", show.ByteRate(s.BytesPerSecond))
	if s.SitesBytesPerSecond > 0 {
		t.Add("  of it with sites", show.ByteRate(s.SitesBytesPerSecond))
	}
	for _, l := range s.LeftOut {
		t.Add("  left out, "+l.Reason, leftOutAmount(l))
	}
	t.Add("objects", fmt.Sprint(s.Objects))
	t.Add("changes of objects", fmt.Sprint(s.Changes))
	t.Write(w)
	if f := r.options.found; f != nil {
		fmt.Fprintf(w, "Source: %s.\n", foundBy(f))
	}
	if s.Gaps > 0 && s.LastFailure != nil {
		fmt.Fprintf(w, "The last gap: %s.\n", show.Printable(strings.ReplaceAll(s.LastFailure.Error(), "\n", "; ")))
	}
	for _, f := range s.Findings {
		fmt.Fprintf(w, "Warning: %s.\n", show.Printable(f.Note()))
		if f.Until.IsZero() { // what has passed by itself needs no step
			fmt.Fprintf(w, "  Next: %s.\n", show.Printable(r.options.next(f.Source, f.Finding)))
		}
	}
	for _, note := range s.Notes {
		fmt.Fprintf(w, "Note: %s.\n", show.Printable(note.String()))
	}
	if !r.mostlyGaps() {
		// Without a price, a replay has no money in it.
		fmt.Fprintf(w, "Next: vicinity replay %s --price aws\n", shellQuoted(show.Printable(r.path)))
		fmt.Fprintln(w, "      Instead of aws: gcp, azure or a price file; leave --price out to see bytes only.")
	}
}

// byteSize formats a size with a binary unit.
func byteSize(n int64) string {
	rate := show.ByteRate(float64(n))
	return rate[:len(rate)-len("/s")]
}

// leftOutAmount is traffic that the sources saw but that is not recorded.
func leftOutAmount(l telemetry.LeftOutBytes) string {
	for _, reason := range telemetry.Reasons() {
		if l.Reason == reason.String() && !reason.HasRate() {
			return "unknown (" + l.Source + ")"
		}
	}
	return show.ByteRate(l.BytesPerSecond) + " (" + l.Source + ")"
}
