package recording

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	manifestText = `{"format":"vicinity.recording/v1","from":"2026-11-23T21:00:00Z","to":"2026-11-23T21:03:00Z","step":"1m","complete":true}`
	objectsText  = `{"type":"BOOKMARK","time":"2026-11-23T21:00:00Z"}
{"type":"ADDED","time":"2026-11-23T21:00:30Z","object":{"kind":"Pod"}}
{"type":"BOOKMARK","time":"2026-11-23T21:03:00Z","steps":3}
`
	edgesText = `# TYPE vicinity_recording_observed_seconds counter
vicinity_recording_observed_seconds_total 0 1795467600
vicinity_recording_observed_seconds_total 60 1795467660
vicinity_recording_observed_seconds_total 60 1795467720
vicinity_recording_observed_seconds_total 120 1795467780
# TYPE vicinity_edge_sent_bytes counter
vicinity_edge_sent_bytes_total{EDGE} 1000 1795467600
vicinity_edge_sent_bytes_total{EDGE} 1600 1795467660
vicinity_edge_sent_bytes_total{EDGE} 1600 1795467720
vicinity_edge_sent_bytes_total{EDGE} 2800.0 1795467780.000
# EOF
`
	labelsText = `source_namespace="shop",source_workload="web",destination_namespace="shop",destination_workload="db"`
)

// written makes a recording of one part. The three texts may have been changed.
func written(manifest, objects, edges string) *memory {
	m := &memory{names: []string{ManifestName, "objects-2026-11-23T21-00-00.jsonl", "edges-2026-11-23T21-00-00.om"}, content: map[string][]byte{}}
	for i, text := range []string{manifest, objects, strings.ReplaceAll(edges, "EDGE", labelsText)} {
		m.content[m.names[i]] = []byte(text)
	}
	return m
}

// told is what steps say, one word each.
func told(steps []*Step) string {
	var words []string
	for _, s := range steps {
		word := "-"
		if s.Gap {
			word = "gap"
		}
		for _, e := range s.Edges {
			word = fmt.Sprintf("%s-%s:%v/%v/%v", e.From.Name, e.To.Name, e.SentBytesPerSecond, e.ReceivedBytesPerSecond, e.RequestsPerSecond)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestReader(t *testing.T) {
	const whole = "web-db:10/0/0 gap web-db:20/0/0"
	change := func(text, old, with string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not in the text", old)
		}
		return strings.Replace(text, old, with, 1)
	}
	edges := func(old, with string) *memory {
		return written(manifestText, objectsText, change(edgesText, old, with))
	}
	objects := func(old, with string) *memory {
		return written(manifestText, change(objectsText, old, with), edgesText)
	}
	manifest := func(old, with string) *memory {
		return written(change(manifestText, old, with), objectsText, edgesText)
	}
	cases := map[string]struct {
		in                      *memory
		want, warning, wantsErr string
	}{
		"as it should be":          {in: edges("# EOF", "# EOF"), want: whole},
		"labels in another order":  {in: edges("{EDGE} 1000", `{destination_workload="db",source_workload="web",source_namespace="shop",destination_namespace="shop"} 1000`), want: whole},
		"goes down":                {in: edges("2800.0", "60"), want: "web-db:10/0/0 gap web-db:1/0/0", warning: "a counter goes down; it counts from zero again: edges-2026-11-23T21-00-00.om:10"},
		"not a number":             {in: edges("1600 1795467720", "NaN 1795467720"), want: whole, warning: "samples of an edge that are negative or no number are passed over: edges-2026-11-23T21-00-00.om:9"},
		"negative":                 {in: edges("2800.0", "-1"), want: "web-db:10/0/0 gap -", warning: "negative or no number"},
		"infinite":                 {in: edges("2800.0", "+Inf"), want: "web-db:10/0/0 gap -", warning: "negative or no number"},
		"too fast":                 {in: edges("2800.0", "1e30"), want: "web-db:10/0/0 gap -", warning: "a rate above 1e12"},
		"rises in a gap":           {in: edges("1600 1795467720", "1700 1795467720"), want: "web-db:10/0/0 gap web-db:18.333333333333332/0/0", warning: "rises where nothing was observed"},
		"a sample is missing":      {in: edges("vicinity_edge_sent_bytes_total{EDGE} 1600 1795467660\n", ""), want: "web-db:10/0/0 gap web-db:20/0/0", warning: "samples of an edge are missing"},
		"between steps":            {in: edges("1600 1795467720", "1600 1795467721"), want: whole, warning: "at no end of a step"},
		"twice":                    {in: edges("vicinity_edge_sent_bytes_total{EDGE} 1600 1795467720\n", strings.Repeat("vicinity_edge_sent_bytes_total{EDGE} 1600 1795467720\n", 2)), want: whole, warning: "a sample stands twice"},
		"differ":                   {in: edges("1600 1795467720", "1600 1795467720\nvicinity_edge_sent_bytes_total{EDGE} 1 1795467720"), want: whole, warning: "two samples at the same time differ"},
		"back in time":             {in: edges("1600 1795467720", "1600 1795467720\nvicinity_edge_sent_bytes_total{EDGE} 1 1795467600"), want: whole, warning: "go back in time"},
		"another metric":           {in: edges("# TYPE vicinity_edge_sent", "up 1 1795467720\n# TYPE vicinity_edge_sent"), want: whole, warning: "a metric that is none of a recording"},
		"more labels":              {in: edges("{EDGE} 2800.0", `{EDGE,x="y"} 2800.0`), want: "web-db:10/0/0 gap -", warning: "labels are not those of an edge"},
		"a label twice":            {in: edges("{EDGE} 2800.0", `{EDGE,source_workload="web"} 2800.0`), want: "web-db:10/0/0 gap -", warning: "labels are not those of an edge"},
		"no labels":                {in: edges("{EDGE} 2800.0", ` 2800.0`), want: "web-db:10/0/0 gap -", warning: "labels are not those of an edge"},
		"no name":                  {in: edges("{EDGE} 2800.0", `{source_namespace="",source_workload="",destination_namespace="",destination_workload="db"} 2800.0`), want: "web-db:10/0/0 gap -", warning: "names no workload"},
		"no timestamp":             {in: edges("2800.0 1795467780.000", "2800.0"), wantsErr: "edges-2026-11-23T21-00-00.om:10: must have a value and a timestamp"},
		"exemplar":                 {in: edges("1795467780.000", "1795467780 # {} 1"), wantsErr: ".om:10: must have a value"},
		"value is text":            {in: edges("2800.0", "many"), wantsErr: `.om:10: value "many" is no number`},
		"hexadecimal":              {in: edges("2800.0", "0x10"), wantsErr: `value "0x10" is no number`},
		"open label":               {in: edges("{EDGE} 2800.0", `{source_workload="web} 2800.0`), wantsErr: "labels without an end"},
		"wrong escape":             {in: edges("{EDGE} 2800.0", `{source_workload="w\eb"} 2800.0`), wantsErr: "wrong escape"},
		"empty line":               {in: edges("# EOF", "\n# EOF"), wantsErr: "no sample"},
		"after the end":            {in: edges("# EOF", "# EOF\n# EOF"), wantsErr: ".om:12: a line after # EOF"},
		"no frame":                 {in: written(manifestText, objectsText, "vicinity_edge_sent_bytes_total{EDGE} 1 1795467600\n# EOF\n"), wantsErr: "must come first"},
		"nothing":                  {in: written(manifestText, objectsText, "# EOF\n"), wantsErr: "no vicinity_recording_observed_seconds_total"},
		"frame goes back":          {in: edges("60 1795467720", "60 1795467660"), wantsErr: "goes back in time"},
		"frame goes down":          {in: edges("_total 60 1795467720", "_total 59 1795467720"), wantsErr: "goes down"},
		"other steps":              {in: objects(`"steps":3`, `"steps":4`), wantsErr: "has 3 steps; the BOOKMARK of its objects file says 4"},
		"other times":              {in: objects("21:03:00", "21:02:59"), wantsErr: "its times are not those"},
		"older event":              {in: objects("21:00:30", "20:00:30"), want: whole, warning: "an event is older than the one before; it is taken at the time of that one: objects-2026-11-23T21-00-00.jsonl:2"},
		"no bookmark":              {in: objects(`{"type":"BOOKMARK","time":"2026-11-23T21:00:00Z"}`+"\n", ""), wantsErr: "jsonl:1: an event of type \"ADDED\"; the first must be a BOOKMARK"},
		"unknown event":            {in: objects("ADDED", "ERROR"), wantsErr: `jsonl:2: an event of type "ERROR"`},
		"no object":                {in: objects(`{"kind":"Pod"}`, `[]`), wantsErr: "jsonl:2: an event of type ADDED without an object"},
		"no JSON":                  {in: objects(`{"kind":"Pod"}`, `{`), wantsErr: "jsonl:2: no event"},
		"a huge line":              {in: objects(`{"kind":"Pod"}`, `{"kind":"`+strings.Repeat("x", maxLine)+`"}`), wantsErr: "jsonl:2: a line of more than 8 MiB"},
		"ends later":               {in: objects("21:03:00", "21:04:00"), want: whole + " gap"},
		"begins elsewhere":         {in: objects(`"2026-11-23T21:00:00Z"`, `"2026-11-23T21:00:01Z"`), warning: "files before it are missing; the recording is read up to 2026-11-23T21:00:00Z"},
		"more is promised":         {in: manifest("21:03:00", "21:05:00"), want: whole, warning: "files are missing at the end"},
		"no end":                   {in: manifest(`"to":"2026-11-23T21:03:00Z",`, ""), want: whole, warning: "the recording has no end"},
		"another version":          {in: manifest("recording/v1", "recording/v2"), wantsErr: `manifest.json: format "vicinity.recording/v2": this version reads v1`},
		"another file altogether":  {in: manifest("vicinity.recording/v1", "x"), wantsErr: "must be vicinity.recording/v1"},
		"a step that is a number":  {in: manifest(`"1m"`, `1`), wantsErr: "manifest.json: step: cannot be JSON of the kind number"},
		"from that is no time":     {in: manifest(`"2026-11-23T21:00:00Z"`, `"noon"`), wantsErr: "manifest.json: noon: must be a time such as"},
		"event that is a number":   {in: objects(`"ADDED"`, `3`), wantsErr: "jsonl:2: no event: type: cannot be JSON of the kind number"},
		"no step":                  {in: manifest(`"1m"`, `"0"`), wantsErr: "step: must be a positive duration"},
		"the end before the start": {in: manifest("21:03:00", "20:03:00"), wantsErr: "must not be before from"},
		"a manifest of noise":      {in: written(strings.Repeat(" ", maxManifest+1), "", ""), wantsErr: "manifest.json: larger than"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			steps, warnings, err := readAll(tc.in.files())
			if tc.wantsErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantsErr) {
					t.Errorf("error %v, want one with %q", err, tc.wantsErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, told(steps)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			var texts []string
			for _, w := range warnings {
				texts = append(texts, w.String())
			}
			if got := strings.Join(texts, "\n"); !strings.Contains(got, tc.warning) || (got == "") != (tc.warning == "") {
				t.Errorf("warnings %q, want %q", got, tc.warning)
			}
		})
	}
}

func TestFirstFile(t *testing.T) {
	cases := map[string]struct {
		names []string
		want  string
	}{
		"nothing":      {nil, "no manifest.json; a recording begins with it"},
		"no manifest":  {[]string{"objects-2026-11-23T21-00-00.jsonl"}, `begins with "objects-2026-11-23T21-00-00.jsonl"`},
		"some folders": {[]string{"x"}, "begins with \"x\""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAll(&memoryFiles{memory: &memory{}, names: tc.names})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestInOrder(t *testing.T) {
	got := InOrder([]string{
		"edges-2026-11-23T21-00-00.om", "edges-2026-11-23T21-10-00.om", "manifest.json", "objects-2026-11-23T21-10-00.jsonl", ".x.partial",
		"objects-2026-11-23T21-00-00.jsonl", "objects-2026-11-23.jsonl", "README",
	})
	want := []string{
		"manifest.json", "objects-2026-11-23T21-00-00.jsonl", "edges-2026-11-23T21-00-00.om",
		"objects-2026-11-23T21-10-00.jsonl", "edges-2026-11-23T21-10-00.om",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLeftOutTravels: what was left out of a recording comes back with its reader.
func TestLeftOutTravels(t *testing.T) {
	m := &memory{}
	w, err := NewWriter(m, Manifest{From: begin, Step: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	want := []LeftOut{{"istio", "external", 3e6, 1e4}, {"istio", "missing-label", 300, 1}}
	for _, l := range want {
		w.LeaveOut(l)
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(m.files())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.Manifest().LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	var bad Manifest
	text := `{"format":"vicinity.recording/v1","from":"2026-01-01T00:00:00Z","step":"1m0s","leftOut":[{"bytes":1},{"bytes":-1}]}`
	if err := json.Unmarshal([]byte(text), &bad); err == nil || !strings.Contains(err.Error(), "leftOut[1]: bytes must not be negative") {
		t.Errorf("error %v", err)
	}
}
