//go:build linux

package realmeshes

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// kumaDP does to Envoy's exposition what Kuma's data plane does, which is between Envoy and
// Prometheus: clusters of the same Service that Kuma has split are one, and clusters other
// than Kuma's own have a label.
func kumaDP(families map[string]*dto.MetricFamily) {
	split := regexp.MustCompile(`-[0-9a-f]{16}$`)
	for _, family := range families {
		merged := map[string]*dto.Metric{}
		var all []*dto.Metric
		for _, m := range family.Metric {
			i := slices.IndexFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "envoy_cluster_name" })
			if i < 0 {
				all = append(all, m)
				continue
			}
			name := split.ReplaceAllString(m.Label[i].GetValue(), "")
			m.Label[i].Value = &name
			if name != "kuma_envoy_admin" {
				m.Label = append(m.Label, &dto.LabelPair{Name: proto.String("kuma_io_mesh_traffic"), Value: proto.String("true")})
			}
			key := (&dto.Metric{Label: m.Label}).String()
			first := merged[key]
			switch {
			case first == nil:
				merged[key] = m
				all = append(all, m)
			case m.Counter != nil:
				first.Counter.Value = proto.Float64(first.Counter.GetValue() + m.Counter.GetValue())
			case m.Gauge != nil:
				first.Gauge.Value = proto.Float64(first.Gauge.GetValue() + m.Gauge.GetValue())
			}
		}
		family.Metric = all
	}
}

// serveRewritten serves an exposition that has been rewritten, and returns where.
func serveRewritten(t *testing.T, address string, rewrite func(map[string]*dto.MetricFamily)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, err := http.Get("http://" + address + r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		families, err := readExposition(response.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		rewrite(families)
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		for _, name := range slices.Sorted(maps.Keys(families)) {
			if _, err := expfmt.MetricFamilyToText(w, families[name]); err != nil {
				return // the scrape is gone
			}
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestKumaDP compares with what Kuma's data plane has done to a recorded exposition.
func TestKumaDP(t *testing.T) {
	const recorded = "../../../shared/data/kuma/counter-and-noncluster-metrics."
	read := func(path string) map[string]*dto.MetricFamily {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("%s is not here: recorded metrics are not part of the repository", path)
		}
		if err != nil {
			t.Fatal(err)
		}
		families, err := readExposition(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return families
	}
	got, want := read(recorded+"in.txt"), read(recorded+"out.txt")
	kumaDP(got)
	if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.SortRepeatedFields(&dto.MetricFamily{}, "metric")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
