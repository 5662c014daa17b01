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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// recorded is what programs exposed of a client that sent known bytes to a Service of one pod.
type recorded struct {
	kind   v1.SourceType
	agents []string // expositions, each of an agent
	// sent and received are the payload, and above is by how much packets are more.
	sent, received float64
	above          [2]float64
	oneWay         bool   // either direction is an edge of its own
	all            string // PromQL for all that is reported of one direction, whoever reports it
}

func recordings() map[string]recorded {
	packets, exactly := [2]float64{0.001, 0.009}, [2]float64{0, 0}
	flows := func(prefix string) string {
		return `sum by ($labels) (rate(` + prefix + `_network_flow_bytes_total{direction="request",k8s_src_owner_name!=""}[$window]) >= 0)`
	}
	return map[string]recorded{
		"obi":                 {"obi", []string{"obi-tc-default"}, 15e6, 150e6, packets, false, flows("obi")},
		"obi, all attributes": {"obi", []string{"obi-tc-all"}, 15e6, 150e6, packets, false, flows("obi")},
		"obi, two agents": {"obi", []string{"obi-agent-vcveth2", "obi-agent-vcveth3"}, 10e6, 100e6, packets, false,
			`sum by ($labels) (rate(obi_network_flow_bytes_total{direction="request",k8s_dst_owner_type!="Service"}[$window]) >= 0)`},
		"beyla":                  {"beyla", []string{"beyla-tc-default"}, 5e6, 50e6, packets, false, flows("beyla")},
		"beyla, a socket filter": {"beyla", []string{"beyla-sockfilter-default"}, 5e6, 50e6, packets, false, flows("beyla")},
		"netobserv": {"netobserv", []string{"netobserv"}, 5e6, 50e6, packets, true,
			`sum by ($labels) (rate({__name__=~"netobserv_workload_(in|e)gress_bytes_total"}[$window]) >= 0)`},
		"caretta": {"caretta", []string{"caretta"}, 10e6, 100e6, exactly, false,
			`sum by ($labels) (rate(caretta_links_observed{client_kind!="external"}[$window]) >= 0)`},
		"caretta, part way": {"caretta", []string{"caretta-mid"}, 3.1e6, 31e6, exactly, false,
			`sum by ($labels) (rate(caretta_links_observed{client_kind!="external"}[$window]) >= 0)`},
	}
}

// paths are the files of the expositions.
func (r recorded) paths() []string {
	var all []string
	for _, agent := range r.agents {
		all = append(all, "ebpf/"+agent+".prom")
	}
	return all
}

// seen is what a source makes of a recording: bytes in both directions, by edge.
func (r recorded) seen(t *testing.T, source telemetry.Source) map[string][2]float64 {
	t.Helper()
	o, err := source.Collect(t.Context(), promtest.New(t, exposedBy(t, r.paths()...)), time.Unix(90, 0))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2]float64{}
	for _, f := range o.Flows {
		all[fmt.Sprint(f.From, " -> ", f.To)] = [2]float64{100 * f.SentBytesPerSecond, 100 * f.ReceivedBytesPerSecond}
	}
	return all
}

// want is what the edges must have, as the payload.
func (r recorded) want() map[string][2]float64 {
	if r.oneWay {
		return map[string][2]float64{"shop/frontend -> shop/cart": {r.sent, 0}, "shop/cart -> shop/frontend": {r.received, 0}}
	}
	return map[string][2]float64{"shop/frontend -> shop/cart": {r.sent, r.received}}
}

// isWithin reports whether bytes are the payload and what packets have beyond it.
func (r recorded) isWithin(bytes, payload float64) bool {
	const rounding = 1e-9
	return bytes >= payload*(1+r.above[0])*(1-rounding) && bytes <= payload*(1+r.above[1])*(1+rounding)
}

// TestRecordedAgents reads the known bytes.
func TestRecordedAgents(t *testing.T) {
	for name, r := range recordings() {
		t.Run(name, func(t *testing.T) {
			source, err := sources.New(v1.TelemetrySource{
				Type: r.kind, Name: "it", Window: &metav1.Duration{Duration: 100 * time.Second},
			}, telemetry.Trust{}, services{})
			if err != nil {
				t.Fatal(err)
			}
			got, want := r.seen(t, source), r.want()
			for edge, payload := range want {
				for i, bytes := range got[edge] {
					if !r.isWithin(bytes, payload[i]) {
						t.Errorf("%s: %.0f bytes of the payload %.0f, not %v times as much more", edge, bytes, payload[i], r.above)
					}
				}
			}
			if len(got) != len(want) {
				t.Errorf("there are the edges %v, want %v", got, want)
			}
			if about := source.About(); about.Type != string(r.kind) || !about.Resolves {
				t.Errorf("about it: %+v", about)
			}
		})
	}
}

// TestSumOfAllReports: the sum of what all report never is what was sent.
func TestSumOfAllReports(t *testing.T) {
	for name, r := range recordings() {
		t.Run(name, func(t *testing.T) {
			kind, _, err := sources.Named(r.kind)
			if err != nil {
				t.Fatal(err)
			}
			sum := *kind.Definition
			sum.Queries = []promql.Query{{Query: r.all, Measures: promql.Sent}}
			source, err := promql.New(promql.Options{Name: "sum", Definition: sum, Window: 100 * time.Second, Resolver: services{}})
			if err != nil {
				t.Fatal(err)
			}
			got := r.seen(t, source)["shop/frontend -> shop/cart"][0]
			if got < 1.4*r.sent {
				t.Errorf("the sum is %.0f bytes of %.0f", got, r.sent)
			}
		})
	}
}

// exposedBy is a load script in which each series of recorded expositions rises from 0 to its
// value within 90 s. Each exposition is that of another target.
func exposedBy(t *testing.T, paths ...string) string {
	t.Helper()
	out := &strings.Builder{}
	fmt.Fprintln(out, "load 90s")
	for n, path := range paths {
		text, err := os.ReadFile(filepath.Join(expositions, path))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("%s is not here: recorded metrics are not part of the repository", filepath.Join(expositions, path))
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			i := strings.LastIndex(strings.TrimSpace(line), " ")
			if strings.HasPrefix(line, "#") || !strings.Contains(line, "{") || i < 0 {
				continue
			}
			series := strings.Replace(line[:i], "{", fmt.Sprintf("{instance=\"192.0.2.%d:9400\",", n+1), 1)
			fmt.Fprintf(out, "  %s 0 %s\n", series, strings.TrimSpace(line[i+1:]))
		}
	}
	return out.String()
}
