package objects

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

// names lists what is held as "kind namespace/name".
func names(o *Objects) []string {
	var all []string
	table := NewTable()
	for _, object := range o.All(func(*Kind) bool { return true }) {
		meta, _ := object.(metav1.Object)
		all = append(all, strings.ToLower(table.KindOf(object).Kind)+" "+kube.FullName(meta.GetNamespace(), meta.GetName()))
	}
	return all
}

func lines(warnings []Warning) []string {
	var all []string
	for _, w := range warnings {
		all = append(all, w.String())
	}
	return all
}

const (
	klogLine = "E1128 10:00:00.123456   12345 memcache.go:287] couldn't get resource list"
	jsonNode = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}`
	jsonPod  = `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"web-1"}}`
)

func TestReadObjects(t *testing.T) {
	cases := map[string]struct {
		input        string
		want         []string
		wantWarnings []string
	}{
		"List": {
			input: `{"apiVersion":"v1","items":[` + jsonNode + `,` + jsonPod + `],"kind":"List","metadata":{"resourceVersion":""}}`,
			want:  []string{"node n1", "pod shop/web-1"},
		},
		"every kind that is read": {
			input: `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: n1}}
- {apiVersion: v1, kind: Pod, metadata: {namespace: x, name: a}}
- {apiVersion: v1, kind: Service, metadata: {namespace: x, name: b}}
- {apiVersion: v1, kind: Namespace, metadata: {name: x}}
- {apiVersion: v1, kind: ReplicationController, metadata: {namespace: x, name: c}}
- {apiVersion: apps/v1, kind: ReplicaSet, metadata: {namespace: x, name: d}}
- {apiVersion: apps/v1, kind: StatefulSet, metadata: {namespace: x, name: e}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {namespace: x, name: f}}
- {apiVersion: apps/v1, kind: DaemonSet, metadata: {namespace: x, name: g}}
- {apiVersion: networking.istio.io/v1alpha3, kind: DestinationRule, metadata: {namespace: x, name: h}, spec: {host: h}}
`,
			want: []string{
				"node n1", "namespace x", "service x/b", "replicationcontroller x/c", "deployment x/f",
				"replicaset x/d", "statefulset x/e", "daemonset x/g", "destinationrule x/h", "pod x/a",
			},
		},
		"documents one after the other": {
			input: jsonNode + "\n" + `{"apiVersion":"v1","kind":"List","items":[` + jsonPod + `]}` + jsonNode,
			want:  []string{"node n1", "node n1", "pod shop/web-1"},
		},
		"answer of an API server, items without a kind": {
			input: `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"namespace":"shop","name":"web-1"}}]}`,
			want:  []string{"pod shop/web-1"},
		},
		"empty lists":               {input: `{"kind":"List","apiVersion":"v1","items":[]}{"kind":"PodList","apiVersion":"v1","items":null}`},
		"kind behind what it names": {input: `{"metadata":{"name":"n1"},"kind":"Node","apiVersion":"v1"}`, want: []string{"node n1"}},
		"byte order mark and space": {input: "\xef\xbb\xbf \r\n\t" + jsonNode + "\n\n", want: []string{"node n1"}},
		"YAML documents": {
			input: "# from kubectl\n---\napiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n---\n# nothing\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop}",
			want:  []string{"node n1", "pod shop/web-1"},
		},
		"no namespace": {input: `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-1"}}`, want: []string{"pod default/web-1"}},
		"kinds that are not read": {
			input: `{"kind":"List","items":[` +
				`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"namespace":"shop","name":"db-0"}},` +
				`{"apiVersion":"extensions/v1beta1","kind":"Deployment","metadata":{"namespace":"shop","name":"old"}},` +
				`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"namespace":"shop","name":"db-1"}},` +
				`{"apiVersion":"v1","kind":"\u001b[31m","metadata":{"name":"\u0007"}}]}`,
			wantWarnings: []string{
				"a replay does not look at v1 PersistentVolumeClaim: 2, the first is shop/db-0",
				"a replay does not look at extensions/v1beta1 Deployment: shop/old",
				`a replay does not look at v1 "\x1b[31m": "\a"`,
			},
		},
		"kinds of a recording that are not read": {
			input: `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"namespace":"shop","name":"db"}}` + jsonNode +
				`{"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":"high"}}`,
			want: []string{"node n1"},
		},
		"items of something else": {
			input:        `{"apiVersion":"x/v1","kind":"Menu","metadata":{"namespace":"shop","name":"lunch"},"items":[1]}`,
			wantWarnings: []string{"a replay does not look at x/v1 Menu: shop/lunch"},
		},
		"a version that looks like a large number": {
			input: `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"commit":"8e10234"}}}`,
			want:  []string{"node n1"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, warnings, err := ReadObjects(strings.NewReader(tc.input), "f")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, names(o)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, lines(warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadObjectsErrors(t *testing.T) {
	long := strings.Repeat("x", maxObject)
	cases := map[string]struct{ input, want string }{
		"empty":                       {"", "f: the file is empty, want a list of Kubernetes objects as kubectl get -A -o json prints it"},
		"space only":                  {" \n\n", "f: the file is empty"},
		"comments only":               {"# nothing\n---\n", "f: no Kubernetes object in it"},
		"compressed":                  {"\x1f\x8b\x08\x00", "f: the file is compressed with gzip, not a list of Kubernetes objects as kubectl get -A -o json prints it; decompress it first: gunzip f"},
		"an edge list":                {"from,to,bytes_per_second\n", "f: the file is an edge list (CSV), not a list of Kubernetes objects"},
		"graph":                       {`{"schema": "vicinity.graph/v1"}`, "f: the file is the JSON output of vicinity graph, not a list"},
		"scheduler configuration":     {"kind: KubeSchedulerConfiguration\n", "f: the file is a KubeSchedulerConfiguration, not a list"},
		"a page":                      {"<html>", "f: the file is an HTML page, not a list"},
		"a table":                     {"NAME STATUS\nn1 Ready\n", "f: the file is a table that kubectl printed, not a list of Kubernetes objects as kubectl get -A -o json prints it; run kubectl again with -o json"},
		"klog's line":                 {klogLine + "\n" + jsonNode, `f:1: the file begins with a message of the program that wrote it, "E1128 10:00:00.123456   12345 memcache.go:287] couldn't get resource list"; delete this line, or write the file again without 2>&1`},
		"warning of kubectl":          {"Warning: v1 ComponentStatus is deprecated in v1.19+\n" + jsonNode, `f:1: the file begins with a message of the program that wrote it, "Warning: v1 ComponentStatus`},
		"klog's line at the end":      {jsonNode + "\n" + klogLine + "\n", `f:2: the line is a message of the program that wrote the file, "E1128 10:00`},
		"warning between":             {jsonNode + "\nWarning: deprecated\n" + jsonNode, `f:2: the line is a message of the program that wrote the file, "Warning: deprecated"; delete it, or write the file again without 2>&1`},
		"UTF-16":                      {"\xff\xfe{\x00", "f:1: the file is UTF-16"},
		"array":                       {"\n[" + jsonNode + "]", "f:2: an array; must be a List"},
		"not JSON":                    {"{\n nodes}", "f:2: byte 3: invalid character 'n'"},
		"plain text":                  {"No resources found\n", `f:1: the file begins with a message of the program that wrote it, "No resources found"`},
		"object without kind":         {"{}", "f:1: an object without kind and apiVersion"},
		"item without kind":           {`{"kind":"List","items":[{"metadata":{"name":"n1"}}]}`, "f:1: an object without kind"},
		"items, but no List":          {`{"items":[],"kind":"Table"}`, `f:1: has items, but its kind is "Table"`},
		"items, and no kind":          {"\n\n" + `{"items":[]}`, `f:3: has items, but its kind is ""`},
		"items that are no array":     {`{"kind":"List","items":{}}`, "f:1: items are no array"},
		"item that is no object":      {"{\"kind\":\"List\",\"items\":[\n3]}", "f:2: an item that is no object"},
		"kind that is a number":       {`{"kind":3}`, "f:1: kind is no text"},
		"kind of an item":             {`{"items":[{"kind":{}}],"kind":"List"}`, "f:1: kind is no text"},
		"one page of several":         {`{"kind":"PodList","apiVersion":"v1","items":[],"metadata":{"continue":"abc"}}`, "f:1: the List is one page of several"},
		"cut off in a List":           {"{\"kind\":\"List\",\"items\":[\n" + jsonNode + ",\n", "f:3: the file ends in the middle of an object"},
		"cut off in an item":          {"{\"kind\":\"List\",\"items\":[\n" + jsonNode + ",\n{\"kind\":\n\n\"Po", "f:5: the file ends in the middle of an object"},
		"cut off behind the items":    {"{\"kind\":\"List\",\"items\":[]\n", "f:2: the file ends in the middle of an object"},
		"cut off in a single object":  {jsonNode + "\n" + jsonPod[:len(jsonPod)-1], "f:2: the file ends in the middle of an object"},
		"wrong character in an item":  {"{\"kind\":\"List\",\"items\":[\n" + jsonNode + ",\n{\n\"kind\": nil}]}", "f:4: byte "},
		"comma missing between items": {"{\"kind\":\"List\",\"items\":[\n" + jsonNode + "\n" + jsonNode + "]}", "f:3: byte "},
		"field of a wrong type": {
			"{\"kind\":\"List\",\"items\":[\n" + jsonNode + ",\n\n" + strings.Replace(jsonPod, `"web-1"`, `"web-1","labels":3`, 1) + "]}",
			"f:4: Pod shop/web-1: metadata.labels: must be a map, not a number",
		},
		"field of a wrong type in an item of many lines": {
			"{\"kind\":\"List\",\"items\":[\n" + jsonNode + ",\n\n" + strings.Replace(jsonNode, ",", "\n,\n\"spec\":3,", 1) + "\n\n]}", "f:4: Node n1: spec: must be a map, not a number",
		},
		"amount that is none":    {nodeWith("4 cores"), "f:1: Node n1: an amount is no number with a unit of Kubernetes, such as 500m or 2Gi"},
		"amount of many digits":  {nodeWith("1e-100000000"), `f:1: Node n1: cpu is "1e-100000000": no such amount`},
		"object without a name":  {`{"apiVersion":"v1","kind":"Node"}`, "f:1: a Node without a name"},
		"large single object":    {`{"kind":"Node","x":"` + long + `"}`, "f:1: byte 8388629: an object of more than 8 MiB"},
		"large object in fields": {`{"kind":"Node","x":"` + long[:maxObject/2] + `","y":"` + long[:maxObject/2] + `"}`, "f:1: an object of more than 8 MiB"},
		"large item":             {"{\"kind\":\"List\",\"items\":[\n{\"x\":\"" + long + `"}]}`, "f:2: byte 8388641: an object of more than 8 MiB"},
		"endless space":          {jsonNode + strings.Repeat(" ", 2*maxObject), "an object of more than 8 MiB"},
		"large line of YAML":     {"x: " + strings.Repeat("x", maxYAML+1<<20) + "\n---\n", "f: in the document that begins at line 1: a YAML document of more than 32 MiB; write JSON"},
		"large YAML document":    {"\n---\nx: " + strings.Repeat("x", maxYAML), "f: in the document that begins at line 2: a YAML document of more than 32 MiB"},
		"YAML that is none":      {"# b\n---\nx: {", "f: in the document that begins at line 3: "},
		"YAML with a field twice": {
			"kind: Node\nkind: Pod\n", "f: in the document that begins at line 1: ",
		},
		"third document":                {"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n---\n# nothing\n---\n---\n\nkind: Node\napiVersion: v1\n", "f:8: a Node without a name"},
		"text after the dashes":         {"kind: Node\n--- {}\n", "f: in the document that begins at line 1: invalid Yaml document separator: {}"},
		"object in YAML without a name": {"---\napiVersion: v1\nkind: Node\n---\n", "f:2: a Node without a name"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, _, err := ReadObjects(strings.NewReader(tc.input), "f")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %.300v, want %q", err, tc.want)
			}
			if o != nil {
				t.Error("objects were returned along with the error")
			}
		})
	}
}

func nodeWith(cpu string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{"allocatable":{"cpu":%q}}}`, cpu)
}

// A file system's error is not taken for the end of the file.
func TestReadObjectsFails(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, begin := range []string{"", `{"kind":"List","items":[`, "kind: Node\n"} {
		_, _, err := ReadObjects(io.MultiReader(strings.NewReader(begin), failing{broken}), "f")
		if !errors.Is(err, broken) {
			t.Errorf("after %q: error %v, want %v", begin, err, broken)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Nothing of what a cluster keeps secret may outlive the reading.
func TestReadObjectsHoldsNoSecrets(t *testing.T) {
	const input = `{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"shop","name":"login","annotations":{"a":"hunter2"}},"data":{"password":"hunter2"}},
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"shop","name":"settings"},"data":{"url":"hunter2"}},
{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"web-1",
 "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"hunter2","other":"hunter2","kubernetes.io/config.mirror":"yes"},
 "managedFields":[{"manager":"hunter2"}]},
 "spec":{"containers":[{"name":"a","image":"web:1","args":["hunter2"],"command":["hunter2"],"env":[{"name":"P","value":"hunter2"}],
  "livenessProbe":{"httpGet":{"path":"hunter2","port":1}},"lifecycle":{"postStart":{"exec":{"command":["hunter2"]}}}}],
  "initContainers":[{"name":"b","env":[{"name":"P","value":"hunter2"}]}],
  "ephemeralContainers":[{"name":"c","env":[{"name":"P","value":"hunter2"}]}],
  "volumes":[{"name":"s","secret":{"secretName":"hunter2"}},{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]},
 "status":{"phase":"Running","message":"hunter2"}},
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"shop","name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"P","value":"hunter2"}]}]}}}},
{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"namespace":"shop","name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"P","value":"hunter2"}]}]}}}},
{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"namespace":"shop","name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"P","value":"hunter2"}]}]}}}},
{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"namespace":"shop","name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"P","value":"hunter2"}]}]}}}},
{"apiVersion":"v1","kind":"ReplicationController","metadata":{"namespace":"shop","name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"P","value":"hunter2"}]}]}}}}
]}`
	o, warnings, err := ReadObjects(strings.NewReader(input), "f")
	if err != nil {
		t.Fatal(err)
	}
	held := asJSON(t, o.All(func(*Kind) bool { return true })) + asJSON(t, warnings)
	if at := strings.Index(held, "hunter2"); at >= 0 {
		t.Errorf("a secret is held: ...%s", held[max(0, at-200):at+10])
	}
	for _, want := range []string{`"kubernetes.io/config.mirror":"yes"`, `"web:1"`, `"claimName":"data"`, `"Running"`} {
		if !strings.Contains(held, want) {
			t.Errorf("%s is not held", want)
		}
	}
	want := []string{"a replay does not look at v1 Secret: shop/login", "a replay does not look at v1 ConfigMap: shop/settings"}
	if diff := cmp.Diff(want, lines(warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Pods of one owner have in common what is equal in them, and nothing else.
func TestReadObjectsReusesParts(t *testing.T) {
	spec := "|spec: {nodeName: NODE, containers: [{name: a, image: IMAGE}]}"
	one := strings.ReplaceAll(spec, "IMAGE", "web:1")
	o, _, err := ReadObjects(strings.NewReader("---\n"+
		kubetest.Pod("web-1", "ReplicaSet/web", "n1", "app: web"+one)+kubetest.Pod("web-2", "ReplicaSet/web", "n2", "app: web"+one)+
		kubetest.Pod("web-3", "ReplicaSet/web", "n3", "app: web"+strings.ReplaceAll(spec, "IMAGE", "web:2"))), "f")
	if err != nil {
		t.Fatal(err)
	}
	containers := func(i int) *corev1.Container { return &Of[*corev1.Pod](o)[i].Spec.Containers[0] }
	if containers(0) != containers(1) {
		t.Error("equal containers are there twice")
	}
	if got := []string{containers(1).Image, containers(2).Image, Of[*corev1.Pod](o)[1].Name, Of[*corev1.Pod](o)[1].Spec.NodeName}; !slices.Equal(got, []string{"web:1", "web:2", "web-2", "n2"}) {
		t.Errorf("images, name and node are %v", got)
	}
}

// What is not held costs no memory, however much of it there is.
func TestReadObjectsInLittleMemory(t *testing.T) {
	secret := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"x":"` + strings.Repeat("x", 100_000) + `"}}`
	const n = 300
	parts := []io.Reader{strings.NewReader(`{"kind":"List","items":[` + jsonNode)}
	for range n {
		parts = append(parts, strings.NewReader(","), strings.NewReader(secret))
	}
	parts = append(parts, strings.NewReader("]}"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, warnings, err := ReadObjects(io.MultiReader(parts...), "f")
	runtime.ReadMemStats(&after)
	if err != nil || len(warnings) != 1 || warnings[0].Count != n {
		t.Fatalf("warnings %v, error %v", warnings, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(n*len(secret)/4) {
		t.Errorf("%d bytes were allocated to read %d", took, n*len(secret))
	}
}
