package sources_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// expositions have what real programs have exposed; see SOURCE.md in its directories.
const expositions = "../../../shared/data"

// exposed is a load script in which each series of a recorded exposition rises from 0 to
// its value within 90 s.
func exposed(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(expositions, path))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here: recorded metrics are not part of the repository", filepath.Join(expositions, path))
	}
	if err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	fmt.Fprintln(out, "load 90s")
	for line := range strings.Lines(string(text)) {
		i := strings.LastIndex(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "#") || !strings.Contains(line, "{") || i < 0 {
			continue
		}
		fmt.Fprintf(out, "  %s 0 %s\n", line[:i], strings.TrimSpace(line[i+1:]))
	}
	return out.String()
}

// services are in the namespace of their only workload, which has their name.
type services struct{}

func (services) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		r := telemetry.Resolution{Reason: telemetry.UnknownObject}
		if e.Kind == telemetry.ServiceEndpoint {
			r = telemetry.Resolution{Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: e.Namespace, Name: e.Name}, Part: 1}}}
		}
		all = append(all, r)
	}
	return all
}

// TestRecordedExpositions reads what programs have exposed of a client that sent known
// bytes to a Service of one pod.
func TestRecordedExpositions(t *testing.T) {
	cases := map[string]struct {
		kind v1.SourceType
		want []string // bytes in both directions
	}{
		"ebpf/caretta.prom": {"caretta", []string{"shop/frontend -> shop/cart 10000000 100000000"}},
	}
	for path, tc := range cases {
		t.Run(path, func(t *testing.T) {
			source, err := sources.New(v1.TelemetrySource{
				Type: tc.kind, Name: "it", Window: &metav1.Duration{Duration: 100 * time.Second},
			}, telemetry.Trust{}, services{})
			if err != nil {
				t.Fatal(err)
			}
			o, err := source.Collect(t.Context(), promtest.New(t, exposed(t, path)), time.Unix(90, 0))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range o.Flows {
				got = append(got, fmt.Sprintf("%v -> %v %.0f %.0f", f.From, f.To, 100*f.SentBytesPerSecond, 100*f.ReceivedBytesPerSecond))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if about := source.About(); about.Type != string(tc.kind) || !about.Resolves {
				t.Errorf("about it: %+v", about)
			}
		})
	}
}
