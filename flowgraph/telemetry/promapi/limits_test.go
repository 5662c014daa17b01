package promapi

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// allocations decodes an answer of so many series, whose values it reads, and
// returns how often it allocates.
func allocations(t *testing.T, series int) float64 {
	body := mesh{series: series, workloads: 50, full: true}.bytes(t)
	return testing.AllocsPerRun(5, func() {
		read := 0
		err := decode(bytes.NewReader(body), limits{series: series, labelBytes: 100}, func(s telemetry.Series) error {
			for _, name := range []string{"source_workload", "destination_workload", "reporter", "none"} {
				read += len(s.Labels.Get(name))
			}
			return nil
		})
		if err != nil || read == 0 {
			t.Fatalf("read %d, error %v", read, err)
		}
	})
}

func TestSeriesDoNotAllocate(t *testing.T) {
	few, many := allocations(t, 1000), allocations(t, 20_000)
	if many != few {
		t.Errorf("%v allocations for 1,000 series, %v for 20,000", few, many)
	}
}

// repeated is a text that is never in memory as a whole.
func repeated(text string, n int) io.Reader {
	readers := make([]io.Reader, n)
	for i := range readers {
		readers[i] = strings.NewReader(text)
	}
	return io.MultiReader(readers...)
}

// TestMemoryDoesNotDependOnTheAnswer feeds 64 MiB of whatever may be long.
func TestMemoryDoesNotDependOnTheAnswer(t *testing.T) {
	const times = 1024
	block := strings.Repeat("x", 64<<10)
	cases := map[string]struct {
		before, block, after string
		want                 string
	}{
		"a label value":   {`{"metric":{"b":"c","a":"`, block, `"},"value":[1,"1"]}`, `"b"="c" 1`},
		"escapes":         {`{"metric":{"b":"c","a":"`, strings.Repeat(`\u0041`, 10_000), `"},"value":[1,"1"]}`, `"b"="c" 1`},
		"a label name":    {`{"metric":{"b":"c","`, block, `":"d"},"value":[1,"1"]}`, `"b"="c" 1`},
		"many labels":     {`{"metric":{"b":"c"`, strings.Repeat(`,"name":"value"`, 4000), `},"value":[1,"1"]}`, `"b"="c" "name"="value" 1`},
		"an unknown key":  {`{"metric":{"b":"c"},"`, block, `":1,"value":[1,"1"]}`, `"b"="c" 1`},
		"an unknown text": {`{"metric":{"b":"c"},"x":"`, block, `","value":[1,"1"]}`, `"b"="c" 1`},
		"a number":        {`{"metric":{"b":"c"},"x":1`, strings.Repeat("0", 64<<10), `,"value":[1,"1"]}`, `"b"="c" 1`},
		"a time":          {`{"metric":{"b":"c"},"value":[1`, strings.Repeat("0", 64<<10), `,"1"]}`, `"b"="c" 1`},
		"white space":     {`{"metric":{"b":"c"},`, strings.Repeat(" \n", 32<<10), `"value":[1,"1"]}`, `"b"="c" 1`},
		"buckets":         {`{"metric":{"b":"c"},"histogram":[1,{"buckets":[0`, strings.Repeat(`,[1,"2"]`, 8<<10), `]}]}`, `"b"="c" NaN`},
		"a value":         {`{"metric":{"b":"c"},"value":[1,"1`, block, `"]}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			whole := wrap("@")
			in := io.MultiReader(strings.NewReader(strings.Split(whole, "@")[0]+tc.before),
				repeated(tc.block, times), strings.NewReader(tc.after+strings.Split(whole, "@")[1]))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			lines, err := decodeLines(in, limits{series: 1, labelBytes: 1024})
			runtime.ReadMemStats(&after)
			if (err != nil) != (tc.want == "") || strings.Join(lines, ";") != tc.want {
				t.Errorf("series %.100q, error %.200v", lines, err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("allocated %d bytes", n)
			}
		})
	}
}

// TestWarningsAreLimited sends more of them than an error may hold, the one that
// counts as the last.
func TestWarningsAreLimited(t *testing.T) {
	end := `"results truncated due to limit"]}`
	in := io.MultiReader(strings.NewReader(`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":[`),
		repeated(`"`+strings.Repeat("w", 1<<20)+`",`, 50), strings.NewReader(end))
	d := &decoder{lexer: newLexer(in)}
	if err := d.answer(); err != nil || len(d.warnings) != maxWarnings || len(d.warnings[0]) != maxTextBytes {
		t.Errorf("%d warnings, error %v", len(d.warnings), err)
	}
	if err := d.outcome(); telemetry.FailureOf(err) != telemetry.TooLarge {
		t.Errorf("error = %v, want too large", err)
	}
}

// TestManyDifferentLabels makes the interner forget.
func TestManyDifferentLabels(t *testing.T) {
	in := interner{}
	for i := range 300_000 {
		if want := fmt.Sprint("workload-", i); in.string([]byte(want)) != want {
			t.Fatalf("%s became something else", want)
		}
		if len(in.strings) > 140_000 || in.held > 9<<20 {
			t.Fatalf("holds %d strings, %d bytes", len(in.strings), in.held)
		}
	}
	if in.string(nil) != "" {
		t.Error("nothing became something")
	}
}

// TestStringsOutliveTheSeries keeps what Get returned beyond yield.
func TestStringsOutliveTheSeries(t *testing.T) {
	body := mesh{series: 100, workloads: 50}.bytes(t)
	var kept []string
	err := decode(bytes.NewReader(body), limits{series: 100, labelBytes: 100}, func(s telemetry.Series) error {
		kept = append(kept, s.Labels.Get("source_workload"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range kept {
		if want := fmt.Sprintf("workload-%05d-v1", i/2); got != want {
			t.Errorf("series %d: %q, want %q", i, got, want)
		}
	}
}
