package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
	table "github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
)

// marker is what no byte of a recording without names may have.
const marker = "hunter2"

// disguises are forms of names that a list of prefixes or suffixes would let through.
var disguises = []string{
	marker, marker + ".kubernetes.io/" + marker, "kubernetes.io/" + marker, "node-role.kubernetes.io/" + marker,
	marker + ".k8s.io/" + marker, marker + ".istio.io/" + marker, "topology.kubernetes.io/zone=" + marker,
	marker + ".svc.cluster.local", "db.shop.svc." + marker, "eu/" + marker + "/*/" + marker, "system-" + marker,
	marker + "%", "requests." + marker, "hugepages-" + marker, "attachable-volumes-" + marker, "apps/" + marker, "v1/" + marker,
}

// named is an object of a kind with a text in every field, and with the keys that have a
// meaning, whose values have none.
func named(t *testing.T, k *table.Kind, n int, text string) *unstructured.Unstructured {
	t.Helper()
	object, err := k.Named("x", "x")
	if err != nil {
		t.Fatal(err)
	}
	kubetest.Fill(reflect.ValueOf(object).Elem(), k.Kind, 18, func(string) string { return text })
	switch o := object.(type) {
	case *corev1.Node:
		o.Status.Conditions[0].Type = corev1.NodeReady
	case *corev1.Pod:
		o.Status.Conditions[0].Type = corev1.PodReady
	}
	object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(raw, &u.Object); err != nil {
		t.Fatal(err)
	}
	labels, annotations := u.GetLabels(), map[string]string{}
	for _, key := range []string{
		corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelHostname, corev1.LabelMetadataName, corev1.LabelOSStable, corev1.LabelArchStable,
		"pod-template-hash", "service.istio.io/workload-name", "deploymentconfig", "topology.istio.io/subzone", "app", "version",
	} {
		labels[key] = text
	}
	for _, key := range []string{
		"networking.istio.io/traffic-distribution", "vicinity.dev/destination-rules", "service.kubernetes.io/topology-mode",
		"service.kubernetes.io/topology-aware-hints", "kubernetes.io/config.mirror", "deployment.kubernetes.io/desired-replicas",
		"rollout.argoproj.io/desired-replicas", "kubectl.kubernetes.io/last-applied-configuration",
	} {
		annotations[key] = text
	}
	u.SetLabels(labels)
	u.SetAnnotations(annotations)
	owner := []string{"ReplicaSet", "StatefulSet", "Job", "ReplicationController", "Node", text}[n%6]
	u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: text, Kind: owner, Name: marker + "-owner", UID: "hunter2", Controller: new(true)}})
	u.SetNamespace("")
	if k.Kind != "Node" && k.Kind != "Namespace" && k.Kind != "PriorityClass" {
		u.SetNamespace(marker + "-ns")
	}
	u.SetName(fmt.Sprintf("%s-%d", marker, n))
	return u
}

// markedSource fails, finds and leaves out, each with the marker.
type markedSource struct{ source }

func (s markedSource) Collect(ctx context.Context, q telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	switch at.Minute() {
	case 0, 2: // before the recording begins, and in it
		return telemetry.Observation{}, &telemetry.QueryError{Failure: telemetry.Empty, Err: errors.New("no traffic of " + marker)}
	case 3:
		panic(marker)
	case 4:
		return telemetry.Observation{}, errors.New("dial tcp: lookup " + marker)
	}
	o, err := s.source.Collect(ctx, q, at)
	o.LeftOut = map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1, BytesPerSecond: 5}}
	o.Findings = []telemetry.Finding{{
		Condition: telemetry.ScrapedTwice, About: marker, What: marker, Names: []string{marker}, Why: marker, Setting: marker, Value: marker, Do: marker,
	}}
	return o, err
}

// markedCluster has an object of each kind and disguise, one that cannot be decoded, and
// answers some requests with errors that name it.
func markedCluster(t *testing.T) *fake.FakeDynamicClient {
	t.Helper()
	var all []runtime.Object
	kinds := table.NewTable().Kinds()
	for i := range kinds {
		for n, text := range disguises {
			all = append(all, named(t, &kinds[i], n, text))
		}
	}
	broken := object("apps/v1 Deployment "+marker+"/"+marker, -time.Hour)
	broken.Object["spec"] = map[string]any{"replicas": marker}
	client := cluster(append(all, broken)...)
	client.PrependReactor("list", "statefulsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "statefulsets"}, marker, errors.New(marker))
	})
	return client
}

// bytesOf returns all of a recording, decompressed, with the names of its files.
func bytesOf(t *testing.T, path string) []byte {
	t.Helper()
	if strings.HasSuffix(path, recordingfile.ArchiveSuffix) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d, err := zstd.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		text, err := io.ReadAll(d)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var all []byte
	files, err := filepath.Glob(filepath.Join(path, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, filepath.Base(name)...), text...)
	}
	return all
}

// markedRecording is one of a cluster full of markers.
type markedRecording struct {
	options Options
	client  *fake.FakeDynamicClient
	clock   *clock
}

func newMarkedRecording(t *testing.T) markedRecording {
	t.Helper()
	m := markedRecording{client: markedCluster(t), clock: &clock{now: begin}}
	seen := flowgraph.Flow{From: flowgraph.WorkloadID{Namespace: marker, Name: marker}, To: flowgraph.WorkloadID{Namespace: marker, Name: "unknown"}}
	sites := []flowgraph.Flow{
		{From: seen.From, To: flowgraph.SiteID(marker, marker, marker), Rates: flowgraph.Rates{SentBytesPerSecond: 1}},
		{From: flowgraph.SiteID(marker, "", marker), To: seen.From, Rates: flowgraph.Rates{SentBytesPerSecond: 1}},
		{From: seen.From, To: flowgraph.WorkloadID{Namespace: "@" + marker + ":", Name: marker}, Rates: flowgraph.Rates{SentBytesPerSecond: 1}}, // no site's name
	}
	m.options = Options{
		Sources: []telemetry.Source{markedSource{source{name: marker, more: append(sites, seen, flowgraph.Flow{From: seen.From})}}},
		Client:  m.client, Step: time.Minute, Now: m.clock.Now, Wait: m.clock.Wait, Anonymize: table.NewAnonymizer([]byte("key")),
	}
	return m
}

// write records into path and returns the manifest.
func (m markedRecording) write(t *testing.T, path string, live bool) recording.Manifest {
	t.Helper()
	r, err := New(t.Context(), m.options, live)
	if err != nil {
		t.Fatal(err)
	}
	var lists atomic.Int32
	m.client.PrependReactor("list", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		if lists.Add(1) > 1 && live {
			return false, nil, nil // it is asked again
		}
		return true, nil, errors.New("Get https://" + marker + ": no route to host")
	})
	target, err := recordingfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := recording.NewWriter(target, m.options.Manifest(begin, "test"))
	if err != nil {
		t.Fatal(err)
	}
	to := begin.Add(7 * time.Minute)
	record := r.Past
	if live {
		record = r.Live
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m.clock.waits = func(n int) {
		switch n {
		case 3:
			if err := m.client.Resource(pods).Namespace(marker+"-ns").Delete(ctx, marker+"-1", metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		case 6:
			cancel()
		}
	}
	sum, failed := record(ctx, w, begin, to)
	if (failed != nil) == live {
		t.Fatalf("live %v: error %v", live, failed)
	}
	why, err := m.options.Close(w, sum, to, failed)
	if err = errors.Join(err, target.Close()); err != nil || strings.Contains(why, marker) == live {
		t.Fatalf("it ended with %q: %v", why, err)
	}
	return manifestIn(t, path)
}

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

func manifestIn(t *testing.T, path string) recording.Manifest {
	t.Helper()
	source, err := recordingfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := recording.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return r.Manifest()
}

// A recording without names has none of a cluster in which everything is called alike:
// neither in the fields of objects, nor in what went wrong.
func TestAnonymousRecordingHasNoName(t *testing.T) {
	for _, name := range []string{"live", "live.tar.zst", "past", "past.tar.zst"} {
		t.Run(name, func(t *testing.T) {
			live := strings.HasPrefix(name, "live")
			path := filepath.Join(t.TempDir(), name)
			m := newMarkedRecording(t)
			manifest := m.write(t, path, live)
			text := bytesOf(t, path)
			for rest := text; ; {
				i := bytes.Index(rest, []byte(marker))
				if i < 0 {
					break
				}
				t.Errorf("a name is in\n%s", rest[max(0, i-150):min(len(rest), i+50)])
				if rest = rest[i+1:]; t.Failed() && len(text)-len(rest) > 1<<20 {
					break
				}
			}
			ended, notes := "an error ended it", []string{
				"at the beginning there is no traffic", "statefulsets.apps are not recorded: list is forbidden", "an object is not recorded",
			}
			if live {
				ended = Interrupted
				notes = append(notes, "daemonsets.apps were out of sight for a while", "a rate above 1e12 or without a workload is left out",
					"source-1: a finding of the condition scraped-twice in")
			}
			for _, note := range notes {
				if !slices.ContainsFunc(manifest.Notes, func(has string) bool { return strings.HasPrefix(has, note) }) {
					t.Errorf("the notes are %q, without %q", manifest.Notes, note)
				}
			}
			if manifest.Ended != ended || !slices.Equal(manifest.Sources, []string{"source-1"}) || live && (len(manifest.LeftOut) != 1 || manifest.LeftOut[0].Source != "source-1") {
				t.Errorf("the manifest is %+v", manifest)
			}
		})
	}
}
