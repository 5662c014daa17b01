package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFlagsOfSources: each verb that asks Prometheus heeds the flags that say what to ask.
func TestFlagsOfSources(t *testing.T) {
	url, slow := prometheus(t, traffic(t, placedTraffic)), serve(t, hang(func() {}))
	kubeconfig := apiServerOf(t, placed())
	verbs := map[string]struct{ args, window, elsewhere string }{
		"graph":          {"graph --kubeconfig " + kubeconfig, "rates over 2m", "no traffic: the graph is empty"},
		"locality":       {"locality --kubeconfig " + kubeconfig, "rates over 2m", "no traffic: the graph is empty"},
		"explain":        {"explain workload web -n shop --kubeconfig " + kubeconfig, "would go to", "see why with: vicinity graph"},
		"record":         {"record --since 2m --kubeconfig " + apiServer(t), "Next: vicinity replay", "no traffic was observed"},
		"sources detect": {"sources detect", "Next: vicinity graph --prometheus " + url + " --window 2m", "0 B/s"},
	}
	for verb, of := range verbs {
		t.Run(verb, func(t *testing.T) {
			read := " --source istio-sidecar"
			if verb == "sources detect" {
				read = ""
			}
			for _, tc := range []struct {
				flags string
				code  int
				want  string
			}{
				{"--prometheus " + url + " --window 2m" + read, exitOK, of.window},
				{"--prometheus " + url + " --mesh-cluster Kubernetes" + read, exitOK, ""},
				{"--prometheus " + url + " --mesh-cluster elsewhere" + read, exitEmpty, of.elsewhere},
				{"--prometheus " + url + ` --selector job="none"` + read, exitEmpty, ""},
				{"--prometheus " + slow + " --timeout 50ms" + read, exitFailure, "raise --timeout"},
			} {
				args := append(strings.Fields(of.args), strings.Fields(tc.flags)...)
				if verb == "record" {
					args = append(args, filepath.Join(t.TempDir(), "rec"))
				}
				code, out, stderr := invoke(t, args...)
				want := tc.code
				if verb == "sources detect" && strings.Contains(tc.flags, "elsewhere") {
					want = exitOK // the metrics are there, the traffic is of another cluster
				}
				if code != want || !strings.Contains(out+stderr, tc.want) {
					t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", tc.flags, code, want, tc.want, out, stderr)
				}
			}
		})
	}
}

// TestFlagsOfContexts: each verb that asks a cluster asks that of the context.
func TestFlagsOfContexts(t *testing.T) {
	flags := " --source istio-sidecar --prometheus " + prometheus(t, traffic(t, placedTraffic)) + " --kubeconfig " + apiServerOf(t, placed())
	for _, verb := range []string{"graph --declared", "locality", "explain workload web -n shop"} {
		if code, out, stderr := invoke(t, strings.Fields(verb+flags+" --context here")...); code != exitOK {
			t.Errorf("%s: exit code %d: %s%s", verb, code, out, stderr)
		}
		if code, out, stderr := invoke(t, strings.Fields(verb+flags+" --context x")...); code != exitUsage || !strings.Contains(stderr, "kubectl config get-contexts") {
			t.Errorf("%s: exit code %d: %s%s", verb, code, out, stderr)
		}
	}
}

// TestFlagsByEffect: what else help shows does what it says.
func TestFlagsByEffect(t *testing.T) {
	asked := " --source istio-sidecar --prometheus " + prometheus(t, traffic(t, placedTraffic)) + " --kubeconfig " + apiServerOf(t, placed())
	pod := writeFile(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "new"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}`)
	for _, tc := range []struct{ args, want, not string }{
		{"explain --filename " + pod + asked, "shop/new", ""},
		{"explain workload web -n shop --limit 0" + asked, "shop/cart", "--limit 0 shows all"},
		{"explain workload web -n shop --limit 1" + asked, "... and 1 smaller edge; --limit 0 shows all", "shop/cart  "},
		{"locality --price aws" + asked, "A MONTH", ""},
		{"replay mesh:chain,size=3 --run default,netmarks --seeds 3 --baseline netmarks -v", "What changes most from netmarks to default,", ""},
		{"completion bash --no-descriptions", "__completeNoDesc", ""},
		{"completion zsh --no-descriptions", "__completeNoDesc", ""},
		{"completion fish --no-descriptions", "__completeNoDesc", ""},
		{"completion powershell --no-descriptions", "__completeNoDesc", ""},
	} {
		out := succeed(t, strings.Fields(tc.args)...)
		if !strings.Contains(out, tc.want) || tc.not != "" && strings.Contains(out, tc.not) {
			t.Errorf("%s: want %q, and not %q in\n%s", tc.args, tc.want, tc.not, out)
		}
	}
}
