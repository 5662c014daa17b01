package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sitesTraffic is web that calls api, a database in a ServiceEntry and something unknown.
func sitesTraffic(t *testing.T) string {
	t.Helper()
	text := traffic(t, "shop/web -> shop/api via api: 500 1500 2")
	for metric, rate := range map[string]int{"istio_tcp_received_bytes_total": 1000, "istio_tcp_sent_bytes_total": 9000} {
		for host, times := range map[string]int{"orders.rds.example.com": 1, "api.example.org": 2} {
			text += fmt.Sprintf("  %s{reporter=\"source\",%s,%s,destination_service_name=%q} 0+%dx20\n",
				metric, endLabels("source", "shop/web"), endLabels("destination", "unknown"), host, 30*rate*times)
		}
	}
	return text
}

const sitesConfig = `apiVersion: config.vicinity.dev/v1
kind: TelemetryConfiguration
prometheus: {url: %q}
sources: [{type: istio-sidecar, window: 2m}]
sites:
- {name: orders, region: eu, zone: eu-a, hosts: ["*.rds.example.com"]}
- {name: unused, region: eu, cidrs: [192.0.2.0/24]}
`

func TestGraphOfSites(t *testing.T) {
	config := writeFile(t, fmt.Sprintf(sitesConfig, prometheus(t, sitesTraffic(t))))
	for output, wants := range map[string][]string{
		"table": {
			"shop/web   @eu:eu-a/orders", "2 workloads, 2 edges, 11.7 KiB/s",
			"with sites   9.8 KiB/s with 1 of 2 sites outside the cluster (83.3 % of all bytes); 19.5 KiB/s with the rest of the outside is left out",
		},
		"dot": {`subgraph "cluster_@eu:eu-a"`, `"@eu:eu-a/orders" [label="orders", shape=cylinder];`},
		"json": {
			`"namespace": "@eu:eu-a"`, `"zone": "eu-a"`, `"sites": 1`,
			"\"withSites\": {\n      \"sentBytesPerSecond\": 1000,\n      \"receivedBytesPerSecond\": 9000,\n      \"requestsPerSecond\": 0\n    }",
		},
		"html": {"@eu:eu-a"},
	} {
		out := succeed(t, "graph", "--telemetry-config", config, "-o", output)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", output, want, out)
			}
		}
	}
}

// sitesJSON is the part of a report that TestSitesFromEverywhere compares.
type sitesJSON struct {
	Input struct {
		BytesPerSecond, SitesBytesPerSecond, ExternalBytesPerSecond float64
		Sites                                                       []struct {
			Name, Region, Zone string
			BytesPerSecond     float64
		}
	}
	Runs []struct {
		Name    string
		Summary struct {
			Node, Zone, Region struct {
				Configured struct{ LocalBytesPerSecond, CrossingBytesPerSecond mean }
			}
			CrossZonePerMonth mean
		}
	}
	Notes []string
}

// TestSitesFromEverywhere records a cluster of two zones whose telemetry names a site, and
// replays the recording, one without names, and the same cluster as a file with an edge list.
func TestSitesFromEverywhere(t *testing.T) {
	shop := asIs{"node n1 eu-a eu\nnode n2 eu-b eu\nwants web 3\npod web n1\npod web n2\npod web n2\nwants api 1\npod api n2\n"}.json(t)
	lists := map[string]string{}
	var all struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(shop), &all); err != nil {
		t.Fatal(err)
	}
	for _, item := range all.Items {
		var o struct{ Kind string }
		if err := json.Unmarshal(item, &o); err != nil {
			t.Fatal(err)
		}
		resource := strings.ToLower(o.Kind) + "s"
		if lists[resource] != "" {
			lists[resource] += ","
		}
		lists[resource] += string(item)
	}
	config, kubeconfig, dir := writeFile(t, fmt.Sprintf(sitesConfig, prometheus(t, sitesTraffic(t)))), apiServerOf(t, lists), t.TempDir()
	record := func(name string, more ...string) string {
		path := filepath.Join(dir, name)
		out := succeed(t, append([]string{"record", "--telemetry-config", config, "--kubeconfig", kubeconfig, "--since", "3m", path}, more...)...)
		if !strings.Contains(out, "of it with sites") {
			t.Errorf("the summary of %s does not speak of sites:\n%s", name, out)
		}
		return path
	}
	write(t, filepath.Join(dir, "cluster.json"), shop)
	write(t, filepath.Join(dir, "edges.csv"), "from,to,bytes_per_second,received_bytes_per_second,requests_per_second\n"+
		"shop/web,@eu:eu-a/orders,1000,9000,0\nshop/web,shop/api,500,1500,2\n")
	anonymous := record("anonymous", "--anonymize")
	got := map[string]sitesJSON{}
	for name, args := range map[string][]string{
		"recording": {record("recording")}, "anonymous": {anonymous},
		"file": {filepath.Join(dir, "edges.csv"), "--cluster", filepath.Join(dir, "cluster.json")},
	} {
		code, out, stderr := invoke(t, append([]string{"replay", "--run", "recorded", "--price-per-gb", "0.01", "-o", "json"}, args...)...)
		var report sitesJSON
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK {
			t.Fatalf("%s: exit code %d, %v: %s", name, code, err, stderr)
		}
		got[name] = report
	}
	file := got["file"]
	if in := file.Input; in.SitesBytesPerSecond != 10_000 || in.BytesPerSecond != 12_000 || in.ExternalBytesPerSecond != 0 || len(in.Sites) != 1 || in.Sites[0].Zone != "eu-a" {
		t.Errorf("the input is %+v", in)
	}
	// A third of web is in the zone of the database, and two thirds in that of api.
	zone := file.Runs[0].Summary.Zone.Configured
	if want := 10_000/3. + 2000*2/3.; !isNear(zone.LocalBytesPerSecond.Mean, want) {
		t.Errorf("%v stays in its zone, want %v", zone.LocalBytesPerSecond.Mean, want)
	}
	if want := (10_000*2/3. + 2000/3.) * 30 * 86400 / 1e9 * 0.01; !isNear(file.Runs[0].Summary.CrossZonePerMonth.Mean, want) {
		t.Errorf("it costs %v a month, want %v", file.Runs[0].Summary.CrossZonePerMonth.Mean, want)
	}
	if len(file.Notes) == 0 || !strings.Contains(strings.Join(file.Notes, "\n"), "83.3 % of the traffic is with sites") {
		t.Errorf("the notes are %q", file.Notes)
	}
	nearly := cmpopts.EquateApprox(1e-6, 1e-6)
	if diff := cmp.Diff(file.Runs, got["recording"].Runs, nearly); diff != "" {
		t.Errorf("the recording gives other figures (-file +recording):\n%s", diff)
	}
	if diff := cmp.Diff(file.Input, got["recording"].Input, nearly); diff != "" {
		t.Errorf("the recording has another input (-file +recording):\n%s", diff)
	}
	if diff := cmp.Diff(file.Runs, got["anonymous"].Runs, nearly); diff != "" {
		t.Errorf("without names the figures are others (-file +anonymous):\n%s", diff)
	}
	files, err := filepath.Glob(filepath.Join(anonymous, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"orders", "eu-a", "rds", "unused"} {
			if strings.Contains(string(text), name) {
				t.Errorf("%s has the name %s", path, name)
			}
		}
	}
}

func isNear(got, want float64) bool { return got > want*(1-1e-6) && got < want*(1+1e-6) }
