package objects

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// texts returns the texts in JSON that full has set, in order.
func texts(value any) []string {
	var found []string
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case string:
			if text, ok := strings.CutPrefix(v, "secret:"); ok {
				found = append(found, text)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for key, item := range v {
				walk(key)
				walk(item)
			}
		}
	}
	walk(value)
	slices.Sort(found)
	return slices.Compact(found)
}

// full returns an object of each kind with a text wherever there can be one.
func full() []runtime.Object {
	var objects []runtime.Object
	for _, k := range kinds() {
		if o, ok := reflect.New(k.of.Elem()).Interface().(runtime.Object); ok {
			objects = append(objects, o)
		}
	}
	for _, o := range objects {
		kind := reflect.TypeOf(o).Elem().Name()
		kubetest.Fill(reflect.ValueOf(o).Elem(), kind, 18, func(path string) string { return "secret:" + path })
		if node, ok := o.(*corev1.Node); ok {
			node.Status.Conditions[0].Type = corev1.NodeReady
		}
		if pod, ok := o.(*corev1.Pod); ok {
			pod.Status.Conditions[0].Type = corev1.PodReady
		}
	}
	return objects
}

// TestTable checks what an entry must have, and that no two are about the same objects.
func TestTable(t *testing.T) {
	table := NewTable()
	resources := map[string]bool{}
	for i := range table.Kinds() {
		k := &table.Kinds()[i]
		named, err := k.Named("shop", "web")
		if err != nil {
			t.Fatal(err)
		}
		if of := table.KindOf(named); of != k {
			t.Errorf("an object of kind %s is found to be of kind %v", k.Kind, of)
		}
		if name := k.ResourceName(); resources[name] {
			t.Errorf("two kinds are called %s", name)
		}
		resources[k.ResourceName()] = true
		raw, err := json.Marshal(named)
		if err != nil {
			t.Fatal(err)
		}
		read, err := NewDecoder().Decode(raw)
		if err != nil || (read == nil) != (k.read == nil) || read != nil && table.KindOf(read) != k {
			t.Errorf("%s, once it is written and read: %T, %v", k.Kind, read, err)
		}
		renamed, err := NewAnonymizer([]byte("key")).Object(named)
		if err != nil {
			t.Errorf("%s: %v", k.Kind, err)
		} else if raw, err := json.Marshal(renamed); err != nil || strings.Contains(string(raw), "web") {
			t.Errorf("%s, renamed: %s, %v", k.Kind, raw, err)
		}
	}
	if last := table.Kinds()[len(table.Kinds())-1]; last.Kind != "Pod" {
		t.Errorf("%s is last; pods must be, which are made by all others", last.Kind)
	}
}

// Of all texts that objects can have, those get into a recording that the golden
// file lists. A new line in it is a decision.
func TestRecordedIsAnAllowList(t *testing.T) {
	b := &strings.Builder{}
	for _, o := range full() {
		recorded := NewTable().KindOf(o).keep(o)
		DropAddresses(recorded)
		raw, err := json.Marshal(recorded)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatal(err)
		}
		for _, text := range texts(value) {
			fmt.Fprintln(b, text)
		}
		for _, word := range []string{"env", "command", "args", "secret", "managedFields", "annotations", "message", "hostAliases"} {
			if strings.Contains(strings.ReplaceAll(string(raw), "secret:", ""), "."+word) {
				t.Errorf("%T: %q is in what is recorded", o, word)
			}
		}
	}
	path := filepath.Join("testdata", "recorded.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got); -update accepts it:\n%s", path, diff)
	}
}

// No text of an object remains when it is renamed, in whatever field it is: words of
// Kubernetes' stay where they are known.
func TestAnonymizedHasNoText(t *testing.T) {
	a := NewAnonymizer([]byte("key"))
	for _, o := range full() {
		renamed, err := a.Object(NewTable().KindOf(o).keep(o))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(renamed)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatal(err)
		}
		for _, text := range texts(value) {
			t.Errorf("%T: %s is still there", o, text)
		}
	}
}

// TestRecordedSharesNothing changes what was recorded: what the API server has sent, which
// an informer may hold, stays as it was.
func TestRecordedSharesNothing(t *testing.T) {
	table := NewTable()
	for _, o := range full() {
		k := table.KindOf(o)
		o.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		sent := &unstructured.Unstructured{}
		if err := sent.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		before := sent.DeepCopy()
		recorded, err := k.Record(sent)
		if err != nil {
			t.Fatal(err)
		}
		k.anonymize(NewAnonymizer([]byte("key")), recorded)
		if diff := cmp.Diff(before, sent); diff != "" {
			t.Errorf("%s: renaming what was recorded changes what was sent (-before +after):\n%s", k.Kind, diff)
		}
	}
}

// TestReadRulesAreRenamed has a rule from a cluster file, not from an API server.
func TestReadRulesAreRenamed(t *testing.T) {
	read, err := NewDecoder().Decode([]byte(ruleText))
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := NewAnonymizer([]byte("key")).Object(read)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(renamed)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"db", "shop", "eu-", "hunter2"} {
		if strings.Contains(string(raw), gone) {
			t.Errorf("renamed: %s, %s is still there", raw, gone)
		}
	}
}

const ruleText = `{
	"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
	"metadata": {"name": "db", "namespace": "shop", "resourceVersion": "5", "annotations": {"note": "hunter2"}},
	"spec": {
		"host": "db.shop.svc.cluster.local", "exportTo": [".", "shop"],
		"subsets": [{"name": "v1", "labels": {"version": "hunter2"}, "trafficPolicy": {"tls": {"sni": "hunter2"}, "loadBalancer": {"zoneAwareLbSetting": {"enabled": true, "failover": [{"from": "eu", "to": "eu-us"}]}}}}],
		"trafficPolicy": {
			"tls": {"mode": "SIMPLE", "credentialName": "hunter2"},
			"outlierDetection": {"consecutive5xxErrors": 5},
			"loadBalancer": {
				"consistentHash": {"httpCookie": {"name": "hunter2"}},
				"localityLbSetting": {"distribute": [{"from": "eu/eu-1/*", "to": {"eu/eu-1/*": 80, "eu/eu-2/*": 20}}], "failoverPriority": ["topology.kubernetes.io/zone"]}
			},
			"portLevelSettings": [{"port": {"number": 80}, "tls": {"credentialName": "hunter2"}, "loadBalancer": {"simple": "LEAST_REQUEST"}}]
		}
	}
}`

func TestRecordedDestinationRule(t *testing.T) {
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(ruleText), &u.Object); err != nil {
		t.Fatal(err)
	}
	recorded, err := NewTable().kindNamed(header{u.GetAPIVersion(), u.GetKind()}).Record(u)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "hunter2") {
		t.Errorf("recorded: %s", raw)
	}
	for _, kept := range []string{`"host":"db.shop.svc.cluster.local"`, `"consecutive5xxErrors":5`, `"eu/eu-1/*":80`, `"simple":"LEAST_REQUEST"`, `"number":80`, `"name":"v1"`, `"from":"eu"`} {
		if !strings.Contains(string(raw), kept) {
			t.Errorf("recorded: %s, want %s in it", raw, kept)
		}
	}
	a := NewAnonymizer([]byte("key"))
	renamed, err := a.Object(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(renamed); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"db", "shop", "eu-", `"eu`, `"v1"`} {
		if strings.Contains(string(raw), gone) {
			t.Errorf("renamed: %s, %s is still there", raw, gone)
		}
	}
	for _, kept := range []string{
		fmt.Sprintf(`"host":"%s.%s.svc.cluster.local"`, a.name("db"), a.namespace("shop")), `"failoverPriority":["topology.kubernetes.io/zone"]`,
		fmt.Sprintf(`"from":"%s"`, a.hash("region", "eu")), fmt.Sprintf(`"name":"%s"`, a.name("v1")),
		fmt.Sprintf(`"%s/%s/*":80`, a.hash("region", "eu"), a.hash("zone", "eu-1")), `"consecutive5xxErrors":5`,
	} {
		if !strings.Contains(string(raw), kept) {
			t.Errorf("renamed: %s, want %s in it", raw, kept)
		}
	}
}
