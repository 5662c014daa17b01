package integration

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	schedulervalidation "k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/plugins/config"
)

// chartChoices are values that go together, each with anything of the others.
func chartChoices() [][]string {
	return [][]string{
		{"{}", "{profile: cost}", "{profile: availability}"},
		{"{}", `{schedulerName: "123"}`, "{schedulerName: near.batch}"},
		{"{}", "{fullnameOverride: near}", `{fullnameOverride: "1e3"}`},
		{"{}", "{scheduler: {weight: 0}}", "{scheduler: {weight: 100}}"},
		{"{}", "{scheduler: {percentageOfNodesToScore: 0}}", "{scheduler: {percentageOfNodesToScore: 33}}"},
		{
			"{}", "{scheduler: {args: {cost: {zone: 0, region: 0.01, remote: 0.02}}}}", "{scheduler: {args: {closeness: {node: 1, zone: 0.3, region: 0}}}}",
			"{scheduler: {args: {levels: [{label: example.com/rack, closeness: 0.97}]}}}",
			"{scheduler: {args: {cost: {zone: 0.001, region: 0.01, remote: 0.02}, levels: [{label: example.com/rack, cost: 0.0005}]}}}",
		},
		{"{}", "{scheduler: {args: {strategy: NetMARKS}}}", "{scheduler: {args: {routing: Uniform}}}", "{scheduler: {args: {routingPolicies: [TrafficDistribution]}}}"},
		{"{}", "{scheduler: {args: {maxShare: {zone: 1}, requestBytes: 1Ki, significantRate: 64Ki}}}", "{scheduler: {args: {networkCapacity: {label: example.com/net, unit: 1M}}}}"},
		{"{}", "{scheduler: {args: {shadow: true, events: false, staleAfter: 10m, expireAfter: 1h}}}", "{scheduler: {args: {optIn: true, reserveRoom: false}}}"},
		{
			"{}", "{prometheusCredentials: {secret: s, tokenKey: token, caKey: ca.crt}}",
			`{prometheusCredentials: {secret: "1", username: "me: {{ x }}", passwordKey: pw, certKey: tls.crt, keyKey: tls.key}, telemetry: {prometheus: {url: "https://[2001:db8::7]:9090/base"}}}`,
		},
		{
			"{}", `{telemetry: {interval: 1m, prometheus: {headers: {X-Scope-OrgID: "a: {{ b }}\n\"'"}}}}`,
			`{telemetry: {sources: [{type: istio-sidecar, selector: 'job="a"'}, {type: linkerd, name: other}], sites: [{name: db, zone: a, hosts: [db.example.com]}]}}`,
		},
		{"{}", "{scheduler: {config: {profiles: [{schedulerName: vicinity, percentageOfNodesToScore: 5}], parallelism: 4, leaderElection: {leaseDuration: 30s, renewDeadline: 20s}}}}"},
	}
}

// TestChartConfigurations: whatever values are put together, the scheduler can read what the
// chart renders of them, and it serves the name and takes the lease that the chart says.
func TestChartConfigurations(t *testing.T) {
	if testing.Short() {
		t.Skip("builds helm, which -short leaves out")
	}
	helm, err := shared.helm()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	choices := chartChoices()
	whole := len(choices) - 1 // scheduler.config, which stands for itself
	for range 60 {
		var chosen []string
		for i, of := range choices {
			if i < whole {
				chosen = append(chosen, of[random.IntN(len(of))])
			}
		}
		checkChartConfiguration(t, helm, chosen)
	}
	checkChartConfiguration(t, helm, choices[whole][1:])
}

func checkChartConfiguration(t *testing.T, helm string, values []string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"template", "vicinity", chart, "--namespace", "456", "--kube-version", "v1.37.0"}
	for i, text := range values {
		file := filepath.Join(dir, string(rune('a'+i))+".yaml")
		write(t, file, text)
		args = append(args, "--values", file)
	}
	command := exec.CommandContext(t.Context(), helm, append(args, "--show-only", "templates/configmap.yaml")...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	text, err := command.Output()
	if err != nil {
		t.Errorf("%q: %v", values, err)
		return
	}
	var object corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Errorf("%q: %v", values, err)
		return
	}
	telemetry := filepath.Join(dir, "telemetry.yaml")
	write(t, telemetry, object.Data["telemetry.yaml"])
	if _, err := config.LoadTelemetry(telemetry); err != nil {
		t.Errorf("%q: %v", values, err)
	}
	scheduler, err := schedulerconfig.Parse("scheduler.yaml", []byte(object.Data["scheduler.yaml"]))
	if err != nil {
		t.Errorf("%q: %v\n%s", values, err, object.Data["scheduler.yaml"])
		return
	}
	if _, err := scheduler.TrafficLocality(); err != nil {
		t.Errorf("%q: %v", values, err)
	}
	if errs := schedulervalidation.ValidateKubeSchedulerConfiguration(scheduler.Scheduler); errs != nil {
		t.Errorf("%q: %v", values, errs)
	}
	lease := scheduler.Scheduler.LeaderElection
	if name := object.Name[:strings.LastIndex(object.Name, "-config")]; !strings.HasPrefix(lease.ResourceName, name) || lease.ResourceNamespace != "456" || !lease.LeaderElect {
		t.Errorf("%q: the lease is %+v, the ConfigMap %s", values, lease, object.Name)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
