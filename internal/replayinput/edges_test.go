package replayinput

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

func edge(from, to string, sent, received, requests float64) flowgraph.Edge {
	return flowgraph.Edge{
		From: flowgraph.WorkloadID{Namespace: "shop", Name: from}, To: flowgraph.WorkloadID{Namespace: "shop", Name: to},
		Rates: flowgraph.Rates{SentBytesPerSecond: sent, ReceivedBytesPerSecond: received, RequestsPerSecond: requests},
	}
}

func TestReadEdges(t *testing.T) {
	const header = "from,to,bytes_per_second\n"
	cases := map[string]struct {
		text string
		want []flowgraph.Edge
	}{
		"both directions in one":     {header + "shop/web,shop/db,10.5\n", []flowgraph.Edge{edge("web", "db", 10.5, 0, 0)}},
		"no edges":                   {header, []flowgraph.Edge{}},
		"there and back":             {header + "shop/web,shop/db,1\nshop/db,shop/web,2", []flowgraph.Edge{edge("web", "db", 1, 0, 0), edge("db", "web", 2, 0, 0)}},
		"a workload with itself":     {header + "shop/db,shop/db,1e3\n", []flowgraph.Edge{edge("db", "db", 1000, 0, 0)}},
		"no traffic":                 {header + "shop/web,shop/db,-0\n", []flowgraph.Edge{edge("web", "db", 0, 0, 0)}},
		"spaces, quotes, CRLF, BOM":  {"\ufefffrom, to,\"bytes_per_second\"\r\n\r\n shop/web , \"shop/db\",1 \r\n", []flowgraph.Edge{edge("web", "db", 1, 0, 0)}},
		"all columns, another order": {"requests_per_second,to,from,received_bytes_per_second,bytes_per_second\n4,shop/db,shop/web,3,2\n", []flowgraph.Edge{edge("web", "db", 2, 3, 4)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			edges, err := ReadEdges(strings.NewReader(c.text), "edges.csv")
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(edges, c.want) {
				t.Errorf("got  %v\nwant %v", edges, c.want)
			}
		})
	}
}

func TestReadEdgesErrors(t *testing.T) {
	const header = "from,to,bytes_per_second\n"
	long := strings.Repeat("x", maxLineBytes)
	cases := map[string]struct{ text, want string }{
		"empty":           {"", "f.csv: the file is empty; the first line must be from,to,bytes_per_second"},
		"blank":           {" \n\n", "f.csv: the file is empty; the first line must be from,to,bytes_per_second"},
		"no header":       {"shop/web,shop/db,1\n", "f.csv:1: the first line must be the header from,to,bytes_per_second (found \"shop/web,shop/db,1\")"},
		"unknown column":  {"from,to,bytes_per_second,bytes\n", `f.csv:1: unknown column "bytes": must be one of from, to, bytes_per_second, received_bytes_per_second, requests_per_second`},
		"column twice":    {"from,to,to,bytes_per_second\n", `f.csv:1: column "to" is there twice`},
		"too few fields":  {header + "shop/web,shop/db\n", "f.csv:2: the line has 2 fields, the header has 3"},
		"too many fields": {header + "shop/web,shop/db,1,\n", "f.csv:2: the line has 4 fields, the header has 3"},
		"negative":        {header + "\nshop/web,shop/db,-1\n", "f.csv:3: bytes_per_second: -1 must not be negative"},
		"NaN":             {header + "shop/web,shop/db,nan\n", "f.csv:2: bytes_per_second: is NaN, must be a finite number"},
		"Inf":             {header + "shop/web,shop/db,-Inf\n", "f.csv:2: bytes_per_second: -Inf is infinite, must be a finite number"},
		"beyond float64":  {header + "shop/web,shop/db,1e999\n", "f.csv:2: bytes_per_second: 1e999 is infinite, must be a finite number"},
		"unbelievable":    {header + "shop/web,shop/db,1e16\n", "f.csv:2: bytes_per_second: 1e16 must be at most 1e+12"},
		"not a number":    {header + "shop/web,shop/db,10MiB\n", `f.csv:2: bytes_per_second: "10MiB" is not a number`},
		"no number":       {header + "shop/web,shop/db,\n", `f.csv:2: bytes_per_second: "" is not a number`},
		"optional column": {"from,to,bytes_per_second,requests_per_second\nshop/web,shop/db,1,-2\n", "f.csv:2: requests_per_second: -2 must not be negative"},
		"received": {
			"from,to,bytes_per_second,received_bytes_per_second\nshop/web,shop/db,1,x\n",
			`f.csv:2: received_bytes_per_second: "x" is not a number`,
		},
		"twice":            {header + "shop/web,shop/db,1\nshop/db,shop/web,1\nshop/web,shop/db,2\n", "f.csv:4: edge shop/web to shop/db is in line 2 already"},
		"no namespace":     {header + "web,shop/db,1\n", `f.csv:2: from: "web" is not namespace/name`},
		"no name":          {header + "shop/web,shop/,1\n", `f.csv:2: to: "shop/" is not namespace/name: a name is empty`},
		"two slashes":      {header + "shop/web,shop/a/b,1\n", `f.csv:2: to: "shop/a/b" is not namespace/name: a name has a slash, a space or an unprintable character`},
		"a space":          {header + "shop/w b,shop/a,1\n", `f.csv:2: from: "shop/w b" is not namespace/name: a name has a slash, a space or an unprintable character`},
		"long name":        {header + "shop/" + long[:254] + ",shop/a,1\n", `f.csv:2: from: "shop/` + long[:254] + `" is not namespace/name: a name is longer than 253 bytes`},
		"long line":        {header + "shop/web,shop/db,1\n" + long + "\n", "f.csv:3: the line is longer than 65536 bytes"},
		"not UTF-8":        {header + "shop/\xff,shop/db,1\n", "f.csv:2: the line is not UTF-8 (byte 6 is 0xff); convert the file, such as with iconv -f WINDOWS-1252 -t UTF-8"},
		"open quote":       {header + "\"shop/web,shop/db,1\nshop/db,shop/web,1\n", `f.csv:2: a quoted field is not closed, or has a quote in it that is not doubled`},
		"quote in a field": {header + "shop/w\"b,shop/db,1\n", `f.csv:2: a field has a quote in it but does not begin with one; quote the field and double the quote`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			edges, err := ReadEdges(strings.NewReader(c.text), "f.csv")
			if err == nil {
				t.Fatalf("accepted as %v", edges)
			}
			if err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestReadEdgesReadError(t *testing.T) {
	r := io.MultiReader(strings.NewReader("from,to,bytes_per_second\nshop/web,shop/db,1\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	_, err := ReadEdges(r, "f.csv")
	if want := "f.csv: reading after line 2: unexpected EOF"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// blanks is an endless file of long empty lines.
type blanks struct {
	line string
	read int
}

func (b *blanks) Read(p []byte) (int, error) {
	var n int
	for n < len(p) {
		n += copy(p[n:], b.line)
	}
	b.read += n
	return n, nil
}

func TestTableLimit(t *testing.T) {
	for _, before := range []string{"", "from,to,bytes_per_second\n"} {
		endless := &blanks{line: strings.Repeat(" ", 1023) + "\n"}
		_, err := ReadEdges(io.MultiReader(strings.NewReader(before), endless), "f.csv")
		if want := "f.csv: the file is larger than 268435456 bytes"; err == nil || err.Error() != want {
			t.Errorf("after %q: got %v, want %s", before, err, want)
		}
		if endless.read > maxTableBytes+1 {
			t.Errorf("after %q: %d bytes are read", before, endless.read)
		}
	}
}

// withNode is the smallest cluster that can have edges.
func withNode(edges []flowgraph.Edge) *cluster.Cluster {
	n := cluster.Node{Allocatable: cluster.Resources{MilliCPU: 1, Memory: 1}, MaxPods: 1}
	n.Node = "node"
	return &cluster.Cluster{Nodes: []cluster.Node{n}, Edges: edges}
}

func FuzzReadEdges(f *testing.F) {
	for _, text := range []string{
		"from,to,bytes_per_second\na/b,c/d,1\n", "from,to,bytes_per_second,requests_per_second,received_bytes_per_second\na/b,a/b,1,2,3\n",
		"\ufefffrom,to,bytes_per_second\r\n\"a/b\",\"c/d\",0x1p-2\r\n", "from,to,bytes_per_second\na/b,c/d,-Inf", "\"\n", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		edges, err := ReadEdges(strings.NewReader(text), "f.csv")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv:") {
				t.Errorf("an error without the file: %v", err)
			}
			return
		}
		if err := withNode(edges).Validate(); err != nil {
			t.Errorf("%q is accepted: %v", text, err)
		}
		if strings.Count(text, "\n") < len(edges) {
			t.Errorf("%q has %d edges", text, len(edges))
		}
	})
}
