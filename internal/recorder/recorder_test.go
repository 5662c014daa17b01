package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	table "github.com/vicinity-sched/vicinity/internal/kube/objects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)

// source sees one edge whose rate is the minute, and fails when it is told to.
type source struct {
	name string
	fail func(at time.Time) error
	more []flowgraph.Flow
}

func (s source) Name() string               { return s.name }
func (s source) About() telemetry.About     { return telemetry.About{} }
func (s source) Queries() []telemetry.Query { return nil }
func (s source) Collect(_ context.Context, _ telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	if s.fail != nil {
		if err := s.fail(at); err != nil {
			return telemetry.Observation{}, err
		}
	}
	f := flowgraph.Flow{From: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: "db"}, ObservedAt: at}
	f.SentBytesPerSecond = float64(at.Minute())
	return telemetry.Observation{Flows: append([]flowgraph.Flow{f}, s.more...)}, nil
}

// object makes one from "v1 Pod shop/web-0", created so long after begin.
func object(text string, created time.Duration) *unstructured.Unstructured {
	f := strings.Fields(text)
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(f[0])
	u.SetKind(f[1])
	namespace, name, ok := strings.Cut(f[2], "/")
	if !ok {
		namespace, name = "", f[2]
	}
	u.SetNamespace(namespace)
	u.SetName(name)
	u.SetCreationTimestamp(metav1.NewTime(begin.Add(created)))
	u.SetResourceVersion("1")
	return u
}

// cluster is a fake API server. Unlike the fake client alone, it loses no change between a
// list and the watch that follows: a real server's watch begins at the list's version.
func cluster(objects ...runtime.Object) *fake.FakeDynamicClient {
	lists := map[schema.GroupVersionResource]string{}
	for _, k := range table.NewTable().Kinds() {
		lists[k.GroupVersionResource()] = k.Kind + "List"
	}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, objects...)
	var mu sync.Mutex
	begun := map[schema.GroupVersionResource]watch.Interface{} // by lists
	client.PrependReactor("list", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		w, err := client.Tracker().Watch(a.GetResource(), a.GetNamespace())
		if err != nil {
			return true, nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		if former := begun[a.GetResource()]; former != nil {
			former.Stop()
		}
		begun[a.GetResource()] = w
		return false, nil, nil // and the list itself
	})
	client.PrependWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		mu.Lock()
		defer mu.Unlock()
		w := begun[a.GetResource()]
		delete(begun, a.GetResource())
		return w != nil, w, nil
	})
	return client
}

// files is a recording's files in memory.
type files struct {
	names   []string
	content map[string][]byte
}

func (f *files) Create(name string) (io.WriteCloser, error) { return &file{files: f, name: name}, nil }

type file struct {
	bytes.Buffer
	files *files
	name  string
}

func (f *file) Close() error {
	if f.files.content == nil {
		f.files.content = map[string][]byte{}
	}
	if _, known := f.files.content[f.name]; !known {
		f.files.names = append(f.files.names, f.name)
	}
	f.files.content[f.name] = f.Bytes()
	return nil
}

func (f *files) Next() (string, io.Reader, error) {
	if len(f.names) == 0 {
		return "", nil, io.EOF
	}
	name := f.names[0]
	f.names = f.names[1:]
	return name, bytes.NewReader(f.content[name]), nil
}

// told is what a recording says, line by line.
func told(t *testing.T, f *files) []string {
	t.Helper()
	f.names = recording.InOrder(f.names)
	r, err := recording.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Changes {
			var o metav1.PartialObjectMetadata
			if err := json.Unmarshal(c.Object, &o); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, strings.Join([]string{c.At.Format(time.TimeOnly), string(c.Type), o.Kind, o.Name}, " "))
		}
		line := s.At.Format(time.TimeOnly)
		if s.Gap {
			line += " gap"
		}
		for _, e := range s.Edges {
			line += fmt.Sprintf(" %s-%s:%.0f", e.From.Name, e.To.Name, e.SentBytesPerSecond)
		}
		lines = append(lines, line)
	}
	if w := r.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	return lines
}

// clock is a clock that only waiting moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
	// waits is called by every wait, before time goes on.
	waits func(n int)
	n     int
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	if c.waits != nil {
		c.waits(c.n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.now = c.now.Add(d)
	return ctx.Err()
}

func start(t *testing.T, f *files) *recording.Writer {
	t.Helper()
	w, err := recording.NewWriter(f, recording.Manifest{From: begin, Step: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPast(t *testing.T) {
	c := &clock{now: begin.Add(4 * time.Minute)}
	unreachable := &telemetry.QueryError{Failure: telemetry.Unreachable, Err: errors.New("connection refused")}
	r, err := New(t.Context(), Options{
		Sources: []telemetry.Source{source{name: "istio", fail: func(at time.Time) error {
			if at.Minute() == 2 {
				return unreachable
			}
			return nil
		}}},
		Client: cluster(
			object("v1 Node n1", -time.Hour), object("v1 Pod shop/old", -time.Minute), object("v1 Pod shop/third", 150*time.Second),
			object("v1 Pod shop/first", 30*time.Second), object("v1 Secret shop/token", 0), object("networking.istio.io/v1 DestinationRule shop/db", -time.Hour),
		),
		Step: time.Minute, Now: c.Now, Wait: c.Wait,
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	f := &files{}
	w := start(t, f)
	sum, err := r.Past(t.Context(), w, begin, begin.Add(4*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"21:00:00 ADDED Node n1", "21:00:00 ADDED DestinationRule db", "21:00:00 ADDED Pod old", "21:00:30 ADDED Pod first", "21:01:00 web-db:1",
		"21:02:00 gap", "21:02:30 ADDED Pod third", "21:03:00 web-db:3", "21:04:00 web-db:4",
	}
	if diff := cmp.Diff(want, told(t, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if sum.Steps != 4 || sum.Gaps != 1 || sum.Edges != 1 || sum.Objects != 5 || !errors.Is(sum.LastFailure, unreachable) || sum.BytesPerSecond != 8.0/3 {
		t.Errorf("summary: %+v", sum)
	}
	if !slices.ContainsFunc(sum.Notes, func(n Note) bool { return strings.Contains(n.String(), "pods that were deleted before") }) {
		t.Errorf("notes: %q", sum.Notes)
	}
}

// await waits until so many changes have been recorded.
func await(t *testing.T, r *Recorder, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		got := r.sum.Objects + r.sum.Changes
		r.mu.Unlock()
		if got >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d changes are recorded, want %d", got, n)
			return
		}
	}
}

func TestLive(t *testing.T) {
	c := &clock{now: begin}
	client := cluster(object("v1 Node n1", 0), object("v1 Pod shop/web-0", 0))
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("shop")
	r, err := New(t.Context(), Options{
		Sources: []telemetry.Source{source{name: "istio"}}, Client: client, Step: time.Minute, Now: c.Now, Wait: c.Wait,
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	c.waits = func(n int) {
		switch n {
		case 0:
			await(t, r, 2)
		case 1:
			_, err := pods.Create(t.Context(), object("v1 Pod shop/web-1", 0), metav1.CreateOptions{})
			check(err)
			await(t, r, 3)
			changed := object("v1 Pod shop/web-1", 0)
			changed.SetAnnotations(map[string]string{"secret": "hunter2"}) // not recorded, so no change
			_, err = pods.Update(t.Context(), changed, metav1.UpdateOptions{})
			check(err)
			changed.SetLabels(map[string]string{"app": "web"})
			_, err = pods.Update(t.Context(), changed, metav1.UpdateOptions{})
			check(err)
			await(t, r, 4)
		case 2:
			check(pods.Delete(t.Context(), "web-0", metav1.DeleteOptions{}))
			await(t, r, 5)
		}
	}
	f := &files{}
	w := start(t, f)
	sum, err := r.Live(t.Context(), w, begin, begin.Add(3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	got := told(t, f)
	slices.Sort(got[:2]) // the kinds are watched at the same time
	want := []string{
		// The clock stands while something happens: what is at the end of a step
		// belongs to it.
		"21:00:00 ADDED Node n1", "21:00:00 ADDED Pod web-0",
		"21:01:00 ADDED Pod web-1", "21:01:00 MODIFIED Pod web-1", "21:01:00 web-db:1",
		"21:02:00 DELETED Pod web-0", "21:02:00 web-db:2",
		"21:03:00 web-db:3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if sum.Steps != 3 || sum.Gaps != 0 || sum.Objects != 3 || sum.Changes != 2 || len(sum.Notes) != 0 {
		t.Errorf("summary: %+v", sum)
	}
	for name, content := range f.content {
		if bytes.Contains(content, []byte("hunter2")) || bytes.Contains(content, []byte("resourceVersion")) {
			t.Errorf("%s: %s", name, content)
		}
	}
}

// What is deleted while nobody watches is noticed when it is listed again.
func TestReplace(t *testing.T) {
	f := &files{}
	r := &Recorder{o: Options{Now: func() time.Time { return begin }}, objects: map[objectKey]recorded{}, writer: start(t, f)}
	pods := &store{recorder: r, kind: table.NewTable().Kinds()[len(table.NewTable().Kinds())-1]}
	record := func(name string) any {
		o, err := pods.kind.Record(object("v1 Pod shop/"+name, 0))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, list := range [][]any{{record("a"), record("b"), record("c")}, {record("b")}} {
		if err := pods.Replace(list, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.writer.Step(begin.Add(time.Minute), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.writer.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"21:00:00 ADDED Pod a", "21:00:00 ADDED Pod b", "21:00:00 ADDED Pod c", "21:00:00 DELETED Pod a", "21:00:00 DELETED Pod c", "21:01:00 gap",
	}
	if diff := cmp.Diff(want, told(t, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An interrupted recording is a result.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &clock{now: begin, waits: func(n int) {
		if n == 2 {
			cancel()
		}
	}}
	var told []Progress
	r, err := New(ctx, Options{
		Sources: []telemetry.Source{source{name: "istio"}}, Client: cluster(), Step: time.Minute, Now: c.Now, Wait: c.Wait,
		Progress: func(p Progress) { told = append(told, p) },
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	f := &files{}
	sum, err := r.Live(ctx, start(t, f), begin, begin.Add(time.Hour))
	if err != nil || sum.Steps != 2 || !sum.To.Equal(begin.Add(2*time.Minute)) {
		t.Errorf("%+v, error %v; want two steps", sum, err)
	}
	if want := []Progress{{All: 60, Left: time.Hour}, {Steps: 1, All: 60, Left: 59 * time.Minute}, {Steps: 2, All: 60, Left: 58 * time.Minute}}; !slices.Equal(told, want) {
		t.Errorf("the progress is %+v, want %+v", told, want)
	}
}

func TestSlowSourcesLeaveGaps(t *testing.T) {
	c := &clock{now: begin}
	slow := source{name: "istio", fail: func(time.Time) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now = c.now.Add(150 * time.Second)
		return nil
	}}
	r, err := New(t.Context(), Options{Sources: []telemetry.Source{slow}, Client: cluster(), Step: time.Minute, Now: c.Now, Wait: c.Wait}, true)
	if err != nil {
		t.Fatal(err)
	}
	c.now = begin
	sum, err := r.Live(t.Context(), start(t, &files{}), begin, begin.Add(10*time.Minute))
	if err != nil || sum.Steps != 10 || sum.Gaps == 0 || sum.Gaps > 6 {
		t.Errorf("%d steps, %d gaps, error %v", sum.Steps, sum.Gaps, err)
	}
}

func TestProbe(t *testing.T) {
	forbid := func(verb, resource string) *fake.FakeDynamicClient {
		client := cluster()
		denied := apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no role"))
		if verb == "watch" {
			client.PrependWatchReactor(resource, clienttesting.DefaultWatchReactor(nil, denied))
			return client
		}
		client.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, denied })
		return client
	}
	cases := map[string]struct {
		verb, resource  string
		wantErr, wantIn string
	}{
		"pods are required":       {"list", "pods", "kubectl auth can-i list pods --all-namespaces", ""},
		"watching nodes is":       {"watch", "nodes", "kubectl auth can-i watch nodes --all-namespaces", ""},
		"services are optional":   {"list", "services", "", "services are not recorded: list is forbidden"},
		"watching daemonsets too": {"watch", "daemonsets", "", "daemonsets.apps are not recorded: watch is forbidden"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &Recorder{o: Options{Client: forbid(tc.verb, tc.resource)}}
			err := r.probe(t.Context(), tc.verb == "watch")
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error %v, want %q", err, tc.wantErr)
			}
			if notes := noteTexts(r.notes.all); notes != tc.wantIn {
				t.Errorf("notes %q, want %q", notes, tc.wantIn)
			}
		})
	}
}

func noteTexts(all []Note) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, n.String())
	}
	return strings.Join(texts, "\n")
}
