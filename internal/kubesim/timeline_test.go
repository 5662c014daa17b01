package kubesim

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recordingfile"
	"github.com/vicinity-sched/vicinity/internal/recordingtest"
)

var beginning = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// small is a recording that replays in no time.
func small() recordingtest.Options {
	return recordingtest.Options{
		Nodes: 6, Workloads: 8, Edges: 20, Replicas: 3, PodEvents: 60, NodeEvents: 6,
		From: beginning, Length: 2 * time.Hour, Step: time.Minute, Seed: 1,
	}
}

// file makes a recording in a directory and returns its path.
func file(t testing.TB, o recordingtest.Options) string { return fileAt(t, "recording", o) }

func fileAt(t testing.TB, name string, o recordingtest.Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	target, err := recordingfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(recordingtest.Write(target, o), target.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

type reader struct{ *recording.Reader }

func (r reader) Next(context.Context) (*recording.Step, error) { return r.Reader.Next() }

// open returns the replay of a recording, half of which is the warm-up.
func open(t testing.TB, path string, o recordingtest.Options) Follow {
	t.Helper()
	source, err := recordingfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := recording.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	history, err := history.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Follow{
		Steps: reader{r}, History: history, Graph: flowgraph.Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour},
		WarmUp: o.From.Add(o.Length / 2), Order: sim.Rollout, Seeds: 1, First: 1, Parallel: 2, Now: time.Now,
	}
}

func builtInRuns(t testing.TB, names ...string) []Run {
	t.Helper()
	var runs []Run
	for _, name := range names {
		run, ok, err := BuiltIn(name)
		if err != nil || !ok {
			t.Fatal(name, ok, err)
		}
		runs = append(runs, run)
	}
	return runs
}

// TestFollow places pods and nodes that come and go with the real framework; what
// is in the scheduler's cache in the end is what the course says.
func TestFollow(t *testing.T) {
	o := small()
	path := file(t, o)
	for _, order := range sim.Orders() {
		if order == sim.Consolidation || order == sim.ScaleOut {
			continue // are not for recordings
		}
		t.Run(order.String(), func(t *testing.T) {
			var first *Followed
			for _, parallel := range []int{1, 3} {
				f := open(t, path, o)
				f.Order, f.Seeds, f.Parallel = order, 2, parallel
				all := &following{Follow: f, observer: sim.NewObserver(f.Graph), traffic: flowgraph.NewStore().Load()}
				got := all.toTheEnd(t, builtInRuns(t, DefaultRun, LatencyRun))
				all.compareCaches(t)
				if got.Recorded.Observed != o.Length/2 || got.Steps != 120 || !got.Recorded.From.Equal(beginning.Add(time.Hour)) || got.Recorded.Lost != 0 {
					t.Errorf("%d steps, observed for %s from %s on", got.Steps, got.Recorded.Observed, got.Recorded.From)
				}
				if first == nil {
					first = got
				} else if diff := cmp.Diff(first, got); diff != "" {
					t.Errorf("side by side it is another result:\n%s", diff)
				}
			}
			local := func(c *sim.Course) float64 { return c.Levels[0].Local[cut.Uniform] / c.Total }
			if order == sim.Rollout && local(first.Runs[1][0]) <= local(first.Recorded) {
				t.Errorf("latency keeps %.2f of the traffic, recorded %.2f", local(first.Runs[1][0]), local(first.Recorded))
			}
		})
	}
}

func (f *following) toTheEnd(t *testing.T, runs []Run) *Followed {
	t.Helper()
	if err := f.begin(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	for {
		s, err := f.Steps.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = f.step(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	result, err := f.end()
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// compareCaches compares the pods on each node in each scheduler's cache.
func (f *following) compareCaches(t *testing.T) {
	t.Helper()
	n := 0
	for _, timelines := range f.timelines {
		for _, timeline := range timelines {
			placer := f.placers[n]
			n++
			want, got := map[string]int{}, map[string]int{}
			for _, nodes := range timeline.Course().Assigned {
				for _, node := range nodes {
					want[f.History.Replayable().Nodes[node].Name]++
				}
			}
			infos, err := placer.engine.snapshot.NodeInfos().List()
			if err != nil {
				t.Fatal(err)
			}
			for _, info := range infos {
				if pods := len(info.GetPods()); pods > 0 {
					got[info.Node().Name] = pods
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("replay %d: the course's and the cache's pods by node:\n%s", n, diff)
			}
		}
	}
}

// TestFollowErrors end a replay.
func TestFollowErrors(t *testing.T) {
	o := small()
	o.Length = 10 * time.Minute
	path := file(t, o)
	another := &objects.Objects{}
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		change func(*Follow)
		want   string
	}{
		"ends in the warm-up":  {func(f *Follow) { f.WarmUp = beginning.Add(time.Hour) }, "--warm-up"},
		"objects of its own":   {func(f *Follow) { f.Cluster = another }, ".jsonl:2: the recording has objects itself"},
		"checked and rejected": {func(f *Follow) { f.WarmedUp = func() error { return stop } }, "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, path, o)
			c.change(&f)
			if _, err := f.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestFollowMemory compares what a replay holds after 2 hours and after 24 hours
// of the same cluster. (Of an archive it would hold up to the 8 MiB that zstd looks
// back, too.)
func TestFollowMemory(t *testing.T) {
	held := func(length time.Duration) float64 {
		o := small()
		o.Length, o.Edges = length, 60
		o.PodEvents, o.NodeEvents = int(length/time.Minute)*2, int(length/time.Hour)
		f := open(t, file(t, o), o)
		var most uint64
		f.Done = func(at time.Time) {
			if left := o.From.Add(length).Sub(at); left%(10*time.Minute) == 5*time.Minute && left < 30*time.Minute {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		if _, err := f.Run(t.Context(), builtInRuns(t, DefaultRun, LatencyRun)); err != nil {
			t.Fatal(err)
		}
		return float64(most) / (1 << 20)
	}
	held(20 * time.Minute) // what is loaded once
	short, long := held(2*time.Hour), held(24*time.Hour)
	t.Logf("%.1f MiB after 2 h, %.1f MiB after 24 h", short, long)
	if long > 1.1*short+1 {
		t.Errorf("%.1f MiB after 24 h, but %.1f MiB after 2 h", long, short)
	}
}

// BenchmarkFollow replays 24 hours of 100 nodes, 800 pods, 2,000 edges and 5,000
// arrivals and departures, at a step of a minute, read from an archive: the runs
// recorded, default and gain with one seed.
func BenchmarkFollow(b *testing.B) {
	o := recordingtest.Options{
		Nodes: 100, Workloads: 200, Edges: 2000, Replicas: 4, PodEvents: 5000, NodeEvents: 10,
		From: beginning, Length: 24 * time.Hour, Step: time.Minute, Seed: 1,
	}
	path := fileAt(b, "recording"+recordingfile.ArchiveSuffix, o)
	decisions := 0
	for b.Loop() {
		result, err := open(b, path, o).Run(b.Context(), builtInRuns(b, DefaultRun, LatencyRun))
		if err != nil {
			b.Fatal(err)
		}
		decisions = 0
		for _, run := range result.Runs {
			decisions += run[0].Decisions
		}
	}
	b.ReportMetric(float64(decisions), "decisions")
	b.ReportMetric(o.Length.Hours()/(b.Elapsed().Seconds()/float64(b.N)), "hours/s")
}
