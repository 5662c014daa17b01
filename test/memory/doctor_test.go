package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/internal/doctor"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recorder"
)

// pagedPods is an API server with pods, in pages of the limit that is asked for, and with no
// other object.
type pagedPods struct {
	size
	// peak is the largest heap at the beginning of a page.
	peak uint64
}

func (p *pagedPods) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	if r.URL.Path == "/api/v1/pods" {
		p.look()
		first, limit := 0, p.pods
		_, _ = fmt.Sscan(r.FormValue("continue"), &first)
		_, _ = fmt.Sscan(r.FormValue("limit"), &limit)
		end := min(first+limit, p.pods)
		for i := first; i < end; i++ {
			list.Items = append(list.Items, *p.named(i))
		}
		if end < p.pods {
			list.Continue = fmt.Sprint(end)
		}
	}
	if err := json.NewEncoder(w).Encode(list); err != nil {
		panic(err) // the client's request fails
	}
}

// named is a pod whose token's volume has a name of its own, as the API server gives it.
func (p *pagedPods) named(i int) *corev1.Pod {
	pod := p.pod(i)
	own := fmt.Sprintf("kube-api-access-%05d", i)
	pod.Spec.Volumes[len(pod.Spec.Volumes)-1].Name = own
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for c := range containers {
			mounts := containers[c].VolumeMounts
			mounts[len(mounts)-1].Name = own
		}
	}
	return pod
}

func (p *pagedPods) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.peak = max(p.peak, m.HeapAlloc)
}

// readTwice is how doctor read pods before: once for the telemetry and once whole.
func readTwice(ctx context.Context, client dynamic.Interface) any {
	k := objects.NewTable().KindOf(&corev1.Pod{})
	all := &objects.Objects{}
	for _, read := range []recorder.Reading{(*objects.Kind).Keep, (*objects.Kind).Whole} {
		options := metav1.ListOptions{Limit: 500}
		for first := true; first || options.Continue != ""; first = false {
			page, err := client.Resource(k.GroupVersionResource()).List(ctx, options)
			if err != nil {
				return err
			}
			for i := range page.Items {
				object, err := read(k, &page.Items[i])
				if err != nil {
					return err
				}
				all.Add(object)
			}
			options.Continue = page.GetContinue()
		}
	}
	return all
}

func readOnce(ctx context.Context, client dynamic.Interface) any {
	return doctor.ReadInventory(ctx, client)
}

// bytesOfPod is what a pod takes once all have been read, and at most meanwhile, garbage and
// the server of the test included.
func bytesOfPod(tb testing.TB, pods int, read func(context.Context, dynamic.Interface) any) (held, peak float64) {
	tb.Helper()
	p := &pagedPods{size: size{pods: pods, nodes: 100, edges: 1}}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	defer server.Close()
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		tb.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := read(tb.Context(), client)
	if err, failed := all.(error); failed {
		tb.Fatal(err)
	}
	p.look()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(all)
	per := func(bytes uint64) float64 { return (float64(bytes) - float64(before.HeapAlloc)) / float64(pods) }
	return per(after.HeapAlloc), per(p.peak)
}

// TestDoctorHoldsLittle: of a pod with a sidecar, doctor holds a tenth of what it held when it
// read all of each pod, and twice.
func TestDoctorHoldsLittle(t *testing.T) {
	before, _ := bytesOfPod(t, 600, readTwice)
	held, _ := bytesOfPod(t, 600, readOnce)
	t.Logf("a pod takes %.0f bytes, read twice as a whole %.0f", held, before)
	if held > before/10 {
		t.Errorf("a pod takes %.0f bytes, read twice as a whole %.0f; want a tenth of it or less", held, before)
	}
}

// BenchmarkDoctorReads compares the two ways in one run:
//
//	go test ./test/memory -run '^$' -bench DoctorReads -benchtime 1x
func BenchmarkDoctorReads(b *testing.B) {
	for _, way := range []struct {
		name string
		read func(context.Context, dynamic.Interface) any
	}{{"twice and whole", readTwice}, {"once, what checks look at", readOnce}} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				held, peak := bytesOfPod(b, 20_000, way.read)
				b.ReportMetric(held, "held-B/pod")
				b.ReportMetric(peak, "peak-B/pod")
			}
		})
	}
}
