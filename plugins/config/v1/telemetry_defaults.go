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
	c.Trust.setDefaults()
	c.Declared.setDefaults()
	for i := range c.Sources {
		s := &c.Sources[i]
		setDefault(&s.Name, string(s.Type))
		pointerDefault(&s.Window, metav1.Duration{Duration: 5 * time.Minute})
		if s.PromQL != nil {
			s.PromQL.SetDefaults()
		}
	}
}

// setDefaults fills in what is not set. The limits are above what an honest cluster of
// 10,000 workloads has: 200,000 edges, all of them in one namespace, hubs that everybody
// calls included.
func (t *Trust) setDefaults() {
	setDefault(&t.Agreement, AgreementLarger)
	pointerDefault(&t.MaxForeignShare, 1)
	l := &t.Limits
	pointerDefault(&l.Edges, 300_000)
	pointerDefault(&l.NamespaceEdges, min(250_000, *l.Edges))
	pointerDefault(&l.Workloads, 30_000)
	pointerDefault(&l.NamespaceWorkloads, min(20_000, *l.Workloads))
}
