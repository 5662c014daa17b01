package promapi

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// TestWarningsOfSeries fail no query; other warnings do.
func TestWarningsOfSeries(t *testing.T) {
	const mix = `"PromQL warning: encountered a mix of histograms and floats for metric name \"x\""`
	cases := map[string]struct {
		warnings string
		want     telemetry.Failure
	}{
		"of series":        {mix, telemetry.NoFailure},
		"of a store too":   {mix + `,"store a is down"`, telemetry.Partial},
		"some are omitted": {mix + `,"3 more warning annotations omitted"`, telemetry.Partial},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, vector, `,"warnings":[`+tc.warnings+`]`) })
			if _, err := query(t, Config{URL: url}); telemetry.FailureOf(err) != tc.want {
				t.Errorf("error %v, want the failure %v", err, tc.want)
			}
		})
	}
}
