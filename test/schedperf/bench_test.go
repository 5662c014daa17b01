package schedperf

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	_ "k8s.io/component-base/logs/json/register"
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"

	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
)

func TestMain(m *testing.M) {
	if err := perf.InitTests(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// BenchmarkScheduler runs the cases that the environment asks for, see the target
// bench-scheduler of the Makefile.
func BenchmarkScheduler(b *testing.B) {
	options, err := measure.ParseOptions(os.Getenv("VICINITY_BENCH_CASES"), os.Getenv("VICINITY_BENCH_NODES"), os.Getenv("VICINITY_BENCH_PAIRS"))
	if err != nil {
		b.Fatal(err)
	}
	config, err := writeConfig(b.TempDir(), options.Runs)
	if err != nil {
		b.Fatal(err)
	}
	bench := newBench(options, os.Stdout)
	perf.RunBenchmarkPerfScheduling(b, config, "vicinity", bench.registry(), perf.WithNodeUpdateFn(bench.drive))
	if len(bench.results) == 0 {
		b.Fatal("nothing was measured")
	}
	var report bytes.Buffer
	if err := measure.Print(&report, bench.results); err != nil {
		b.Fatal(err)
	}
	if path := os.Getenv("VICINITY_BENCH_REPORT"); path != "" {
		if err := os.WriteFile(path, report.Bytes(), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
