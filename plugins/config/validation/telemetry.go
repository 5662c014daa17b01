// Package validation finds the mistakes in a configuration whose defaults have
// been set: all of them, each with its field. It sets no default and opens no
// file.
package validation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

const (
	minInterval = time.Second
	minWindow   = 5 * time.Second
)

// TelemetryConfiguration returns every mistake in a configuration whose
// defaults have been set. It opens no file.
func TelemetryConfiguration(c *v1.TelemetryConfiguration) field.ErrorList {
	var errs field.ErrorList
	if c.APIVersion != v1.GroupVersion {
		errs = append(errs, field.NotSupported(field.NewPath("apiVersion"), c.APIVersion, []string{v1.GroupVersion}))
	}
	if c.Kind != v1.TelemetryConfigurationKind {
		errs = append(errs, field.NotSupported(field.NewPath("kind"), c.Kind, []string{v1.TelemetryConfigurationKind}))
	}
	errs = append(errs, atLeast(field.NewPath("interval"), c.Interval, minInterval)...)
	errs = append(errs, atLeast(field.NewPath("halfLife"), c.HalfLife, 0)...)
	if c.Interval != nil {
		errs = append(errs, atLeast(field.NewPath("retainFor"), c.RetainFor, c.Interval.Duration)...)
	}
	errs = append(errs, validatePrometheus(field.NewPath("prometheus"), &c.Prometheus)...)
	errs = append(errs, validateSources(field.NewPath("sources"), c)...)
	errs = append(errs, validateNodeNetworks(field.NewPath("nodeNetworks"), c)...)
	errs = append(errs, validateSites(field.NewPath("sites"), c.Sites)...)
	errs = append(errs, validateTrust(field.NewPath("trust"), &c.Trust)...)
	return append(errs, validateDeclared(field.NewPath("declared"), &c.Declared)...)
}

func atLeast(path *field.Path, d *metav1.Duration, least time.Duration) field.ErrorList {
	switch {
	case d == nil:
		return field.ErrorList{field.Required(path, "")}
	case d.Duration < least:
		return field.ErrorList{field.Invalid(path, d.Duration.String(), "must be at least "+least.String())}
	}
	return nil
}

func validatePrometheus(path *field.Path, p *v1.Prometheus) field.ErrorList {
	var errs field.ErrorList
	if p.URL == "" {
		errs = append(errs, field.Required(path.Child("url"), "the base of the API, e.g. http://prometheus.monitoring:9090"))
	} else if err := promapi.ValidateURL(p.URL); err != nil {
		// The value is not repeated: it may hold a password.
		errs = append(errs, &field.Error{Type: field.ErrorTypeForbidden, Field: path.Child("url").String(), Detail: err.Error()})
	}
	errs = append(errs, atLeast(path.Child("timeout"), p.Timeout, time.Millisecond)...)
	if t := p.TLS; t != nil && (t.CertFile == "") != (t.KeyFile == "") {
		errs = append(errs, field.Required(path.Child("tls"), "certFile and keyFile go together"))
	}
	if b := p.BasicAuth; b != nil {
		at := path.Child("basicAuth")
		if b.Username == "" {
			errs = append(errs, field.Required(at.Child("username"), ""))
		}
		if b.PasswordFile == "" {
			errs = append(errs, field.Required(at.Child("passwordFile"), ""))
		}
		if p.BearerTokenFile != "" {
			errs = append(errs, field.Forbidden(at, "excludes bearerTokenFile"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
		if err := promapi.ValidateHeader(name); err != nil {
			errs = append(errs, field.Forbidden(path.Child("headers").Key(name), err.Error()))
		}
	}
	if q := p.MaxBodyBytes; q != nil && q.Value() <= 0 {
		errs = append(errs, field.Invalid(path.Child("maxBodyBytes"), q.String(), "must be positive"))
	}
	if n := p.MaxSeries; n != nil && *n <= 0 {
		errs = append(errs, field.Invalid(path.Child("maxSeries"), *n, "must be positive"))
	}
	return errs
}

func validateNodeNetworks(path *field.Path, c *v1.TelemetryConfiguration) field.ErrorList {
	n := c.NodeNetworks
	if n == nil {
		return nil
	}
	var errs field.ErrorList
	if strings.TrimSpace(n.Query) == "" {
		errs = append(errs, field.Required(path.Child("query"), "PromQL for the bytes per second that nodes' networks take"))
	}
	if !model.LegacyValidation.IsValidLabelName(n.Label) {
		errs = append(errs, field.Invalid(path.Child("label"), n.Label, "must be the name of a label in Prometheus: letters, digits and underscores, no digit first"))
	}
	for i, s := range c.Sources {
		if s.Name == v1.NodeNetworksName {
			errs = append(errs, field.Invalid(field.NewPath("sources").Index(i).Child("name"), s.Name, "is what nodeNetworks is called"))
		}
	}
	return errs
}
