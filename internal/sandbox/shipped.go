package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/manifests"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// SchedulerConfig returns the shipped configuration of vicinity-scheduler for a
// scheduler that runs outside the cluster, alone, with no limit on its requests
// that a test would feel.
func SchedulerConfig(kubeconfig string) (*schedulerv1.KubeSchedulerConfiguration, error) {
	c := &schedulerv1.KubeSchedulerConfiguration{}
	if err := shipped("scheduler.yaml", c); err != nil {
		return nil, err
	}
	c.ClientConnection.Kubeconfig = kubeconfig
	c.ClientConnection.QPS, c.ClientConnection.Burst = 500, 1000
	alone := false
	c.LeaderElection.LeaderElect = &alone
	return c, nil
}

// SetWeight sets the weight of TrafficLocality in a profile. 0 switches it off.
func SetWeight(p *schedulerv1.KubeSchedulerProfile, weight int32) {
	enabled := p.Plugins.MultiPoint.Enabled
	for i := range enabled {
		if enabled[i].Name == trafficlocality.Name {
			enabled[i].Weight = &weight
		}
	}
}

// TelemetryConfig returns the shipped TelemetryConfiguration for a kind of mesh and a
// Prometheus that scrapes every second: changes show within seconds instead of minutes.
func TelemetryConfig(prometheusURL string, kind mesh.Type) (*configv1.TelemetryConfiguration, error) {
	c := &configv1.TelemetryConfiguration{}
	if err := shipped("telemetry.yaml", c); err != nil {
		return nil, err
	}
	c.Prometheus.URL = prometheusURL
	c.Interval = &metav1.Duration{Duration: 2 * time.Second}
	c.HalfLife = &metav1.Duration{Duration: 5 * time.Second}
	for i := range c.Sources {
		c.Sources[i].Type = configv1.SourceType(kind.Source)
		c.Sources[i].Window = &metav1.Duration{Duration: 10 * time.Second}
	}
	return c, nil
}

func shipped(name string, into any) error {
	data, err := manifests.Base.ReadFile("base/config/" + name)
	if err != nil {
		return fmt.Errorf("reading the shipped %s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		return fmt.Errorf("reading the shipped %s: %w", name, err)
	}
	return nil
}

// WriteConfig writes a configuration as a YAML file into a directory and
// returns its path.
func WriteConfig(dir, name string, config any) (string, error) {
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return path, nil
}
