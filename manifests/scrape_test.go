package manifests

import (
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // to read kubernetes_sd_configs
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
)

// TestScrapeExample loads the example of docs/install.md as Prometheus does, and applies its
// relabelling to the endpoint of manifests/components/metrics and to others.
func TestScrapeExample(t *testing.T) {
	c, err := config.Load(installExamples(t)["# in prometheus.yml"], promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.ScrapeConfigs) != 1 {
		t.Fatalf("%d scrape configurations, want one", len(c.ScrapeConfigs))
	}
	scrape := c.ScrapeConfigs[0]
	if scrape.Scheme != "https" || scrape.HTTPClientConfig.Authorization == nil {
		t.Errorf("it scrapes by %s with %+v", scrape.Scheme, scrape.HTTPClientConfig.Authorization)
	}
	for service, want := range map[string]bool{"vicinity-scheduler;https": true, "vicinity-scheduler;http": false, "prometheus;https": false} {
		name, port, _ := strings.Cut(service, ";")
		builder := labels.NewBuilder(labels.FromStrings("__meta_kubernetes_service_name", name, "__meta_kubernetes_endpoint_port_name", port))
		if got := relabel.ProcessBuilder(builder, scrape.RelabelConfigs...); got != want {
			t.Errorf("%s is scraped: %v, want %v", service, got, want)
		}
	}
}
