package doctor

import (
	"strings"
	"testing"

	clienttesting "k8s.io/client-go/testing"
)

func TestHealthyCluster(t *testing.T) {
	report, typed, dynamic := newWorld(t).examine(t)
	for _, r := range report.Results {
		if r.Severity > Fine {
			t.Errorf("%s: %v: %s", r.Check, r.Severity, r.What)
		}
	}
	onlyReads(t, append(typed.Actions(), dynamic.Actions()...))
}

// onlyReads checks that nothing is written but reviews.
func onlyReads(t *testing.T, actions []clienttesting.Action) {
	t.Helper()
	if len(actions) == 0 {
		t.Fatal("nothing was read")
	}
	for _, a := range actions {
		switch verb, resource := a.GetVerb(), a.GetResource().Resource; {
		case verb == "get" && resource != "secrets", verb == "list" && resource != "secrets":
		case verb == "create" && resource == "subjectaccessreviews":
		default:
			t.Errorf("doctor does %s %s", verb, resource)
		}
	}
}

// TestClusterDocs checks what the reference says of the checks.
func TestClusterDocs(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range ClusterDocs() {
		if seen[d.Check] || d.Group == "" || !strings.HasSuffix(d.Meaning, ".") || d.Severities == "" {
			t.Errorf("the doc of check %s is incomplete, or there are two: %+v", d.Check, d)
		}
		seen[d.Check] = true
	}
}

// TestClusterFaults plants one fault at a time: the check that is meant for it finds it, and
// all results are complete.
func TestClusterFaults(t *testing.T) {
	for name, f := range clusterFaults() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f.plant(w)
			report, typed, dynamic := w.examine(t)
			onlyReads(t, append(typed.Actions(), dynamic.Actions()...))
			areComplete(t, report.Results)
			for _, r := range report.Results {
				if r.Check == f.check && r.Severity == f.severity && strings.Contains(r.What+" "+r.Next, f.what) {
					return
				}
			}
			for _, r := range report.Results {
				if r.Check == f.check || r.Severity > Note {
					t.Logf("%s: %v: %s Next: %s", r.Check, r.Severity, r.What, r.Next)
				}
			}
			t.Errorf("check %s does not say %v with %q", f.check, f.severity, f.what)
		})
	}
}

// areComplete checks that every check has a result, and the form of all results.
func areComplete(t *testing.T, results []Result) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range results {
		seen[r.Check] = true
		if r.What == "" || strings.Contains(r.What, "\n") || !strings.HasSuffix(r.What, ".") {
			t.Errorf("check %s: What is %q", r.Check, r.What)
		}
		if r.Severity > Fine && r.Why == "" || r.Severity > Note && r.Next == "" || r.Severity == Fine && r.Why+r.Next != "" {
			t.Errorf("%+v", r)
		}
		if strings.Contains(r.What+r.Why+r.Next, "%!") {
			t.Errorf("check %s is formatted wrongly: %+v", r.Check, r)
		}
	}
	for _, d := range ClusterDocs() {
		if !seen[d.Check] {
			t.Errorf("check %s has no result", d.Check)
		}
		delete(seen, d.Check)
	}
	for check := range seen {
		t.Errorf("check %s has no doc", check)
	}
}
