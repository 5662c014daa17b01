package promfind

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// usualNamespaces are where Prometheus is installed by its charts, operators and guides.
func usualNamespaces() []string {
	return []string{
		"monitoring", "prometheus", "observability", "istio-system", "kube-prometheus-stack", "linkerd-viz", "metrics", "mimir", "thanos",
		"openshift-monitoring", "victoria-metrics", "kube-system", "default",
	}
}

const pageSize = 500

// list returns the Services of all namespaces or, where that is not allowed, of those where
// Prometheus usually is: then looked has their names.
func (f *Finder) list(ctx context.Context) (services []corev1.Service, looked []string, err error) {
	services, err = f.listIn(ctx, "")
	if err == nil || !apierrors.IsForbidden(err) {
		return services, nil, err
	}
	var refused error
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(append(usualNamespaces(), f.also...)))) {
		if namespace == "" {
			continue
		}
		some, err := f.listIn(ctx, namespace)
		switch {
		case apierrors.IsForbidden(err):
			refused = err
			continue
		case err != nil:
			return nil, nil, err
		}
		looked = append(looked, namespace)
		services = append(services, some...)
	}
	if len(looked) == 0 {
		return nil, nil, &ListError{refused}
	}
	return services, looked, nil
}

func (f *Finder) listIn(ctx context.Context, namespace string) ([]corev1.Service, error) {
	var all []corev1.Service
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := f.client.CoreV1().Services(namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("looking for Prometheus: listing Services: %w", err)
		}
		all = append(all, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

// ListError says that the account may not list Services anywhere where Prometheus usually is.
type ListError struct{ err error }

// Error says what the API server said last.
func (e *ListError) Error() string { return e.err.Error() }

// Unwrap returns the API server's error.
func (e *ListError) Unwrap() error { return e.err }

// Tried is a Service that looks like a server, and why it is none that can be used.
type Tried struct {
	Service Service
	Why     string
}

// NoneError says that no server was found.
type NoneError struct {
	// Tried are the Services that look like one; Namespaces are those in which they were looked
	// for, nil for all.
	Tried      []Tried
	Namespaces []string
}

// Error names what was tried, each with the reason.
func (e *NoneError) Error() string {
	where := "in the cluster"
	if e.Namespaces != nil {
		where = fmt.Sprintf("in the namespaces %s (the account may not list the Services of others)", joined(e.Namespaces))
	}
	if len(e.Namespaces) == 1 {
		where = "in namespace " + e.Namespaces[0]
	}
	if len(e.Tried) == 0 {
		return "no Service " + where + " looks like Prometheus, Thanos, Mimir or VictoriaMetrics"
	}
	text := "no Prometheus " + where + " can be reached"
	for _, t := range e.Tried {
		text += fmt.Sprintf("; %s: %s", t.Service, t.Why)
	}
	return text
}

// SeveralError says that there are several servers, of which one has to be chosen.
type SeveralError struct{ Found []*Found }

// Error names them.
func (e *SeveralError) Error() string {
	var names []string
	for _, f := range e.Found {
		names = append(names, f.Service.String())
	}
	return fmt.Sprintf("the cluster has %d servers of the Prometheus API: %s", len(names), joined(names))
}

// joined lists words.
func joined(words []string) string {
	text := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " and "
		default:
			text += ", "
		}
		text += w
	}
	return text
}

// errNoAPI is an answer of something that is not a server of the API, and errTLS one of a
// server that was to be asked with TLS.
var (
	errNoAPI = errors.New("it does not answer as a Prometheus API")
	errTLS   = errors.New("it speaks TLS")
)

// UnreadError says that a Service that was named cannot be read.
type UnreadError struct {
	service Service
	err     error
}

// Error names the Service.
func (e *UnreadError) Error() string {
	return fmt.Sprintf("reading Service %s/%s: %v", e.service.Namespace, e.service.Name, e.err)
}

// Unwrap returns why.
func (e *UnreadError) Unwrap() error { return e.err }
