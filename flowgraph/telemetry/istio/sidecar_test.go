package istio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

func TestNewSidecarRefuses(t *testing.T) {
	cases := map[string]struct {
		options Options
		want    string
	}{
		"a short window":        {Options{Window: time.Second}, "window 1s"},
		"a broken window":       {Options{Window: time.Minute + 1}, "whole seconds"},
		"a selector with brace": {Options{Selector: `a="b"}`}, "want a comma"},
		"an unquoted value":     {Options{Selector: `a=b`}, `at "a=b"`},
		"an open string":        {Options{Selector: `a="b`}, "label="},
		"a broken regexp":       {Options{Selector: `a=~"("`}, "label a: error parsing regexp"},
		"its own label":         {Options{Selector: `x="y", reporter="source"`}, "label reporter"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := NewSidecar(tc.options)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to say %q", err, tc.want)
			}
		})
	}
	for _, selector := range []string{"", `a="b"`, ` a!="b" , c=~"d|e",f!~"\\d+", `, `a="}"`} {
		s, err := NewSidecar(Options{Selector: selector})
		if err != nil {
			t.Errorf("selector %s: %v", selector, err)
			continue
		}
		// What this accepts, the engine must parse.
		if _, err := s.Collect(context.Background(), promtest.New(t, "load 30s\n  up 1"), time.Unix(0, 0)); err != nil {
			t.Errorf("selector %s: %v", selector, err)
		}
	}
}

// excerpts are metrics that real proxies exported; see SOURCE.md beside them.
const excerpts = "../../../../shared/data/istio-sidecar/sidecar-excerpts.prom"

func TestRealProxies(t *testing.T) {
	f, err := os.Open(excerpts)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not here: recorded proxy metrics are not part of the repository", excerpts)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(f)
	if err != nil {
		t.Fatal(err)
	}
	// Every counter rises from 0 to its value within the first minute.
	load := &strings.Builder{}
	fmt.Fprintln(load, "load 1m")
	at := time.Unix(60, 0)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, families[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			fmt.Fprintf(load, "  %s 0 %g\n", s.Metric, float64(s.Value))
		}
	}
	source, err := NewSidecar(Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.Collect(context.Background(), promtest.New(t, load.String()), at)
	if err != nil {
		t.Fatal(err)
	}
	// 2150 bytes in the 300 s window, and 1150 to an address outside the mesh.
	want := []string{"default/productpage-v1 -> default/reviews-v1 0 7.167 0"}
	if diff := cmp.Diff(want, flowLines(got.Flows)); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	wantLeftOut := map[telemetry.Reason]telemetry.LeftOut{telemetry.Passthrough: {Series: 1, BytesPerSecond: 1150.0 / 300}}
	if diff := cmp.Diff(wantLeftOut, got.LeftOut, cmpopts.EquateApprox(1e-6, 0)); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}
