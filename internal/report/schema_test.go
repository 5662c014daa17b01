package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/price"
	"github.com/vicinity-sched/vicinity/internal/report/reporttest"
)

const schemaFile = "../../docs/replay.schema.json"

// racks is the shop with a level that a label tells, networks of known capacity, a node
// without a zone, and pods that do not serve.
func racks() *cluster.Cluster {
	c := shop()
	c.Scale = locality.Scale{{Level: locality.Node + (locality.Zone-locality.Node)/2, Key: "example.com/rack"}}
	for i := range c.Nodes {
		c.Nodes[i].Labels = []string{"rack-a"}
		c.Nodes[i].Bandwidth = 1 << 30
	}
	c.Nodes[0].Zone, c.Nodes[0].Region, c.Nodes[0].Labels = "", "", []string{""}
	return c
}

// recorded is the draft of a report on a recording.
func recordedDraft() Draft {
	d := draftOf(shop(), 2, 0.02, false)
	begin := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	d.Input.From, d.Input.To, d.Input.WarmUpUntil = new(begin), new(begin.Add(time.Hour)), new(begin.Add(time.Minute))
	d.Input.Gaps = 2
	d.Input.LeftOut = []LeftOut{{Source: "istio", Reason: "external", Bytes: 10, BytesPerSecond: 1}}
	for i := range d.Runs {
		d.Runs[i].Timeline = NewTimeline([]*sim.Course{{Moments: []sim.Moment{{At: begin, BytesPerSecond: 100, CrossNode: 10, Pods: 3, Nodes: 2}}}})
	}
	return d
}

// TestSchema checks reports against the JSON Schema: all that they have is in it, all
// that it requires is in them, and it has nothing that no report has.
func TestSchema(t *testing.T) {
	schema := reporttest.Read(t, schemaFile)
	full := draftOf(shop(), 3, 0.02, true)
	full.Rollouts, full.Notes = 3, []string{"a note"}
	list, ok := price.Preset("aws")
	if !ok {
		t.Fatal("there is no preset aws")
	}
	full.Price = &list
	cases := map[string]*Report{
		"with all":            New(routed(shop(), full)),
		"at one moment":       reportOf(shop(), 1, 0.02, false),
		"without a price":     reportOf(shop(), 3, 0, false),
		"without zones":       reportOf(flat(), 1, 0.02, false),
		"without both":        reportOf(flat(), 1, 0, false),
		"without traffic":     reportOf(quiet(), 1, 0, false),
		"with labelled nodes": reportOf(racks(), 2, 0.02, false),
		"of a recording":      New(recordedDraft()),
		"with sites":          New(sitedDraft()),
		"without runs":        New(Draft{}),
	}
	for name, r := range cases {
		var out bytes.Buffer
		if err := r.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		if err := schema.Check(t, out.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty, err := os.ReadFile(filepath.Join("testdata", "empty.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Check(t, empty); err != nil {
		t.Errorf("empty.json: %v", err)
	}
	if unseen := schema.Unseen(); len(unseen) > 0 {
		t.Errorf("no report has %q", unseen)
	}
}

// TestSchemaRefuses breaks a report in one place each.
func TestSchemaRefuses(t *testing.T) {
	schema := reporttest.Read(t, schemaFile)
	firstRun := func(d map[string]any) map[string]any { return d["runs"].([]any)[0].(map[string]any) }
	cases := map[string]func(document map[string]any){
		"another version":         func(d map[string]any) { d["apiVersion"] = "report.vicinity.dev/v3" },
		"another kind":            func(d map[string]any) { d["kind"] = "Graph" },
		"a missing field":         func(d map[string]any) { delete(d, "runs") },
		"a missing field within":  func(d map[string]any) { delete(firstRun(d), "difference") },
		"an unknown field":        func(d map[string]any) { d["schema"] = "vicinity.replay/v1" },
		"an unknown field within": func(d map[string]any) { firstRun(d)["summary"].(map[string]any)["x"] = 1 },
		"no list":                 func(d map[string]any) { d["warnings"] = nil },
		"no whole number":         func(d map[string]any) { d["seeds"] = 1.5 },
		"a number as text":        func(d map[string]any) { d["seeds"] = "1" },
		"no time":                 func(d map[string]any) { d["input"].(map[string]any)["from"] = "yesterday" },
		"an unknown routing":      func(d map[string]any) { firstRun(d)["routing"] = "tomorrow" },
		"a number for an estimate": func(d map[string]any) {
			firstRun(d)["summary"].(map[string]any)["headroom"] = 1
		},
		"an estimate for a number": func(d map[string]any) {
			firstRun(d)["perSeed"].([]any)[0].(map[string]any)["headroom"] = map[string]any{"mean": 1, "interval": 0, "runs": 1}
		},
	}
	var out bytes.Buffer
	if err := New(recordedDraft()).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	for name, damage := range cases {
		var document map[string]any
		if err := json.Unmarshal(out.Bytes(), &document); err != nil {
			t.Fatal(err)
		}
		damage(document)
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Check(t, text); err == nil {
			t.Errorf("%s is permitted", name)
		}
	}
}
