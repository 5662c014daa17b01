//go:build linux

package realmeshes

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the names that real scrapes have, and the figures in the documentation, instead of comparing with them")

// names are those that occur in a scrape: of metrics of upstreams, of labels that the proxy
// gives the metric that matters most, and of labels that the scrape's configuration adds.
type names struct{ metrics, labels, scraped map[string]bool }

const sentBytes = "envoy_cluster_upstream_cx_tx_bytes_total"

// checkNames compares the names in a scrape of web's sidecar with names/PRODUCT.txt.
func (tn *town) checkNames(t *testing.T, prometheus string) {
	t.Helper()
	got := namesOf(t, tn.exposed)
	client, err := api.NewClient(api.Config{Address: prometheus})
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := promv1.NewAPI(client).LabelNames(t.Context(), []string{sentBytes}, time.Now().Add(-time.Hour), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range stored {
		if label != model.MetricNameLabel && label != "job" && label != "instance" && !got.labels[string(label)] {
			got.scraped[string(label)] = true
		}
	}
	text := &strings.Builder{}
	fmt.Fprintf(text, "# Names in a real scrape of the metrics of upstreams of Envoy %s, which test/realmeshes configured as\n", tn.web.version(t))
	fmt.Fprintf(text, "# %s does: metrics, labels of %s,\n", tn.mesh.product, sentBytes)
	fmt.Fprintf(text, "# and labels that were added on the way to Prometheus (scraped), which are no evidence of what the\n")
	fmt.Fprintf(text, "# mesh adds. `make real-meshes` compares.\n")
	for _, kind := range []struct {
		name string
		all  map[string]bool
	}{{"metric", got.metrics}, {"label", got.labels}, {"scraped", got.scraped}} {
		for _, name := range slices.Sorted(maps.Keys(kind.all)) {
			fmt.Fprintln(text, kind.name, name)
		}
	}
	golden(t, filepath.Join("names", tn.mesh.product+".txt"), text.String())
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, which `hack/realmeshes.sh -update` writes (-want +got):\n%s", path, diff)
	}
}

// namesOf reads an exposition.
func namesOf(t *testing.T, address string) names {
	t.Helper()
	n := names{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for name, family := range expositionOf(t, "http://"+address+"/metrics") {
		if !strings.HasPrefix(name, "envoy_cluster_upstream_cx_") && !strings.HasPrefix(name, "envoy_cluster_upstream_rq") {
			continue
		}
		n.metrics[name] = true
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if name == sentBytes && l.GetValue() != "" { // else the label is not there
					n.labels[l.GetName()] = true
				}
			}
		}
	}
	return n
}

// expositionOf reads what is exposed at an address.
func expositionOf(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	families, err := readExposition(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func readExposition(r io.Reader) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(r)
}
