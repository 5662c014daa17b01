package measure

import (
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// stacks reads samples, one a line: milliseconds, then frames from the leaf up. A
// frame "a+b" is b with a inlined into it.
func stacks(text string) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	short := strings.NewReplacer(
		"TL.", ownPrefix,
		"S.", "k8s.io/kubernetes/pkg/scheduler.(*Scheduler).",
		"F.", "k8s.io/kubernetes/pkg/scheduler/framework/runtime.(*frameworkImpl).",
		"W.", workerFrame)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		spent, err := time.ParseDuration(fields[0])
		if err != nil {
			panic(err)
		}
		s := &profile.Sample{Value: []int64{1, int64(spent)}}
		for _, frame := range fields[1:] {
			location := &profile.Location{}
			for name := range strings.SplitSeq(frame, "+") {
				location.Line = append(location.Line, profile.Line{Function: &profile.Function{Name: short.Replace(name)}})
			}
			s.Location = append(s.Location, location)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func TestAttribute(t *testing.T) {
	cases := map[string]struct {
		stacks            string
		own, cycle, total time.Duration
	}{
		"the API server's are neither": {
			stacks: "10ms net/http.serve", total: 10 * time.Millisecond,
		},
		"a cycle without the plugin": {
			stacks: "10ms F.RunFilterPlugins S.schedulePod S.schedulingCycle S.ScheduleOne", cycle: 10 * time.Millisecond, total: 10 * time.Millisecond,
		},
		"what the plugin calls is its own": {
			stacks: "10ms runtime.mallocgc TL.(*Plugin).PreScore F.RunPreScorePlugins S.schedulingCycle",
			own:    10 * time.Millisecond, cycle: 10 * time.Millisecond, total: 10 * time.Millisecond,
		},
		"a function of the plugin that was inlined": {
			stacks: "10ms runtime.mapaccess TL.points+F.runScorePlugin S.schedulingCycle",
			own:    10 * time.Millisecond, cycle: 10 * time.Millisecond, total: 10 * time.Millisecond,
		},
		"a worker that filters for the cycle": {
			stacks: "10ms S.findNodesThatPassFilters.func1 W.func2", cycle: 10 * time.Millisecond, total: 10 * time.Millisecond,
		},
		"a worker that scores": {
			stacks: "10ms TL.(*Plugin).Score F.RunScorePlugins.func2 W.func2",
			own:    10 * time.Millisecond, cycle: 10 * time.Millisecond, total: 10 * time.Millisecond,
		},
		"another component's worker": {
			stacks: "10ms k8s.io/kubernetes/pkg/controller/garbagecollector.run W.func2", total: 10 * time.Millisecond,
		},
		"binding is not the cycle": {
			stacks: "10ms F.RunBindPlugins S.bindingCycle S.runBindingCycle", total: 10 * time.Millisecond,
		},
		"a signature is the plugin's, outside of the cycle": {
			stacks: "10ms TL.(*Plugin).SignPod F.SignPod k8s.io/kubernetes/pkg/scheduler/backend/queue.Add",
			own:    10 * time.Millisecond, total: 10 * time.Millisecond,
		},
		"samples add up": {
			stacks: "10ms TL.x S.schedulingCycle\n20ms S.schedulingCycle\n40ms main.main",
			own:    10 * time.Millisecond, cycle: 30 * time.Millisecond, total: 70 * time.Millisecond,
		},
		"a package whose name only begins alike": {
			stacks: "10ms " + strings.TrimSuffix(ownPrefix, ".") + "test.x", total: 10 * time.Millisecond,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := CPU{Total: c.total, Cycle: c.cycle, Own: c.own}
			if got := Attribute(stacks(c.stacks)); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}
