package replayinput

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// utf16Text is a text as PowerShell writes it.
func utf16Text(text string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

// TestWrongTables reads edge lists that are something else, or are written otherwise.
func TestWrongTables(t *testing.T) {
	const edges = "from,to,bytes_per_second\nshop/web,shop/cart,20000\n"
	cases := map[string]struct{ text, want string }{
		"semicolons":        {strings.ReplaceAll(edges, ",", ";"), "f.csv:1: fields are separated by semicolons instead of commas; save the file as comma-separated CSV, with a point in decimal numbers"},
		"quoted semicolons": {"\n\"from\";\"to\";\"bytes_per_second\"\r\n", "f.csv:2: fields are separated by semicolons instead of"},
		"tabs":              {strings.ReplaceAll(edges, ",", "\t"), "f.csv:1: fields are separated by tabs instead of commas"},
		"tabs, with a BOM":  {"\ufeff" + strings.ReplaceAll(edges, ",", "\t"), "f.csv:1: fields are separated by tabs instead of commas"},
		"tabs in a row":     {"from,to,bytes_per_second\nshop/web\tshop/cart\t20000\n", "f.csv:2: the line has 1 fields, the header has 3; it is separated by tabs instead of commas"},
		"semicolons in one": {"from,to,bytes_per_second\nshop/web;shop/cart;20000\n", "f.csv:2: the line has 1 fields, the header has 3; it is separated by semicolons instead of commas"},
		"UTF-16":            {utf16Text(edges), "f.csv:1: the file is UTF-16 (PowerShell's > and \"Unicode text\" of a spreadsheet write it), want UTF-8; convert it: iconv -f UTF-16 -t UTF-8 f.csv > utf8-file"},
		"Latin-1":           {"from,to,bytes_per_second\nshop/caf\xe9,shop/db,1\n", "f.csv:2: the line is not UTF-8 (byte 9 is 0xe9); convert the file, such as with iconv"},
		"old Mac":           {strings.ReplaceAll(edges, "\n", "\r"), "f.csv:1: lines end in carriage returns instead of line feeds"},
		"no header":         {"shop/web,shop/cart,20000\n", `f.csv:1: the first line must be the header from,to,bytes_per_second (found "shop/web,shop/cart,20000")`},
		"an assignment":     {"workload,node,pods\nshop/web,n1,1\n", "f.csv: the file is an assignment (CSV), not an edge list (CSV); give it with --assignment NAME=f.csv"},
		"objects":           {`{"apiVersion": "v1", "kind": "List", "items": []}`, "f.csv: the file is a list of Kubernetes objects, not an edge list (CSV); give it with --cluster"},
		"an edge list":      {edges, ""},
		"with a BOM":        {"\ufeff" + strings.ReplaceAll(edges, "\n", "\r\n"), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ReadEdges(strings.NewReader(c.text), "f.csv")
			switch {
			case c.want == "" && (err != nil || len(got) != 1):
				t.Errorf("%v, %v; want one edge", got, err)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestWrongAssignment(t *testing.T) {
	_, _, err := ReadAssignment(strings.NewReader("from,to,bytes_per_second\n"), "f.csv", &cluster.Cluster{})
	if want := "f.csv: the file is an edge list (CSV), not an assignment (CSV); give it as INPUT"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestWrongInput reads what is no cluster of ByteDance's.
func TestWrongInput(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"graph":       {`{"schema": "vicinity.graph/v1", "total": {}}`, "f: the file is the JSON output of vicinity graph, not an input of vicinity replay; convert it to an edge list"},
		"report":      {`{"schema": "vicinity.replay/v1", "runs": []}`, "f: the file is a report of vicinity replay, not an input of vicinity replay; give the input"},
		"objects":     {"apiVersion: v1\nkind: List\nitems: []\n", "f: the file is a list of Kubernetes objects, not an input of vicinity replay; give it with --cluster, beside the traffic: vicinity replay EDGES.csv --cluster f"},
		"edges":       {"from,to,bytes_per_second\n", "f: the file is an edge list (CSV), not an input of vicinity replay; give it as INPUT under a name that ends in .csv"},
		"telemetry":   {"kind: TelemetryConfiguration\n", "f: the file is a TelemetryConfiguration, not an input of vicinity replay; give it with --telemetry-config"},
		"page":        {"<!DOCTYPE html>\n<html><title>Sign in</title>", "f: the file is an HTML page, not an input of vicinity replay; it may be a login"},
		"some text":   {"hello", "f: the file is no input of vicinity replay, which takes a recording"},
		"empty":       {"\n", "f: the file is empty, want an input of vicinity replay; check the command"},
		"other JSON":  {`{"a": 1}`, "f: the file has no ServiceList or no MachineList"},
		"broken JSON": {"{\n\"a\" 1}", "f:2: invalid character '1' after object key"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, _, err := ReadByteDance(strings.NewReader(c.text), "f"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestUnknownNames(t *testing.T) {
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	c := &cluster.Cluster{Workloads: []cluster.Workload{{ID: id("web")}, {ID: id("cart")}}}
	edge := func(from, to string) flowgraph.Edge { return flowgraph.Edge{From: id(from), To: id(to)} }
	cases := map[string]struct {
		edges []flowgraph.Edge
		want  []string // begins the only warning
	}{
		"none":  {[]flowgraph.Edge{edge("web", "cart")}, nil},
		"one":   {[]flowgraph.Edge{edge("web", "cart-v1"), edge("cart-v1", "cart")}, []string{"1 of 3 names in the edges is no workload of the cluster (shop/cart-v1): their traffic counts as external; "}},
		"three": {[]flowgraph.Edge{edge("c", "b"), edge("a", "web")}, []string{"3 of 4 names in the edges are no workloads of the cluster (shop/a, shop/b, shop/c): "}},
		"many":  {[]flowgraph.Edge{edge("e", "d"), edge("c", "b"), edge("a", "web")}, []string{"5 of 6 names in the edges are no workloads of the cluster (shop/a, shop/b, shop/c and 2 more): "}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := UnknownNames(tc.edges, c)
			for i := range min(len(got), len(tc.want)) {
				got[i] = got[i][:min(len(got[i]), len(tc.want[i]))]
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
