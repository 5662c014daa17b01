package telemetry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// sees is a source that sees so many bytes per second from web to db, fails, or
// panics with the error Panicked.
type sees struct {
	name  string
	bytes float64
	err   error
}

func (s sees) Name() string     { return s.name }
func (s sees) About() About     { return About{} }
func (s sees) Queries() []Query { return nil }
func (s sees) Collect(context.Context, Querier, time.Time) (Observation, error) {
	if FailureOf(s.err) == Panicked {
		panic(s.err)
	}
	if s.err != nil || s.bytes == 0 {
		return Observation{}, s.err
	}
	f := flowgraph.Flow{From: flowgraph.WorkloadID{Name: "web"}, To: flowgraph.WorkloadID{Name: "db"}}
	f.SentBytesPerSecond = s.bytes
	return Observation{Flows: []flowgraph.Flow{f}}, nil
}

func TestObserve(t *testing.T) {
	down := &QueryError{Failure: Unreachable, Err: errors.New("connection refused")}
	broken := &QueryError{Failure: Panicked, Err: errors.New("index out of range")}
	cases := map[string]struct {
		sources []Source
		want    float64
		failure Failure
		text    string
	}{
		"the larger one counts":        {[]Source{sees{"a", 3, nil}, sees{"b", 5, nil}, sees{"c", 4, nil}}, 5, NoFailure, ""},
		"one without traffic is fine":  {[]Source{sees{"a", 0, nil}, sees{"b", 5, nil}}, 5, NoFailure, ""},
		"none has traffic":             {[]Source{sees{"a", 0, nil}, sees{"b", 0, nil}}, 0, Empty, "source a: there is no traffic"},
		"one fails, so nothing counts": {[]Source{sees{"a", 3, nil}, sees{"b", 5, down}}, 0, Unreachable, "source b: connection refused"},
		"failures come before empty":   {[]Source{sees{"a", 0, nil}, sees{"b", 0, down}}, 0, Unreachable, "source b: connection refused"},
		"a panic is a failure":         {[]Source{sees{"a", 3, nil}, sees{"b", 0, broken}}, 0, Panicked, "source b: panic: index out of range"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			seen, err := NewAsker(tc.sources, nil, nil).Observe(t.Context(), time.Time{})
			var got float64
			for _, f := range seen.Flows {
				got += f.SentBytesPerSecond
			}
			if got != tc.want || FailureOf(err) != tc.failure || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%v bytes/s, error %v; want %v and %s: %q", got, err, tc.want, tc.failure, tc.text)
			}
		})
	}
}

func TestObserveEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewAsker([]Source{sees{"a", 3, nil}}, nil, nil).Observe(ctx, time.Time{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
