package recording

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Format is the version of the format that this package writes and reads.
const Format = "vicinity.recording/v1"

// Manifest says what a recording is.
type Manifest struct {
	// Format is the constant of that name.
	Format string
	// From is the beginning, To the end: zero while the recording is under way
	// and in one that has no end because the recorder was killed.
	From, To time.Time
	// Step is the time between two observations of the edges.
	Step time.Duration
	// Vicinity is the version of the program that recorded.
	Vicinity string
	// Sources are the names of the telemetry sources.
	Sources []string
	// Anonymized means that the names are not those of the cluster.
	Anonymized bool
	// Complete means that the recording goes as far as it was meant to; if not,
	// Ended says why.
	Complete bool
	Ended    string
	// Notes say what the recorder could not see.
	Notes []string
	// LeftOut is the traffic that the sources saw but that is no part of the edges.
	LeftOut []LeftOut
}

// LeftOut is traffic over the whole recording that belongs to no pair of workloads.
type LeftOut struct {
	// Source is the name of the telemetry source.
	Source string `json:"source"`
	// Reason is one of the telemetry's, such as "external".
	Reason string `json:"reason"`
	// Bytes is all of it, in both directions; BytesPerSecond is its mean over the
	// steps in which the sources answered.
	Bytes          float64 `json:"bytes"`
	BytesPerSecond float64 `json:"bytesPerSecond"`
}

// manifestFile is a Manifest as manifest.json has it.
type manifestFile struct {
	Format     string     `json:"format"`
	From       time.Time  `json:"from"`
	To         *time.Time `json:"to,omitempty"`
	Step       string     `json:"step"`
	Vicinity   string     `json:"vicinity,omitempty"`
	Sources    []string   `json:"sources,omitempty"`
	Anonymized bool       `json:"anonymized"`
	Complete   bool       `json:"complete"`
	Ended      string     `json:"ended,omitempty"`
	Notes      []string   `json:"notes,omitempty"`
	LeftOut    []LeftOut  `json:"leftOut,omitempty"`
}

// MarshalJSON returns the content of manifest.json.
func (m Manifest) MarshalJSON() ([]byte, error) {
	f := manifestFile{
		Format: m.Format, From: m.From.UTC(), Step: m.Step.String(), Vicinity: m.Vicinity, Sources: m.Sources,
		Anonymized: m.Anonymized, Complete: m.Complete, Ended: m.Ended, Notes: m.Notes, LeftOut: m.LeftOut,
	}
	if !m.To.IsZero() {
		f.To = new(m.To.UTC())
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads manifest.json. Fields that it does not know are ignored:
// what makes an older reader wrong is another version of the format.
func (m *Manifest) UnmarshalJSON(text []byte) error {
	var f manifestFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	step, err := time.ParseDuration(f.Step)
	if err != nil {
		step = 0
	}
	*m = Manifest{
		Format: f.Format, From: f.From, Step: step, Vicinity: f.Vicinity, Sources: f.Sources,
		Anonymized: f.Anonymized, Complete: f.Complete, Ended: f.Ended, Notes: f.Notes, LeftOut: f.LeftOut,
	}
	if f.To != nil {
		m.To = *f.To
	}
	return m.check()
}

// check reports what makes a manifest unusable.
func (m Manifest) check() error {
	name, version, _ := strings.Cut(m.Format, "/")
	switch {
	case m.Format == "":
		return errors.New("no format; must be " + Format)
	case name == "vicinity.recording" && m.Format != Format:
		return fmt.Errorf("format %q: this version reads v1; read it with the version of Vicinity that wrote %s", m.Format, version)
	case m.Format != Format:
		return fmt.Errorf("format %q: must be %s", m.Format, Format)
	case !inRange(m.From):
		return fmt.Errorf("from %s: must be a time from 1970 to 9999", m.From)
	case !m.To.IsZero() && (m.To.Before(m.From) || !inRange(m.To)):
		return fmt.Errorf("to %s: must not be before from, %s", m.To, m.From)
	case m.Step <= 0:
		return errors.New("step: must be a positive duration such as 1m0s")
	}
	for i, l := range m.LeftOut {
		if l.Bytes < 0 || l.BytesPerSecond < 0 {
			return fmt.Errorf("leftOut[%d]: bytes must not be negative (got %g and %g per second)", i, l.Bytes, l.BytesPerSecond)
		}
	}
	return nil
}

// inRange reports whether a time can be written in all the files.
func inRange(at time.Time) bool { return at.Unix() > 0 && at.UTC().Year() <= 9999 }

// readManifest reads a whole manifest.json.
func readManifest(name string, r io.Reader) (Manifest, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return Manifest{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(text) > maxManifest {
		return Manifest{}, fmt.Errorf("%s: larger than %d bytes", name, maxManifest)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", name, worded(err))
	}
	return m, nil
}

// worded says what is wrong with a JSON text without names of Go types.
func worded(err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%s: cannot be JSON of the kind %s", cmp.Or(wrong.Field, "the whole"), wrong.Value)
	}
	if wrong := (*time.ParseError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%s: must be a time such as 2026-03-04T05:06:07Z", strings.ReplaceAll(wrong.Value, `"`, ""))
	}
	return err
}
