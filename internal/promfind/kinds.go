package promfind

import (
	"cmp"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// kind is what Services of one sort of server look like, as their charts and operators make
// them.
type kind struct {
	// system is the software; the Services of one system in a namespace, other than those of
	// Prometheus, are ways into the same data.
	system string
	// names are patterns of the Service's name, and labels sets of labels, any of which is
	// enough.
	names  []string
	labels []map[string]string
	// ports are names and numbers of the port, the best first.
	ports   []string
	numbers []int32
	path    string
}

// kinds returns the sorts of servers, Prometheus first; of each system, the best way in first.
func kinds() []kind {
	const name, component = "app.kubernetes.io/name", "app.kubernetes.io/component"
	mimirPorts, mimirNumbers := []string{"http-metrics", "http", "http-metric"}, []int32{80, 8080}
	return []kind{
		{
			system: prometheus,
			names:  []string{"prometheus", "prometheus-server", "prometheus-k8s", "prometheus-operated", "*-prometheus", "*-prometheus-server"},
			labels: []map[string]string{{name: "prometheus"}, {"operated-prometheus": "true"}, {"app": "prometheus", "component": "server"}},
			ports:  []string{"http-web", "web", "http", "prometheus", "http-prometheus", "https", "api"}, numbers: []int32{9090, 80, 9091, 443},
		},
		{
			system: "Thanos", names: []string{"thanos-query-frontend", "*-thanos-query-frontend"}, labels: []map[string]string{{name: "thanos-query-frontend"}},
			ports: []string{"http", "http-query", "web"}, numbers: []int32{9090, 10902, 80},
		},
		{
			system: "Thanos", names: []string{"thanos-query", "thanos-querier", "*-thanos-query", "*-thanos-querier"},
			labels: []map[string]string{{name: "thanos-query"}, {name: "thanos", component: "query"}},
			ports:  []string{"http", "http-query", "web"}, numbers: []int32{9090, 10902, 9091, 80},
		},
		{
			system: "Mimir", names: []string{"mimir-gateway", "mimir-nginx", "*-mimir-gateway", "*-mimir-nginx", "cortex-nginx", "*-cortex-nginx"},
			ports: mimirPorts, numbers: mimirNumbers, path: "/prometheus",
		},
		{
			system: "Mimir", names: []string{"mimir-query-frontend", "*-mimir-query-frontend", "cortex-query-frontend", "*-cortex-query-frontend"},
			labels: []map[string]string{{name: "mimir", component: "query-frontend"}},
			ports:  mimirPorts, numbers: mimirNumbers, path: "/prometheus",
		},
		{
			system: "VictoriaMetrics", names: []string{"vmselect*", "*-vmselect"}, labels: []map[string]string{{name: "vmselect"}, {"app": "vmselect"}},
			ports: []string{"http"}, numbers: []int32{8481}, path: "/select/0/prometheus",
		},
		{
			system: "VictoriaMetrics", names: []string{"vmsingle*", "*-vmsingle", "*-victoria-metrics-single-server", "victoria-metrics"},
			labels: []map[string]string{{name: "vmsingle"}, {name: "victoria-metrics-single"}},
			ports:  []string{"http"}, numbers: []int32{8428, 8429},
		},
	}
}

const prometheus = "Prometheus"

// kindOf returns which sort of server a Service looks like.
func kindOf(s *corev1.Service) (kind, bool) {
	all := kinds()
	matches := func(k kind) bool {
		return slices.ContainsFunc(k.names, func(pattern string) bool { ok, err := path.Match(pattern, s.Name); return ok && err == nil })
	}
	i := slices.IndexFunc(all, matches)
	// Thanos' Services may be labelled as parts of Prometheus, never called so.
	if i < 0 {
		i = slices.IndexFunc(all, func(k kind) bool {
			return slices.ContainsFunc(k.labels, func(labels map[string]string) bool { return hasLabels(s, labels) })
		})
	}
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

func hasLabels(s *corev1.Service, labels map[string]string) bool {
	for key, value := range labels {
		if s.Labels[key] != value {
			return false
		}
	}
	return true
}

// port returns the port at which the API is to be expected.
func (k kind) port(s *corev1.Service) (corev1.ServicePort, bool) {
	var best corev1.ServicePort
	rank := len(k.ports) + len(k.numbers)
	for _, p := range s.Spec.Ports {
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		at := slices.Index(k.ports, p.Name)
		if number := slices.Index(k.numbers, p.Port); at < 0 && number >= 0 {
			at = len(k.ports) + number
		}
		if at >= 0 && at < rank {
			best, rank = p, at
		}
	}
	if best.Port == 0 && len(s.Spec.Ports) == 1 {
		best = s.Spec.Ports[0]
	}
	return best, best.Port != 0
}

// schemeOf is what is spoken at a port.
func schemeOf(p corev1.ServicePort) string {
	if p.AppProtocol != nil {
		if app := strings.ToLower(*p.AppProtocol); app == "https" || strings.HasSuffix(app, "/https") {
			return "https"
		}
	}
	if p.Port == 443 || strings.HasPrefix(p.Name, "https") {
		return "https"
	}
	return "http"
}

// candidate is a Service that may be one.
type candidate struct {
	Service
	kind     kind
	rank     int
	headless bool
}

// candidatesAmong returns the Services that look like a server, in a stable order.
func candidatesAmong(services []corev1.Service) []candidate {
	var found []candidate
	for i := range services {
		s := &services[i]
		k, ok := kindOf(s)
		if !ok || s.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		port, ok := k.port(s)
		if !ok {
			continue
		}
		found = append(found, candidate{
			Service:  Service{Namespace: s.Namespace, Name: s.Name, Port: port.Port, Scheme: schemeOf(port), Path: k.path},
			kind:     k,
			rank:     slices.IndexFunc(kinds(), func(other kind) bool { return other.system == k.system && slices.Equal(other.names, k.names) }),
			headless: s.Spec.ClusterIP == corev1.ClusterIPNone,
		})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Name, b.Name))
	})
	return found
}
