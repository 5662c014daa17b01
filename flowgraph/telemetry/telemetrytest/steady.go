package telemetrytest

import (
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Steady returns an engine with what has been scraped of a mesh in which all is well, and the
// time of the newest scrape, whose window is full. It is for tests of what reads the same
// metrics beside a source.
func Steady(t testing.TB, engine Engine, m Mesh) (q telemetry.Querier, at time.Time) {
	s := newSimulation(m)
	s.run(window + 2*time.Minute)
	return engine(t, s.load()), timeOf(s.now())
}
