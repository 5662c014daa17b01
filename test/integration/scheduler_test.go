package integration

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// scheduler is a running vicinity-scheduler.
type scheduler struct {
	process *sandbox.Process
	url     string
	token   string
	http    *http.Client
}

// startOptions says how a vicinity-scheduler is started.
type startOptions struct {
	name          string // of its files
	kubeconfig    string
	config        *schedulerv1.KubeSchedulerConfiguration
	prometheusURL string
	token         string                                 // of somebody who may read its metrics
	telemetry     func(*configv1.TelemetryConfiguration) // changes it, when set
	args          []string                               // more of them
}

// shippedOptions returns those for a scheduler with the shipped configuration.
func shippedOptions(t *testing.T, name, kubeconfig string) startOptions {
	t.Helper()
	config, err := sandbox.SchedulerConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return startOptions{name: name, kubeconfig: kubeconfig, config: config}
}

// options returns those for a scheduler of the shared cluster that reads the scene's
// Prometheus.
func (s *scene) options(t *testing.T, name string) startOptions {
	t.Helper()
	o := shippedOptions(t, name, s.cluster.Kubeconfig())
	o.prometheusURL, o.token = s.Metrics.URL(), s.cluster.RESTConfig().BearerToken
	return o
}

// start runs a vicinity-scheduler until the test ends and returns when it
// schedules, or stands by.
func (r *runner) start(t *testing.T, o startOptions) *scheduler {
	t.Helper()
	dir := t.TempDir()
	config, err := sandbox.WriteConfig(dir, "scheduler.yaml", o.config)
	if err != nil {
		t.Fatal(err)
	}
	telemetryConfig, err := sandbox.TelemetryConfig(o.prometheusURL, mesh.Istio())
	if err != nil {
		t.Fatal(err)
	}
	if o.telemetry != nil {
		o.telemetry(telemetryConfig)
	}
	telemetry, err := sandbox.WriteConfig(dir, "telemetry.yaml", telemetryConfig)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	process, err := sandbox.StartProcess(t.Context(), o.name, filepath.Join(r.dir, o.name+".log"),
		r.program(t, "vicinity-scheduler"), append([]string{
			"--config=" + config, "--telemetry-config=" + telemetry,
			"--authentication-kubeconfig=" + o.kubeconfig, "--authorization-kubeconfig=" + o.kubeconfig,
			"--bind-address=127.0.0.1", fmt.Sprint("--secure-port=", port), "--cert-dir=" + dir,
		}, o.args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	started := &scheduler{process: process, url: fmt.Sprint("https://127.0.0.1:", port), token: o.token}
	eventually(t, o.name+" is ready", func() error {
		if err := process.Err(); err != nil {
			t.Fatal(err)
		}
		if started.http == nil {
			ca, err := os.ReadFile(filepath.Join(dir, "kube-scheduler.crt"))
			if err != nil {
				return err
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(ca) {
				return fmt.Errorf("no certificate yet")
			}
			started.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 10 * time.Second}
		}
		_, err := started.get("/readyz")
		return err
	})
	t.Cleanup(started.http.CloseIdleConnections)
	return started
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (c *scheduler) get(path string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	return string(body), nil
}

// metric returns the sum of a metric's series that have all the given labels,
// written name=value.
func (c *scheduler) metric(name string, labels ...string) (float64, error) {
	text, err := c.get("/metrics")
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return 0, err
	}
	var sum float64
	for _, m := range families[name].GetMetric() {
		if hasLabels(m, labels) {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sum, nil
}

func hasLabels(m *dto.Metric, labels []string) bool {
	has := map[string]bool{}
	for _, pair := range m.GetLabel() {
		has[pair.GetName()+"="+pair.GetValue()] = true
	}
	for _, label := range labels {
		if !has[label] {
			return false
		}
	}
	return true
}

// hasTraffic waits until Prometheus knows the traffic from one of the app's
// workloads to another.
func (s *scene) hasTraffic(t *testing.T, a *app, from, to string) {
	t.Helper()
	s.hadTraffic(t, a, from, to, 0)
}

// hadTraffic waits until Prometheus has known it for so long.
func (s *scene) hadTraffic(t *testing.T, a *app, from, to string, ago time.Duration) {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: s.Metrics.URL()})
	if err != nil {
		t.Fatal(err)
	}
	query := fmt.Sprintf(`sum(rate(istio_request_bytes_sum{reporter="source",source_workload_namespace=%q,source_workload=%q,destination_workload=%q}[10s])) > 0`,
		a.namespace, from, to)
	eventually(t, fmt.Sprintf("Prometheus has the traffic from %s to %s", from, to), func() error {
		value, _, err := promv1.NewAPI(client).Query(t.Context(), query, time.Now().Add(-ago))
		if vector, ok := value.(model.Vector); err == nil && (!ok || len(vector) == 0) {
			err = errors.New("there is none")
		}
		return err
	})
}

// sees waits until Prometheus knows the traffic from one workload to another,
// and until the scheduler's graph has been refreshed from it.
func (c *scheduler) sees(t *testing.T, a *app, from, to string) {
	t.Helper()
	a.hasTraffic(t, a, from, to)
	refreshes := func() (float64, error) {
		return c.metric("vicinity_telemetry_refreshes_total", "result=success", "source=istio-sidecar")
	}
	before, err := refreshes()
	if err != nil {
		t.Fatal(err)
	}
	// One refresh may have been under way; the next one began afterwards.
	eventually(t, "the graph is refreshed twice", func() error {
		n, err := refreshes()
		if err == nil && n < before+2 {
			err = fmt.Errorf("%v refreshes since", n-before)
		}
		return err
	})
}

// log returns what the scheduler has said so far.
func (c *scheduler) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.process.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
