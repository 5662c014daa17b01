package recording

import (
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/tsdb"
)

// Prometheus takes the edges files as promtool tsdb create-blocks-from
// openmetrics does: its parser, every sample with a timestamp, and a block that
// wants each series in the order of time. OpenMetrics wants the samples of a
// series together as well.
func TestPrometheusTakesEdges(t *testing.T) {
	rec := random(t, rand.New(rand.NewPCG(3, 4)), 60)
	for _, name := range rec.names {
		if kind, _ := kindOf(name); kind != edgesKind {
			continue
		}
		dir := t.TempDir()
		block, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, 2*tsdb.DefaultBlockDuration)
		if err != nil {
			t.Fatal(err)
		}
		appender := block.Appender(t.Context())
		samples, last, seen := 0, "", map[string]bool{}
		p := textparse.NewOpenMetricsParser(rec.content[name], labels.NewSymbolTable())
		for {
			entry, err := p.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if entry != textparse.EntrySeries {
				continue
			}
			_, ts, value := p.Series()
			if ts == nil {
				t.Fatalf("%s: a sample without a timestamp", name)
			}
			var ls labels.Labels
			p.Labels(&ls)
			if text := ls.String(); text != last {
				if seen[text] {
					t.Fatalf("%s: the samples of %s are not together", name, text)
				}
				last, seen[text] = text, true
			}
			if _, err := appender.Append(0, ls, *ts, value); err != nil {
				t.Fatalf("%s: %s at %d: %v", name, ls, *ts, err)
			}
			samples++
		}
		if err := appender.Commit(); err != nil {
			t.Fatal(err)
		}
		if _, err := block.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := block.Close(); err != nil {
			t.Fatal(err)
		}
		if samples < strings.Count(string(rec.content[name]), "\n")-12 {
			t.Errorf("%s: Prometheus takes %d samples", name, samples)
		}
	}
}
