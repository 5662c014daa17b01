package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// edge returns an edge between "namespace/name" ids that was observed the given
// time before queryTime.
func edge(from, to string, bytesPerSecond float64, age time.Duration) flowgraph.Edge {
	id := func(s string) flowgraph.WorkloadID {
		namespace, name, _ := strings.Cut(s, "/")
		return flowgraph.WorkloadID{Namespace: namespace, Name: name}
	}
	return flowgraph.Edge{From: id(from), To: id(to), Rates: flowgraph.Rates{SentBytesPerSecond: bytesPerSecond}, ObservedAt: queryTime.Add(-age)}
}

func reportOf(edges ...flowgraph.Edge) *graphReport {
	return &graphReport{madeAt: queryTime, dataAt: queryTime, edges: edges, total: sum(edges)}
}

// dotTokens splits a DOT text into words, punctuation and strings; a string
// keeps its opening quote and loses its escapes. It fails the test when a
// string or a brace does not close.
func dotTokens(t *testing.T, text string) []string {
	t.Helper()
	var tokens []string
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.ContainsRune(" \n", rune(c)):
		case c == '"':
			b := strings.Builder{}
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' && i+1 < len(text) {
					i++
					if text[i] == 'n' {
						b.WriteByte('\n')
						continue
					}
				}
				b.WriteByte(text[i])
			}
			if i == len(text) {
				t.Fatalf("a string does not close in:\n%s", text)
			}
			tokens = append(tokens, `"`+b.String())
		case strings.ContainsRune("{}[];=,", rune(c)):
			depth += map[byte]int{'{': 1, '}': -1}[c]
			tokens = append(tokens, string(c))
		default:
			word := text[i:]
			if end := strings.IndexAny(word, " \n\"{}[];=,"); end > 0 {
				word = word[:end]
			}
			tokens = append(tokens, word)
			i += len(word) - 1
		}
		if depth < 0 {
			t.Fatalf("a brace closes that did not open in:\n%s", text)
		}
	}
	if depth != 0 {
		t.Fatalf("%d braces do not close in:\n%s", depth, text)
	}
	return tokens
}

func TestDOTEscapes(t *testing.T) {
	names := []string{`plain`, `a"b`, `"`, `a\`, `\"`, `\N`, `x";}digraph{"y`, `a&lt;b`, `日本`}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			r := reportOf(edge("ns/"+name, "ns"+name+"/db", 10, 0))
			out := &bytes.Buffer{}
			writeDOT(out, r.viewedBy(view{}))
			var got []string
			for _, token := range dotTokens(t, out.String()) {
				if strings.HasPrefix(token, `"`) {
					got = append(got, strings.ReplaceAll(token[1:], "&amp;", "&"))
				}
			}
			want := []string{
				"traffic of 2026-10-01T12:00:00Z",
				"cluster_ns", "ns", "ns/" + name, name,
				"cluster_ns" + name, "ns" + name, "ns" + name + "/db", "db",
				"ns/" + name, "ns" + name + "/db", "10 B/s",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("strings (-want +got):\n%s\nin:\n%s", diff, out)
			}
		})
	}
}

// TestDOTOfAnApplication checks the structure: every end of an edge is declared
// once, inside a cluster.
func TestDOTOfAnApplication(t *testing.T) {
	tokens := dotTokens(t, succeed(t, "graph", "--prometheus", prometheus(t, traffic(t, shop)), "-o", "dot"))
	declared, ends, depth := map[string]int{}, []string{}, 0
	for i, token := range tokens {
		switch {
		case token == "{":
			depth++
		case token == "}":
			depth--
		case token == "->":
			ends = append(ends, tokens[i-1], tokens[i+1])
		case depth == 2 && strings.HasPrefix(token, `"`) && tokens[i+1] == "[":
			declared[token]++
		}
	}
	if len(ends) != 2*14 || len(declared) != 13 {
		t.Errorf("%d ends of edges and %d workloads, want 28 and 13", len(ends), len(declared))
	}
	for _, end := range ends {
		if declared[end] != 1 {
			t.Errorf("%s is declared %d times", end, declared[end])
		}
	}
}

func TestAgeIsShownWhereItDiffers(t *testing.T) {
	table := func(edges ...flowgraph.Edge) string {
		out := &bytes.Buffer{}
		writeEdges(out, reportOf(edges...).viewedBy(view{}))
		return out.String()
	}
	fresh, old := edge("a/x", "a/y", 30, 0), edge("a/x", "a/z", 10, 90*time.Second)
	if got := table(fresh); strings.Contains(got, "AGE") {
		t.Errorf("an age where all is fresh:\n%s", got)
	}
	want := `FROM   TO    SENT/s   RECEIVED/s   REQUESTS/s    SHARE     AGE
a/x    a/y   30 B/s        0 B/s            -   75.0 %      0s
a/x    a/z   10 B/s        0 B/s            -   25.0 %   1m30s
`
	if diff := cmp.Diff(want, table(fresh, old)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOrder checks that requests count and that names break ties.
func TestOrder(t *testing.T) {
	chatty := edge("b/chatty", "b/x", 1, 0)
	chatty.RequestsPerSecond = 10
	r := reportOf(edge("b/b", "b/x", 100, 0), edge("b/a", "b/y", 100, 0), edge("b/a", "b/x", 100, 0), chatty)
	order := func(requestBytes float64) []string {
		var got []string
		for _, e := range r.viewedBy(view{requestBytes: requestBytes}).shown {
			got = append(got, e.From.String()+" "+e.To.String())
		}
		return got
	}
	want := []string{"b/chatty b/x", "b/a b/x", "b/a b/y", "b/b b/x"}
	if diff := cmp.Diff(want, order(1024)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = append(slices.Clone(want[1:]), want[0])
	if diff := cmp.Diff(want, order(0)); diff != "" {
		t.Errorf("requests count nothing (-want +got):\n%s", diff)
	}
}

func TestUnits(t *testing.T) {
	cases := map[string]string{
		count(0):                        "0",
		count(0.004):                    "<0.01",
		count(0.5):                      "0.50",
		count(12.34):                    "12.3",
		count(1234.5):                   "1234",
		show.Percent(0):                 "0.0 %",
		show.Percent(0.0004):            "<0.1 %",
		show.Percent(1):                 "100.0 %",
		show.Duration(5 * time.Minute):  "5m",
		show.Duration(time.Hour):        "1h",
		show.Duration(90 * time.Second): "1m30s",
		show.Duration(10 * time.Second): "10s",
	}
	for got, want := range cases {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestHostileNames checks that what tenants can write does not reach the
// terminal as it is.
func TestHostileNames(t *testing.T) {
	const clear = "\x1b[2J"
	r := reportOf(edge("ns"+clear+"/web", "ns"+clear+"x/"+clear, 10, 0))
	for namespace, write := range map[string]func(*bytes.Buffer, viewed){
		"":                  func(b *bytes.Buffer, v viewed) { writeTable(b, v) },
		"other":             func(b *bytes.Buffer, v viewed) { writeTable(b, v) },
		"ns" + clear:        func(b *bytes.Buffer, v viewed) { writeDOT(b, v) },
		"ns" + clear + "xx": func(b *bytes.Buffer, v viewed) { writeTable(b, v) },
	} {
		out := &bytes.Buffer{}
		write(out, r.viewedBy(view{namespace: namespace}))
		if strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), `x1b[2J`) {
			t.Errorf("namespace %q: %q", namespace, out)
		}
	}
}
