package filekind

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// logLine matches what kubectl and other programs write to stderr: klog's lines,
// warnings and errors, logfmt.
var logLine = regexp.MustCompile(`^([IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+:\d+\] |Warning: |[Ee]rror: |Error from server|Unable to connect to the server|The connection to the server|No resources found|Flag --\S+ has been deprecated|time="?\d{4}-|level=)`)

// ofLog recognises a file that begins with lines that belong to stderr.
func ofLog(text []byte) File {
	line := firstLine(text)
	if !logLine.MatchString(line) {
		return File{}
	}
	next := "run the command again and look at what it says"
	if n := linesBeforeObjects(text); n > 0 {
		next = fmt.Sprintf("delete the %d lines before the objects, or write the file again without 2>&1 or &>", n)
		if n == 1 {
			next = "delete this line, or write the file again without 2>&1 or &>"
		}
	}
	return File{LogLines, "begins with a message of the program that wrote it, " + quote(line), next}
}

// Message returns the first line of a text, quoted, when it is a message of a program.
func Message(text []byte) (quoted string, ok bool) {
	line := firstLine(bytes.TrimSpace(text))
	return quote(line), logLine.MatchString(line)
}

// linesBeforeObjects counts the lines before the first that begins an object, 0 when
// there is none.
func linesBeforeObjects(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("{")) || bytes.HasPrefix(line, []byte("apiVersion:")) || bytes.HasPrefix(line, []byte("---")) {
			return n
		}
		n++
	}
	return 0
}

func ofHTML(text []byte) File {
	head := strings.ToLower(string(text[:min(len(text), 300)]))
	switch {
	case !strings.HasPrefix(head, "<!doctype html") && !strings.HasPrefix(head, "<html"):
		return File{}
	case strings.Contains(head, `data-kind="`):
		return File{HTML, "a page that vicinity wrote (-o html)", "open it in a browser, and give the input that it was made from"}
	}
	return File{HTML, "an HTML page", "it may be a login or an error page of the server that sent it: fetch the file again"}
}

// ofTable recognises the first line of CSV and of kubectl's tables.
func ofTable(text []byte) File {
	line := firstLine(text)
	if fields := strings.Fields(line); len(fields) > 1 && (fields[0] == "NAME" || fields[0] == "NAMESPACE") {
		return File{KubectlTable, "a table that kubectl printed", "run kubectl again with -o json"}
	}
	columns := map[string]bool{}
	for _, column := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' || r == '\t' }) {
		columns[strings.Trim(column, `" `)] = true
	}
	switch {
	case columns["from"] && columns["to"]:
		return File{EdgeList, "an edge list (CSV)", "give it as INPUT under a name that ends in .csv: vicinity replay EDGES.csv --cluster CLUSTER.json"}
	case columns["workload"] && columns["node"], columns["service"] && columns["machine"]:
		return File{Assignment, "an assignment (CSV)", "give it with --assignment NAME=FILE"}
	}
	return File{}
}

// ofText recognises metrics.
func ofText(text []byte) File {
	switch {
	case !bytes.HasPrefix(text, []byte("# HELP ")) && !bytes.HasPrefix(text, []byte("# TYPE ")) && !bytes.HasPrefix(text, []byte("# UNIT ")):
		return File{}
	case bytes.Contains(text, []byte("vicinity_edge_")), bytes.Contains(text, []byte("vicinity_recording_")):
		return recordingPart("a file of edges from a recording")
	}
	return File{MetricsText, "metrics in the text format of Prometheus", "have Prometheus scrape them, then see vicinity record --help"}
}

func recordingPart(what string) File {
	return File{RecordingPart, what, "give the directory that it is in: vicinity replay DIR"}
}

// ofYAML looks for the kind in the first document.
func ofYAML(text []byte) File {
	var kind, version string
	items := false
	for i, line := range strings.Split(string(text), "\n") {
		if i > 0 && strings.HasPrefix(line, "---") && kind != "" {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value, _, _ = strings.Cut(value, " #")
		value = strings.Trim(value, "\"' \t\r")
		switch key {
		case "kind":
			kind = value
		case "apiVersion":
			version = value
		case "items":
			items = true
		}
	}
	return ofKind(version, kind, items)
}
