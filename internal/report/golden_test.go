package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// TestGoldenJSON compares the JSON of a report with three runs, which is thousands
// of lines long, in parts that a person can review:
//
//	outline.json  the fields of the report and of its runs, without large values
//	summary.txt   every figure of each run, and its difference from the baseline
//	seeds.txt     every figure of each seed
//	changes.json  the edges and workloads whose traffic changes most
//	advice.json   the advice about trafficDistribution
//	run.json      one whole run of a cluster without zones and without a price
//
// The tables have one row for each path in the JSON.
func TestGoldenJSON(t *testing.T) {
	d := draftOf(shop(), 3, 0.02, false)
	d.Assumed = []Route{{Service: "shop/cart", TrafficDistribution: "PreferSameNode", Services: 1}, {Service: "all", TrafficDistribution: "Any", Services: 4}}
	large := New(d)
	text, report := jsonOf(t, large)
	golden(t, "outline.json", oneLineEach(outline(text, "summary", "difference", "perSeed", "edgeChanges", "workloadChanges", "assignment", "routingAdvice", "routingTotals")))
	golden(t, "advice.json", oneLineEach(indented(t, report.RoutingAdvice)))

	summary, seeds := table{}, table{}
	for _, run := range report.Runs {
		summary.add(run.Name, "", run.Summary)
		if run.Difference != nil {
			summary.add(run.Name+"-"+large.Baseline, "", run.Difference)
		}
		for i, seed := range run.PerSeed {
			seeds.add(fmt.Sprintf("%s[%d]", run.Name, i), "", seed)
		}
	}
	golden(t, "summary.txt", summary.text())
	golden(t, "seeds.txt", seeds.text())

	gain := report.Runs[2]
	golden(t, "changes.json", oneLineEach(append(indented(t, gain.EdgeChanges), indented(t, gain.WorkloadChanges)...)))

	d = draftOf(flat(), 1, 0, false)
	d.Baseline, d.Runs = "", d.Runs[:1]
	text, _ = jsonOf(t, New(d))
	golden(t, "run.json", oneLineEach(outline(text, "input")))
}

// parts are what golden files hold of a report's JSON.
type parts struct {
	Runs []struct {
		Name                         string
		Summary, Difference          any
		PerSeed                      []any
		EdgeChanges, WorkloadChanges json.RawMessage
	}
	RoutingAdvice json.RawMessage
}

func jsonOf(t *testing.T, r *Report) (text []byte, p parts) {
	t.Helper()
	var out, again bytes.Buffer
	if err := errors.Join(r.WriteJSON(&out), r.WriteJSON(&again)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("written twice, the JSON is not the same")
	}
	numbersAsWritten := json.NewDecoder(bytes.NewReader(out.Bytes()))
	numbersAsWritten.UseNumber()
	if err := numbersAsWritten.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), p
}

// outline replaces the objects and lists of some fields in indented JSON by dots.
func outline(text []byte, fields ...string) []byte {
	var out bytes.Buffer
	end := ""
	for line := range strings.Lines(string(text)) {
		content := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(content)]
		name, _, _ := strings.Cut(strings.TrimPrefix(content, `"`), `"`)
		switch opening := strings.HasSuffix(content, "{\n") || strings.HasSuffix(content, "[\n"); {
		case end != "" && strings.HasPrefix(line, end+"}"), end != "" && strings.HasPrefix(line, end+"]"):
			out.WriteString("..." + content)
			end = ""
		case end == "" && opening && slices.Contains(fields, name):
			out.WriteString(strings.TrimSuffix(line, "\n"))
			end = indent
		case end == "":
			out.WriteString(line)
		}
	}
	return out.Bytes()
}

var innermost = regexp.MustCompile(`[{\[][^{}\[\]]*[}\]]`)

// oneLineEach puts objects and lists that hold no others onto one line each.
func oneLineEach(text []byte) []byte {
	return innermost.ReplaceAllFunc(text, func(object []byte) []byte {
		return bytes.Join(bytes.Fields(object), []byte(" "))
	})
}

// indented is the JSON of a part as if it stood alone.
func indented(t *testing.T, part json.RawMessage) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, part, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// table has the values of several JSON objects side by side.
type table struct {
	columns []string
	rows    map[string]map[string]string // path in the object and column
}

// add adds a column for a decoded value, the value at the path.
func (b *table) add(column, path string, value any) {
	if b.rows == nil {
		b.rows = map[string]map[string]string{}
	}
	if !slices.Contains(b.columns, column) {
		b.columns = append(b.columns, column)
	}
	object, isObject := value.(map[string]any)
	_, isEstimate := object["interval"]
	if isObject && !isEstimate {
		for name, inner := range object {
			b.add(column, strings.TrimPrefix(path+"."+name, "."), inner)
		}
		return
	}
	text := fmt.Sprint(value)
	if isEstimate {
		text = fmt.Sprintf("%v ±%v (%v)", object["mean"], object["interval"], object["runs"])
	}
	if b.rows[path] == nil {
		b.rows[path] = map[string]string{}
	}
	b.rows[path][column] = text
}

// text has a row for each path; what a column does not have is a dash.
func (b *table) text() []byte {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PATH\t"+strings.Join(b.columns, "\t"))
	for _, path := range slices.Sorted(maps.Keys(b.rows)) {
		fmt.Fprint(w, path)
		for _, column := range b.columns {
			text, has := b.rows[path][column]
			if !has {
				text = "-"
			}
			fmt.Fprint(w, "\t"+text)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	return out.Bytes()
}
