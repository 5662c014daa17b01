package filekind

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tarOf is an archive with one file of zeros under a name.
func tarOf(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, content []byte) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOf(t *testing.T) {
	const klog = "E1128 10:00:00.123456   12345 memcache.go:287] couldn't get resource list for metrics.k8s.io/v1beta1"
	long := `"items": [` + strings.Repeat(`{"kind": "Pod"}, `, HeadBytes/10)
	cases := map[string]struct {
		head string
		kind Kind
		says []string // in What or Next
	}{
		"nothing":                 {"", Empty, nil},
		"blank":                   {"\ufeff \n", Empty, nil},
		"some text":               {"hello", Unknown, nil},
		"an array":                {"[1]", Unknown, nil},
		"another object":          {`{"a": {"kind": "List"}}`, Unknown, nil},
		"kubectl list":            {`{"apiVersion": "v1", "kind": "List", "items": []}`, KubernetesObjects, []string{"--cluster FILE"}},
		"sorted keys":             {`{"apiVersion": "v1", ` + long, KubernetesObjects, nil},
		"list in YAML":            {"apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Node\nkind: List\n", KubernetesObjects, nil},
		"several documents":       {"---\n# nodes\napiVersion: v1\nkind: Node\n---\nkind: TelemetryConfiguration\n", KubernetesObjects, nil},
		"kubeconfig":              {"apiVersion: v1\nkind: Config\n", Kubeconfig, nil},
		"scheduler config":        {"apiVersion: kubescheduler.config.k8s.io/v1 # a comment\nkind: \"KubeSchedulerConfiguration\"\n", SchedulerConfiguration, []string{"--scheduler-config", "--config"}},
		"telemetry config":        {"apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\n", TelemetryConfiguration, []string{"--telemetry-config"}},
		"telemetry config, JSON":  {`{"kind":"TelemetryConfiguration"}`, TelemetryConfiguration, nil},
		"misspelt config":         {"apiVersion: config.vicinity.dev/v1\nkind: TelemtryConfiguration\n", Unknown, nil},
		"graph":                   {"{\n  \"schema\": \"vicinity.graph/v1\",\n  \"edges\": [", GraphJSON, []string{"edge list", "docs/replay.md"}},
		"report":                  {`{"schema": "vicinity.replay/v1"}`, ReplayJSON, nil},
		"report of version 2":     {`{"apiVersion": "report.vicinity.dev/v2", "kind": "Replay"}`, ReplayJSON, []string{"the input that the report was made from"}},
		"manifest":                {`{"format": "vicinity.recording/v1"}`, RecordingPart, []string{"vicinity replay DIR"}},
		"events":                  {`{"type":"BOOKMARK","time":"2026-11-23T21:00:00Z"}` + "\n", RecordingPart, nil},
		"edges of a recording":    {"# TYPE vicinity_edge_sent_bytes counter\n", RecordingPart, nil},
		"metrics":                 {"# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n", MetricsText, nil},
		"answer":                  {`{"status":"success","data":{"resultType":"vector"}}`, PrometheusAnswer, []string{"vicinity record"}},
		"error answer":            {`{"status":"error","errorType":"bad_data"}`, PrometheusAnswer, nil},
		"ByteDance":               {`{"ServiceList": [`, ByteDance, nil},
		"edge list":               {"from,to,bytes_per_second\n", EdgeList, []string{".csv"}},
		"edge list of semicolons": {"\"from\";\"to\";\"bytes_per_second\"\n", EdgeList, nil},
		"assignment":              {"workload,node,pods\n", Assignment, []string{"--assignment NAME=FILE"}},
		"machines":                {"service,machine,pods\n", Assignment, nil},
		"table":                   {"NAMESPACE     NAME    READY   STATUS\n", KubectlTable, []string{"-o json"}},
		"page":                    {"<!doctype html>\n<html lang=\"en\">", HTML, []string{"login"}},
		"our page":                {"<!doctype html>\n<html lang=\"en\" data-kind=\"replay\">", HTML, []string{"vicinity wrote"}},
		"klog":                    {klog + "\n{\n", LogLines, []string{klog, "delete this line", "2>&1"}},
		"two lines":               {"Warning: v1 ComponentStatus is deprecated in v1.19+\n" + klog + "\napiVersion: v1\n", LogLines, []string{`"Warning: v1 ComponentStatus is deprecated in v1.19+"`, "delete the 2 lines"}},
		"only an error":           {"Error from server (Forbidden): pods is forbidden\n", LogLines, []string{"Forbidden", "run the command again"}},
		"a long line":             {"Warning: " + strings.Repeat("é", 1000) + "\n{", LogLines, []string{`é..."`}},
		"UTF-16":                  {"\xff\xfe{\x00", UTF16, []string{"iconv -f UTF-16"}},
		"big-endian, no mark":     {"\x00f\x00r\x00o", UTF16, nil},
		"gzip":                    {zipped(t, []byte(`{"kind": "List"}`)), Compressed, []string{"gunzip FILE"}},
		"tar.gz":                  {zipped(t, tarOf(t, "data/wal/0", 10)), Archive, []string{"tar -xzf FILE"}},
		"recording.tar.gz":        {zipped(t, tarOf(t, "./edges-2026-11-28T18-59-13.om", 10)), Archive, []string{"a recording", "vicinity replay recording"}},
		"large tar.gz, cut off":   {zipped(t, tarOf(t, "manifest.json", 1<<20))[:700], Archive, []string{"a recording"}},
		"tar":                     {string(tarOf(t, "data/wal/0", 10)), Archive, []string{"tar -xf FILE"}},
		"zstd":                    {"\x28\xb5\x2f\xfd", Compressed, []string{"unzstd FILE"}},
		"spreadsheet":             {"PK\x03\x04", Archive, []string{"CSV"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := Of([]byte(c.head))
			if f.Kind != c.kind || (f.What == "") != (c.kind == Unknown) || (f.Next == "") != (c.kind == Unknown) {
				t.Fatalf("%+v, want kind %d", f, c.kind)
			}
			for _, text := range c.says {
				if !strings.Contains(f.What+"\n"+f.Next, text) && !strings.Contains(f.What+"\n"+f.Next, strings.ReplaceAll(text, `"`, `\"`)) {
					t.Errorf("%+v, want it to say %s", f, text)
				}
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	telemetry := Of([]byte("kind: TelemetryConfiguration"))
	if err := telemetry.Refuse("t.yaml", "a TelemetryConfiguration", Empty, TelemetryConfiguration); err != nil {
		t.Errorf("%v; it is accepted", err)
	}
	for f, want := range map[File]string{
		{}:                      "",
		telemetry:               "t.yaml: the file is a TelemetryConfiguration, not an edge list; give it with --telemetry-config",
		Of(nil):                 "t.yaml: the file is empty, want an edge list; check the command that wrote it",
		Of([]byte("BZh9")):      "t.yaml: the file is compressed with bzip2, not an edge list; decompress it first: bunzip2 t.yaml",
		Of([]byte("error: no")): `t.yaml:1: the file begins with a message of the program that wrote it, "error: no"; run the command again and look at what it says`,
	} {
		if err := f.Refuse("t.yaml", "an edge list"); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// endless repeats a text.
type endless string

// Read implements io.Reader.
func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }

func TestReadFrom(t *testing.T) {
	for name, tc := range map[string]struct {
		in            io.Reader
		want, wantErr string
	}{
		"small":            {strings.NewReader("a: b"), "a: b", ""},
		"without end":      {endless("\x00"), "", "in: the file is binary data, not a price; check that it is the right file"},
		"large, and known": {io.MultiReader(strings.NewReader("from,to,bytes_per_second\n"), endless("a/b,c/d,1\n")), "", "in: the file is an edge list (CSV), not a price; "},
		"accepted":         {io.MultiReader(strings.NewReader("{\"kind\": \"List\", \"apiVersion\": \"v1\""), endless(" ")), "", "in: is larger than 16 MiB, want a price"},
	} {
		data, err := ReadFrom(tc.in, "in", "a price", KubernetesObjects)
		if string(data) != tc.want || (err == nil) != (tc.wantErr == "") || err != nil && !strings.HasPrefix(err.Error(), tc.wantErr) {
			t.Errorf("%s: %q, %v, want %q, %q", name, data, err, tc.want, tc.wantErr)
		}
	}
}

func TestDescribe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.json")
	if err := os.WriteFile(path, []byte(`{"schema": "vicinity.graph/v1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Describe(path); !strings.HasPrefix(got, path+" (the JSON output of vicinity graph; convert it to an edge list") {
		t.Errorf("described as %s", got)
	}
	for _, other := range []string{t.TempDir(), "mesh:star", path + ".none"} {
		if got := Describe(other); got != other {
			t.Errorf("%s is described as %s", other, got)
		}
	}
}

func FuzzOf(f *testing.F) {
	for _, text := range []string{"", `{"apiVersion": "v1", "items": [`, "kind: List\n", "\x1f\x8b", "Warning: a\n{", "a\tb"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		if file := Of(head); (file.Kind == Unknown) != (file == File{}) {
			t.Errorf("%+v", file)
		}
	})
}
