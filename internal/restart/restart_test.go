package restart

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

// clock goes on by what is waited for, and by what a run takes.
type clock struct {
	now    time.Time
	pauses []time.Duration
}

func (c *clock) after(d time.Duration) <-chan time.Time {
	c.pauses = append(c.pauses, d)
	c.now = c.now.Add(d)
	fired := make(chan time.Time, 1)
	fired <- c.now
	return fired
}

// run is how one run of a task ends.
type run struct {
	takes time.Duration
	works bool
	err   error // nil is a panic
}

func TestKeep(t *testing.T) {
	broken := errors.New("broken")
	cases := map[string]struct {
		runs       []run
		wantPauses []time.Duration
		wantLines  []string
	}{
		"nothing to do": {},
		"panics for ever": {
			runs: slices.Repeat([]run{{}}, 11),
			wantPauses: []time.Duration{
				time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second, 128 * time.Second, 256 * time.Second,
				5 * time.Minute, 5 * time.Minute,
			},
			wantLines: []string{"A task has ended"},
		},
		"errors are ends too": {runs: []run{{err: broken}, {}}, wantPauses: []time.Duration{time.Second, 2 * time.Second}, wantLines: []string{"A task has ended"}},
		"works between two ends": {
			runs: []run{{}, {works: true}, {}}, wantPauses: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second},
			wantLines: []string{"A task has ended", "A task works again", "A task has ended"},
		},
		"has run for long": {
			runs: []run{{}, {}, {takes: time.Hour}}, wantPauses: []time.Duration{time.Second, 2 * time.Second, time.Second},
			wantLines: []string{"A task has ended", "A task has ended"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, left := &clock{now: time.Unix(1e9, 0)}, tc.runs
			task := func(_ context.Context, works func()) error {
				if len(left) == 0 {
					return nil
				}
				r := left[0]
				left = left[1:]
				c.now = c.now.Add(r.takes)
				if r.works {
					works()
				}
				if r.err != nil {
					return r.err
				}
				panic("no " + name)
			}
			tasks := New(func() time.Time { return c.now }, c.after)
			registry := metrics.NewKubeRegistry()
			tasks.Register(registry.MustRegister)
			logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
			tasks.Keep(klog.NewContext(t.Context(), logger), Telemetry, task)
			if !slices.Equal(c.pauses, tc.wantPauses) {
				t.Errorf("pauses %v, want %v", c.pauses, tc.wantPauses)
			}
			var lines []string
			for _, line := range logger.GetSink().(ktesting.Underlier).GetBuffer().Data() {
				message, _, _ := strings.Cut(line.Message, ";")
				lines = append(lines, message)
			}
			if !slices.Equal(lines, tc.wantLines) {
				t.Errorf("lines %q, want %q", lines, tc.wantLines)
			}
			got, err := testutil.GetCounterMetricValue(tasks.restarts.With(string(Telemetry)))
			if err != nil || int(got) != len(tc.runs) {
				t.Errorf("%v restarts are counted, want %d (%v)", got, len(tc.runs), err)
			}
		})
	}
}

// TestKeepEnds: neither a run nor a pause outlives the context.
func TestKeepEnds(t *testing.T) {
	for name, inPause := range map[string]bool{"in a run": false, "in a pause": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			runs := 0
			tasks := New(time.Now, func(time.Duration) <-chan time.Time { cancel(); return nil })
			tasks.Keep(ctx, Telemetry, func(context.Context, func()) error {
				if runs++; !inPause {
					cancel()
				}
				return errors.New("ended")
			})
			if runs != 1 {
				t.Errorf("%d runs, want 1", runs)
			}
		})
	}
}

func TestTasksHaveMeanings(t *testing.T) {
	for _, task := range All() {
		if task.without() == "" {
			t.Errorf("nothing is said of %s", task)
		}
	}
}
