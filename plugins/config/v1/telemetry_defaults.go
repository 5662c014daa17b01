package v1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SetDefaults fills in every field that is not set, apiVersion and kind
// excepted: a file must name them.
func (c *TelemetryConfiguration) SetDefaults() {
	pointerDefault(&c.Interval, metav1.Duration{Duration: 30 * time.Second})
	pointerDefault(&c.HalfLife, metav1.Duration{Duration: 2 * time.Minute})
	pointerDefault(&c.RetainFor, metav1.Duration{Duration: time.Hour})
	pointerDefault(&c.Prometheus.Timeout, metav1.Duration{Duration: 30 * time.Second})
	pointerDefault(&c.Prometheus.MaxBodyBytes, resource.MustParse("512Mi"))
	pointerDefault(&c.Prometheus.MaxSeries, 1_000_000)
	if len(c.Sources) == 0 {
		c.Sources = []TelemetrySource{{Type: SourceIstioSidecar}}
	}
	if c.NodeNetworks != nil {
		setDefault(&c.NodeNetworks.Label, "node")
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		setDefault(&s.Name, string(s.Type))
		pointerDefault(&s.Window, metav1.Duration{Duration: 5 * time.Minute})
	}
}
