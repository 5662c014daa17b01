package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
)

// telemetryFaults are the faults, by name, among them none. The traffic is in a namespace, and
// linkerd exposes it as another mesh does.
func telemetryFaults(t *testing.T, namespace string, linkerd http.Handler) map[string]telemetryFault {
	t.Helper()
	all := map[string]telemetryFault{"none": {}}
	for _, faults := range []map[string]telemetryFault{serverFaults(t), exposedFaults(namespace), scrapeFaults(t, linkerd), configuredFaults()} {
		for name, f := range faults {
			all[name] = f
		}
	}
	return all
}

// serverFaults are those of Prometheus and of what stands before it.
func serverFaults(t *testing.T) map[string]telemetryFault {
	t.Helper()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	refuses := func(code int) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler { return status(code) }
	}
	return map[string]telemetryFault{
		"nobody listens":              {flags: []string{"--prometheus", "http://" + gone.Addr().String()}, want: "prometheus-reachable error"},
		"its certificate is unknown":  {flags: []string{"--prometheus", secure.URL}, want: "prometheus-reachable error"},
		"credentials are missing":     {before: refuses(http.StatusUnauthorized), want: "prometheus-allowed error"},
		"the tenant is not allowed":   {before: refuses(http.StatusForbidden), want: "prometheus-allowed error"},
		"another program":             {before: answers("/", "<html>a login page</html>"), want: "prometheus-api error"},
		"a store is missing":          {before: edited(`"status":"success"`, `"status":"success","warnings":["no store matched"]`), want: "prometheus-complete error"},
		"its clock is ahead":          {before: clockAhead(time.Minute), want: "prometheus-clock error"},
		"samples are dropped at once": {before: edited(`"storageRetention":"6h"`, `"storageRetention":"5s"`), want: "prometheus-retention error"},
		"its configuration is wrong":  {before: edited(`"reloadConfigSuccess":true`, `"reloadConfigSuccess":false`), want: "prometheus-reload warning"},
		"rates take long":             {before: delayed("rate(", 3*time.Second), flags: []string{"--timeout", "5s"}, want: "prometheus-cost warning"},
		"rates take too long":         {before: delayed("rate(", 10*time.Second), flags: []string{"--timeout", "2s"}, want: "prometheus-cost error,source-read error"},
	}
}

// exposedFaults are those of what the mesh exposes.
func exposedFaults(namespace string) map[string]telemetryFault {
	web := regexp.MustCompile(`source_(workload|workload_namespace|cluster)="[^"]*"`)
	bytes := []string{"istio_request_bytes", "istio_response_bytes"}
	return map[string]telemetryFault{
		"no mesh":                    {expose: without("istio_"), want: "source-found error"},
		"Hubble, which has no bytes": {expose: func(string) string { return "hubble_flows_processed_total 7\n" }, want: "source-found error"},
		"sizes are switched off":     {expose: without(bytes...), want: "source-bytes error"},
		"one size is switched off":   {expose: without(bytes[:1]...), want: "source-bytes warning"},
		"a label is removed":         {expose: swapped(`destination_workload="db",?`, ""), want: "bytes-resolved warning,source-labels warning"},
		"waypoints alone":            {expose: swapped(`reporter="[a-z]*"`, `reporter="waypoint"`), want: "source-found error,source-read error,source-waypoints error"},
		"two clusters":               {expose: andCopied(swapped(`_cluster="Kubernetes"`, `_cluster="west"`)), want: "source-clusters error"},
		"clients are outside": {expose: eachLine(func(l string) string {
			if !strings.Contains(l, `source_workload="web"`) {
				return l
			}
			return web.ReplaceAllString(l, `source_$1="unknown"`)
		}), want: "bytes-outside warning"},
		"metrics of another cluster": {expose: swapped(`"`+namespace+`"`, `"elsewhere"`), want: "pods-covered warning,workloads-known error"},
		"samples lag behind":         {expose: lagging(7 * time.Second), flags: []string{"--window", "20s"}, want: "source-fresh warning"},
		"the mesh stops answering":   {stops: true, want: "source-fresh error"},
	}
}

// scrapeFaults are those of scrape jobs.
func scrapeFaults(t *testing.T, linkerd http.Handler) map[string]telemetryFault {
	t.Helper()
	other := httptest.NewServer(linkerd)
	t.Cleanup(other.Close)
	job := func(name string) func(string) []metrics.Target {
		return func(address string) []metrics.Target {
			return []metrics.Target{{Job: name, Address: address, MetricsPath: "/metrics"}}
		}
	}
	return map[string]telemetryFault{
		"scraped twice": {targets: job("again"), want: "source-scraped-twice error"},
		"a target is down": {targets: func(string) []metrics.Target {
			return []metrics.Target{{Job: "mesh", Address: "127.0.0.1:1", MetricsPath: "/metrics"}}
		}, want: "source-targets warning"},
		"two meshes": {targets: func(string) []metrics.Target {
			return []metrics.Target{{Job: "linkerd", Address: strings.TrimPrefix(other.URL, "http://"), MetricsPath: "/metrics"}}
		}, want: "source-found warning"},
		"scraped too rarely":   {every: 4 * time.Second, want: "source-window warning"},
		"the data are too new": {flags: []string{"--window", "10m"}, want: "source-young warning"},
	}
}

// configuredFaults are those of TelemetryConfigurations.
func configuredFaults() map[string]telemetryFault {
	const source = "sources: [{type: istio-sidecar, window: 10s}]\n"
	return map[string]telemetryFault{
		"a configuration that fits":   {config: source + "trust: {reporterNamespaceLabel: namespace, agreement: agreed}\n"},
		"a mistake in it":             {config: "sources: [{type: istio-sidecar, windw: 10s}]\n", want: "telemetry-configuration error"},
		"another mesh is configured":  {config: "sources: [{type: consul, window: 10s}]\n", want: "source-configured error,source-read error,telemetry-configuration warning"},
		"the selector is wrong":       {config: "sources: [{type: istio-sidecar, window: 10s, selector: 'job=\"envoy\"'}]\n", want: "source-read error"},
		"its rules do not exist":      {config: "sources: [{type: istio-sidecar, recorded: true}]\n", want: "recording-rules error,source-read error"},
		"few series may be read":      {config: "  maxSeries: 3\n" + source, want: "prometheus-cost error,source-read error"},
		"few edges may be kept":       {config: source + "trust: {limits: {edges: 1, namespaceEdges: 1}}\n", want: "bytes-resolved warning,graph-limits error"},
		"the reporters have no label": {config: source + "trust: {reporterNamespaceLabel: team}\n", want: "source-read error,trust-reporters error"},
		"agents are not trusted": {config: source + "trust: {reporterNamespaceLabel: namespace}\n", expose: swapped(`namespace="test-[a-z0-9]*",pod="db`, `namespace="agents",pod="db`),
			want: "bytes-resolved warning,telemetry-configuration warning,trust-reporters warning"},
	}
}

// answers answers every request below a path alike.
func answers(path, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, path) {
				next.ServeHTTP(w, r)
				return
			}
			_, _ = w.Write([]byte(body))
		})
	}
}

// edited replaces a text in all answers.
func edited(old, text string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out := httptest.NewRecorder()
			next.ServeHTTP(out, r)
			body := strings.Replace(out.Body.String(), old, text, 1)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(out.Code)
			_, _ = w.Write([]byte(body))
		})
	}
}

// delayed delays queries with a text.
func delayed(text string, d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asks, r := queryOf(r)
			if strings.Contains(asks.Get("query"), text) {
				select {
				case <-time.After(d):
				case <-r.Context().Done():
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// clockAhead is a server whose clock, and whose samples' times, are ahead.
func clockAhead(d time.Duration) func(http.Handler) http.Handler {
	times := regexp.MustCompile(`\[[0-9]{10}(\.[0-9]*)?,"`)
	later := func(text string) string {
		at, _ := strconv.ParseFloat(strings.Trim(text, `[,"`), 64)
		return fmt.Sprintf(`[%f,"`, at+d.Seconds())
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asks, r := queryOf(r)
			if at, err := strconv.ParseFloat(asks.Get("time"), 64); err == nil {
				asks.Set("time", fmt.Sprint(at-d.Seconds()))
				out := httptest.NewRecorder()
				next.ServeHTTP(out, withQuery(r, asks))
				w.WriteHeader(out.Code)
				_, _ = io.WriteString(w, times.ReplaceAllStringFunc(out.Body.String(), later))
				return
			}
			if asks.Get("query") == "time()" {
				now := float64(time.Now().Add(d).UnixMilli()) / 1000
				_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[%f,"%f"]}}`, now, now)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// lagging gives the samples of an exposition times in the past.
func lagging(d time.Duration) func(string) string {
	return func(text string) string {
		at := fmt.Sprint(time.Now().Add(-d).UnixMilli())
		out := &strings.Builder{}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if line != "" && !strings.HasPrefix(line, "#") {
				line += " " + at
			}
			fmt.Fprintln(out, line)
		}
		return out.String()
	}
}
