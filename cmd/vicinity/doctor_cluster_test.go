package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/doctor"
)

// everythingForbidden are all lists that doctor asks for.
func everythingForbidden() []string {
	var all []string
	for _, resource := range []string{
		"nodes", "namespaces", "services", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets", "pods", "leases",
		"destinationrules", "sidecars", "appgroups", "priorityclasses", "poddisruptionbudgets", "networkpolicies", "endpointslices",
	} {
		all = append(all, "list "+resource)
	}
	return all
}

// TestDoctorForbidden: all is not well where nothing, or only a part, may be looked at.
func TestDoctorForbidden(t *testing.T) {
	cases := map[string]struct {
		forbidden []string
		code      int
		unchecked []string // checks
		checked   []string
		stderr    string
	}{
		"everything": {everythingForbidden(), exitFailure, []string{"cluster-access", "scheduler-installed", "workloads-handed-over", "topology-labels", "scheduler-task-restarts", "source-services"}, nil,
			"vicinity: nothing essential of the cluster could be looked at: you may not list nodes, namespaces, services, deployments.apps, "},
		"what to type": {everythingForbidden(), exitFailure, nil, nil,
			"kubectl create clusterrole vicinity-doctor --verb=get,list --resource=nodes,namespaces,services,deployments.apps,replicasets.apps,statefulsets.apps,daemonsets.apps,pods,leases.coordination.k8s.io && " +
				"kubectl create clusterrolebinding vicinity-doctor --clusterrole=vicinity-doctor --user=USER"},
		"nodes": {[]string{"list nodes"}, exitErrors, []string{"cluster-access", "topology-labels"}, []string{"scheduler-name-unserved", "workloads-handed-over"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kubeconfig := apiServer(t, tc.forbidden...)
			code, out, stderr := invoke(t, "doctor", "-o", "json", "--kubeconfig", kubeconfig)
			if code != tc.code || !strings.Contains(stderr, tc.stderr) {
				t.Errorf("exit code %d, want %d, and %q: %s", code, tc.code, tc.stderr, stderr)
			}
			var got doctorJSON
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			for _, check := range tc.unchecked {
				if got.has(check) != "unchecked" {
					t.Errorf("%s is %q", check, got.has(check))
				}
			}
			for _, check := range tc.checked {
				if is := got.has(check); is == "unchecked" || is == "" {
					t.Errorf("%s is %q", check, is)
				}
			}
			_, table, _ := invoke(t, "doctor", "--kubeconfig", kubeconfig)
			for _, check := range tc.unchecked {
				if !strings.Contains(table, check) {
					t.Errorf("the table does not name %s:\n%s", check, table)
				}
			}
			if want := fmt.Sprintf(", %d unchecked, ", got.Counts["unchecked"]); !strings.Contains(table, want) {
				t.Errorf("the last line has no %q:\n%s", want, table)
			}
		})
	}
}

// TestDoctorVerdict: what could not be looked at decides only where a cluster was to be.
func TestDoctorVerdict(t *testing.T) {
	blind := doctor.Report{Results: []doctor.Result{
		{Check: "prometheus-reachable"}, {Check: "cluster-access", Severity: doctor.Unchecked, What: "Not checked: x.", Next: "Do y."}, {Check: "scheduler-installed", Severity: doctor.Unchecked},
	}}
	if err := verdict(blind, true); err == nil || err.Error() != "nothing essential of the cluster could be looked at: x. Do y." {
		t.Errorf("of a cluster: %v", err)
	}
	if err := verdict(blind, false); err != nil {
		t.Errorf("without one: %v", err)
	}
}

// TestDoctorReadsOnce: objects of all namespaces are read in pages, each kind once.
func TestDoctorReadsOnce(t *testing.T) {
	var mu sync.Mutex
	asked := map[string][]string{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path] = append(asked[r.URL.Path], r.FormValue("limit"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":"1"},"items":[]}`)
	})
	_, _, _ = invoke(t, "doctor", "--kubeconfig", kubeconfig(t, url), "--prometheus", "http://127.0.0.1:1")
	mu.Lock()
	defer mu.Unlock()
	for _, path := range []string{"/api/v1/pods", "/api/v1/nodes", "/api/v1/services", "/api/v1/namespaces", "/apis/apps/v1/replicasets", "/apis/apps/v1/statefulsets"} {
		if got := strings.Join(asked[path], ","); got != "500" {
			t.Errorf("the limits for %s are %q, want one list with pages of 500", path, got)
		}
	}
}

// TestDoctorSchedulerOfNoCluster: a scheduler that is named is in a cluster, which has to be named.
func TestDoctorSchedulerOfNoCluster(t *testing.T) {
	code, out, stderr := invoke(t, "doctor", "--scheduler", "a/b", "--source", "istio-sidecar", "--prometheus", prometheus(t, traffic(t, placedTraffic)))
	if code != exitUsage || out != "" || !strings.Contains(stderr, "which cluster?") {
		t.Errorf("exit code %d: %s%s", code, out, stderr)
	}
}

// TestDoctorChoosesScheduler: of two, the one that --scheduler names is looked at, and the other
// is named.
func TestDoctorChoosesScheduler(t *testing.T) {
	deployment := func(namespace string, ready int) string {
		return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":%q,"name":"vicinity-scheduler","labels":{"app.kubernetes.io/name":"vicinity-scheduler"}},
			"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"readyReplicas":%d}}`, namespace, ready)
	}
	kubeconfig := apiServerOf(t, map[string]string{"deployments": deployment("one", 1) + "," + deployment("two", 2)})
	for args, want := range map[string]string{
		"":                                    "Doctor looked at two/vicinity-scheduler (2 ready pods), and not at one/vicinity-scheduler (1 ready pod).",
		" --scheduler one/vicinity-scheduler": "Doctor looked at one/vicinity-scheduler (1 ready pod), and not at two/vicinity-scheduler (2 ready pods).",
	} {
		_, out, stderr := invoke(t, strings.Fields("doctor -o json --kubeconfig "+kubeconfig+args)...)
		if !strings.Contains(out, want) {
			t.Errorf("%s: no %q: %s%s", args, want, out, stderr)
		}
	}
}
