package recording

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// BenchmarkHour writes and reads an hour of 2,000 edges by the minute.
func BenchmarkHour(b *testing.B) {
	edges := make([]flowgraph.Edge, 2000)
	for i := range edges {
		edges[i].From = flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprintf("workload-%04d", i)}
		edges[i].To = flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprintf("workload-%04d", i/3)}
		edges[i].Rates = flowgraph.Rates{SentBytesPerSecond: 1000.5 + float64(i), ReceivedBytesPerSecond: 1e6 / float64(i+1), RequestsPerSecond: float64(i) / 7}
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := writeHour(b, edges)
			size := 0
			for _, content := range m.content {
				size += len(content)
			}
			b.ReportMetric(float64(size)/(1<<20), "MiB")
		}
	})
	m := writeHour(b, edges)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r, err := NewReader(m.files())
			steps := 0
			for ; err == nil; steps++ {
				_, err = r.Next()
			}
			if !errors.Is(err, io.EOF) || steps != 61 {
				b.Fatal(steps, err)
			}
		}
	})
}

func writeHour(b *testing.B, edges []flowgraph.Edge) *memory {
	m := &memory{}
	start := begin.Truncate(time.Hour)
	w, err := NewWriter(m, Manifest{From: start, Step: time.Minute})
	for i := 0; err == nil && i < 60; i++ {
		err = w.Step(start.Add(time.Duration(i+1)*time.Minute), edges)
	}
	if err := errors.Join(err, w.Close(true, "")); err != nil {
		b.Fatal(err)
	}
	return m
}
