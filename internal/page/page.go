// Package page writes data as one HTML file that needs nothing else: markup,
// style, script and data are in it, and its Content-Security-Policy lets it load
// nothing. What the data say is the business of the callers; the scripts know
// their JSON.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/page/dagre"
)

// Kind is what a page shows; the scripts have one program for each.
type Kind string

// The kinds of pages.
const (
	Replay Kind = "replay"
	Graph  Kind = "graph"
	// Locality is of a running cluster.
	Locality Kind = "locality"
)

//go:embed page.html page.css js/*.js
var files embed.FS

// scripts returns the files in the order in which they are put together: one
// module, whose names all files share.
func scripts() []string {
	return []string{
		"format", "dom", "theme", "table", "bars", "timeline", "heatmap", "layout", "picture", "layers", "layered",
		"inspector", "sections", "summary", "changes", "scene", "pictures", "replay", "graph", "locality", "main",
	}
}

// Write writes the page of a kind that shows data, which are encoded as JSON.
// Title and data may be of foreign origin: they are escaped. The same arguments
// give the same bytes.
func Write(w io.Writer, kind Kind, title string, data any) error {
	encoded, err := json.Marshal(data) // escapes <, >, &, U+2028 and U+2029
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	style, err := asset("page.css")
	if err != nil {
		return err
	}
	script := &strings.Builder{}
	if kind == Graph {
		script.WriteString(dagre.Script())
	}
	for _, name := range scripts() {
		text, err := asset("js/" + name + ".js")
		if err != nil {
			return err
		}
		script.WriteString(text)
	}
	frame, err := asset("page.html")
	if err != nil {
		return err
	}
	out := &bytes.Buffer{}
	if err := fill(out, frame, map[string]string{
		"policy": policy(style, script.String()),
		"title":  html.EscapeString(title),
		"kind":   string(kind),
		"style":  style,
		"script": script.String(),
		"data":   string(encoded),
	}); err != nil {
		return err
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func asset(name string) (string, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("writing the page: %w", err)
	}
	return string(text), nil
}

// policy lets the page run this style and this script and nothing else, and lets
// it ask no server for anything.
func policy(style, script string) string {
	return "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) + "; base-uri 'none'; form-action 'none'"
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// fill writes the frame with a value in the place of each {{name}}. What is in
// the values is never looked at.
func fill(w *bytes.Buffer, frame string, values map[string]string) error {
	for {
		before, rest, found := strings.Cut(frame, "{{")
		w.WriteString(before)
		if !found {
			return nil
		}
		name, after, _ := strings.Cut(rest, "}}")
		value, known := values[name]
		if !known {
			return fmt.Errorf("writing the page: its frame asks for %q", name)
		}
		w.WriteString(value)
		frame = after
	}
}
